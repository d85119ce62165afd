import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeServerSentEvents,
  type ServerSentEvent,
} from '../../src/transport/server-sent-events.ts';

async function* each(chunks: readonly string[]): AsyncGenerator<string> {
  yield* chunks;
}

async function decode(...chunks: readonly string[]): Promise<readonly ServerSentEvent[]> {
  const events: ServerSentEvent[] = [];
  for await (const event of decodeServerSentEvents(each(chunks))) events.push(event);
  return events;
}

const event = (data: unknown, name?: string): ServerSentEvent => ({ type: 'event', name, data });

describe('decodeServerSentEvents', () => {
  test.each([
    ['line feeds', '\n'],
    ['carriage returns', '\r'],
    ['both', '\r\n'],
  ])('takes lines that end with %s', async (_, end) => {
    const stream = ['event: ping', 'data: {"a":1}', '', 'data: 2', '', ''].join(end);
    expect(await decode(stream)).toEqual([event({ a: 1 }, 'ping'), event(2)]);
  });

  test('joins several data lines with a line feed', async () => {
    expect(await decode('data: {"a":\ndata: 1}\n\n')).toEqual([event({ a: 1 })]);
  });

  test('takes one space off the front of a value, and does not need it', async () => {
    expect(await decode('data:"x"\n\ndata: "y"\n\nevent:  z\ndata: 1\n\n')).toEqual([
      event('x'),
      event('y'),
      event(1, ' z'),
    ]);
  });

  test('ignores comments, unknown fields and events without data', async () => {
    const stream =
      ': ping\n\nid: 7\nretry: 10\nfoo: bar\nfoo\nevent: lonely\n\ndata\n\ndata: 1\n\n';
    expect(await decode(stream)).toEqual([event(1)]);
  });

  test('does not carry the name of an event without data over to the next', async () => {
    expect(await decode('event: lonely\n\ndata: 1\n\n')).toEqual([event(1)]);
  });

  test('tells an event whose last blank line is missing', async () => {
    expect(await decode('data: 1\n\ndata: 2')).toEqual([event(1), event(2)]);
    expect(await decode('data: 1\n\ndata: 2\r')).toEqual([event(1), event(2)]);
  });

  test('tells data that is not JSON, and goes on', async () => {
    expect(await decode('data: {"a":\n\ndata: 2\n\n')).toEqual([{ type: 'malformed' }, event(2)]);
  });

  test('tells the end of a stream that says [DONE]', async () => {
    expect(await decode('data: 1\n\ndata: [DONE]\n\n')).toEqual([event(1), { type: 'done' }]);
    expect(await decode('data: [DONE] ')).toEqual([{ type: 'done' }]);
  });

  test('tells an event as soon as its blank line is there, whatever the line ending', async () => {
    for (const end of ['\n', '\r', '\r\n']) {
      const { promise: more, resolve } = Promise.withResolvers<string>();
      async function* chunks(): AsyncGenerator<string> {
        yield `data: 1${end}${end}`;
        yield await more;
      }
      const events = decodeServerSentEvents(chunks());
      expect(await events.next()).toEqual({ done: false, value: event(1) });
      resolve('data: 2\n\n');
      expect(await events.next()).toEqual({ done: false, value: event(2) });
      expect((await events.next()).done).toBe(true);
    }
  });

  test('gives its source back when it is left', async () => {
    let closed = false;
    async function* chunks(): AsyncGenerator<string> {
      try {
        yield 'data: 1\n\n';
        yield 'data: 2\n\n';
      } finally {
        closed = true;
      }
    }
    for await (const _ of decodeServerSentEvents(chunks())) break;
    expect(closed).toBe(true);
  });

  test('reads one long line that comes in many pieces', async () => {
    const long = 'x'.repeat(200_000);
    const chunks = `data: "${long}"\n\n`.match(/[\s\S]{1,50}/g) ?? [];
    expect(await decode(...chunks)).toEqual([event(long)]);
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

  test('tells the same events however the stream is cut into pieces', async () => {
    await fc.assert(
      fc.asyncProperty(stream, fc.array(fc.nat(300), { maxLength: 12 }), async (text, cuts) => {
        const at = [0, ...cuts.filter((cut) => cut < text.length), text.length].sort(
          (a, b) => a - b,
        );
        const pieces = at.slice(1).map((end, index) => text.slice(at[index], end));
        expect(await decode(...pieces)).toEqual(await decode(text));
      }),
    );
  });

  test('tells the same events character by character', async () => {
    await fc.assert(
      fc.asyncProperty(stream, async (text) => {
        expect(await decode(...text.split(''))).toEqual(await decode(text));
      }),
    );
  });

  test('tells every JSON value that is sent, in order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.jsonValue()), async (values) => {
        const text = values.map((value) => `data: ${JSON.stringify(value)}\n\n`).join('');
        const plain = values.map((value) => event(JSON.parse(JSON.stringify(value))));
        expect(await decode(text)).toEqual(plain);
      }),
    );
  });
});
