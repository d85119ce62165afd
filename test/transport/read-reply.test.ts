import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { nextValue } from '../../src/internal/read.ts';
import type { Watch } from '../../src/protocol/provider.ts';
import { type Answer, answerOf } from '../../src/transport/answer.ts';
import { dispatchRequest, processDispatcher } from '../../src/transport/dispatch.ts';
import { ResponseCapture } from '../../src/transport/exchange.ts';
import { type Reply, readReply } from '../../src/transport/read-reply.ts';
import type { ServerSentEvent } from '../../src/transport/server-sent-events.ts';

const quiet: Watch = {
  connected: () => undefined,
  bytes: () => undefined,
  limits: () => undefined,
};

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

type Send = (url: string) => Promise<Answer>;

/** Both transports: directly through undici, and through the user's `fetch`. */
const ways: readonly (readonly [string, Send])[] = [
  [
    'a dispatcher',
    (url) => {
      const dispatcher = processDispatcher();
      if (dispatcher === undefined) throw new Error('this Node exposes no dispatcher');
      const { signal } = new AbortController();
      const capture = new ResponseCapture({ signal, watch: quiet, key: 0 });
      const answer = capture.wait();
      dispatchRequest(dispatcher, { url, method: 'GET', headers: {}, body: undefined }, capture);
      return answer;
    },
  ],
  ['a fetch', async (url) => answerOf(await fetch(url), new AbortController().signal)],
];

