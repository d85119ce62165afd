import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { repeatedEvent, type TextEvent } from '../../src/transport/sse/event-template.ts';

const delta = (content: string, more: object = {}) =>
  `data: ${JSON.stringify({ id: 'c1', choices: [{ delta: { content }, finish_reason: null }], ...more })}\n\n`;

const content = (text: string): TextEvent => ({
  place: '',
  field: 'content',
  text,
  idle: ['created', 'p'],
});

/** The texts that `stream` has in events like the one that said `text` in `frame`, one after the other. */
function textsOf(frame: string, event: TextEvent, stream: string): readonly string[] {
  const repeated = repeatedEvent(frame, event);
  const texts: string[] = [];
  for (let at = repeated?.find(stream, 0) ?? -1; at >= 0; at = repeated?.find(stream, at) ?? -1) {
    texts.push(repeated?.text ?? '');
  }
  return texts;
}

describe('repeatedEvent', () => {
  test('finds the events that differ only in their text', () => {
    const texts = ['a', ' b, c', '', 'ü 😀', '"', 'line\n', '\\', 'a longer text, which is copied'];
    const stream = texts.map((text) => delta(text)).join('');
    for (const first of texts) expect(textsOf(delta(first), content(first), stream)).toEqual(texts);
  });

  test('passes over idle fields, strings and numbers', () => {
    const stream = delta('a', { created: 0, p: 'abc' }) + delta('b', { created: 12, p: '' });
    const frame = delta('x', { created: 7, p: 'z' });
    expect(textsOf(frame, content('x'), stream)).toEqual(['a', 'b']);
  });

  test('passes over spaces before the last brace', () => {
    const pad = (frame: string, spaces: number) =>
      frame.replace(/\}\n\n$/, `${' '.repeat(spaces)}}\n\n`);
    const stream = pad(delta('a'), 1) + pad(delta('b }'), 9) + pad(delta('c'), 0);
    expect(textsOf(pad(delta('x'), 4), content('x'), stream)).toEqual(['a', 'b }', 'c']);
  });

  test.each([
    ['another field', delta('a', { more: 1 })],
    ['another value', delta('a').replace('null', '"stop"')],
    ['a text with an escape that is none', delta('a').replace('"a"', '"\\x"')],
    ['a text that is no JSON', delta('a').replace('"a"', '"\t"')],
    ['a null for the text', delta('a').replace('"a"', 'null')],
    ['an event that is not whole', delta('a').slice(0, -1)],
    ['a text that is not whole', delta('a').slice(0, delta('a').indexOf('"a"') + 2)],
    ['nothing', ''],
  ])('does not find one with %s', (_, stream) => {
    expect(textsOf(delta('x'), content('x'), stream)).toEqual([]);
  });

  test.each([
    ['is padded with zeros', '"created":007'],
    ['is no number', '"created":null'],
    ['is cut off', '"created":'],
  ])('does not find one whose number %s', (_, created) => {
    const stream = delta('a', { created: 7 }).replace('"created":7', created);
    expect(textsOf(delta('x', { created: 7 }), content('x'), stream)).toEqual([]);
  });

  test.each([
    ['is not there', delta('other')],
    ['is there twice', delta('x', { content: 'x' })],
    ['is there twice, once with escapes', delta('x', { content: 'x' }).replace('"x"', '"\\u0078"')],
    [
      'may be in a field whose name has escapes',
      delta('x', { c: 'x' }).replace('"c"', '"\\u0063"'),
    ],
  ])('knows nothing when the text %s', (_, frame) => {
    expect(repeatedEvent(frame, content('x'))).toBeUndefined();
  });

  test('knows nothing when an idle field is there twice, since one may be read', () => {
    const frame = delta('x', { created: 1, source: { created: 2 } });
    expect(repeatedEvent(frame, content('x'))).toBeUndefined();
  });

  test('is not taken in by a text that looks like a field', () => {
    const odd = '{"content":"x"},"p":"y"';
    const stream = delta('a') + delta(odd);
    expect(textsOf(delta(odd), content(odd), stream)).toEqual(['a', odd]);
  });

  test('does not look into an event of many thousand characters', () => {
    const long = 'x'.repeat(100_000);
    expect(repeatedEvent(delta(long), content(long))).toBeUndefined();
  });

  const text = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: 'binary', maxLength: 4 }));
  const field = fc.constantFrom('content', 'created', 'p', 'index', 'id', 'a, b');
  const tree = fc.letrec((tie) => ({
    node: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom(null, true, 'content', ',"content":"x"'),
      fc.nat(20),
      text,
      fc.array(tie('node'), { maxLength: 3 }),
      fc.dictionary(field, tie('node'), { maxKeys: 3 }),
    ),
  })).node;
  const spaced = fc.constantFrom(undefined, 1);

  test('what it finds is what JSON.parse finds', () => {
    fc.assert(
      fc.property(tree, tree, text, text, fc.nat(), spaced, (first, second, said, other, n, by) => {
        const write = (value: unknown, of: string, created: number) =>
          // Several lines of JSON are no event, but the comparison need not know.
          `data: ${JSON.stringify({ value, delta: { content: of }, created }, undefined, by).slice(0, -1)}${' '.repeat(created % 4)}}\n\n`;
        const repeated = repeatedEvent(write(first, said, 1), content(said));
        for (const value of [first, second]) {
          const stream = write(value, other, n);
          const end = repeated?.find(stream, 0) ?? -1;
          if (end < 0) continue;
          expect(end).toBe(stream.length);
          expect(repeated?.text).toBe(other);
        }
      }),
    );
  });

  test('finds every event with a text, whatever is in it', () => {
    fc.assert(
      fc.property(text, text, fc.nat(), (said, other, created) => {
        const frame = delta(said, { created: 1 });
        expect(textsOf(frame, content(said), delta(other, { created }))).toEqual([other]);
      }),
    );
  });
});
