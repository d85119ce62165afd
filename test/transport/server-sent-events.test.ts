import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EventDecoder, type ServerSentEvent } from '../../src/transport/server-sent-events.ts';

function* eventsOf(decoder: EventDecoder): Generator<ServerSentEvent> {
  for (let event = decoder.next(); event !== undefined; event = decoder.next()) yield event;
}

function take(decoder: EventDecoder, chunk: string): readonly ServerSentEvent[] {
  decoder.take(chunk);
  return [...eventsOf(decoder)];
}

function end(decoder: EventDecoder): readonly ServerSentEvent[] {
  decoder.end('');
  return [...eventsOf(decoder)];
}

function decode(...chunks: readonly string[]): readonly ServerSentEvent[] {
  const decoder = new EventDecoder();
  return [...chunks.flatMap((chunk) => take(decoder, chunk)), ...end(decoder)];
}

const event = (data: unknown, name?: string): ServerSentEvent => ({ type: 'event', name, data });

describe('EventDecoder', () => {
  test.each([
    ['line feeds', '\n'],
    ['carriage returns', '\r'],
    ['both', '\r\n'],
  ])('accepts lines that end with %s', (_, end) => {
    const stream = ['event: ping', 'data: {"a":1}', '', 'data: 2', '', ''].join(end);
    expect(decode(stream)).toEqual([event({ a: 1 }, 'ping'), event(2)]);
  });

  test('joins several data lines with a line feed', () => {
    expect(decode('data: {"a":\ndata: 1}\n\n')).toEqual([event({ a: 1 })]);
  });

  test('removes one optional space before a value', () => {
    expect(decode('data:"x"\n\ndata: "y"\n\nevent:  z\ndata: 1\n\n')).toEqual([
      event('x'),
      event('y'),
      event(1, ' z'),
    ]);
  });

  test('ignores comments, unknown fields and events without data', () => {
    const stream = ': ping\n\nid: 7\nretry: 10\nfoo: bar\nfoo\nevent: empty\n\ndata\n\ndata: 1\n\n';
    expect(decode(stream)).toEqual([event(1)]);
  });

  test('does not apply the name of an event without data to the next one', () => {
    expect(decode('event: empty\n\ndata: 1\n\n')).toEqual([event(1)]);
  });

  test('returns a last event without its blank line', () => {
    expect(decode('data: 1\n\ndata: 2')).toEqual([event(1), event(2)]);
    expect(decode('data: 1\n\ndata: 2\r')).toEqual([event(1), event(2)]);
  });

  test('returns malformed for data that is not JSON, and continues', () => {
    expect(decode('data: {"a":\n\ndata: 2\n\n')).toEqual([{ type: 'malformed' }, event(2)]);
  });

  test.each([
    ': keepalive',
    ': OPENROUTER PROCESSING',
    'ping',
    'keep-alive',
    'KEEPALIVE',
    'heartbeat',
  ])('skips the keep-alive %j in data', (word) => {
    expect(decode(`${`data: ${word}\n\n`.repeat(3)}data: 1\n\n`)).toEqual([event(1)]);
  });

  test('skips keep-alive events whose data is not JSON', () => {
    expect(decode('event: ping\ndata: 12:00:00\n\ndata: 1\n\n')).toEqual([event(1)]);
  });

  test('returns done for [DONE]', () => {
    expect(decode('data: 1\n\ndata: [DONE]\n\n')).toEqual([event(1), { type: 'done' }]);
    expect(decode('data: [DONE] ')).toEqual([{ type: 'done' }]);
  });

  test('returns an event as soon as its blank line arrives, with any line ending', () => {
    for (const ending of ['\n', '\r', '\r\n']) {
      const decoder = new EventDecoder();
      expect(take(decoder, `data: 1${ending}${ending}`)).toEqual([event(1)]);
      expect(take(decoder, 'data: 2\n\n')).toEqual([event(2)]);
      expect(end(decoder)).toEqual([]);
    }
  });

  test('reads one long line in many chunks', () => {
    const long = 'x'.repeat(200_000);
    const chunks = `data: "${long}"\n\n`.match(/[\s\S]{1,50}/g) ?? [];
    expect(decode(...chunks)).toEqual([event(long)]);
  });

  test('returns the events of the last chunk', () => {
    const decoder = new EventDecoder();
    decoder.end('data: 1');
    expect([...eventsOf(decoder)]).toEqual([event(1)]);
  });

  describe('with expectAgain', () => {
    const frame = (text: string, n = 1) => `event: e\ndata: ${JSON.stringify({ text, n })}\n\n`;
    const decoded = (text: string, n = 1) => event({ text, n }, 'e');
    const again = (text: string): unknown => expect.objectContaining({ type: 'again', text });
    const template = { place: 'p', field: 'text', idle: [] };

    /** The events of a decoder that expects every decoded event again. */
    function expecting(...chunks: readonly string[]): readonly ServerSentEvent[] {
      const decoder = new EventDecoder();
      const events: ServerSentEvent[] = [];
      for (const chunk of chunks) {
        decoder.take(chunk);
        for (const each of eventsOf(decoder)) {
          events.push(each);
          if (each.type !== 'event') continue;
          const text = (each.data as { text?: unknown } | null)?.text;
          if (typeof text === 'string' && decoder.canExpect())
            decoder.expectAgain({ ...template, text });
        }
      }
      return [...events, ...end(decoder)];
    }

    test('returns only the text of repetitions', () => {
      expect(expecting(frame('a'), frame('b') + frame('c'))).toEqual([
        decoded('a'),
        again('b'),
        again('c'),
      ]);
      expect(expecting(frame('a') + frame('b'))).toEqual([decoded('a'), again('b')]);
    });

    test('decodes other events, and expects those', () => {
      const chunks = [frame('a'), frame('"'), frame('c', 2), frame('d', 2), frame('e')];
      expect(expecting(...chunks)).toEqual([
        decoded('a'),
        again('"'),
        decoded('c', 2),
        again('d'),
        decoded('e'),
      ]);
    });

    test('decodes the first event after a different one', () => {
      const chunks = [frame('a'), frame('b'), 'data: 1\n\n', frame('c') + frame('d')];
      expect(expecting(...chunks)).toEqual([
        decoded('a'),
        again('b'),
        event(1),
        decoded('c'),
        again('d'),
      ]);
    });

    test('decodes an event that is split across chunks', () => {
      const cut = frame('b').length - 5;
      const chunks = [frame('a'), frame('b').slice(0, cut), frame('b').slice(cut) + frame('c')];
      expect(expecting(...chunks, frame('d'))).toEqual([
        decoded('a'),
        decoded('b'),
        decoded('c'),
        again('d'),
      ]);
    });

    test('does not match in the middle of an event', () => {
      const chunks = [
        frame('a'),
        'event: x\n',
        frame('b'),
        'data: {"z":\n',
        frame('c'),
        frame('d'),
      ];
      expect(expecting(...chunks)).toEqual([
        decoded('a'),
        decoded('b'),
        { type: 'malformed' },
        decoded('d'),
      ]);
    });

    test('matches with any line ending', () => {
      const crlf = [frame('a'), frame('b'), frame('c')].map((each) =>
        each.replaceAll('\n', '\r\n'),
      );
      expect(expecting(...crlf)).toEqual([decoded('a'), again('b'), again('c')]);
    });

    test('stops expecting after three misses', () => {
      const frames = [1, 2, 3, 4].map((n) => frame('a', n));
      expect(expecting(...frames, frame('b', 4))).toEqual([
        ...[1, 2, 3, 4].map((n) => decoded('a', n)),
        decoded('b', 4),
      ]);
    });
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

  test('returns the same events however the stream is split', () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat(300), { maxLength: 12 }), (text, cuts) => {
        const at = [0, ...cuts.filter((cut) => cut < text.length), text.length].sort(
          (a, b) => a - b,
        );
        const chunks = at.slice(1).map((end, index) => text.slice(at[index], end));
        expect(decode(...chunks)).toEqual(decode(text));
      }),
    );
  });

  test('returns the same events character by character', () => {
    fc.assert(
      fc.property(stream, (text) => {
        expect(decode(...text.split(''))).toEqual(decode(text));
      }),
    );
  });

  test('returns every JSON value in order', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), (values) => {
        const text = values.map((value) => `data: ${JSON.stringify(value)}\n\n`).join('');
        const plain = values.map((value) => event(JSON.parse(JSON.stringify(value))));
        expect(decode(text)).toEqual(plain);
      }),
    );
  });
});
