import { afterEach, describe, expect, it } from 'vitest';
import { fromAiSdk } from '../../src/ai-sdk.ts';
import { anthropic } from '../../src/anthropic.ts';
import { isSignalboxError, SignalboxError } from '../../src/errors.ts';
import { google } from '../../src/google.ts';
import { openai, openaiChat } from '../../src/openai.ts';
import type { TierSettings } from '../../src/protocol/config.ts';
import type { Provider, RateLimit } from '../../src/protocol/provider.ts';
import type { ProviderPart } from '../../src/protocol/stream-part.ts';
import type { Usage } from '../../src/protocol/usage.ts';
import { createRouter } from '../../src/router.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';
import { type ScriptedServer, startScriptedServer } from '../support/scripted-server.ts';

const day = 86_400_000;
const price = { input: 1, output: 10 };

const servers: ScriptedServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

/** A vendor that answers with this JSON text, which can contain numbers that `JSON.stringify` does not write. */
async function vendor(json: string, status = 200, headers: Record<string, string> = {}) {
  const server = await startScriptedServer((response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(json);
  });
  servers.push(server);
  return server.url;
}

function routerOver(provider: Provider, tier: TierSettings = {}) {
  const router = createRouter({
    providers: { v: provider },
    tiers: { t: { transfer: 'unary', maxAttempts: 1, ...tier, targets: ['v/m'] } },
    prices: { 'v/m': price },
  });
  return { router, events: recordEvents(router) };
}

const chatBody = (usage: string): string =>
  `{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":${usage}}`;

const bodies: Readonly<Record<string, (count: string) => string>> = {
  chat: (count) => chatBody(`{"prompt_tokens":5,"completion_tokens":${count},"total_tokens":6}`),
  responses: (count) =>
    `{"id":"r","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"hi"}]}],"usage":{"input_tokens":5,"output_tokens":${count}}}`,
  anthropic: (count) =>
    `{"type":"message","id":"m","role":"assistant","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":5,"cache_read_input_tokens":${count},"output_tokens":1}}`,
  gemini: (count) =>
    `{"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":1,"thoughtsTokenCount":${count}}}`,
};

const factories: Readonly<Record<string, (baseURL: string) => Provider>> = {
  chat: (baseURL) => openaiChat({ apiKey: 'k', baseURL }),
  responses: (baseURL) => openai({ apiKey: 'k', baseURL }),
  anthropic: (baseURL) => anthropic({ apiKey: 'k', baseURL }),
  gemini: (baseURL) => google({ apiKey: 'k', baseURL }),
};

