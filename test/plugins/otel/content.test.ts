import { SpanKind } from '@opentelemetry/api';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Plugin } from '../../../src/index.ts';
import { openai } from '../../../src/openai.ts';
import { createRouter } from '../../../src/router.ts';
import { fakeProvider } from '../../../src/testing/fake-provider.ts';
import { simulateProviders } from '../../../src/testing/simulate-providers.ts';
import { hideName } from '../../support/plugins.ts';
import { enableContexts, startTelemetry } from '../../support/telemetry.ts';

beforeAll(enableContexts);

const canary = 'zq-canary-71';

/** Everything that telemetry exports, as text. */
async function exported(telemetry: ReturnType<typeof startTelemetry>): Promise<string> {
  const spans = telemetry.spans.map(({ name, attributes, events, status, links }) => ({
    name,
    attributes,
    events,
    status,
    links,
  }));
  return JSON.stringify([spans, await telemetry.points()]);
}

describe('content', () => {
  it('and keys are nowhere by default, also when a vendor repeats them in errors', async () => {
    const vendors = await simulateProviders();
    const telemetry = startTelemetry({ legacyNames: true });
    const router = createRouter({
      providers: { openai: openai({ apiKey: canary, baseURL: vendors.openai.baseURL }) },
      tiers: { t: { targets: ['openai/gpt-5.4'], retry: { attempts: 1, minMs: 1 } } },
      plugins: [telemetry.plugin],
    });
    vendors.openai.answer(() => ({
      text: `The answer is ${canary}.`,
      toolCalls: [{ name: 'find', input: { query: canary } }],
    }));
    const message = `You sent ${canary} with ${canary}`;
    vendors.openai.fault({ type: 'status', kind: 'server_error', message }, { times: 1 });
    const tools = [{ name: 'find', description: canary, inputSchema: { type: 'object' } }];
    const options = { tools, system: canary, stop: [canary], userId: canary };
    await router.complete('t', `Where is ${canary}?`, options);
    vendors.openai.fault({ type: 'status', kind: 'invalid_request', message });
    await router.complete('t', canary, options).catch(() => undefined);
    const text = await exported(telemetry);
    expect(text).toContain('invalid_request');
    expect(text).not.toContain(canary);
    await router.close();
    await vendors.close();
  });

  it('is on the spans of attempts with recordContent, and only there', async () => {
    const telemetry = startTelemetry({ recordContent: true });
    const toolCalls = [{ name: 'port', input: { of: 'redis' } }];
    const router = createRouter({
      providers: { a: fakeProvider({ text: 'It is 6379.', toolCalls }) },
      tiers: { t: { targets: [{ target: 'a/one', system: 'Be brief.' }] } },
      plugins: [telemetry.plugin],
    });
    const inputSchema = { type: 'object' };
    await router.complete(
      't',
      [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Which port?' },
            { type: 'image', source: { data: 'aGVsbG8=', mediaType: 'image/png' } },
            { type: 'image', source: { url: 'https://example.com/a.png' } },
          ],
        },
        {
          role: 'assistant',
          content: [{ type: 'tool-call', id: 'c1', name: 'port', input: { of: 'x' } }],
        },
        { role: 'tool', content: [{ type: 'tool-result', id: 'c1', name: 'port', output: 1 }] },
      ],
      { tools: [{ name: 'port', description: 'Finds one.', inputSchema }], stop: ['END'] },
    );
    const [attempt, call] = telemetry.spans;
    const parsed = Object.fromEntries(
      Object.entries(attempt?.attributes ?? {})
        .filter(([name]) => /messages|instructions|definitions/.test(name))
        .map(([name, value]) => [name, JSON.parse(String(value))]),
    );
    expect(parsed).toEqual({
      'gen_ai.system_instructions': [{ type: 'text', content: 'Be brief.' }],
      'gen_ai.input.messages': [
        {
          role: 'user',
          parts: [
            { type: 'text', content: 'Which port?' },
            { type: 'blob', modality: 'image', mime_type: 'image/png' },
            {
              type: 'uri',
              modality: 'image',
              mime_type: null,
              uri: 'https://example.com/a.png',
            },
          ],
        },
        {
          role: 'assistant',
          parts: [{ type: 'tool_call', id: 'c1', name: 'port', arguments: { of: 'x' } }],
        },
        { role: 'tool', parts: [{ type: 'tool_call_response', id: 'c1', response: 1 }] },
      ],
      'gen_ai.tool.definitions': [
        { type: 'function', name: 'port', description: 'Finds one.', parameters: inputSchema },
      ],
      'gen_ai.output.messages': [
        {
          role: 'assistant',
          parts: [
            { type: 'text', content: 'It is 6379.' },
            { type: 'tool_call', id: expect.any(String), name: 'port', arguments: { of: 'redis' } },
          ],
          finish_reason: 'tool_calls',
        },
      ],
    });
    expect(attempt?.attributes['gen_ai.request.stop_sequences']).toEqual(['END']);
    expect(JSON.stringify(call?.attributes)).not.toContain('6379');
    await router.close();
  });

  it('is what the vendor gets, after the plugins inside', async () => {
    const telemetry = startTelemetry({ recordContent: true });
    const router = createRouter({
      providers: { a: fakeProvider('Hello [PERSON].') },
      tiers: { t: ['a/one'] },
      plugins: [telemetry.plugin, hideName('Alice')],
    });
    expect((await router.complete('t', 'I am Alice.')).text).toBe('Hello Alice.');
    const [attempt] = telemetry.spans;
    expect(attempt?.attributes['gen_ai.input.messages']).toContain('I am [PERSON].');
    expect(attempt?.attributes['gen_ai.output.messages']).toContain('Hello [PERSON].');
    await router.close();
  });
});

