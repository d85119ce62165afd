import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { BatchSpanProcessor, InMemorySpanExporter } from '@opentelemetry/sdk-trace-base';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Plugin } from '../../../src/index.ts';
import type { TierObject } from '../../../src/protocol/config.ts';
import type { Provider } from '../../../src/protocol/provider.ts';
import type { ProviderPart } from '../../../src/protocol/stream-part.ts';
import { createRouter } from '../../../src/router.ts';
import { type FakeScript, fakeProvider } from '../../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../../src/testing/fake-runtime.ts';
import { testPlugin } from '../../../src/testing/plugin-contract.ts';
import { recordEvents } from '../../../src/testing/record-events.ts';
import { enableContexts, startTelemetry } from '../../support/telemetry.ts';

beforeAll(enableContexts);

const usage = { inputTokens: 10, outputTokens: 5 };

/** Notes the span that is active when the request is made, and at each read of its answer. */
function watched(provider: Provider, seen: Map<string, Set<string | undefined>>): Provider {
  const note = (model: string) => {
    const spans = seen.get(model) ?? new Set();
    spans.add(trace.getActiveSpan()?.spanContext().spanId);
    seen.set(model, spans);
  };
  return {
    ...provider,
    prepare(request) {
      const prepared = provider.prepare(request);
      return {
        ...prepared,
        async *send(sending) {
          note(request.model);
          for await (const batch of prepared.send(sending)) {
            note(request.model);
            yield batch;
          }
        },
      };
    },
  };
}

function setUp(
  scripts: { readonly a: FakeScript; readonly b?: FakeScript },
  tier: Partial<TierObject<'a' | 'b', 't'>> = {},
  plugins: readonly Plugin[] = [],
) {
  const runtime = fakeRuntime({ time: 'auto' });
  const telemetry = startTelemetry();
  const seen = new Map<string, Set<string | undefined>>();
  const provider = (script: FakeScript) => watched(fakeProvider(script, { runtime }), seen);
  const router = createRouter({
    runtime,
    providers: { a: provider(scripts.a), b: provider(scripts.b ?? 'second') },
    prices: { 'a/one': { input: 1, output: 1 }, 'b/two': { input: 1, output: 1 } },
    tiers: { t: { targets: ['a/one', 'b/two'], retry: { attempts: 0 }, ...tier } },
    plugins: [telemetry.plugin, ...plugins],
  });
  const events = recordEvents(router);
  const own = (kind: SpanKind) =>
    telemetry.spans.filter(
      (span) => span.kind === kind && span.instrumentationScope.name === 'signalbox',
    );
  return {
    ...{ telemetry, router, runtime, seen, events },
    get calls() {
      return own(SpanKind.INTERNAL);
    },
    get attempts() {
      return own(SpanKind.CLIENT);
    },
    /** No span is open, and each attempt is a child of its call. */
    checkTree() {
      expect(telemetry.started.size).toBe(0);
      const calls = new Map(
        own(SpanKind.INTERNAL).map((span) => [span.attributes['signalbox.call.id'], span]),
      );
      for (const attempt of own(SpanKind.CLIENT)) {
        const call = calls.get(attempt.attributes['signalbox.call.id']);
        expect(attempt.parentSpanContext?.spanId).toBe(call?.spanContext().spanId);
        expect(attempt.spanContext().traceId).toBe(call?.spanContext().traceId);
      }
      const billed = events.of('cost').reduce((sum, { usage }) => sum + usage.inputTokens, 0);
      const traced = own(SpanKind.CLIENT).reduce(
        (sum, { attributes }) => sum + Number(attributes['gen_ai.usage.input_tokens'] ?? 0),
        0,
      );
      expect(traced).toBe(billed);
    },
  };
}

const outcomes = (spans: ReturnType<typeof setUp>['attempts']) =>
  spans.map(({ name, attributes }) => [name, attributes['signalbox.outcome']]);