describe('an implausible token count', () => {
  const wires = Object.keys(bodies);
  const counts = ['1e300', '1e999', '100000001', '-1', '1.5'];
  const cases = wires.flatMap((wire) => counts.map((count) => [wire, count] as const));

  it.each(cases)('counts as missing and is estimated: %s, %s', async (wire, count) => {
    const json = bodies[wire]?.(count) ?? '';
    const provider = factories[wire]?.(await vendor(json));
    if (provider === undefined) throw new Error('there is no such wire');
    const { router, events } = routerOver(provider);
    const { usage, cost, warnings } = await router.complete('t', 'Hello, you!!');
    expect(usage).toMatchObject({ inputTokens: 4, outputTokens: 1, totalTokens: 5 });
    expect(usage.estimated).toBe(true);
    expect(cost.priced).toBe('estimated');
    expect(cost.usd).toBeLessThan(0.001);
    expect(warnings.map(({ code }) => code)).toContain('usage-missing');
    expect(events.of('cost')[0]?.usd).toBe(cost.usd);
  });

  it('in the total keeps the other counts and marks them as estimated', async () => {
    const usage = '{"prompt_tokens":5,"completion_tokens":2,"total_tokens":1e300}';
    const { router } = routerOver(factories.chat?.(await vendor(chatBody(usage))) as Provider);
    const answer = await router.complete('t', 'hi');
    expect(answer.usage).toMatchObject({ inputTokens: 5, outputTokens: 2, totalTokens: 7 });
    expect(answer.usage.estimated).toBe(true);
  });

  it('of cached input on Gemini keeps the other counts', async () => {
    const json = `{"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":1,"cachedContentTokenCount":1e300}}`;
    const { router } = routerOver(factories.gemini?.(await vendor(json)) as Provider);
    const { usage } = await router.complete('t', 'hi');
    expect(usage).toMatchObject({ inputTokens: 5, outputTokens: 1, estimated: true });
    expect(usage.cachedInputTokens).toBeUndefined();
  });

  it.each(['1e9', '1e300'])('does not close a tpm gate: %s', async (invalidTotal) => {
    let total = invalidTotal;
    const server = await startScriptedServer((response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(chatBody(`{"prompt_tokens":5,"completion_tokens":2,"total_tokens":${total}}`));
    });
    servers.push(server);
    const router = createRouter({
      providers: { v: openaiChat({ apiKey: 'k', baseURL: server.url }), w: fakeProvider('free') },
      tiers: {
        t: [{ target: 'v/m', limits: { tpm: 100_000 } }],
        two: [{ target: 'v/m', limits: { tpm: 100_000 } }, 'w/m'],
      },
    });
    await router.complete('t', 'hi');
    total = '7';
    expect((await router.complete('two', 'hi')).target).toBe('v/m');
    const answer = await router.complete('t', 'hi', { timeouts: { totalMs: 60_000 } });
    expect(answer.usage).toMatchObject({ totalTokens: 7 });
  });

  it('closes a tpm gate for at most two minutes when it is large but plausible', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const large = { inputTokens: 10, outputTokens: 90_000_000, totalTokens: 90_000_010 };
    const short = { inputTokens: 10, outputTokens: 10, totalTokens: 20 };
    const provider = fakeProvider(
      (_, attempt) => ({ text: 'hi', usage: attempt === 1 ? large : short }),
      { runtime },
    );
    const router = createRouter({
      runtime,
      providers: { v: provider },
      tiers: { t: [{ target: 'v/m', limits: { tpm: 100_000 } }] },
    });
    const startedAt = runtime.now();
    for (let call = 0; call < 10; call++) await router.complete('t', 'hi');
    expect(provider.calls[1]?.at).toBeLessThan(startedAt + 130_000);
    // The next answers are not estimated to be as long.
    expect(provider.calls[9]?.at).toBeLessThan(startedAt + 230_000);
  });
});

/** A custom provider with these parts or this error. */
function customProvider(
  parts: readonly ProviderPart[],
  error?: SignalboxError,
  limits?: RateLimit,
): Provider {
  return {
    wire: 'own',
    capabilities: () => new Set(),
    preload: async () => undefined,
    prepare: () => ({
      warnings: [],
      async *send({ watch }) {
        if (limits !== undefined) watch.limits([limits]);
        for (const part of parts) yield [part];
        if (error !== undefined) throw error;
      },
    }),
  };
}

const text: ProviderPart = { type: 'part-end', part: { type: 'text', text: 'hi' } };
const finishWith = (usage: Usage, more: object = {}): ProviderPart => ({
  type: 'finish',
  finishReason: 'stop',
  usage,
  ...more,
});
const usageOf = (counts: Partial<Usage>): Usage => ({
  inputTokens: 10,
  outputTokens: 10,
  totalTokens: 20,
  ...counts,
});

