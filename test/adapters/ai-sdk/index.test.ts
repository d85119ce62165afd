import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { createOpenAICompatible as createV2 } from '@ai-sdk/openai-compatible-v2';
import { createOpenAICompatible as createV3 } from '@ai-sdk/openai-compatible-v3';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type AiSdkEmbeddingModel, type AiSdkModel, fromAiSdk } from '../../../src/ai-sdk.ts';
import type { TierSettings } from '../../../src/protocol/config.ts';
import type { NormalMessage, Part } from '../../../src/protocol/message.ts';
import { createRouter } from '../../../src/router.ts';
import { fakeProvider } from '../../../src/testing/fake-provider.ts';
import { type FakeRuntime, fakeRuntime } from '../../../src/testing/fake-runtime.ts';
import {
  type Fault,
  type SimulatedProviders,
  simulateProviders,
} from '../../../src/testing/simulate-providers.ts';
import { SocketTime } from '../../support/socket-time.ts';

let simulators: SimulatedProviders;

beforeAll(async () => {
  simulators = await simulateProviders();
});
beforeEach(() => simulators.reset());
afterAll(() => simulators.close());

const once: TierSettings = { retry: { attempts: 0 } };

type Version = 'v2' | 'v3' | 'v4';

/** A real provider package of AI SDK 5, 6 or 7, over real HTTP. */
function vendorOf(version: Version) {
  const settings = {
    name: 'sim',
    baseURL: simulators.compatible.baseURL,
    apiKey: 'test-key',
    includeUsage: true,
    supportsStructuredOutputs: true,
  };
  const vendors = { v2: createV2, v3: createV3, v4: createOpenAICompatible };
  const vendor = vendors[version](settings);
  return {
    languageModel: (id: string): AiSdkModel => vendor.languageModel(id),
    embeddingModel: (id: string): AiSdkEmbeddingModel =>
      'embeddingModel' in vendor ? vendor.embeddingModel(id) : vendor.textEmbeddingModel(id),
  };
}

function routerOver(version: Version = 'v4', runtime?: FakeRuntime) {
  const { languageModel, embeddingModel } = vendorOf(version);
  const ai = fromAiSdk(languageModel, { priceList: 'none', embedding: embeddingModel });
  return createRouter({
    ...(runtime && { runtime }),
    providers: { ai, spare: fakeProvider('spare') },
    tiers: {
      alone: { ...once, targets: ['ai/m'] },
      embed: { ...once, targets: ['ai/e'] },
      t: { ...once, targets: ['ai/m', 'spare/m'] },
    },
  });
}

const tools = [{ name: 'weather', inputSchema: z.object({ city: z.string() }) }] as const;

describe.each([
  ['v2', 'stream'],
  ['v2', 'unary'],
  ['v3', 'stream'],
  ['v3', 'unary'],
  ['v4', 'stream'],
  ['v4', 'unary'],
] as const)('a model of the AI SDK (%s, %s)', (version, transfer) => {
  it('returns the answer with usage and id, and sends the request', async () => {
    simulators.compatible.answer({
      text: 'Hello.',
      usage: { inputTokens: 9, outputTokens: 4, cachedInputTokens: 3 },
    });
    const answer = await routerOver(version).complete('alone', 'hi', {
      transfer,
      system: 'Be brief.',
      temperature: 0.5,
      maxOutputTokens: 50,
      stop: ['END'],
      providerOptions: { ai: { custom: 1 } },
    });
    expect(answer).toMatchObject({
      text: 'Hello.',
      finishReason: 'stop',
      usage: { inputTokens: 9, outputTokens: 4, cachedInputTokens: 3 },
    });
    expect(answer.id).toMatch(/^chatcmpl-/);
    expect(simulators.compatible.log[0]?.body).toMatchObject({
      model: 'm',
      temperature: 0.5,
      max_tokens: 50,
      stop: ['END'],
      custom: 1,
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'hi' },
      ],
    });
  });

  it('calls tools and accepts their results', async () => {
    simulators.compatible.answer({
      toolCalls: [
        { name: 'weather', input: { city: 'Bern' } },
        { name: 'weather', input: { city: 'Rome' } },
      ],
    });
    const router = routerOver(version);
    const first = await router.complete('alone', 'weather?', {
      transfer,
      tools,
      toolChoice: 'required',
    });
    expect(first.finishReason).toBe('tool_calls');
    expect(first.toolCalls.map((call) => call.input.city)).toEqual(['Bern', 'Rome']);
    simulators.compatible.answer('Fine.');
    const results = first.toolCalls.map(
      ({ id, name }) => ({ type: 'tool-result', id, name, output: { sun: true } }) as const,
    );
    const second = await router.complete(
      'alone',
      [
        { role: 'user', content: 'weather?' },
        { role: 'assistant', content: first.content },
        { role: 'tool', content: results },
      ],
      { transfer, tools },
    );
    expect(second.text).toBe('Fine.');
    const ids = first.toolCalls.map(({ id }) => id);
    expect(simulators.compatible.log[1]?.body.messages).toMatchObject([
      { role: 'user' },
      { role: 'assistant', tool_calls: ids.map((id) => ({ id })) },
      ...ids.map((id) => ({ role: 'tool', tool_call_id: id })),
    ]);
  });

  it('returns an object for a schema', async () => {
    simulators.compatible.answer('{"n":1}');
    const { object } = await routerOver(version).complete('alone', 'n?', {
      transfer,
      schema: z.object({ n: z.number() }),
    });
    expect(object.n).toBe(1);
    expect(simulators.compatible.log[0]?.body.response_format).toMatchObject({
      type: 'json_schema',
    });
  });

  it('returns reasoning', async () => {
    simulators.compatible.answer({ text: 'Yes.', reasoning: 'Because.' });
    expect((await routerOver(version).complete('alone', 'why?', { transfer })).reasoningText).toBe(
      'Because.',
    );
  });
});

