import { context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { type OpenTelemetryOptions, openTelemetry } from '../../src/otel.ts';

class Reader extends MetricReader {
  protected async onShutdown(): Promise<void> {}
  protected async onForceFlush(): Promise<void> {}
}

/** A value of a metric, with its attributes. Of a histogram: the sum and the count. */
export type Point = {
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly value: number;
  readonly count?: number;
};

/** Makes contexts follow promises, as an SDK for Node does. Once for each process. */
export function enableContexts(): void {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
}

/** The OpenTelemetry SDK with everything in memory, and the plugin that uses it. */
export function startTelemetry(options: OpenTelemetryOptions = {}) {
  const exporter = new InMemorySpanExporter();
  const started = new Set<string>();
  const tracerProvider = new BasicTracerProvider({
    spanProcessors: [
      new SimpleSpanProcessor(exporter),
      {
        onStart: (span) => void started.add(span.spanContext().spanId),
        onEnd: (span) => void started.delete(span.spanContext().spanId),
        forceFlush: async () => undefined,
        shutdown: async () => undefined,
      },
    ],
  });
  const reader = new Reader();
  const meterProvider = new MeterProvider({ readers: [reader] });
  const plugin = openTelemetry({ tracerProvider, meterProvider, ...options });

  async function collect() {
    const { resourceMetrics } = await reader.collect();
    return resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics);
  }

  return {
    plugin,
    tracerProvider,
    tracer: tracerProvider.getTracer('test'),
    /** Spans that have not ended. */
    started,
    collect,
    get spans(): readonly ReadableSpan[] {
      return exporter.getFinishedSpans();
    },
    /** The points of each metric, by its name. */
    async points(): Promise<Readonly<Record<string, readonly Point[]>>> {
      const all = (await collect()).map(({ descriptor, dataPoints }) => [
        descriptor.name,
        dataPoints.map(({ attributes, value }): Point => {
          if (typeof value === 'number') return { attributes, value };
          return { attributes, value: value.sum ?? 0, count: value.count };
        }),
      ]);
      return Object.fromEntries(all);
    },
  };
}
