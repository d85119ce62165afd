import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { crc32, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it, test } from 'vitest';
import { fromAiSdk } from '../../src/ai-sdk.ts';
import { anthropic } from '../../src/anthropic.ts';
import { mistral } from '../../src/compatible.ts';
import { google, vertex } from '../../src/google.ts';
import { azureOpenAI, openai, openaiChat } from '../../src/openai.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import type { ProviderPart } from '../../src/protocol/stream-part.ts';
import { createRouter } from '../../src/router.ts';
import { answerTooLarge } from '../../src/transport/answer-bound.ts';
import { readReply } from '../../src/transport/read-reply.ts';
import { awsChunk, awsFrame } from '../support/aws-frames.ts';
import { inBatches } from '../support/batches.ts';
import { type AnswerInChunks, chunkedFetch, type Served } from '../support/chunked-fetch.ts';
import { startScriptedServer } from '../support/scripted-server.ts';

const maxAnswerBytes = 1_000_000;
const baseURL = 'http://vendor.test';
const tooLarge = {
  code: 'invalid_response',
  message: expect.stringContaining('larger than 1000000 bytes (maxAnswerBytes)'),
};

const stops: (() => unknown)[] = [];
afterEach(() => Promise.all(stops.splice(0).map((stop) => stop())));

function routerOver(provider: Provider) {
  return createRouter({
    providers: { v: provider },
    tiers: { t: { targets: ['v/m'], maxAttempts: 1 } },
  });
}

/** The error of a call's only attempt; `undefined` when it succeeds. */
async function attemptFailureOf(calling: PromiseLike<unknown>): Promise<unknown> {
  try {
    await calling;
    return undefined;
  } catch (error) {
    return (error as { readonly errors?: readonly unknown[] }).errors?.[0] ?? error;
  }
}

/** The error of a call, and how much of the body was read. */
async function failureOf(answer: () => AnswerInChunks, raw = false) {
  const served: Served = { bytes: 0, isCancelled: false };
  const fetch = chunkedFetch(answer, served);
  const router = routerOver(openaiChat({ apiKey: 'k', baseURL, maxAnswerBytes, fetch }));
  return { failure: await attemptFailureOf(router.complete('t', 'hi', { raw })), served };
}

function* endless(head: string, chunk: string): Generator<string> {
  yield head;
  for (;;) yield chunk;
}

const kilobytes = 'a'.repeat(10_000);
const chatEvent = (delta: object): string =>
  `data: ${JSON.stringify({ id: 'c', choices: [{ index: 0, delta }] })}\n\n`;

