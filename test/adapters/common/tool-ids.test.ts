import { describe, expect, it } from 'vitest';
import { createToolIds } from '../../../src/wires/common/tool-ids.ts';

const rule = { accepts: (id: string) => id.length < 8, mint: (n: number) => `call_${n}` };

describe('createToolIds', () => {
  it('keeps an id that the wire takes', () => {
    const ids = createToolIds(rule);
    expect([ids.call('a'), ids.result('a')]).toEqual(['a', 'a']);
  });

  it('mints another for one it refuses, and never one that is taken', () => {
    const ids = createToolIds(rule);
    expect([ids.call('call_1'), ids.call('much too long')]).toEqual(['call_1', 'call_2']);
    expect(ids.result('much too long')).toBe('call_2');
  });

  it('mints another for one that came before, and gives results the latest', () => {
    const ids = createToolIds(rule);
    expect([ids.call('a'), ids.result('a'), ids.call('a'), ids.result('a')]).toEqual([
      'a',
      'a',
      'call_1',
      'call_1',
    ]);
  });

  it('passes the id of a call it never saw', () => {
    expect(createToolIds(rule).result('x')).toBe('x');
  });
});
