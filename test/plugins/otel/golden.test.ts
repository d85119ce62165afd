import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anthropic } from '../../../src/anthropic.ts';
import { openaiCompatible } from '../../../src/compatible.ts';
import { google } from '../../../src/google.ts';
import { openai, openaiChat } from '../../../src/openai.ts';
import { createRouter } from '../../../src/router.ts';
import {
  type SimulatedProviders,
  simulateProviders,
} from '../../../src/testing/simulate-providers.ts';
import { enableContexts, startTelemetry } from '../../support/telemetry.ts';

const apiKey = 'sk-canary-key';
const usage = {
  inputTokens: 20,
  outputTokens: 30,
  cachedInputTokens: 8,
  reasoningTokens: 7,
};

/** What the conventions call each wire, and what its vendor reports. */
const wires = {
  openai: { provider: 'openai', model: 'gpt-5.4', operation: 'chat' },
  openaiChat: { provider: 'openai', model: 'gpt-5.4', operation: 'chat' },
  anthropic: { provider: 'anthropic', model: 'claude-haiku-4-5', operation: 'chat' },
  google: {
    provider: 'gcp.gemini',
    model: 'gemini-3-flash-preview',
    operation: 'generate_content',
  },
} as const;

type WireName = keyof typeof wires;

let vendors: SimulatedProviders;

beforeAll(async () => {
  enableContexts();
  vendors = await simulateProviders();
  const answer = { text: 'Redis listens on port 6379.', usage };
  for (const vendor of [vendors.openai, vendors.anthropic, vendors.google]) vendor.answer(answer);
});
afterAll(() => vendors.close());

function routerFor(wire: WireName, telemetry: ReturnType<typeof startTelemetry>) {
  const { openai: at, anthropic: ant, google: goog } = vendors;
  const providers = {
    openai: openai({ apiKey, baseURL: at.baseURL }),
    openaiChat: openaiChat({ apiKey, baseURL: at.baseURL }),
    anthropic: anthropic({ apiKey, baseURL: ant.baseURL }),
    google: google({ apiKey, baseURL: goog.baseURL }),
  };
  const target = `${wire}/${wires[wire].model}` as const;
  return createRouter({
    providers,
    prices: { [target]: { input: 1, output: 2, cachedInput: 0.5 } },
    tags: { feature: 'search', user: 'u-1' },
    tiers: { fast: { targets: [{ target, maxOutputTokens: 800 }], transfer: 'stream' } },
    plugins: [telemetry.plugin],
  });
}

const usd = (12 * 1 + 8 * 0.5 + 30 * 2) / 1e6;