describe('the spans of a call', () => {
  it('continue the trace of the caller, and are active where the vendor is called', async () => {
    const bench = setUp({ a: { text: 'first', usage } });
    const { telemetry, router, seen } = bench;
    await telemetry.tracer.startActiveSpan('request', async (root) => {
      await router.complete('t', 'hi');
      root.end();
    });
    const [attempt] = bench.attempts;
    const [call] = bench.calls;
    const root = telemetry.spans.find(({ name }) => name === 'request');
    expect(call?.parentSpanContext?.spanId).toBe(root?.spanContext().spanId);
    expect(call?.spanContext().traceId).toBe(root?.spanContext().traceId);
    expect([...(seen.get('one') ?? [])]).toEqual([attempt?.spanContext().spanId]);
    bench.checkTree();
  });

  it('follow a failover: each attempt in its own span, the failover an event of the call', async () => {
    const bench = setUp({ a: { error: 'overloaded', status: 529 }, b: { text: 'ok', usage } });
    await bench.router.complete('t', 'hi');
    expect(outcomes(bench.attempts)).toEqual([
      ['chat one', 'error'],
      ['chat two', 'ok'],
    ]);
    const [failed, answered] = bench.attempts;
    expect(failed?.status.code).toBe(SpanStatusCode.ERROR);
    expect(failed?.attributes).toMatchObject({
      'error.type': 'overloaded',
      'http.response.status_code': 529,
      'signalbox.verdict': 'next',
    });
    expect(answered?.status.code).toBe(SpanStatusCode.UNSET);
    const [call] = bench.calls;
    expect(call?.events.map(({ name, attributes }) => [name, attributes])).toEqual([
      [
        'signalbox.failover',
        { 'signalbox.from': 'a/one', 'signalbox.to': 'b/two', 'error.type': 'overloaded' },
      ],
    ]);
    for (const name of Object.keys(call?.attributes ?? {})) expect(name).not.toMatch(/^gen_ai/);
    bench.checkTree();
  });

  it('have events for what policies decided, also when they block the call', async () => {
    const blocking: Plugin = {
      name: 'guard',
      onRequest(request, call) {
        call.verdict({ kind: 'flag', rule: 'odd', counts: { words: 3 } });
        return call.tags.user === 'eve' ? { block: { rule: 'no-eve' } } : request;
      },
    };
    const bench = setUp({ a: { text: 'ok', usage } }, {}, [blocking]);
    await bench.router.complete('t', 'hi');
    await bench.router.complete('t', 'hi', { tags: { user: 'eve' } }).catch(() => undefined);
    const verdict = (kind: string, rule: string) => [
      'signalbox.policy.verdict',
      {
        'signalbox.policy': 'guard',
        'signalbox.policy.kind': kind,
        'signalbox.policy.rule': rule,
      },
    ];
    const noted = bench.calls.map(({ events }) =>
      events.map(({ name, attributes }) => [name, attributes]),
    );
    expect(noted).toEqual([
      [verdict('flag', 'odd')],
      [verdict('flag', 'odd'), verdict('block', 'no-eve')],
    ]);
  });

  it('have events for retries and the changes of circuits', async () => {
    const bench = setUp(
      { a: [{ error: 'overloaded' }, { error: 'overloaded' }, { text: 'ok', usage }] },
      {
        targets: ['a/one'],
        retry: { attempts: 1, minMs: 10, maxMs: 10 },
        circuit: { consecutiveFailures: 2, openMs: 1_000 },
      },
    );
    await bench.router.complete('t', 'hi').catch(() => undefined);
    const { points } = bench.telemetry;
    const target = { 'signalbox.target': 'a/one' };
    const state = async () => (await points())['signalbox.circuit.state'];
    expect(await state()).toEqual([{ attributes: target, value: 2 }]);
    await bench.runtime.sleep(10_000);
    await bench.router.complete('t', 'hi');
    expect(await state()).toEqual([{ attributes: target, value: 1 }]);
    await bench.router.complete('t', 'hi');
    const noted = bench.calls.map(({ events }) => events.map(({ name }) => name));
    expect(noted).toEqual([
      ['signalbox.retry', 'signalbox.circuit.open'],
      ['signalbox.circuit.half_open'],
      ['signalbox.circuit.close'],
    ]);
    expect(bench.calls[0]?.events[0]?.attributes).toEqual({
      ...target,
      'error.type': 'overloaded',
      'signalbox.delay': expect.any(Number),
    });
    expect(await state()).toEqual([{ attributes: target, value: 0 }]);
    expect((await points())['signalbox.retries']).toMatchObject([{ value: 1 }]);
    bench.checkTree();
  });

  it('follow a hedge: the loser is an aborted attempt in its own span', async () => {
    const late = { text: 'late', firstTokenDelayMs: 2_000, usage };
    const prompt = { text: 'prompt', firstTokenDelayMs: 50, usage };
    const bench = setUp({ a: late, b: prompt }, { hedge: { afterMs: 300, maxExtra: 1 } });
    expect((await bench.router.complete('t', 'hi')).text).toBe('prompt');
    expect(outcomes(bench.attempts).sort()).toEqual([
      ['chat one', 'aborted'],
      ['chat two', 'ok'],
    ]);
    for (const attempt of bench.attempts) {
      const model = String(attempt.attributes['gen_ai.request.model']);
      expect([...(bench.seen.get(model) ?? [])]).toEqual([attempt.spanContext().spanId]);
    }
    expect(bench.attempts.map(({ status }) => status.code)).not.toContain(SpanStatusCode.ERROR);
    expect(bench.calls[0]?.events.map(({ name }) => name)).toEqual(['signalbox.hedge']);
    const points = await bench.telemetry.points();
    expect(points['signalbox.hedges']).toMatchObject([{ value: 1 }]);
    bench.checkTree();
  });

  it('follow a stream that fails over in the middle', async () => {
    const bench = setUp(
      { a: { chunks: ['one ', 'two '], cutAfter: 1 }, b: { text: 'ok', usage } },
      { midStream: 'restart' },
    );
    for await (const _ of bench.router.stream('t', 'hi'));
    expect(outcomes(bench.attempts)).toEqual([
      ['chat one', 'error'],
      ['chat two', 'ok'],
    ]);
    bench.checkTree();
  });

  it('belong to the context that made the stream, not to the one that reads it', async () => {
    const bench = setUp({ a: { chunks: ['a', 'b', 'c'], usage } });
    const { telemetry, router, seen } = bench;
    const made = telemetry.tracer.startSpan('made here');
    const stream = context.with(trace.setSpan(context.active(), made), () =>
      router.stream('t', 'hi'),
    );
    made.end();
    await Promise.resolve();
    await telemetry.tracer.startActiveSpan('read here', async (reading) => {
      for await (const _ of stream) {
        expect(trace.getActiveSpan()).toBe(reading);
        await Promise.resolve();
      }
      reading.end();
    });
    const [attempt] = bench.attempts;
    expect(bench.calls[0]?.parentSpanContext?.spanId).toBe(made.spanContext().spanId);
    expect([...(seen.get('one') ?? [])]).toEqual([attempt?.spanContext().spanId]);
    bench.checkTree();
  });

  it('end when a reader leaves', async () => {
    const bench = setUp({ a: { chunks: ['a', 'b', 'c'], chunkDelayMs: 10, usage } });
    for await (const part of bench.router.stream('t', 'hi')) if (part.type === 'text-delta') break;
    expect(outcomes(bench.attempts)).toEqual([['chat one', 'aborted']]);
    expect(bench.calls[0]?.attributes).toMatchObject({
      'signalbox.status': 'aborted',
      'error.type': 'aborted',
    });
    expect(bench.calls[0]?.status.code).toBe(SpanStatusCode.UNSET);
    bench.checkTree();
  });

  it('end when the caller aborts, before and after the first token', async () => {
    for (const script of [{ hang: true }, { chunks: ['a', 'b'], stallAfter: 1 }] as const) {
      const bench = setUp({ a: script });
      const caller = new AbortController();
      const failure = bench.router
        .complete('t', 'hi', { signal: caller.signal })
        .catch((error: unknown) => error);
      await bench.runtime.settle();
      caller.abort();
      await failure;
      await bench.runtime.settle();
      expect(outcomes(bench.attempts)).toEqual([['chat one', 'aborted']]);
      bench.checkTree();
    }
  });

  it('end when all targets fail, with the error of the call', async () => {
    const bench = setUp({ a: { error: 'server_error' }, b: { error: 'rate_limited' } });
    await bench.router.complete('t', 'hi').catch(() => undefined);
    const [call] = bench.calls;
    expect(call?.status.code).toBe(SpanStatusCode.ERROR);
    expect(call?.attributes).toMatchObject({
      'error.type': 'all_targets_failed',
      'signalbox.attempts': 2,
    });
    bench.checkTree();
  });

  it('end when the router is closed', async () => {
    const bench = setUp({ a: { chunks: ['a', 'b'], stallAfter: 1 } });
    const call = bench.router.complete('t', 'hi').catch(() => undefined);
    const unread = bench.router.stream('t', 'hi');
    await bench.runtime.settle();
    await bench.router.close();
    await call;
    await unread.completion.catch(() => undefined);
    expect(bench.calls).toHaveLength(1);
    bench.checkTree();
  });

  it('are made for embeddings and images too', async () => {
    const telemetry = startTelemetry();
    const answering = (part: ProviderPart) => ({
      warnings: [],
      async *send() {
        yield [part, { type: 'finish', finishReason: 'stop' } as const];
      },
    });
    const source = { data: 'aGk=', mediaType: 'image/png' };
    const provider: Provider = {
      ...fakeProvider(),
      prepareEmbedding: () => answering({ type: 'vectors', vectors: [[1], [2]] }),
      prepareImage: () => answering({ type: 'part-end', part: { type: 'image', source } }),
    };
    const router = createRouter({
      providers: { a: provider },
      tiers: { t: ['a/one'] },
      plugins: [telemetry.plugin],
    });
    await router.embed('t', ['x', 'y']);
    await router.image('t', 'a port');
    const names = telemetry.spans.map(({ name }) => name);
    expect(names).toEqual(['embeddings one', 'signalbox t', 'generate_content one', 'signalbox t']);
    expect(telemetry.spans[2]?.attributes['gen_ai.output.type']).toBe('image');
    const points = await telemetry.points();
    expect(points['gen_ai.client.embeddings.duration']).toHaveLength(1);
    expect(points['gen_ai.client.inference.duration']).toHaveLength(1);
    await router.close();
  });

  it('include the calls of plugins inside, below the span that was active', async () => {
    const asking: Plugin = {
      name: 'asking',
      async accept({ text }, call) {
        await call.ask('t', `Is this true? ${text}`);
        return true;
      },
    };
    const bench = setUp({ a: { text: 'first', usage } }, {}, [asking]);
    await bench.router.complete('t', 'hi');
    expect(bench.calls).toHaveLength(2);
    expect(bench.attempts).toHaveLength(2);
    const traces = new Set(bench.telemetry.spans.map((span) => span.spanContext().traceId));
    expect(traces.size).toBe(1);
    const providers = bench.attempts.map(({ attributes }) => attributes['gen_ai.provider.name']);
    expect(providers).toEqual(['a', 'a']);
    bench.checkTree();
  });
});