describe('a model of the AI SDK that fails', () => {
  it.each<[string, Fault, string]>([
    ['429', { type: 'status', status: 429, retryAfterSeconds: 7 }, 'rate_limited'],
    ['401', { type: 'status', status: 401 }, 'auth'],
    ['500', { type: 'status', status: 500 }, 'server_error'],
    [
      'a prompt too long',
      { type: 'status', status: 400, kind: 'context_length' },
      'context_length',
    ],
    ['a reset', { type: 'reset' }, 'connection'],
    ['silence', { type: 'silence' }, 'timeout'],
    ['a cut', { type: 'cut', afterEvents: 3 }, 'stream_interrupted'],
    ['a truncation', { type: 'truncate', afterEvents: 3 }, 'stream_interrupted'],
    ['a stall', { type: 'stall', afterEvents: 3 }, 'timeout'],
  ])('falls back to the next target for %s', async (_, fault, code) => {
    simulators.compatible.answer('a long enough answer for several chunks of text');
    simulators.compatible.fault(fault);
    const runtime = fakeRuntime();
    const time = new SocketTime(runtime, [simulators.compatible]);
    const router = time.follow(routerOver('v4', runtime));
    const answer = await time.settle(router.complete('t', 'hi'));
    expect(answer.text).toBe('spare');
    expect(answer.trail[0]?.error).toMatchObject({ code });
    if (code === 'rate_limited') expect(answer.trail[0]?.error?.retryAfterMs).toBe(7_000);
    await Promise.all(simulators.compatible.log.map((each) => each.done));
    expect(simulators.compatible.openRequests).toBe(0);
  });

  it('closes the socket when the caller aborts', async () => {
    simulators.compatible.fault({ type: 'silence' });
    const controller = new AbortController();
    const running = routerOver().complete('alone', 'hi', { signal: controller.signal });
    running.catch(() => undefined);
    await expect.poll(() => simulators.compatible.openRequests).toBe(1);
    controller.abort();
    await expect(running).rejects.toMatchObject({ code: 'aborted' });
    await Promise.all(simulators.compatible.log.map((each) => each.done));
    expect(simulators.compatible.openRequests).toBe(0);
  });

  it('throws when its specification or a setting is unknown', () => {
    const old: AiSdkModel = {
      specificationVersion: 'v1',
      provider: 'x',
      modelId: 'm',
      doGenerate: async () => undefined,
      doStream: async () => ({ stream: new ReadableStream() }),
    };
    expect(() => fromAiSdk(old)).toThrow('v2, v3, v4 (AI SDK 5 to 7) are supported');
    expect(() => fromAiSdk(() => old, { pricelist: 'x' } as object)).toThrow('pricelist');
    expect(() => fromAiSdk(() => old, { embedding: {} } as object)).toThrow('embedding: must be');
  });
});

describe('parameters that the AI SDK does not support', () => {
  it('cause a warning', async () => {
    const { warnings } = await routerOver().complete('alone', 'hi', {
      parallelToolCalls: false,
      userId: 'u',
      reasoning: { budgetTokens: 100 },
    });
    expect(warnings.map(({ param }) => param)).toEqual([
      'parallelToolCalls',
      'userId',
      'reasoning.budgetTokens',
    ]);
  });
});

