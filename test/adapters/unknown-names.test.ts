import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Shape, ShapeCheck, shape } from '../../src/wires/common/read.ts';
import { silentWatch } from '../support/provider-calls.ts';

const known = shape(
  'id metadata',
  {
    items: shape('text', { inner: shape('a b') }, 'text image'),
    usage: shape('tokens'),
  },
  'answer',
);

function unknownIn(...answers: readonly unknown[]): readonly string[] {
  const paths: string[] = [];
  const watch = { ...silentWatch, unknownName: (path: string) => void paths.push(path) };
  const check = new ShapeCheck(watch, new Headers());
  for (const answer of answers) check.check(answer, known);
  return paths;
}

describe('the check of the names in an answer', () => {
  it.each<[string, unknown, readonly string[]]>([
    ['nothing', { id: 1, usage: { tokens: 1 }, items: [{ type: 'text', text: '' }] }, []],
    ['a field', { id: 1, mood: 1 }, ['mood']],
    ['a field further in', { items: [{ text: '', inner: { c: 1 } }] }, ['items[].inner.c']],
    ['a type, and not its fields', { type: 'other', mood: 1 }, ['type=other']],
    ['a type further in', { items: [{ type: 'video', mood: 1 }] }, ['items[].type=video']],
    ['nothing in a field of any content', { metadata: { mood: 1 } }, []],
    ['nothing in what is unknown', { mood: { grade: 1 } }, ['mood']],
    ['each path once', { items: [{ mood: 1 }, { mood: 2 }] }, ['items[].mood']],
    ['an inherited name', { constructor: 1, __proto__: { x: 1 } }, ['constructor']],
    ['no name', { 'What is my PIN?': 1, '': 2 }, ['?']],
    ['a name that looks like a key', { 'sk-proj-abcdefgh1234': 1 }, ['?']],
    ['a list', [{ mood: 1 }], ['[].mood']],
  ])('finds %s', (_what, answer, paths) => {
    expect(unknownIn(answer)).toEqual(paths);
  });

  it('reports a path of several events once', () => {
    expect(unknownIn({ mood: 1 }, { mood: 2 }, { tone: 1 })).toEqual(['mood', 'tone']);
  });

  it('reports at most 32 names of an answer', () => {
    const names = Array.from({ length: 1000 }, (_, index) => [`n${index}`, 1] as const);
    expect(unknownIn(Object.fromEntries(names))).toHaveLength(32);
  });

  it('reports nothing of any answer made of known names, and a foreign name wherever it is', () => {
    const answerOf = (each: Shape): fc.Arbitrary<unknown> =>
      fc
        .tuple(
          fc.subarray([...each.fields.keys()].filter((name) => name !== 'type')),
          fc.constantFrom(undefined, ...(each.types ?? [])),
        )
        .chain(([names, type]) =>
          fc.record(
            Object.fromEntries([
              ...(type === undefined ? [] : [['type', fc.constant(type)] as const]),
              ...names.map((name) => {
                const field = each.fields.get(name);
                const inner =
                  field === undefined || field === true ? fc.jsonValue() : answerOf(field);
                return [name, fc.oneof(inner, fc.array(inner, { maxLength: 3 }))] as const;
              }),
            ]),
          ),
        );
    fc.assert(
      fc.property(answerOf(known), (answer) => {
        expect(unknownIn(answer)).toEqual([]);
        expect(unknownIn([answer, { items: [{ zz: 1 }] }])).toEqual(['[].items[].zz']);
      }),
      { numRuns: 300 },
    );
  });
});