describe('an endless answer', () => {
  test.each<readonly [string, () => AnswerInChunks]>([
    ['a JSON body', () => ({ chunks: endless('{"id":"', kilobytes) })],
    ['a JSON body after white space', () => ({ chunks: endless(' \n{"id":"', kilobytes) })],
    ['white space', () => ({ chunks: endless('', ' '.repeat(10_000)) })],
    ['a line of an event stream', () => ({ chunks: endless('data: {"id":"', kilobytes) })],
    ['lines of one event', () => ({ chunks: endless('', `data: ${kilobytes}\n`) })],
    ['comments', () => ({ chunks: endless('', `: ${kilobytes}\n\n`) })],
    ['text', () => ({ chunks: endless('', chatEvent({ content: kilobytes })) })],
    ['reasoning', () => ({ chunks: endless('', chatEvent({ reasoning: kilobytes })) })],
    [
      'arguments',
      () => ({
        chunks: endless(
          chatEvent({
            tool_calls: [{ index: 0, id: 'a', function: { name: 'f', arguments: '' } }],
          }),
          chatEvent({ tool_calls: [{ index: 0, function: { arguments: kilobytes } }] }),
        ),
      }),
    ],
    [
      'citations',
      () => ({
        chunks: endless(
          chatEvent({ content: 'a' }),
          chatEvent({ annotations: [{ type: 'url_citation', url: kilobytes }] }),
        ),
      }),
    ],
  ])('of %s is cut at maxAnswerBytes', async (_, answer) => {
    const { failure, served } = await failureOf(answer);
    expect(failure).toMatchObject(tooLarge);
    expect(served.isCancelled).toBe(true);
    expect(served.bytes).toBeLessThan(maxAnswerBytes + 3 * 10_100);
  });

  test('of frames is cut at maxAnswerBytes', async () => {
    const frame = awsChunk({ type: 'ping', of: kilobytes });
    const served: Served = { bytes: 0, isCancelled: false };
    const fetch = chunkedFetch(
      () => ({
        headers: { 'content-type': 'application/vnd.amazon.eventstream' },
        chunks: (function* () {
          for (;;) yield frame;
        })(),
      }),
      served,
    );
    const router = routerOver(anthropic({ apiKey: 'k', baseURL, maxAnswerBytes, fetch }));
    expect(await attemptFailureOf(router.complete('t', 'hi'))).toMatchObject(tooLarge);
    expect(served.isCancelled).toBe(true);
  });

  test('of an HTTP error is read only as far as needed', async () => {
    const answer = () => ({ status: 429, chunks: endless('{"error":"', kilobytes) });
    const { failure, served } = await failureOf(answer);
    expect(failure).toMatchObject({ code: 'rate_limited', status: 429 });
    expect(served.isCancelled).toBe(true);
    expect(served.bytes).toBeLessThan(100_000);
  });

  test('after a complete answer is drained only for a short while', async () => {
    const served: Served = { bytes: 0, isCancelled: false };
    const fetch = chunkedFetch(
      () => ({
        chunks: (function* () {
          yield chatEvent({ content: 'hi' });
          yield 'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n';
          yield 'data: [DONE]\n\n';
          for (let at = 0; at < 1_000; at++) yield kilobytes;
        })(),
      }),
      served,
    );
    const router = routerOver(openaiChat({ apiKey: 'k', baseURL, fetch }));
    expect((await router.complete('t', 'hi')).text).toBe('hi');
    await expect.poll(() => served.isCancelled).toBe(true);
    expect(served.bytes).toBeLessThan(300_000);
  });

  test('closes its socket', async () => {
    const server = await startScriptedServer((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const write = (): void => {
        while (response.write(chatEvent({ content: kilobytes })));
        response.once('drain', write);
      };
      response.on('error', () => undefined);
      write();
    });
    stops.push(server.stop);
    const closed = server.closed();
    const router = routerOver(openaiChat({ apiKey: 'k', baseURL: server.url, maxAnswerBytes }));
    expect(await attemptFailureOf(router.complete('t', 'hi'))).toMatchObject(tooLarge);
    await closed;
  });

  test('fails a stream with the text that arrived', async () => {
    const fetch = chunkedFetch(() => ({ chunks: endless('', chatEvent({ content: kilobytes })) }));
    const router = routerOver(openaiChat({ apiKey: 'k', baseURL, maxAnswerBytes, fetch }));
    const read = async (): Promise<void> => {
      for await (const _ of router.stream('t', 'hi'));
    };
    await expect(read()).rejects.toMatchObject({
      ...tooLarge,
      partial: { text: expect.stringMatching(/^a{900000}/) },
    });
  });

  test('is limited after decompression', async () => {
    const bomb = gzipSync(`{"id":"${'a'.repeat(20 * maxAnswerBytes)}"}`);
    expect(bomb.length).toBeLessThan(maxAnswerBytes / 10);
    const server = createServer((_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' });
      response.end(bomb);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    stops.push(() => server.close());
    const { port } = server.address() as AddressInfo;
    const settings = { apiKey: 'k', baseURL: `http://127.0.0.1:${port}`, maxAnswerBytes };
    const router = routerOver(openaiChat(settings));
    expect(await attemptFailureOf(router.complete('t', 'hi'))).toMatchObject(tooLarge);
  });
});

describe('maxAnswerBytes', () => {
  const body = (length: number): string => {
    const answer = (content: string): string =>
      JSON.stringify({
        id: 'c',
        choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
      });
    return answer('a'.repeat(length - answer('').length));
  };

  it('allows an answer of exactly this length', async () => {
    const whole = await failureOf(() => ({ chunks: [body(maxAnswerBytes)] }));
    expect(whole.failure).toBeUndefined();
    const more = await failureOf(() => ({ chunks: [body(maxAnswerBytes + 1)] }));
    expect(more.failure).toMatchObject(tooLarge);
  });

  it('is 64 MB by default', async () => {
    const fetch = chunkedFetch(() => ({ chunks: endless('{"id":"', 'a'.repeat(1_000_000)) }));
    const router = routerOver(openaiChat({ apiKey: 'k', baseURL, fetch }));
    await expect(router.complete('t', 'hi')).rejects.toThrow('larger than 67108864 bytes');
  });

  it.each<readonly [string, (settings: { maxAnswerBytes: number }) => Provider]>([
    ['openai', (settings) => openai({ apiKey: 'k', ...settings })],
    ['openaiChat', (settings) => openaiChat({ apiKey: 'k', ...settings })],
    ['azureOpenAI', (settings) => azureOpenAI({ apiKey: 'k', resource: 'r', ...settings })],
    ['mistral', (settings) => mistral({ apiKey: 'k', ...settings })],
    ['anthropic', (settings) => anthropic({ apiKey: 'k', ...settings })],
    ['google', (settings) => google({ apiKey: 'k', ...settings })],
    ['vertex', (settings) => vertex({ project: 'p', ...settings })],
    ['fromAiSdk', (settings) => fromAiSdk(() => undefined as never, settings)],
  ])('is a setting of %s', (name, make) => {
    expect(make({ maxAnswerBytes: 5 }).maxAnswerBytes).toBe(5);
    for (const wrong of [0, -1, 1.5, Number.NaN, '1']) {
      expect(() => make({ maxAnswerBytes: wrong as number })).toThrow(
        `${name}().maxAnswerBytes: must be a whole number of bytes, at least 1`,
      );
    }
  });

  it('is validated on a custom provider', () => {
    const provider = { ...openaiChat({ apiKey: 'k' }), maxAnswerBytes: Number.NaN };
    expect(() => routerOver(provider)).toThrow('providers.v.maxAnswerBytes');
  });

  it('can be set together with client', () => {
    const client = {
      responses: { create: async () => undefined },
      chat: { completions: { create: async () => undefined } },
      embeddings: { create: async () => undefined },
      images: { generate: async () => undefined },
      withOptions: () => client,
    };
    expect(openai({ client, maxAnswerBytes: 5 }).maxAnswerBytes).toBe(5);
  });
});

describe('an answer that is small as JSON and large in memory', () => {
  it.each([
    ['objects', '{},'],
    ['lists', '[],'],
    ['members', '"a":1,'],
    ['numbers', '0,'],
  ])('of %s is not parsed', async (_, chunk) => {
    const of = chunk.repeat(Math.floor((maxAnswerBytes * 1.9) / chunk.length));
    const text = chunk === '"a":1,' ? `{${of}"b":1}` : `[${of}0]`;
    const fetch = chunkedFetch(() => ({ chunks: [text] }));
    const settings = { apiKey: 'k', baseURL, fetch, maxAnswerBytes: 2 * maxAnswerBytes };
    const failure: unknown = await routerOver(openaiChat(settings))
      .complete('t', 'hi')
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ message: expect.stringContaining('maxAnswerBytes') });
  });

  it('is parsed when only its strings are long', async () => {
    const content = '[{,:'.repeat(400_000);
    const body = { choices: [{ index: 0, message: { content }, finish_reason: 'stop' }] };
    const fetch = chunkedFetch(() => ({ chunks: [JSON.stringify(body)] }));
    const settings = { apiKey: 'k', baseURL, fetch, maxAnswerBytes: 2 * maxAnswerBytes };
    const { text } = await routerOver(openaiChat(settings)).complete('t', 'hi');
    expect(text).toBe(content);
  });

  it('of tool calls fails at the limit on their number', async () => {
    const parts = Array.from({ length: 100_001 }, () => ({ functionCall: {} }));
    const body = { candidates: [{ content: { parts }, finishReason: 'STOP' }] };
    const fetch = chunkedFetch(() => ({ chunks: [JSON.stringify(body)] }));
    const router = routerOver(google({ apiKey: 'k', baseURL, fetch }));
    await expect(router.complete('t', 'hi')).rejects.toThrow('more than 100000 parts');
  });

  it('of events is not kept for raw', async () => {
    const ping = `data: ${JSON.stringify({ a: [[], [], [], [], [], [], [], [], [], []] })}\n\n`;
    const chunks = (function* () {
      for (let at = 0; at < 20_000; at++) yield ping;
    })();
    const { failure } = await failureOf(() => ({ chunks }), true);
    expect(failure).toMatchObject(tooLarge);
  });
});