/** A model that records its requests. */
function recordingModel(specificationVersion: Version) {
  const requests: Record<string, unknown>[] = [];
  const usage =
    specificationVersion === 'v2'
      ? {
          inputTokens: 9,
          outputTokens: 4,
          totalTokens: 13,
          reasoningTokens: 2,
          cachedInputTokens: 3,
        }
      : { inputTokens: { total: 9, cacheRead: 3 }, outputTokens: { total: 4, reasoning: 2 } };
  const finishReason =
    specificationVersion === 'v2' ? 'length' : { unified: 'length', raw: 'max_tokens' };
  const warnings = [
    specificationVersion === 'v2'
      ? { type: 'unsupported-setting', setting: 'seed' }
      : { type: 'unsupported', feature: 'seed' },
  ];
  const model: AiSdkModel = {
    specificationVersion,
    provider: 'x.chat',
    modelId: 'm',
    async doGenerate(options) {
      requests.push(options);
      return { content: [{ type: 'text', text: 'Hi' }], finishReason, usage, warnings };
    },
    doStream: async () => ({ stream: new ReadableStream() }),
  };
  return { model, requests };
}

const image = { type: 'image', source: { data: 'AAAA', mediaType: 'image/png' } } as const;
const page = { type: 'file', source: { url: 'https://example.com/a.pdf' } } as const;

describe.each(['v2', 'v3', 'v4'] as const)('requests of specification %s', (version) => {
  const ask = async (content: readonly Part[], more: object = {}) => {
    const { model, requests } = recordingModel(version);
    const router = createRouter({
      providers: { x: fromAiSdk(model) },
      tiers: { t: { targets: ['x/m'], onUnsupported: 'warn' } },
    });
    const messages = [
      { role: 'user', content: [{ type: 'text', text: 'Look' }, ...content] },
    ] as const;
    const answer = await router.complete('t', messages, { transfer: 'unary', ...more });
    return { answer, request: requests[0] ?? {} };
  };

  it('contain files in its format', async () => {
    const { request } = await ask([image, page]);
    const [, sent, linked] = (request.prompt as [{ content: unknown[] }])[0].content;
    const url = new URL('https://example.com/a.pdf');
    const isTagged = version === 'v4';
    expect(sent).toEqual({
      type: 'file',
      mediaType: 'image/png',
      data: isTagged ? { type: 'data', data: 'AAAA' } : 'AAAA',
    });
    expect(linked).toEqual({
      type: 'file',
      mediaType: 'application/pdf',
      data: isTagged ? { type: 'url', url } : url,
    });
  });

  it('contain images in tool results in its format', async () => {
    const { model, requests } = recordingModel(version);
    const call = { type: 'tool-call', id: 'c1', name: 'look', input: {} } as const;
    const output = [{ type: 'text', text: 'seen' } as const, image];
    const router = createRouter({ providers: { x: fromAiSdk(model) }, tiers: { t: ['x/m'] } });
    await router.complete(
      't',
      [
        { role: 'user', content: 'Look' },
        { role: 'assistant', content: [call] },
        { role: 'tool', content: [{ type: 'tool-result', id: 'c1', name: 'look', output }] },
      ],
      { transfer: 'unary' },
    );
    const sent = {
      v2: { type: 'media', data: 'AAAA', mediaType: 'image/png' },
      v3: { type: 'image-data', data: 'AAAA', mediaType: 'image/png' },
      v4: { type: 'file', data: { type: 'data', data: 'AAAA' }, mediaType: 'image/png' },
    }[version];
    expect(JSON.stringify(requests[0]?.prompt)).toContain(JSON.stringify([output[0], sent]));
  });

  it('return usage, finish reason and warnings', async () => {
    const { answer, request } = await ask([], { reasoning: { effort: 'low' } });
    expect(answer).toMatchObject({
      text: 'Hi',
      finishReason: 'length',
      usage: { inputTokens: 9, outputTokens: 4, cachedInputTokens: 3, reasoningTokens: 2 },
    });
    const dropped = answer.warnings.map(({ param }) => param);
    expect(dropped).toEqual(version === 'v4' ? ['seed'] : ['reasoning.effort', 'seed']);
    expect(request.reasoning).toBe(version === 'v4' ? 'low' : undefined);
  });

  it('fail with unsupported for a file reference before v4', async () => {
    const reference = { type: 'file', source: { ref: { provider: 'x', id: 'f1' } } } as const;
    const answer = ask([reference]);
    if (version === 'v4') expect((await answer).answer.text).toBe('Hi');
    else await expect(answer).rejects.toThrow('does not support a reference');
  });
});