describe('a custom provider', () => {
  it.each([
    [{ inputTokens: 1e300 }],
    [{ outputTokens: Number.NaN }],
    [{ inputTokens: -5 }],
    [{ outputTokens: Number.POSITIVE_INFINITY }],
  ])('gets its implausible usage estimated: %o', async (counts) => {
    const { router } = routerOver(customProvider([text, finishWith(usageOf(counts))]));
    const { usage, cost } = await router.complete('t', 'hi');
    expect(usage).toEqual({ inputTokens: 1, outputTokens: 1, totalTokens: 2, estimated: true });
    expect(cost.priced).toBe('estimated');
  });

  it.each([
    [{ totalTokens: 1e300 }, { totalTokens: 20 }],
    [{ cachedInputTokens: 11 }, { cachedInputTokens: 11 }],
    [{ cachedInputTokens: 8, cacheWriteTokens: 3 }, {}],
    [{ reasoningTokens: 11 }, {}],
    [{ reasoningTokens: 1e300 }, {}],
    [{ cacheWriteTokens: 5, cacheWriteTokensByTtl: { '5m': 1e300 } }, { cacheWriteTokens: 5 }],
  ])('gets contradictory usage estimated: %o', async (counts, kept) => {
    const { router } = routerOver(customProvider([text, finishWith(usageOf(counts))]));
    const { usage, cost } = await router.complete('t', 'hi');
    expect(usage).toMatchObject({ inputTokens: 10, outputTokens: 10, estimated: true, ...kept });
    expect(Object.values(usage)).not.toContain(1e300);
    expect(usage.cacheWriteTokensByTtl).toBeUndefined();
    expect(cost.priced).toBe('estimated');
  });

  it('keeps plausible usage', async () => {
    const plausible = usageOf({ cachedInputTokens: 4, cacheWriteTokens: 6, reasoningTokens: 10 });
    const { router } = routerOver(customProvider([text, finishWith(plausible)]));
    expect((await router.complete('t', 'hi')).usage).toEqual(plausible);
  });

  it('causes no cost event for implausible early usage of an interrupted answer', async () => {
    const early: ProviderPart = { type: 'usage', usage: usageOf({ inputTokens: 1e300 }) };
    const cut = new SignalboxError('stream_interrupted', 'cut');
    const { router, events } = routerOver(customProvider([early, text], cut));
    await expect(router.complete('t', 'hi')).rejects.toThrow('cut');
    expect(events.of('cost')).toEqual([]);
  });

  it.each([
    [{ retryAfterMs: 1e300 }, { retryAfterMs: day }],
    [{ retryAfterMs: Number.NaN, status: 1e300 }, {}],
    [{ retryAfterMs: -1, status: 42.5, requestId: 'sk-0123456789' }, {}],
    [{ requestId: 'a b' }, {}],
    [{ requestId: 'x'.repeat(500) }, {}],
    [
      { status: 429, requestId: 'req_1' },
      { status: 429, requestId: 'req_1' },
    ],
  ])('gets invalid fields of its error removed: %o', async (more, kept) => {
    const failure = new SignalboxError('rate_limited', 'slow down', more);
    const { router, events } = routerOver(customProvider([], failure));
    await expect(router.complete('t', 'hi')).rejects.toThrow('slow down');
    expect(events.of('attempt-end')[0]?.error).toEqual({
      code: 'rate_limited',
      message: 'v/m: slow down',
      ...kept,
    });
    // The third 429 limits the target.
    for (let each = 0; each < 2; each++) await router.complete('t', 'hi').catch(() => undefined);
    expect(events.of('rate-limited')[0]?.until).toBeLessThan(Date.now() + day + 60_000);
  });

  it.each([
    [{ remaining: 0, resetMs: Number.NaN }],
    [{ remaining: Number.NaN, resetMs: 1_000 }],
    [{ remaining: -1, resetMs: 1_000 }],
  ])('gets an invalid limit ignored: %o', async (invalid) => {
    const limit: RateLimit = { name: 'requests', unit: 'requests', ...invalid };
    const provider = customProvider([text, finishWith(usageOf({}))], undefined, limit);
    const { router } = routerOver(provider);
    await router.complete('t', 'hi');
    expect(router.snapshot().targets['v/m']?.limits).toEqual({ queued: 0 });
  });

  it('gets long names and texts shortened', async () => {
    const long = 'x'.repeat(10_000);
    const { router } = routerOver(
      customProvider([
        { type: 'open', id: long, servedModel: long, requestId: long },
        { type: 'warning', warning: { code: 'compat', param: long, message: long } },
        text,
        finishWith(usageOf({}), { rawFinishReason: long, serviceTier: long, finishDetail: long }),
      ]),
    );
    const answer = await router.complete('t', 'hi');
    const { content: _, trail: _t, ...rest } = answer;
    expect(JSON.stringify(rest).length).toBeLessThan(6_000);
    expect(answer.model.served).toBe('m');
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1.5])(
    'embeds in batches of the default size when maxEmbeddingBatch is %d',
    async (maxEmbeddingBatch) => {
      const sizes: number[] = [];
      const provider: Provider = {
        ...customProvider([]),
        capabilities: () => new Set(['embeddings'] as const),
        maxEmbeddingBatch,
        prepareEmbedding: ({ values }) => ({
          warnings: [],
          async *send() {
            sizes.push(values.length);
            yield [{ type: 'vectors', vectors: values.map(() => [1, 2]) }];
            yield [finishWith(usageOf({}))];
          },
        }),
      };
      const { router } = routerOver(provider);
      await router.embed('t', Array.from({ length: 150 }, String));
      expect(sizes).toEqual([100, 50]);
    },
  );

  it('is rejected with an invalid number of keys', () => {
    for (const keyCount of [1e9, 0, Number.NaN, 1.5]) {
      const provider = { ...customProvider([]), keyCount };
      expect(() => routerOver(provider)).toThrow('keyCount');
    }
  });

  it('cannot return a vector with an infinite number', async () => {
    const url = await vendor(
      '{"data":[{"index":0,"embedding":[1e999,1]}],"usage":{"prompt_tokens":1,"total_tokens":1}}',
    );
    const { router } = routerOver(openaiChat({ apiKey: 'k', baseURL: url }));
    await expect(router.embed('t', 'hi')).rejects.toThrow('not all of them are finite numbers');
  });
});