describe('a frame', () => {
  const anthropicOver = (frame: Buffer, contentType: string) =>
    routerOver(
      anthropic({
        apiKey: 'k',
        baseURL,
        fetch: chunkedFetch(() => ({
          headers: { 'content-type': contentType },
          chunks: (function* () {
            yield frame;
            throw new Error('it must not read any further');
          })(),
        })),
      }),
    );
  const type = 'application/vnd.amazon.eventstream';

  it('with a length above the limit fails immediately', async () => {
    for (const length of [0xffff_ffff, 17 * 1024 * 1024 + 1]) {
      const prelude = Buffer.alloc(12);
      prelude.writeUInt32BE(length, 0);
      prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8);
      const failing = anthropicOver(Buffer.concat([awsChunk({}), prelude]), type).complete(
        't',
        'hi',
      );
      await expect(failing).rejects.toThrow('a frame is damaged');
    }
  });

  it('with headers that are too long or truncated fails', async () => {
    const long = awsFrame({}, '{}', Buffer.alloc(128 * 1024 + 1));
    await expect(anthropicOver(long, type).complete('t', 'hi')).rejects.toThrow('damaged');
    const cut = awsFrame({}, '', Buffer.from([200, 97]));
    await expect(anthropicOver(cut, type).complete('t', 'hi')).rejects.toThrow('damaged');
  });

  it('is not decoded without its content type', async () => {
    const frame = awsChunk({ type: 'ping' });
    const failing = anthropicOver(frame, 'application/octet-stream').complete('t', 'hi');
    await expect(failing).rejects.toThrow('neither JSON nor an event stream');
  });
});

