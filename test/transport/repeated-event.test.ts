import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { repeatedEvent, type TextEvent } from '../../src/transport/server-sent-events.ts';

const delta = (content: string, more: object = {}) =>
  `data: ${JSON.stringify({ id: 'c1', choices: [{ delta: { content }, finish_reason: null }], ...more })}\n\n`;

const content = (text: string): TextEvent => ({
  place: '',
  field: 'content',
  text,
  idle: ['created', 'p'],
});

/** The texts of the events in `stream` that match the template made from `frame`. */
function textsOf(frame: string, event: TextEvent, stream: string): readonly string[] {
  const repeated = repeatedEvent(frame, event);
  const texts: string[] = [];
  for (let at = repeated?.find(stream, 0) ?? -1; at >= 0; at = repeated?.find(stream, at) ?? -1) {
    texts.push(repeated?.text ?? '');
  }
  return texts;
}

describe('repeatedEvent', () => {
  test('matches events that differ only in their text', () => {
    const texts = ['a', ' b, c', '', 'ü 😀', '"', 'line\n', '\\', 'a longer text, which is copied'];
    const stream = texts.map((text) => delta(text)).join('');
    for (const first of texts) expect(textsOf(delta(first), content(first), stream)).toEqual(texts);
  });

  test('ignores the values of idle fields', () => {
    const stream = delta('a', { created: 0, p: 'abc' }) + delta('b', { created: 12, p: '' });
    const frame = delta('x', { created: 7, p: 'z' });
    expect(textsOf(frame, content('x'), stream)).toEqual(['a', 'b']);
  });

  test('ignores spaces before the last brace', () => {
    const pad = (frame: string, spaces: number) =>
      frame.replace(/\}\n\n$/, `${' '.repeat(spaces)}}\n\n`);
    const stream = pad(delta('a'), 1) + pad(delta('b }'), 9) + pad(delta('c'), 0);
    expect(textsOf(pad(delta('x'), 4), content('x'), stream)).toEqual(['a', 'b }', 'c']);
  });

  test.each([
    ['an event with another field', delta('a', { more: 1 })],
    ['an event with another value', delta('a').replace('null', '"stop"')],
    ['a text with an invalid escape', delta('a').replace('"a"', '"\\x"')],
    ['a text that is invalid JSON', delta('a').replace('"a"', '"\t"')],
    ['a null for the text', delta('a').replace('"a"', 'null')],
    ['an incomplete event', delta('a').slice(0, -1)],
    ['an incomplete text', delta('a').slice(0, delta('a').indexOf('"a"') + 2)],
    ['nothing', ''],
  ])('does not match %s', (_, stream) => {
    expect(textsOf(delta('x'), content('x'), stream)).toEqual([]);
  });

  test.each([
    ['is padded with zeros', '"created":007'],
    ['is not a number', '"created":null'],
    ['is cut off', '"created":'],
  ])('does not match an event whose number %s', (_, created) => {
    const stream = delta('a', { created: 7 }).replace('"created":7', created);
    expect(textsOf(delta('x', { created: 7 }), content('x'), stream)).toEqual([]);
  });

  test.each([
    ['is missing', delta('other')],
    ['occurs twice', delta('x', { content: 'x' })],
    ['occurs twice, once escaped', delta('x', { content: 'x' }).replace('"x"', '"\\u0078"')],
    ['may be in a field with an escaped name', delta('x', { c: 'x' }).replace('"c"', '"\\u0063"')],
  ])('returns undefined when the text %s', (_, frame) => {
    expect(repeatedEvent(frame, content('x'))).toBeUndefined();
  });

  test('returns undefined when an idle field occurs twice', () => {
    const frame = delta('x', { created: 1, source: { created: 2 } });
    expect(repeatedEvent(frame, content('x'))).toBeUndefined();
  });

  test('is not confused by a text that looks like a field', () => {
    const odd = '{"content":"x"},"p":"y"';
    const stream = delta('a') + delta(odd);
    expect(textsOf(delta(odd), content(odd), stream)).toEqual(['a', odd]);
  });

  test('returns undefined for an event of many thousand characters', () => {
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

  test('returns the same text as JSON.parse', () => {
    fc.assert(
      fc.property(
        tree,
        tree,
        text,
        text,
        fc.nat(),
        spaced,
        (first, second, original, other, n, by) => {
          const write = (value: unknown, of: string, created: number) =>
            // Not a valid event when it has several lines, which does not matter here.
            `data: ${JSON.stringify({ value, delta: { content: of }, created }, undefined, by).slice(0, -1)}${' '.repeat(created % 4)}}\n\n`;
          const repeated = repeatedEvent(write(first, original, 1), content(original));
          for (const value of [first, second]) {
            const stream = write(value, other, n);
            const end = repeated?.find(stream, 0) ?? -1;
            if (end < 0) continue;
            expect(end).toBe(stream.length);
            expect(repeated?.text).toBe(other);
          }
        },
      ),
    );
  });

  test('matches every event with any text', () => {
    fc.assert(
      fc.property(text, text, fc.nat(), (original, other, created) => {
        const frame = delta(original, { created: 1 });
        expect(textsOf(frame, content(original), delta(other, { created }))).toEqual([other]);
      }),
    );
  });
});