describe('an implausible wait', () => {
  it.each([
    [{ 'retry-after': '1e300' }, undefined],
    [{ 'retry-after': '9'.repeat(400) }, day],
    [{ 'retry-after-ms': '1e300' }, undefined],
    [{ 'retry-after': '-5' }, undefined],
    [{ 'retry-after': 'Fri, 31 Dec 9999 23:59:59 GMT' }, day],
  ])('is capped in errors and events: %o', async (headers, retryAfterMs) => {
    const url = await vendor('{"error":{"message":"slow"}}', 429, headers);
    const { router, events } = routerOver(openaiChat({ apiKey: 'k', baseURL: url }));
    const failure: unknown = await router.complete('t', 'hi').catch((error: unknown) => error);
    if (!isSignalboxError(failure)) throw failure;
    expect(failure.errors?.[0]?.retryAfterMs).toBe(retryAfterMs);
    for (let each = 0; each < 2; each++) await router.complete('t', 'hi').catch(() => undefined);
    expect(events.of('rate-limited')[0]?.until).toBeLessThan(Date.now() + day + 60_000);
  });

  it('is capped when it is in the body', async () => {
    const nines = '9'.repeat(400);
    const prose = await vendor(`{"error":{"message":"Please try again in ${nines}s"}}`, 429);
    const chat = routerOver(openaiChat({ apiKey: 'k', baseURL: prose }));
    await chat.router.complete('t', 'hi').catch(() => undefined);
    expect(chat.events.of('attempt-end')[0]?.error?.retryAfterMs).toBe(day);
    const info = `{"error":{"status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"${nines}s"}]}}`;
    const gemini = routerOver(google({ apiKey: 'k', baseURL: await vendor(info, 429) }));
    await gemini.router.complete('t', 'hi').catch(() => undefined);
    expect(gemini.events.of('attempt-end')[0]?.error?.retryAfterMs).toBe(day);
  });
});

describe('JSON that is nested too deeply', () => {
  const deep = `${'['.repeat(100_000)}1${']'.repeat(100_000)}`;

  it('is not in events or the usage of the answer', async () => {
    const url = await vendor(chatBody(`{"prompt_tokens":5,"completion_tokens":2,"x":${deep}}`));
    const { router, events } = routerOver(openaiChat({ apiKey: 'k', baseURL: url }));
    const answer = await router.complete('t', 'hi');
    expect(answer.usage).toMatchObject({ inputTokens: 5, outputTokens: 2 });
    expect(() => JSON.stringify([answer, ...events.events], null, 2)).not.toThrow();
  });

  it('is not in the cause of an error', async () => {
    const url = await vendor(`{"error":{"message":"no","x":${deep}}}`, 200);
    const { router } = routerOver(openaiChat({ apiKey: 'k', baseURL: url }));
    const failure: unknown = await router.complete('t', 'hi').catch((error: unknown) => error);
    if (!isSignalboxError(failure)) throw failure;
    const cause = failure.errors?.[0]?.cause as Error;
    expect(() => JSON.stringify(cause.cause, null, 2)).not.toThrow();
  });

  it('marks a tool call as invalid and keeps its text', async () => {
    const call = { id: 'c1', type: 'function', function: { name: 'look', arguments: deep } };
    const message = { role: 'assistant', content: null, tool_calls: [call] };
    const choices = [{ index: 0, message, finish_reason: 'tool_calls' }];
    const url = await vendor(JSON.stringify({ id: 'c', choices }));
    const { router } = routerOver(openaiChat({ apiKey: 'k', baseURL: url }));
    const tools = [{ name: 'look', inputSchema: { type: 'object' } }];
    const { content } = await router.complete('t', 'hi', { tools });
    expect(content).toMatchObject([{ type: 'tool-call', rawInput: deep, invalid: true }]);
  });
});