describe('tags', () => {
  it('become attributes of metrics only if they are listed', async () => {
    const telemetry = startTelemetry({ metricTags: ['feature'] });
    const router = createRouter({
      providers: { a: fakeProvider({ text: 'x', usage: { inputTokens: 1, outputTokens: 1 } }) },
      prices: { 'a/one': { input: 1, output: 1 } },
      tiers: { t: { targets: [{ target: 'a/one', tags: { feature: 'target' } }] } },
      plugins: [telemetry.plugin],
    });
    await router.complete('t', 'x', { tags: { user: canary } });
    const points = await telemetry.points();
    expect(JSON.stringify(points)).not.toContain(canary);
    expect(points['signalbox.cost']?.[0]?.attributes['signalbox.tag.feature']).toBe('target');
    const call = telemetry.spans.find(({ kind }) => kind === SpanKind.INTERNAL);
    expect(call?.attributes['signalbox.tag.user']).toBe(canary);
    await router.close();
  });
});

describe('budgets', () => {
  it('are counted, and noted on the span, without the value of their tag', async () => {
    const telemetry = startTelemetry();
    const router = createRouter({
      providers: { a: fakeProvider({ text: 'x', usage: { inputTokens: 60, outputTokens: 1 } }) },
      tiers: { t: ['a/one'] },
      budgets: { user: { by: 'user', requests: 1, per: 'day', warnAt: [0.5] } },
      plugins: [telemetry.plugin],
    });
    const tags = { user: canary };
    await router.complete('t', 'x', { tags });
    await router.complete('t', 'x', { tags }).catch(() => undefined);
    const points = await telemetry.points();
    const budget = { 'signalbox.budget': 'user', 'signalbox.budget.unit': 'requests' };
    expect(points['signalbox.budget.warnings']?.map(({ attributes }) => attributes)).toContainEqual(
      {
        ...budget,
        'signalbox.tier': 't',
        'signalbox.budget.share': 0.5,
      },
    );
    expect(points['signalbox.budget.exceeded']).toEqual([
      {
        attributes: { ...budget, 'signalbox.tier': 't', 'signalbox.budget.action': 'rejected' },
        value: 1,
      },
    ]);
    expect(JSON.stringify(points)).not.toContain(canary);
    const [, , refused] = telemetry.spans;
    expect(refused?.events.map(({ name }) => name)).toEqual(['signalbox.budget.exceeded']);
    expect(refused?.attributes['error.type']).toBe('budget_exceeded');
    await router.close();
  });
});

describe('the answer of a plugin', () => {
  it('has a span of the call, and none of an attempt', async () => {
    const telemetry = startTelemetry();
    const cached = fakeProvider('cached');
    const answers = createRouter({ providers: { a: cached }, tiers: { t: ['a/one'] } });
    const completion = await answers.complete('t', 'x');
    const cache: Plugin = {
      name: 'cache',
      async *wrapCall() {
        yield [{ type: 'finish', completion }];
      },
    };
    const router = createRouter({
      providers: { a: fakeProvider() },
      tiers: { t: ['a/one'] },
      plugins: [telemetry.plugin, cache],
    });
    await router.complete('t', 'x');
    expect(telemetry.spans.map(({ name }) => name)).toEqual(['signalbox t']);
    expect(telemetry.spans[0]?.attributes['signalbox.attempts']).toBe(0);
    await router.close();
  });
});
