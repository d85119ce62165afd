import { describe, expect, it } from 'vitest';
import { ToolIds } from '../../../src/wires/common/request.ts';

const rule = { accepts: (id: string) => id.length < 8, generate: (n: number) => `call_${n}` };

describe('ToolIds', () => {
  it('keeps an id that the wire accepts', () => {
    const ids = new ToolIds(rule);
    expect([ids.call('a'), ids.result('a')]).toEqual(['a', 'a']);
  });

  it('replaces an id that the wire rejects with an unused one', () => {
    const ids = new ToolIds(rule);
    expect([ids.call('call_1'), ids.call('much too long')]).toEqual(['call_1', 'call_2']);
    expect(ids.result('much too long')).toBe('call_2');
  });

  it('replaces a repeated id, and gives results the latest one', () => {
    const ids = new ToolIds(rule);
    expect([ids.call('a'), ids.result('a'), ids.call('a'), ids.result('a')]).toEqual([
      'a',
      'a',
      'call_1',
      'call_1',
    ]);
  });

  it('gives results the ids of calls with the same id in order', () => {
    const ids = new ToolIds(rule);
    expect([ids.call('a'), ids.call('a')]).toEqual(['a', 'call_1']);
    expect([ids.result('a'), ids.result('a')]).toEqual(['a', 'call_1']);
  });

  it('keeps the id of a result without a call', () => {
    expect(new ToolIds(rule).result('x')).toBe('x');
  });
});
