import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type AiSdkModel, fromAiSdk } from '../../../src/ai-sdk.ts';
import type { TierSettings } from '../../../src/protocol/config.ts';
import { createRouter } from '../../../src/router.ts';
import { fakeProvider } from '../../../src/testing/fake-provider.ts';
import {
  type Fault,
  type SimulatedProviders,
  simulateProviders,
} from '../../../src/testing/simulate-providers.ts';

let simulators: SimulatedProviders;

beforeAll(async () => {
  simulators = await simulateProviders();
});
beforeEach(() => simulators.reset());
afterAll(() => simulators.close());

const quick: TierSettings = {
  timeouts: { firstTokenMs: 300, idleMs: 300 },
  retry: { attempts: 0 },
};

/** A real provider package of the AI SDK, over real HTTP. */
function routerOver(settings: { readonly apiKey?: string } = {}) {
  const vendor = createOpenAICompatible({
    name: 'sim',
    baseURL: simulators.compatible.baseURL,
    apiKey: settings.apiKey ?? 'test-key',
    includeUsage: true,
    supportsStructuredOutputs: true,
  });
  return createRouter({
    providers: { ai: fromAiSdk(vendor, { priceList: 'none' }), spare: fakeProvider('spare') },
    tiers: {
      alone: { ...quick, targets: ['ai/m'] },
      t: { ...quick, targets: ['ai/m', 'spare/m'] },
    },
  });
}

const tools = [{ name: 'weather', inputSchema: z.object({ city: z.string() }) }] as const;

describe.each(['stream', 'unary'] as const)('a model of the AI SDK (%s)', (wire) => {
  it('answers, with usage, id and what it was asked', async () => {
    simulators.compatible.answer({
      text: 'Hello.',
      usage: { inputTokens: 9, outputTokens: 4, cachedInputTokens: 3 },
    });
    const answer = await routerOver().complete('alone', 'hi', {
      wire,
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

  it('calls tools and takes their results', async () => {
    simulators.compatible.answer({
      toolCalls: [
        { name: 'weather', input: { city: 'Bern' } },
        { name: 'weather', input: { city: 'Rome' } },
      ],
    });
    const router = routerOver();
    const first = await router.complete('alone', 'weather?', {
      wire,
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
      { wire, tools },
    );
    expect(second.text).toBe('Fine.');
    const ids = first.toolCalls.map(({ id }) => id);
    expect(simulators.compatible.log[1]?.body.messages).toMatchObject([
      { role: 'user' },
      { role: 'assistant', tool_calls: ids.map((id) => ({ id })) },
      ...ids.map((id) => ({ role: 'tool', tool_call_id: id })),
    ]);
  });

  it('gives an object for a schema', async () => {
    simulators.compatible.answer('{"n":1}');
    const { object } = await routerOver().complete('alone', 'n?', {
      wire,
      schema: z.object({ n: z.number() }),
    });
    expect(object.n).toBe(1);
    expect(simulators.compatible.log[0]?.body.response_format).toMatchObject({
      type: 'json_schema',
    });
  });

  it('shows its reasoning', async () => {
    simulators.compatible.answer({ text: 'Yes.', reasoning: 'Because.' });
    expect((await routerOver().complete('alone', 'why?', { wire })).reasoningText).toBe('Because.');
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
  ])('with %s is routed around', async (_, fault, code) => {
    simulators.compatible.answer('a long enough answer for several chunks of text');
    simulators.compatible.fault(fault);
    const answer = await routerOver().complete('t', 'hi');
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

  it('is refused when it is of another specification, or its settings are unknown', () => {
    const old: AiSdkModel = {
      specificationVersion: 'v2',
      provider: 'x',
      modelId: 'm',
      doGenerate: async () => undefined,
      doStream: async () => ({ stream: new ReadableStream() }),
    };
    expect(() => fromAiSdk(old)).toThrow('v4 (AI SDK 7) is needed');
    expect(() => fromAiSdk(() => old, { pricelist: 'x' } as object)).toThrow('pricelist');
  });
});

describe('what the AI SDK has no word for', () => {
  it('is told as a warning', async () => {
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
