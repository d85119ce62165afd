import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { wellFormed } from '../../src/engine/tasks/messages.ts';

/** JSON whose strings and keys may have halves of surrogate pairs. */
const oddJson = fc.jsonValue({ stringUnit: 'binary' });
const unit = fc.constantFrom('a', '\ud83c', '\udf89', '\u{1F389}');
const oddText = fc.array(unit).map((units) => units.join(''));

describe('wellFormed', () => {
  it('leaves no half of a surrogate pair in data of any shape', () => {
    const data = fc.array(fc.dictionary(oddText, fc.oneof(oddText, oddJson, fc.array(oddText))));
    fc.assert(
      fc.property(data, (value) => {
        expect(JSON.stringify(wellFormed(value))).not.toMatch(/(?<!\\)(?:\\\\)*\\ud[89a-f]/);
      }),
    );
  });

  it('returns the same object when nothing has to change', () => {
    const value = { a: ['\u{1F389}', { b: 1, c: null }], bytes: new Uint8Array([1]) };
    expect(wellFormed(value)).toBe(value);
  });

  it('copies only what changes', () => {
    const same = { text: 'x' };
    const bytes = new Uint8Array([1]);
    const result = wellFormed({ same, list: ['\ud83c', same], bytes });
    expect(result).toEqual({ same, list: ['\ufffd', same], bytes });
    expect(result.same).toBe(same);
    expect(result.bytes).toBe(bytes);
  });

  it('keeps a field called __proto__ a field', () => {
    const value: unknown = JSON.parse('{"__proto__":"\\ud83c"}');
    expect(JSON.stringify(wellFormed(value))).toBe('{"__proto__":"\ufffd"}');
  });

  it('ends with cyclic data', () => {
    const value: { self?: object; text: string } = { text: '\ud83c' };
    value.self = value;
    expect(wellFormed(value).text).toBe('\ufffd');
  });
});
