import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createEventDecoder,
  type ServerSentEvent,
} from '../../src/transport/server-sent-events.ts';

function decode(...pieces: readonly string[]): readonly ServerSentEvent[] {
  const decoder = createEventDecoder();
  return [...pieces.flatMap((piece) => decoder.decode(piece)), ...decoder.end()];
}

const event = (data: unknown, name?: string): ServerSentEvent => ({ type: 'event', name, data });

describe('createEventDecoder', () => {
  test.each([
    ['line feeds', '\n'],
    ['carriage returns', '\r'],
    ['both', '\r\n'],
  ])('takes lines that end with %s', (_, end) => {
    const stream = ['event: ping', 'data: {"a":1}', '', 'data: 2', '', ''].join(end);
    expect(decode(stream)).toEqual([event({ a: 1 }, 'ping'), event(2)]);
  });

  test('joins several data lines with a line feed', () => {
    expect(decode('data: {"a":\ndata: 1}\n\n')).toEqual([event({ a: 1 })]);
  });

  test('takes one space off the front of a value, and does not need it', () => {
    expect(decode('data:"x"\n\ndata: "y"\n\nevent:  z\ndata: 1\n\n')).toEqual([
      event('x'),
      event('y'),
      event(1, ' z'),
    ]);
  });

  test('ignores comments, unknown fields and events without data', () => {
    const stream =
      ': ping\n\nid: 7\nretry: 10\nfoo: bar\nfoo\nevent: lonely\n\ndata\n\ndata: 1\n\n';
    expect(decode(stream)).toEqual([event(1)]);
  });

  test('does not carry the name of an event without data over to the next', () => {
    expect(decode('event: lonely\n\ndata: 1\n\n')).toEqual([event(1)]);
  });

  test('tells an event whose last blank line is missing', () => {
    expect(decode('data: 1\n\ndata: 2')).toEqual([event(1), event(2)]);
    expect(decode('data: 1\n\ndata: 2\r')).toEqual([event(1), event(2)]);
  });

  test('tells data that is not JSON, and goes on', () => {
    expect(decode('data: {"a":\n\ndata: 2\n\n')).toEqual([{ type: 'malformed' }, event(2)]);
  });

  test('tells the end of a stream that says [DONE]', () => {
    expect(decode('data: 1\n\ndata: [DONE]\n\n')).toEqual([event(1), { type: 'done' }]);
    expect(decode('data: [DONE] ')).toEqual([{ type: 'done' }]);
  });

  test('tells an event as soon as its blank line is there, whatever the line ending', () => {
    for (const end of ['\n', '\r', '\r\n']) {
      const decoder = createEventDecoder();
      expect(decoder.decode(`data: 1${end}${end}`)).toEqual([event(1)]);
      expect(decoder.decode('data: 2\n\n')).toEqual([event(2)]);
      expect(decoder.end()).toEqual([]);
    }
  });

  test('reads one long line that comes in many pieces', () => {
    const long = 'x'.repeat(200_000);
    const chunks = `data: "${long}"\n\n`.match(/[\s\S]{1,50}/g) ?? [];
    expect(decode(...chunks)).toEqual([event(long)]);
  });

  const line = fc.oneof(
    fc.constantFrom(
      'data: {"a":1}',
      'data: [DONE]',
      'data: {',
      'data:',
      ': ping',
      'event: x',
      '',
      '',
    ),
    fc.string({ unit: 'grapheme', maxLength: 8 }).map((text) => `data: ${JSON.stringify(text)}`),
  );
  const stream = fc
    .array(fc.tuple(line, fc.constantFrom('\n', '\r', '\r\n')), { maxLength: 20 })
    .map((lines) => lines.map(([text, end]) => text + end).join(''));

  test('tells the same events however the stream is cut into pieces', () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat(300), { maxLength: 12 }), (text, cuts) => {
        const at = [0, ...cuts.filter((cut) => cut < text.length), text.length].sort(
          (a, b) => a - b,
        );
        const pieces = at.slice(1).map((end, index) => text.slice(at[index], end));
        expect(decode(...pieces)).toEqual(decode(text));
      }),
    );
  });

  test('tells the same events character by character', () => {
    fc.assert(
      fc.property(stream, (text) => {
        expect(decode(...text.split(''))).toEqual(decode(text));
      }),
    );
  });

  test('tells every JSON value that is sent, in order', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), (values) => {
        const text = values.map((value) => `data: ${JSON.stringify(value)}\n\n`).join('');
        const plain = values.map((value) => event(JSON.parse(JSON.stringify(value))));
        expect(decode(text)).toEqual(plain);
      }),
    );
  });
});
