import { describe, expect, it } from 'vitest';
import { createToolIds } from '../../../src/wires/common/tool-ids.ts';

const rule = { accepts: (id: string) => id.length < 8, generate: (n: number) => `call_${n}` };

describe('createToolIds', () => {
  it('keeps an id that the wire accepts', () => {
    const ids = createToolIds(rule);
    expect([ids.call('a'), ids.result('a')]).toEqual(['a', 'a']);
  });

  it('replaces an id that the wire rejects with an unused one', () => {
    const ids = createToolIds(rule);
    expect([ids.call('call_1'), ids.call('much too long')]).toEqual(['call_1', 'call_2']);
    expect(ids.result('much too long')).toBe('call_2');
  });

  it('replaces a repeated id, and gives results the latest one', () => {
    const ids = createToolIds(rule);
    expect([ids.call('a'), ids.result('a'), ids.call('a'), ids.result('a')]).toEqual([
      'a',
      'a',
      'call_1',
      'call_1',
    ]);
  });

  it('keeps the id of a result without a call', () => {
    expect(createToolIds(rule).result('x')).toBe('x');
  });
});