describe('parts of a custom provider', () => {
  function providerOf(parts: () => Iterable<ProviderPart>): Provider {
    return {
      ...openaiChat({ apiKey: 'k', maxAnswerBytes }),
      prepare: () => ({
        warnings: [],
        async *send() {
          yield* inBatches(parts());
        },
      }),
    };
  }
  function* endlessly(part: ProviderPart): Generator<ProviderPart> {
    for (;;) yield part;
  }
  const data = 'a'.repeat(10_000);
  const endlessParts: Readonly<Record<string, ProviderPart>> = {
    text: { type: 'text-delta', delta: data },
    reasoning: { type: 'reasoning-delta', delta: data },
    arguments: { type: 'tool-call-delta', id: 'a', delta: data },
    'whole texts': { type: 'part-end', part: { type: 'text', text: data } },
    images: { type: 'part-end', part: { type: 'image', source: { data, mediaType: 'i/p' } } },
    inputs: {
      type: 'part-end',
      part: { type: 'tool-call', id: 'a', name: 'f', input: [data, [data]] },
    },
    'empty texts': { type: 'text-delta', delta: '' },
    'empty parts': { type: 'part-end', part: { type: 'reasoning', text: '' } },
    preambles: { type: 'open' },
    warnings: { type: 'warning', warning: { code: 'compat', message: 'm' } },
  };

  it.each(Object.entries(endlessParts))('are limited: %s', async (_, part) => {
    const router = routerOver(providerOf(() => endlessly(part)));
    const failure = await attemptFailureOf(router.complete('t', 'hi'));
    expect(failure).toMatchObject({ code: 'invalid_response' });
    expect(failure).toMatchObject({
      message: expect.stringMatching(/maxAnswerBytes|more than [0-9]+ (whole )?parts/),
    });
  });

  it('are not counted again when a part repeats its deltas', async () => {
    const text = 'a'.repeat(900_000);
    const router = routerOver(
      providerOf(() => [
        { type: 'text-delta', delta: text },
        { type: 'part-end', part: { type: 'text', text } },
        { type: 'finish', finishReason: 'stop' },
      ]),
    );
    expect((await router.complete('t', 'hi')).text).toHaveLength(900_000);
  });

  it('keep 100 warnings and report that there are more', async () => {
    const router = routerOver(
      providerOf(function* (): Generator<ProviderPart> {
        for (let at = 0; at < 10_000; at++) {
          yield { type: 'warning', warning: { code: 'compat', message: `${at}` } };
        }
        yield { type: 'part-end', part: { type: 'text', text: 'hi' } };
        const usage = { inputTokens: 1, outputTokens: 1, totalTokens: 2 };
        yield { type: 'finish', finishReason: 'stop', usage };
      }),
    );
    const { warnings } = await router.complete('t', 'hi');
    expect(warnings).toHaveLength(101);
    expect(warnings.at(-1)?.message).toContain('more than 100 warnings');
  });
});