describe.each(ways)('over %s', (_, send) => {
  /** Sends a request to a server that answers with `answer`. */
  async function answerFrom(answer: (response: ServerResponse) => void): Promise<Answer> {
    const server = createServer((_, response) => answer(response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    stops.push(() => {
      server.close();
      server.closeAllConnections();
    });
    return send(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  }

  const sending =
    (body: string | Buffer, type: string, status = 200) =>
    (response: ServerResponse): void => {
      response.writeHead(status, { 'content-type': type });
      response.end(body);
    };

  /** Sends less than its content-length, then cuts the connection. */
  const cutting =
    (body: string, status = 200) =>
    (response: ServerResponse): void => {
      response.writeHead(status, { 'content-type': 'application/json', 'content-length': '9999' });
      response.write(body, () => response.destroy());
    };

  async function eventsOf(reply: Reply): Promise<readonly ServerSentEvent[]> {
    if (reply.kind !== 'events') throw new Error(`not events but ${reply.kind}`);
    const { events: source } = reply;
    let hasEnded = false;
    const events: ServerSentEvent[] = [];
    for (;;) {
      for (let event = source.next(); event !== undefined; event = source.next()) {
        events.push(event);
      }
      if (hasEnded) return events;
      const chunk = await nextValue(() => source.read());
      source.take(chunk);
      hasEnded = chunk === undefined;
    }
  }

  function httpErrorOf(reply: Reply) {
    if (reply.kind !== 'http-error') throw new Error(`not an HTTP error but ${reply.kind}`);
    return reply.error;
  }

  /** A response with exactly these chunks. */
  function inChunks(chunks: readonly Uint8Array[]): Answer {
    return answerOf(
      new Response(
        new ReadableStream({
          start(controller) {
            for (const chunk of chunks) controller.enqueue(chunk);
            controller.close();
          },
        }),
      ),
      new AbortController().signal,
    );
  }

  describe('an answer', () => {
    test('of JSON is read although a stream was requested', async () => {
      const reply = await readReply(
        await answerFrom(sending(' {"a":1}', 'text/event-stream')),
        quiet,
      );
      expect(reply).toMatchObject({ kind: 'json', body: { a: 1 } });
    });

    test('of events is read despite its content type', async () => {
      const reply = await readReply(
        await answerFrom(sending('data: 1\n\ndata: [DONE]\n\n', 'application/json')),
        quiet,
      );
      expect(await eventsOf(reply)).toEqual([
        { type: 'event', name: undefined, data: 1 },
        { type: 'done' },
      ]);
    });

    test.each([
      ['data: 1\n\n'],
      ['event: x\ndata: 1\n\n'],
      ['id: 1\ndata: 1\n\n'],
      ['retry: 1\ndata: 1\n\n'],
      [': ping\n\ndata: 1\n\n'],
      ['\n\n\r\ndata: 1\n\n'],
    ])('that begins with %j is a stream of events', async (body) => {
      const bytes = [...Buffer.from(body)].map((byte) => Uint8Array.of(byte));
      expect(await eventsOf(await readReply(inChunks(bytes), quiet))).toMatchObject([
        { type: 'event', data: 1 },
      ]);
    });

    test('can begin with a byte order mark', async () => {
      const events = await readReply(await answerFrom(sending('\uFEFFdata: 1\n\n', 'x/y')), quiet);
      expect(await eventsOf(events)).toMatchObject([{ data: 1 }]);
      const json = await readReply(await answerFrom(sending('\uFEFF{"a":1}', 'x/y')), quiet);
      expect(json).toMatchObject({ kind: 'json', body: { a: 1 } });
    });

    test.each([
      ['a web page', '<!doctype html><html></html>'],
      ['an empty body', ''],
      ['an empty body', ' \n '],
      ['neither JSON nor an event stream', 'upstream error'],
      ['neither JSON nor an event stream', '"just a string"'],
    ])('of %s is an invalid_response', async (what, body) => {
      const reading = readReply(await answerFrom(sending(body, 'text/html')), quiet);
      await expect(reading).rejects.toMatchObject({
        code: 'invalid_response',
        message: expect.stringContaining(what),
      });
    });

    test('carries the request id and the headers', async () => {
      const reply = await readReply(
        answerOf(
          new Response('{}', { headers: { 'x-request-id': 'req_1', 'x-other': 'yes' } }),
          new AbortController().signal,
        ),
        quiet,
      );
      expect(reply.requestId).toBe('req_1');
      expect(reply.headers.get('x-other')).toBe('yes');
    });

    test('reads characters that are split across chunks', async () => {
      const text = fc.string({ unit: 'grapheme' });
      await fc.assert(
        fc.asyncProperty(fc.array(text), fc.array(fc.nat(400)), async (texts, cuts) => {
          const bytes = Buffer.from(
            `: é\n\n${texts.map((each) => `data: ${JSON.stringify(each)}\n\n`).join('')}`,
          );
          const at = [0, ...cuts.filter((cut) => cut < bytes.length), bytes.length];
          at.sort((a, b) => a - b);
          const chunks = at.slice(1).map((end, index) => bytes.subarray(at[index], end));
          const events = await eventsOf(await readReply(inChunks(chunks), quiet));
          expect(events).toEqual(texts.map((data) => ({ type: 'event', name: undefined, data })));
        }),
      );
    });

    test('reports every chunk to the watch, including pings', async () => {
      let chunks = 0;
      const watch: Watch = {
        connected: () => undefined,
        bytes: () => chunks++,
        limits: () => undefined,
      };
      const encode = (text: string) => new TextEncoder().encode(text);
      const body = inChunks([encode(': ping\n\n'), encode(': ping\n\n'), encode('data: 1\n\n')]);
      await eventsOf(await readReply(body, watch));
      expect(chunks).toBeGreaterThanOrEqual(3);
    });
  });

  describe('a connection that breaks', () => {
    test('in the middle of a stream interrupts it after the events that arrived', async () => {
      const reply = await readReply(await answerFrom(cutting('data: 1\n\ndata: 2')), quiet);
      if (reply.kind !== 'events') throw new Error('not events');
      const { events } = reply;
      expect(events.next()).toMatchObject({ data: 1 });
      const reading = nextValue(() => events.read());
      const cause = await reading.then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(events.cut(cause)).toMatchObject({ code: 'stream_interrupted', cause });
    });

    test('in the middle of JSON interrupts the answer', async () => {
      const reading = readReply(await answerFrom(cutting('{"a":')), quiet);
      await expect(reading).rejects.toMatchObject({ code: 'stream_interrupted' });
    });

    test('before anything was sent interrupts the answer', async () => {
      const reading = readReply(await answerFrom(cutting('')), quiet);
      await expect(reading).rejects.toMatchObject({ code: 'stream_interrupted' });
    });

    test('has the same code as incomplete JSON', async () => {
      const answer = await answerFrom(sending('{"a":', 'application/json'));
      // Synchronous if everything has arrived.
      const reading = async () => readReply(answer, quiet);
      await expect(reading()).rejects.toMatchObject({
        code: 'stream_interrupted',
        message: 'the answer was interrupted: its JSON is incomplete',
      });
    });
  });

  describe('an HTTP error', () => {
    test('of JSON is decoded', async () => {
      const reply = await readReply(
        await answerFrom(sending('{"error":{"type":"x"}}', 'application/json', 429)),
        quiet,
      );
      expect(httpErrorOf(reply)).toMatchObject({ status: 429, body: { error: { type: 'x' } } });
    });

    test('of text is kept verbatim', async () => {
      const reply = await readReply(
        await answerFrom(sending('Bad gateway', 'text/plain', 502)),
        quiet,
      );
      expect(httpErrorOf(reply)).toMatchObject({ status: 502, body: 'Bad gateway' });
    });

    test('without a body has its status', async () => {
      const reply = await readReply(await answerFrom(sending('', 'text/plain', 503)), quiet);
      expect(httpErrorOf(reply)).toMatchObject({ status: 503, body: '' });
    });

    test('that is cut has its status', async () => {
      const reply = await readReply(await answerFrom(cutting('{"error":', 500)), quiet);
      expect(httpErrorOf(reply).status).toBe(500);
    });

    test('that never ends is read up to a limit, and its socket is closed', async () => {
      const { promise: closed, resolve } = Promise.withResolvers<void>();
      const response = await answerFrom((answer) => {
        answer.on('close', resolve);
        answer.writeHead(500);
        const more = (): void => {
          while (!answer.destroyed && answer.write('x'.repeat(16_384)));
        };
        answer.on('drain', more);
        more();
      });
      const { status, body } = httpErrorOf(await readReply(response, quiet));
      expect(status).toBe(500);
      expect(String(body).length).toBeLessThan(1_000_000);
      await closed;
    });
  });

  describe('a reader that stops', () => {
    test('closes the socket of a stream', async () => {
      const { promise: closed, resolve } = Promise.withResolvers<void>();
      const reply = await readReply(
        await answerFrom((answer) => {
          answer.on('close', resolve);
          answer.writeHead(200);
          answer.write('data: 1\n\n');
        }),
        quiet,
      );
      if (reply.kind !== 'events') throw new Error('not events');
      expect(reply.events.next()).toMatchObject({ data: 1 });
      reply.events.leave();
      await closed;
    });

    test('closes the socket of an invalid response', async () => {
      const { promise: closed, resolve } = Promise.withResolvers<void>();
      const response = await answerFrom((answer) => {
        answer.on('close', resolve);
        answer.writeHead(200);
        answer.write('<html>');
      });
      await expect(readReply(response, quiet)).rejects.toMatchObject({ code: 'invalid_response' });
      await closed;
    });
  });
});