describe('an index that is too large', () => {
  it('does not mix up two tool calls', async () => {
    const delta = (index: number, id: string, args: string) => ({
      choices: [
        {
          index: 0,
          delta: { tool_calls: [{ index, id, function: { name: id, arguments: args } }] },
        },
      ],
    });
    const server = await startScriptedServer((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const events = [
        delta(2 ** 53, 'one', '{"a":1}'),
        delta(2 ** 53 + 2, 'two', '{"b":2}'),
        { choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] },
      ];
      for (const event of events) response.write(`data: ${JSON.stringify(event)}\n\n`);
      response.end('data: [DONE]\n\n');
    });
    servers.push(server);
    const { router } = routerOver(openaiChat({ apiKey: 'k', baseURL: server.url }), {
      transfer: 'stream',
    });
    const tools = ['one', 'two'].map((name) => ({ name, inputSchema: { type: 'object' } }));
    const { toolCalls } = await router.complete('t', 'hi', { tools });
    expect(toolCalls.map(({ name, input }) => [name, input])).toEqual([
      ['one', { a: 1 }],
      ['two', { b: 2 }],
    ]);
  });
});

describe('a model of the AI SDK', () => {
  const modelOf = (usage: object, failure?: object) =>
    ({
      specificationVersion: 'v3',
      provider: 'own.chat',
      modelId: 'm',
      supportedUrls: {},
      doGenerate: async () => {
        if (failure !== undefined) throw Object.assign(new Error('no'), failure);
        return {
          content: [{ type: 'text', text: 'hi' }],
          finishReason: { unified: 'stop', raw: 'stop' },
          usage,
          warnings: [],
          response: { headers: { 'x-request-id': 'sk-0123456789abcdef', 'bad name': 'x' } },
        };
      },
      doStream: async () => ({ stream: new ReadableStream() }),
    }) as unknown as Parameters<typeof fromAiSdk>[0];

  it('gets its implausible usage estimated, and no key used as an id', async () => {
    const usage = { inputTokens: { total: 5 }, outputTokens: { total: 1e300 } };
    const { router } = routerOver(fromAiSdk(modelOf(usage)));
    const answer = await router.complete('t', 'hi');
    expect(answer.usage).toMatchObject({ inputTokens: 1, outputTokens: 1, estimated: true });
    expect(answer.requestId).toBeUndefined();
  });

  it.each([
    [{ statusCode: 1e300 }, undefined],
    [{ statusCode: 429, responseHeaders: { 'bad name': 'x', 'retry-after': '1e300' } }, 429],
  ])('fails with its code for any numbers and headers: %o', async (failure, status) => {
    const { router, events } = routerOver(fromAiSdk(modelOf({}, failure)));
    await router.complete('t', 'hi').catch(() => undefined);
    const error = events.of('attempt-end')[0]?.error;
    expect(error?.status).toBe(status);
    expect(error?.code).toBe(status === 429 ? 'rate_limited' : 'invalid_response');
    expect(error?.retryAfterMs).toBeUndefined();
  });

  it('does not expose a code that is not a network code', async () => {
    const { router, events } = routerOver(fromAiSdk(modelOf({}, { code: 'CANARYPROMPT' })));
    await router.complete('t', 'hi').catch(() => undefined);
    expect(JSON.stringify(events.events)).not.toContain('CANARY');
  });
});

describe('numbers of the caller', () => {
  it('can be of any size without firing a timer immediately', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const router = createRouter({
      runtime,
      providers: { v: fakeProvider({ text: 'hi', firstTokenDelayMs: 1_000 }, { runtime }) },
      tiers: {
        t: {
          targets: ['v/m'],
          timeouts: { connectMs: 1e300, firstTokenMs: 1e300, idleMs: 1e300, totalMs: 1e300 },
          retry: { minMs: 1e300, maxMs: 1e300 },
          circuit: { openMs: 1e300, maxOpenMs: 1e300 },
        },
      },
    });
    expect((await router.complete('t', 'hi')).text).toBe('hi');
  });
});
