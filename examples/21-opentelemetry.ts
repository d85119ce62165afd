// Traces and metrics with OpenTelemetry: a span for the call, and below it one for each attempt, with its usage.
import { context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { createRouter } from 'signalbox';
import { openTelemetry } from 'signalbox/otel';
import { close, providers, simulators } from './providers.ts';

// An application gets these from its SDK, such as NodeSDK.
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
const exporter = new InMemorySpanExporter();
const tracerProvider = new BasicTracerProvider({
  spanProcessors: [new SimpleSpanProcessor(exporter)],
});
const reader = new PrometheusExporter({ preventServerStart: true });
const meterProvider = new MeterProvider({ readers: [reader] });

const router = createRouter({
  providers,
  tiers: { fast: ['openai/gpt-5.4-mini', 'anthropic/claude-haiku-4-5'] },
  plugins: [openTelemetry({ tracerProvider, meterProvider, metricTags: ['feature'] })],
});

simulators.openai.down();
await tracerProvider.getTracer('app').startActiveSpan('POST /search', async (span) => {
  await router.complete('fast', 'Find red shoes', { tags: { feature: 'search' } });
  span.end();
});

const spans = exporter.getFinishedSpans();
function print(parent: string | undefined, indent: string): void {
  for (const span of spans.filter((each) => each.parentSpanContext?.spanId === parent)) {
    const { name, attributes, events } = span;
    const tokens = attributes['gen_ai.usage.output_tokens'];
    const details = [attributes['error.type'], tokens === undefined ? '' : `${tokens} tokens`];
    const noted = new Set(events.map((event) => event.name));
    console.log(indent + [name, ...details, ...noted].filter(Boolean).join('  '));
    print(span.spanContext().spanId, `${indent}  `);
  }
}
print(undefined, '');

const { resourceMetrics } = await reader.collect();
const text = new PrometheusSerializer().serialize(resourceMetrics);
for (const line of text.split('\n'))
  if (/^signalbox_(cost|failovers)/.test(line)) console.log(line);

await router.close();
await close();