describe.each(Object.keys(wires) as WireName[])('the spans of a stream of %s', (wire) => {
  const { provider, model, operation } = wires[wire];
  const target = `${wire}/${model}`;

  async function trace(options: Parameters<typeof startTelemetry>[0] = {}) {
    const telemetry = startTelemetry({ metricTags: ['feature'], ...options });
    const router = routerFor(wire, telemetry);
    const answer = await router.stream('fast', 'Which port?', { seed: 3 }).completion;
    await router.close();
    return { telemetry, answer };
  }

  it('have exactly these attributes', async () => {
    const { telemetry, answer } = await trace();
    const [attempt, call] = telemetry.spans;
    expect(telemetry.spans).toHaveLength(2);
    expect(call).toMatchObject({
      name: 'signalbox fast',
      kind: SpanKind.INTERNAL,
      status: { code: SpanStatusCode.UNSET },
    });
    expect(call?.attributes).toEqual({
      'signalbox.call.id': answer.callId,
      'signalbox.tier': 'fast',
      'signalbox.mode': 'stream',
      'signalbox.tag.feature': 'search',
      'signalbox.tag.user': 'u-1',
      'signalbox.status': 'ok',
      'signalbox.attempts': 1,
      'signalbox.target': target,
      'signalbox.cost.usd': answer.cost.usd,
    });
    expect(attempt).toMatchObject({
      name: `${operation} ${model}`,
      kind: SpanKind.CLIENT,
      status: { code: SpanStatusCode.UNSET },
      parentSpanContext: { spanId: call?.spanContext().spanId },
    });
    const firstTokenMs = answer.trail[0]?.firstTokenMs ?? Number.NaN;
    expect(attempt?.attributes).toEqual({
      'gen_ai.operation.name': operation,
      'gen_ai.provider.name': provider,
      'gen_ai.request.model': model,
      'gen_ai.request.stream': true,
      'gen_ai.request.max_tokens': 800,
      'gen_ai.request.seed': 3,
      'gen_ai.response.id': answer.id,
      'gen_ai.response.model': answer.model.served,
      'gen_ai.response.finish_reasons': ['stop'],
      'gen_ai.response.time_to_first_chunk': firstTokenMs / 1000,
      'gen_ai.usage.input_tokens': 20,
      'gen_ai.usage.output_tokens': 30,
      'gen_ai.usage.cache_read.input_tokens': 8,
      'gen_ai.usage.reasoning.output_tokens': 7,
      // This wire does not report what was written to the cache; the others do, also when it is nothing.
      ...(wire !== 'google' && { 'gen_ai.usage.cache_write.input_tokens': 0 }),
      'signalbox.call.id': answer.callId,
      'signalbox.tier': 'fast',
      'signalbox.target': target,
      'signalbox.attempt': 1,
      'signalbox.outcome': 'ok',
      'signalbox.verdict': 'done',
      'signalbox.cost.usd': answer.cost.usd,
    });
    expect(answer.cost.usd).toBeCloseTo(usd, 12);
  });

  it('come with exactly these metrics', async () => {
    const { telemetry, answer } = await trace();
    const base = {
      'gen_ai.operation.name': operation,
      'gen_ai.provider.name': provider,
      'gen_ai.request.model': model,
      'signalbox.tier': 'fast',
      'signalbox.target': target,
      'signalbox.tag.feature': 'search',
    };
    const attributes = { ...base, 'gen_ai.response.model': answer.model.served };
    const { durationMs, firstTokenMs } = { firstTokenMs: Number.NaN, ...answer.trail[0] };
    const points = await telemetry.points();
    const { 'gen_ai.client.inference.time_per_output_chunk': perChunk, ...others } = points;
    expect(others).toEqual({
      'gen_ai.client.inference.duration': [
        { attributes, value: Number(durationMs) / 1000, count: 1 },
      ],
      'gen_ai.client.inference.time_to_first_chunk': [
        { attributes, value: firstTokenMs / 1000, count: 1 },
      ],
      'gen_ai.client.inference.usage.input_tokens': [{ attributes, value: 20 }],
      'gen_ai.client.inference.usage.output_tokens': [{ attributes, value: 30 }],
      'gen_ai.client.inference.usage.cache_read.input_tokens': [{ attributes, value: 8 }],
      'gen_ai.client.inference.usage.reasoning.output_tokens': [{ attributes, value: 7 }],
      'signalbox.cost': [{ attributes, value: answer.cost.usd }],
      'signalbox.call.duration': [
        {
          attributes: {
            'signalbox.tier': 'fast',
            'signalbox.status': 'ok',
            'signalbox.tag.feature': 'search',
          },
          value: expect.any(Number),
          count: 1,
        },
      ],
      'signalbox.circuit.state': [{ attributes: { 'signalbox.target': target }, value: 0 }],
    });
    if (perChunk !== undefined) expect(perChunk[0]?.attributes).toEqual(base);
  });

  it('have the former names too with legacyNames', async () => {
    const { telemetry, answer } = await trace({ legacyNames: true });
    const { attributes } = telemetry.spans[0] ?? {};
    expect(attributes).toMatchObject({
      'gen_ai.system': provider,
      'gen_ai.provider.name': provider,
    });
    const points = await telemetry.points();
    expect(points['gen_ai.client.operation.duration']).toHaveLength(1);
    expect(points['gen_ai.client.operation.time_to_first_chunk']).toHaveLength(1);
    const tokens = points['gen_ai.client.token.usage']?.map(({ attributes, value }) => [
      attributes['gen_ai.token.type'],
      attributes['gen_ai.response.model'],
      value,
    ]);
    expect(tokens).toEqual([
      ['input', answer.model.served, 20],
      ['output', answer.model.served, 30],
    ]);
  });
});

/** The attributes of the span `gen_ai.client.inference` in version 0.1.0 of the conventions. */
const model =
  `gen_ai.operation.name gen_ai.provider.name error.type gen_ai.conversation.id gen_ai.output.type
  gen_ai.prompt.name gen_ai.prompt.version gen_ai.request.choice.count gen_ai.request.model gen_ai.request.seed
  gen_ai.request.stream gen_ai.request.top_k server.port gen_ai.conversation.compacted
  gen_ai.request.frequency_penalty gen_ai.request.max_tokens gen_ai.request.presence_penalty
  gen_ai.request.previous_response.id gen_ai.request.reasoning.level gen_ai.request.stop_sequences
  gen_ai.request.temperature gen_ai.request.top_p gen_ai.response.finish_reasons gen_ai.response.id
  gen_ai.response.model gen_ai.response.time_to_first_chunk gen_ai.usage.audio.cache_read.input_tokens
  gen_ai.usage.audio.input_tokens gen_ai.usage.audio.output_tokens gen_ai.usage.cache_read.input_tokens
  gen_ai.usage.cache_write.input_tokens gen_ai.usage.image.cache_read.input_tokens gen_ai.usage.image.input_tokens
  gen_ai.usage.image.output_tokens gen_ai.usage.input_tokens gen_ai.usage.output_tokens
  gen_ai.usage.reasoning.output_tokens gen_ai.usage.text.cache_read.input_tokens gen_ai.usage.text.input_tokens
  gen_ai.usage.text.output_tokens server.address gen_ai.input.messages gen_ai.output.messages
  gen_ai.system_instructions gen_ai.tool.definitions`.split(/\s+/);