describe('the plugin', () => {
  for (const { name, run } of testPlugin({ plugin: () => startTelemetry().plugin })) it(name, run);

  it('works without an SDK', async () => {
    const { openTelemetry } = await import('../../../src/otel.ts');
    const router = createRouter({
      providers: { a: fakeProvider('ok') },
      tiers: { t: ['a/one'] },
      plugins: [openTelemetry()],
    });
    expect((await router.complete('t', 'hi')).text).toBe('ok');
    await router.close();
  });

  it('flushes the SDK when the router is closed', async () => {
    const exporter = new InMemorySpanExporter();
    const { BasicTracerProvider } = await import('@opentelemetry/sdk-trace-base');
    const spanProcessors = [new BatchSpanProcessor(exporter, { scheduledDelayMillis: 100_000 })];
    const tracerProvider = new BasicTracerProvider({ spanProcessors });
    const router = createRouter({
      providers: { a: fakeProvider('ok') },
      tiers: { t: ['a/one'] },
      plugins: [startTelemetry({ tracerProvider }).plugin],
    });
    await router.complete('t', 'hi');
    expect(exporter.getFinishedSpans()).toHaveLength(0);
    await router.close();
    expect(exporter.getFinishedSpans()).toHaveLength(2);
    await tracerProvider.shutdown();
  });

  it.each([
    [{ recordContents: true }, 'no option "recordContents"'],
    [{ metricTags: 'user' }, 'metricTags'],
    [{ tracerProvider: {} }, 'tracerProvider'],
  ])('rejects %j', async (options, message) => {
    const { openTelemetry } = await import('../../../src/otel.ts');
    expect(() => openTelemetry(options as never)).toThrow(message);
  });
});
