import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ToolInput } from '../../../src/wires/common/tool-input.ts';

/** The input and the emitted deltas for these pieces. */
function read(pieces: readonly string[], whole?: string) {
  const input = new ToolInput();
  const emitted = pieces.map((piece) => input.add(piece));
  if (whole !== undefined) input.complete(whole);
  const { parsed, delta } = input.end();
  return { ...parsed, deltas: [...emitted, delta].join('') };
}

/** The text, cut at these offsets. */
function cut(text: string, cuts: readonly number[]): readonly string[] {
  const offsets = [...new Set([0, ...cuts.map((each) => each % text.length), text.length])];
  offsets.sort((a, b) => a - b);
  return offsets.slice(1).map((end, index) => text.slice(offsets[index], end));
}

const object = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { minKeys: 1 });
const cuts = fc.array(fc.nat());

describe('the arguments of a tool call', () => {
  it.each<[string, readonly string[], unknown]>([
    ['the whole again after pieces', ['{"a":', '1}', '{"a":1}'], { a: 1 }],
    ['pieces of the whole again', ['{"a":1}', '{"a"', ':1}'], { a: 1 }],
    ['pieces that repeat all before them', ['{"a"', '{"a":', '{"a":1}'], { a: 1 }],
    ['an empty object first', ['{}', '{"a":', '1}'], { a: 1 }],
    ['objects that grow', ['{"a":"x"}', '{"a":"xy","b":2}'], { a: 'xy', b: 2 }],
    ['an object in an object that starts the same', ['{"a":', '{"a":1}}'], { a: { a: 1 } }],
    ['null', ['null'], {}],
    ['nothing', [''], {}],
    ['JSON in a string', [JSON.stringify('{"a":1}')], { a: 1 }],
    ['text in a string', ['"hello"'], 'hello'],
  ])('are read from %s', (_what, pieces, input) => {
    expect(read(pieces)).toMatchObject({ input });
    expect(read(pieces)).not.toHaveProperty('invalid');
  });

  it.each<[string, readonly string[]]>([
    ['two objects that differ', ['{"a":1}', '{"a":2}']],
    ['an object that is cut off', ['{"a":']],
    ['text after an object', ['{"a":1}', 'x']],
  ])('are invalid for %s', (_what, pieces) => {
    expect(read(pieces)).toMatchObject({ invalid: true, rawInput: pieces.join('') });
  });

  it('are corrected by the whole, unless that is not JSON', () => {
    expect(read(['{"a":'], '{"a":1}')).toEqual({ input: { a: 1 }, deltas: '{"a":1}' });
    expect(read(['{"a":1}'], '{"a"')).toMatchObject({ input: { a: 1 } });
  });

  it('keep free text that looks like JSON', () => {
    const input = new ToolInput();
    input.addFree('{"a":');
    input.addFree('1}');
    expect(input.end()).toEqual({ parsed: { input: '{"a":1}' }, delta: '"{\\"a\\":1}"' });
  });

  it('are the same however they are cut, and so are the deltas', () => {
    fc.assert(
      fc.property(object, cuts, (value, at) => {
        const text = JSON.stringify(value);
        expect(read(cut(text, at))).toEqual({ input: JSON.parse(text), deltas: text });
      }),
    );
  });

  it('are the same when they are sent again, whole or in every piece', () => {
    fc.assert(
      fc.property(object, cuts, cuts, (value, at, again) => {
        const text = JSON.stringify(value);
        const pieces = cut(text, at);
        const input = JSON.parse(text);
        expect(read([...pieces, ...cut(text, again)])).toEqual({ input, deltas: text });
        const grown = pieces.map((_, index) => pieces.slice(0, index + 1).join(''));
        expect(read(grown)).toMatchObject({ input });
      }),
    );
  });

  it('take linear time', () => {
    const startedAt = performance.now();
    const input = new ToolInput();
    for (let index = 0; index < 100_000; index++) input.add('{"a":"}{');
    input.end();
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });
});