/** Those that are never set, and why. */
const deviations: Readonly<Record<string, string>> = {
  'gen_ai.conversation.id': 'calls belong to no conversation',
  'gen_ai.conversation.compacted': 'calls belong to no conversation',
  'gen_ai.prompt.name': 'there are no prompt templates',
  'gen_ai.prompt.version': 'there are no prompt templates',
  'gen_ai.request.choice.count': 'one answer is requested',
  'gen_ai.request.previous_response.id': 'conversations are sent whole',
  'server.address': "known to the vendor's SDK only; the spans of the HTTP client have it",
  'server.port': "known to the vendor's SDK only; the spans of the HTTP client have it",
  'gen_ai.usage.audio.cache_read.input_tokens': 'usage is not split by modality',
  'gen_ai.usage.audio.input_tokens': 'usage is not split by modality',
  'gen_ai.usage.audio.output_tokens': 'usage is not split by modality',
  'gen_ai.usage.image.cache_read.input_tokens': 'usage is not split by modality',
  'gen_ai.usage.image.input_tokens': 'usage is not split by modality',
  'gen_ai.usage.image.output_tokens': 'usage is not split by modality',
  'gen_ai.usage.text.cache_read.input_tokens': 'usage is not split by modality',
  'gen_ai.usage.text.input_tokens': 'usage is not split by modality',
  'gen_ai.usage.text.output_tokens': 'usage is not split by modality',
};

describe('the conventions', () => {
  it('are followed, with the deviations that are listed', async () => {
    const telemetry = startTelemetry({ recordContent: true });
    const at = vendors.compatible;
    at.answer({ text: '{"port":6379}', usage: { ...usage, cacheWriteTokens: 4 } });
    at.fault({ type: 'status', kind: 'overloaded' }, { times: 1 });
    const { anthropic: ant } = vendors;
    ant.answer({ text: 'hi', usage: { ...usage, cacheWriteTokens: 4 } });
    const router = createRouter({
      providers: {
        main: openaiCompatible({ apiKey, baseURL: at.baseURL, profile: {} }),
        anthropic: anthropic({ apiKey, baseURL: ant.baseURL }),
      },
      tiers: {
        fast: { targets: ['main/m'], retry: { minMs: 1 } },
        cached: ['anthropic/claude-haiku-4-5'],
      },
      plugins: [telemetry.plugin],
    });
    const tools = [{ name: 'port', inputSchema: { type: 'object' } }];
    await router.complete('fast', 'Which port?', {
      system: 'Be brief.',
      stop: ['END'],
      temperature: 1,
      topP: 0.5,
      topK: 4,
      frequencyPenalty: 0.1,
      presencePenalty: 0.2,
      maxOutputTokens: 100,
      seed: 1,
      reasoning: { effort: 'low' },
      schema: { type: 'object', properties: { port: { type: 'number' } }, required: ['port'] },
    });
    await router.complete('cached', 'Hi', { tools });
    await router.close();
    const attempts = telemetry.spans.filter(({ kind }) => kind === SpanKind.CLIENT);
    const names = new Set(attempts.flatMap(({ attributes }) => Object.keys(attributes)));
    const unset = model.filter((name) => !names.has(name));
    expect(new Set(unset)).toEqual(new Set(Object.keys(deviations)));
    const unknown = [...names].filter((name) => !model.includes(name));
    for (const name of unknown) {
      expect(name).toMatch(/^signalbox\.|^http\.response\.status_code$/);
    }
  });

  it('are followed by the instruments, with their buckets', async () => {
    const telemetry = startTelemetry({ legacyNames: true });
    const router = routerFor('openai', telemetry);
    await router.stream('fast', 'Which port?').completion;
    const metrics = await telemetry.collect();
    const duration = metrics.find(
      ({ descriptor }) => descriptor.name === 'gen_ai.client.inference.duration',
    );
    expect(duration?.descriptor.unit).toBe('s');
    const value = duration?.dataPoints[0]?.value as { buckets: { boundaries: number[] } };
    expect(value.buckets.boundaries).toEqual([
      0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
    ]);
    const cost = metrics.find(({ descriptor }) => descriptor.name === 'signalbox.cost');
    expect(cost?.descriptor.unit).toBe('{USD}');
    await router.close();
  });
});