describe.each(['v2', 'v3', 'v4'] as const)('embedding models of the AI SDK (%s)', (version) => {
  it('return vectors and usage', async () => {
    const router = routerOver(version);
    const options = { dimensions: 4, providerOptions: { ai: { dimensions: 4 } } };
    const { vectors, usage, warnings } = await router.embed('embed', ['one', 'two'], options);
    const alone = await router.embed('embed', 'two', options);
    // The package ignores `index`, and the simulator sends the vectors in reverse order.
    expect(vectors).toContainEqual(alone.vectors[0]);
    expect(vectors.map(({ length }) => length)).toEqual([4, 4]);
    expect(usage.inputTokens).toBeGreaterThan(0);
    const dropped = warnings.map(({ param }) => param);
    expect(dropped).toEqual(version === 'v4' ? [] : ['dimensions']);
  });

  it('fail with the usual error codes', async () => {
    simulators.compatible.fault({ type: 'status', status: 429, retryAfterSeconds: 7 });
    await expect(routerOver(version).embed('embed', 'one')).rejects.toMatchObject({
      errors: [{ code: 'rate_limited', retryAfterMs: 7_000 }],
    });
  });
});

describe('a model of the AI SDK without embeddings', () => {
  it('fails with unsupported', () => {
    expect(fromAiSdk(recordingModel('v4').model).prepareEmbedding).toBeUndefined();
  });
});

describe('URLs of media', () => {
  const source = { url: 'https://X.test/a.png', mediaType: 'image/PNG' };
  const picture = { type: 'image', source } as const;
  const own = /^https:\/\/x\.test\//g;
  const other = /^https:\/\/files\.test\//;

  /** What answers a conversation with the part: the model, or the next target. */
  async function answeredBy(
    supportedUrls: AiSdkModel['supportedUrls'] | undefined,
    part: Part = picture,
  ): Promise<string> {
    const { model, requests } = recordingModel('v3');
    const fetching = { ...model, ...(supportedUrls !== undefined && { supportedUrls }) };
    const router = createRouter({
      providers: { p: fromAiSdk(fetching), next: fakeProvider('next') },
      tiers: { t: { targets: ['p/m', 'next/m'], transfer: 'unary' } },
    });
    const { text, trail } = await router.complete('t', [{ role: 'user', content: [part] }]);
    await router.close();
    expect(requests).toHaveLength(text === 'next' ? 0 : 1);
    expect(trail.at(-1)?.target).toBe(text === 'next' ? 'next/m' : 'p/m');
    return text;
  }

  it.each([
    ['no URLs', {}, 'next'],
    ['other URLs', { '*': [other] }, 'next'],
    ['URLs of other types', { 'video/*': [own], 'image/jpeg': [own] }, 'next'],
    ['a promise of other URLs', Promise.resolve({ '*': [other] }), 'next'],
    ['a promise of no URLs', Promise.resolve({}), 'next'],
    ['its URL, by type', { 'image/png': [other, own] }, 'Hi'],
    ['its URL, by kind', { 'image/*': [own] }, 'Hi'],
    ['its URL, for any type', { '*': [own] }, 'Hi'],
    ['its URL, for any type in two parts', { '*/*': [own] }, 'Hi'],
    ['a promise of its URL', Promise.resolve({ '*': [own] }), 'Hi'],
    ['anything', undefined, 'Hi'],
  ] as const)('go to a model that fetches %s, else to the next target', async (_, urls, text) => {
    expect(await answeredBy(urls)).toBe(text);
    expect(await answeredBy(urls)).toBe(text);
  });

  it('may be of any kind when they are data', async () => {
    const data = { url: 'data:image/png;base64,iVBORw0KGgo=' };
    expect(await answeredBy({}, { type: 'image', source: data })).toBe('Hi');
  });

  it('are checked in results of tools', async () => {
    const { model } = recordingModel('v3');
    const provider = fromAiSdk({ ...model, supportedUrls: {} });
    const messages: readonly NormalMessage[] = [
      { role: 'assistant', content: [{ type: 'tool-call', id: 'c', name: 'shot', input: {} }] },
      {
        role: 'tool',
        content: [{ type: 'tool-result', id: 'c', name: 'shot', output: [picture] }],
      },
    ];
    const prepare = () => provider.prepare({ provider: 'p', model: 'm', messages });
    expect(prepare).toThrow(expect.objectContaining({ code: 'unsupported' }));
  });
});
