import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createEventDecoder,
  type EventDecoder,
  type ServerSentEvent,
} from '../../src/transport/sse/server-sent-events.ts';

function* told(decoder: EventDecoder): Generator<ServerSentEvent> {
  for (let event = decoder.next(); event !== undefined; event = decoder.next()) yield event;
}

function take(decoder: EventDecoder, piece: string): readonly ServerSentEvent[] {
  decoder.take(piece);
  return [...told(decoder)];
}

function end(decoder: EventDecoder): readonly ServerSentEvent[] {
  decoder.end('');
  return [...told(decoder)];
}

function decode(...pieces: readonly string[]): readonly ServerSentEvent[] {
  const decoder = createEventDecoder();
  return [...pieces.flatMap((piece) => take(decoder, piece)), ...end(decoder)];
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
    for (const ending of ['\n', '\r', '\r\n']) {
      const decoder = createEventDecoder();
      expect(take(decoder, `data: 1${ending}${ending}`)).toEqual([event(1)]);
      expect(take(decoder, 'data: 2\n\n')).toEqual([event(2)]);
      expect(end(decoder)).toEqual([]);
    }
  });

  test('reads one long line that comes in many pieces', () => {
    const long = 'x'.repeat(200_000);
    const chunks = `data: "${long}"\n\n`.match(/[\s\S]{1,50}/g) ?? [];
    expect(decode(...chunks)).toEqual([event(long)]);
  });

  test('ends with what is left of the last piece', () => {
    const decoder = createEventDecoder();
    decoder.end('data: 1');
    expect([...told(decoder)]).toEqual([event(1)]);
  });

  describe('that expects an event again', () => {
    const frame = (text: string, n = 1) => `event: e\ndata: ${JSON.stringify({ text, n })}\n\n`;
    const whole = (text: string, n = 1) => event({ text, n }, 'e');
    const again = (text: string): unknown => expect.objectContaining({ type: 'again', text });
    const place = { place: 'p', field: 'text', idle: [] };

    /** What a decoder tells that expects every event that it has told whole. */
    function expecting(...pieces: readonly string[]): readonly ServerSentEvent[] {
      const decoder = createEventDecoder();
      const events: ServerSentEvent[] = [];
      for (const piece of pieces) {
        decoder.take(piece);
        for (const each of told(decoder)) {
          events.push(each);
          if (each.type !== 'event') continue;
          const text = (each.data as { text?: unknown } | null)?.text;
          if (typeof text === 'string' && decoder.canExpect())
            decoder.expectAgain({ ...place, text });
        }
      }
      return [...events, ...end(decoder)];
    }

    test('tells only its text', () => {
      expect(expecting(frame('a'), frame('b') + frame('c'))).toEqual([
        whole('a'),
        again('b'),
        again('c'),
      ]);
      expect(expecting(frame('a') + frame('b'))).toEqual([whole('a'), again('b')]);
    });

    test('tells others whole, and goes on', () => {
      const pieces = [frame('a'), frame('"'), frame('c', 2), frame('d', 2), frame('e')];
      expect(expecting(...pieces)).toEqual([
        whole('a'),
        again('"'),
        whole('c', 2),
        again('d'),
        whole('e'),
      ]);
    });

    test('tells the first whole that follows another event', () => {
      const pieces = [frame('a'), frame('b'), 'data: 1\n\n', frame('c') + frame('d')];
      expect(expecting(...pieces)).toEqual([
        whole('a'),
        again('b'),
        event(1),
        whole('c'),
        again('d'),
      ]);
    });

    test('tells one that came in two pieces whole', () => {
      const cut = frame('b').length - 5;
      const pieces = [frame('a'), frame('b').slice(0, cut), frame('b').slice(cut) + frame('c')];
      expect(expecting(...pieces, frame('d'))).toEqual([
        whole('a'),
        whole('b'),
        whole('c'),
        again('d'),
      ]);
    });

    test('does not take the middle of an event for the beginning of one', () => {
      const pieces = [
        frame('a'),
        'event: x\n',
        frame('b'),
        'data: {"z":\n',
        frame('c'),
        frame('d'),
      ];
      expect(expecting(...pieces)).toEqual([
        whole('a'),
        whole('b'),
        { type: 'malformed' },
        whole('d'),
      ]);
    });

    test('knows it by any line ending', () => {
      const crlf = [frame('a'), frame('b'), frame('c')].map((each) =>
        each.replaceAll('\n', '\r\n'),
      );
      expect(expecting(...crlf)).toEqual([whole('a'), again('b'), again('c')]);
    });

    test('expects no more after three that have not come again', () => {
      const frames = [1, 2, 3, 4].map((n) => frame('a', n));
      expect(expecting(...frames, frame('b', 4))).toEqual([
        ...[1, 2, 3, 4].map((n) => whole('a', n)),
        whole('b', 4),
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
