/**
 * CPU time that tracing adds to a call, with an in-process provider: without an SDK, and with the SDK of OpenTelemetry.
 * Against a router without plugins, in turns within one run. `node bench/otel.ts`.
 */
import { context, metrics, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { createRouter, type Plugin, type Provider, type ProviderPart } from 'signalbox';
import { openTelemetry } from 'signalbox/otel';
import { cpuOf, median } from './measure.ts';

const usage = { inputTokens: 20, outputTokens: 100, totalTokens: 120 };

async function* answer(): AsyncGenerator<readonly ProviderPart[]> {
  yield [{ type: 'open', servedModel: 'gpt-5.4-mini' }];
  yield [{ type: 'part-end', part: { type: 'text', text: 'x' } }];
  yield [{ type: 'finish', finishReason: 'stop', usage }];
}

const provider: Provider = {
  wire: 'echo',
  priceList: 'openai',
  capabilities: () => new Set(['tools']),
  preload: async () => undefined,
  prepare: () => ({ warnings: [], send: () => answer() }),
};

const routerWith = (plugins: readonly Plugin[]) =>
  createRouter({ providers: { openai: provider }, tiers: { t: ['openai/gpt-5.4-mini'] }, plugins });

/** Spans and metrics are made and dropped. */
const tracerProvider = new BasicTracerProvider({
  spanProcessors: [
    new BatchSpanProcessor(
      { export: (_, done) => done({ code: 0 }), shutdown: async () => undefined },
      { maxQueueSize: 100_000, scheduledDelayMillis: 100 },
    ),
  ],
});
const meterProvider = new MeterProvider({
  readers: [
    new PeriodicExportingMetricReader({
      exporter: new InMemoryMetricExporter(AggregationTemporality.DELTA),
      exportIntervalMillis: 600_000,
    }),
  ],
});
const idle: Plugin = {
  name: 'idle',
  wrapCall: (_, next) => next(),
  wrapAttempt: (_, next) => next(),
};

const contenders = {
  'no plugin': routerWith([]),
  'a plugin with both wrap hooks that does nothing': routerWith([idle]),
  'openTelemetry() without an SDK': routerWith([openTelemetry()]),
  'openTelemetry() with the SDK': routerWith([openTelemetry({ tracerProvider, meterProvider })]),
};

// The SDK's context manager is for all of them, as in an application.
const contextManager = new AsyncLocalStorageContextManager();
const runs = new Map<string, number[]>();
for (let round = 0; round < 7; round++) {
  for (const [name, router] of Object.entries(contenders)) {
    const isSdk = name.endsWith('with the SDK');
    if (isSdk) context.setGlobalContextManager(contextManager.enable());
    const call = () => router.complete('t', 'hi', { transfer: 'unary' });
    const cpu = await cpuOf(5_000, 16, call);
    if (isSdk) context.disable();
    if (round >= 2) runs.set(name, [...(runs.get(name) ?? []), cpu]);
  }
}
const base = runs.get('no plugin') ?? [];
for (const [name, values] of runs) {
  const added = median(values.map((value, round) => value - (base[round] ?? Number.NaN)));
  console.log(`${name.padEnd(50)} ${median(values).toFixed(1)} us a call, +${added.toFixed(1)}`);
}
trace.disable();
metrics.disable();
process.exit();
