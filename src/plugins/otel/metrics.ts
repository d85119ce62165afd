import type { Attributes, Counter, Gauge, Histogram, Meter } from '@opentelemetry/api';
import type { Usage } from '../../protocol/usage.ts';
import { counters, gauges, genAi, histograms, legacy, legacyHistograms } from './names.ts';

type Instruments<Table, Instrument> = { readonly [Name in keyof Table]: Instrument };

function createdFrom<Table extends Readonly<Record<string, readonly [string, object]>>, Instrument>(
  table: Table,
  create: (name: string, options: object) => Instrument,
): Instruments<Table, Instrument> {
  const entries = Object.entries(table).map(([key, [name, options]]) => [
    key,
    create(name, options),
  ]);
  return Object.fromEntries(entries);
}

/** How an attempt ended, as far as metrics go. */
type MeasuredAttempt = {
  readonly kind: 'chat' | 'embed' | 'image';
  readonly isStreamed: boolean;
  readonly durationMs: number;
  readonly queuedMs?: number | undefined;
  readonly firstTokenMs?: number | undefined;
  readonly usage?: Usage | undefined;
  /** US dollars; `null` if the price is unknown. */
  readonly usd?: number | null | undefined;
};

/** The instruments of one router. */
export class Metrics {
  readonly counters: Instruments<typeof counters, Counter>;
  readonly histograms: Instruments<typeof histograms, Histogram>;
  readonly circuit: Gauge;
  readonly #legacy: Instruments<typeof legacyHistograms, Histogram> | undefined;

  constructor(meter: Meter, legacyNames: boolean) {
    const histogram = (name: string, options: object) => meter.createHistogram(name, options);
    this.counters = createdFrom(counters, (name, options) => meter.createCounter(name, options));
    this.histograms = createdFrom(histograms, histogram);
    this.circuit = meter.createGauge(...gauges.circuit);
    if (legacyNames) this.#legacy = createdFrom(legacyHistograms, histogram);
  }

  /** `attributes` are those of the attempt without its outcome; `ended` has them too, and the error's type. */
  attemptEnded(attempt: MeasuredAttempt, attributes: Attributes, ended: Attributes): void {
    const { kind, isStreamed, durationMs, queuedMs, firstTokenMs, usage, usd } = attempt;
    const { duration, embeddingsDuration, timeToFirstChunk, queueDuration } = this.histograms;
    (kind === 'embed' ? embeddingsDuration : duration).record(durationMs / 1000, ended);
    this.#legacy?.duration.record(durationMs / 1000, ended);
    if (isStreamed && firstTokenMs !== undefined) {
      timeToFirstChunk.record(firstTokenMs / 1000, attributes);
      this.#legacy?.timeToFirstChunk.record(firstTokenMs / 1000, attributes);
    }
    if (queuedMs !== undefined) queueDuration.record(queuedMs / 1000, attributes);
    if (usage !== undefined) this.#used(usage, attributes);
    if (usd === null) this.counters.unpriced.add(1, attributes);
    else if (usd !== undefined) this.counters.cost.add(usd, attributes);
  }

  #used(usage: Usage, attributes: Attributes): void {
    const { inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens, reasoningTokens } =
      usage;
    this.counters.inputTokens.add(inputTokens, attributes);
    this.counters.outputTokens.add(outputTokens, attributes);
    if (cachedInputTokens) this.counters.cacheReadTokens.add(cachedInputTokens, attributes);
    if (cacheWriteTokens) this.counters.cacheWriteTokens.add(cacheWriteTokens, attributes);
    if (reasoningTokens) this.counters.reasoningTokens.add(reasoningTokens, attributes);
    if (this.#legacy === undefined) return;
    const ofType = (type: string): Attributes => ({ ...attributes, [legacy.tokenType]: type });
    this.#legacy.tokens.record(inputTokens, ofType('input'));
    this.#legacy.tokens.record(outputTokens, ofType('output'));
  }

  /** A circuit changed, or is seen for the first time. */
  circuitIs(state: 'closed' | 'half-open' | 'open', attributes: Attributes): void {
    this.circuit.record({ closed: 0, 'half-open': 1, open: 2 }[state], attributes);
  }
}

/** The attributes of usage on the span of an attempt. */
export function usageAttributes(usage: Usage, legacyNames: boolean): Attributes {
  const { inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens, reasoningTokens } = usage;
  return {
    [genAi.inputTokens]: inputTokens,
    [genAi.outputTokens]: outputTokens,
    [genAi.cacheReadTokens]: cachedInputTokens,
    [genAi.cacheWriteTokens]: cacheWriteTokens,
    [genAi.reasoningTokens]: reasoningTokens,
    ...(legacyNames && { [legacy.cacheWriteTokens]: cacheWriteTokens }),
  };
}