describe('JSON that is nested too deeply', () => {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  const toolCall = (args: string): string =>
    JSON.stringify({
      choices: [
        {
          index: 0,
          message: { tool_calls: [{ id: 'a', function: { name: 'f', arguments: args } }] },
          finish_reason: 'tool_calls',
        },
      ],
    });

  it('marks the tool call as invalid and keeps its text', async () => {
    const fetch = chunkedFetch(() => ({ chunks: [toolCall(deep)] }));
    const router = routerOver(openaiChat({ apiKey: 'k', baseURL, fetch }));
    const tools = [{ name: 'f', inputSchema: { type: 'object' } }];
    const completion = await router.complete('t', 'hi', { tools });
    expect(completion.content).toMatchObject([
      { type: 'tool-call', invalid: true, rawInput: deep },
    ]);
  });

  it('does not change the status of an error', async () => {
    const answer = `{"error":{"message":${'['.repeat(30_000)}${']'.repeat(30_000)}}}`;
    const { failure } = await failureOf(() => ({ status: 429, chunks: [answer] }));
    expect(failure).toMatchObject({ code: 'rate_limited', status: 429 });
  });

  it('is an invalid_response', async () => {
    const { failure } = await failureOf(() => ({ chunks: [deep] }));
    expect(failure).toMatchObject({ code: 'invalid_response' });
  });
});

describe('a body that exceeds maxBytes', () => {
  it.each([
    ['JSON', '{"a":"'],
    ['an event stream', 'data: "'],
    ['white space', ' '],
    ['an error', '{"a":"', 500],
  ])('of %s is closed', async (_, head, status = 200) => {
    let isCancelled = false;
    const left = [head, 'a'.repeat(100)].map((text) => Buffer.from(text));
    const body = {
      hasArrived: false,
      read: () => left.shift() ?? new Promise<void>(() => undefined),
      cancel: () => {
        isCancelled = true;
      },
    };
    const quiet = { connected: () => undefined, bytes: () => undefined, limits: () => undefined };
    const reading = async () => {
      const reply = await readReply({ status, headers: new Headers(), body }, quiet, 50);
      if (reply.kind === 'events') reply.events.take(Buffer.from(String(reply.events.read())));
      else if (reply.kind === 'http-error') throw answerTooLarge(50);
    };
    await expect(reading()).rejects.toMatchObject({ code: 'invalid_response' });
    expect(isCancelled).toBe(true);
  });
});
