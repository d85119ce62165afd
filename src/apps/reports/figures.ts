import { withoutUndefined } from '../../internal/own.ts';
import type { RouterEvent, RouterEvents } from '../../protocol/events.ts';
import { Percentiles } from './percentiles.ts';
import type { ReportRow } from './report-row.ts';

const nanoPerUsd = 1_000_000_000;

/** Nano-dollars that a token of unknown price counts when the spending of keys is compared: 1 US dollar per million. */
const nanoPerToken = 1_000;

/** What a row counts as a request. */
export type RequestUnit = 'attempt' | 'call';

/** The figures of one row. */
export class Figures {
  #requests = 0;
  #errors = 0;
  #aborted = 0;
  #failovers = 0;
  #repairs = 0;
  #invalidOutputs = 0;
  #inputTokens = 0;
  #outputTokens = 0;
  #cachedTokens = 0;
  /** Whole nano-dollars: their sum has no rounding error. */
  #nanoUsd = 0;
  #unpriced = 0;
  #unpricedTokens = 0;
  #scores = 0;
  #scoreSum = 0;
  readonly #totalMs = new Percentiles();
  readonly #firstTokenMs = new Percentiles();

  /** Nano-dollars, and so little for a request that it decides only between keys that cost the same. */
  get spending(): number {
    return this.#nanoUsd + this.#unpricedTokens * nanoPerToken + this.#requests;
  }

  record(event: RouterEvent, unit: RequestUnit): void {
    switch (event.type) {
      case 'call-end':
        if (unit === 'call') this.#end(event.status, event);
        return;
      case 'attempt-end':
        if (unit === 'attempt') this.#end(event.outcome, event);
        if (event.error?.code === 'invalid_output') this.#invalidOutputs += 1;
        return;
      case 'failover':
        this.#failovers += 1;
        return;
      case 'retry':
        if (event.error.code === 'invalid_output') this.#repairs += 1;
        return;
      case 'cost':
        this.#bill(event);
        return;
      case 'feedback':
        this.#scores += 1;
        this.#scoreSum += event.score;
        return;
      default:
    }
  }

  merge(other: Figures): void {
    this.#requests += other.#requests;
    this.#errors += other.#errors;
    this.#aborted += other.#aborted;
    this.#failovers += other.#failovers;
    this.#repairs += other.#repairs;
    this.#invalidOutputs += other.#invalidOutputs;
    this.#inputTokens += other.#inputTokens;
    this.#outputTokens += other.#outputTokens;
    this.#cachedTokens += other.#cachedTokens;
    this.#nanoUsd += other.#nanoUsd;
    this.#unpriced += other.#unpriced;
    this.#unpricedTokens += other.#unpricedTokens;
    this.#scores += other.#scores;
    this.#scoreSum += other.#scoreSum;
    this.#totalMs.merge(other.#totalMs);
    this.#firstTokenMs.merge(other.#firstTokenMs);
  }

  toRow<By extends string>(row: Pick<ReportRow<By>, 'by' | 'key' | 'kind' | 'partial'>) {
    const successes = this.#requests - this.#errors - this.#aborted;
    const usd = this.#nanoUsd / nanoPerUsd;
    const isPriced = this.#nanoUsd > 0 || this.#unpriced === 0;
    const total = this.#totalMs;
    const first = this.#firstTokenMs;
    const fields: { readonly [Field in keyof ReportRow<By>]: ReportRow<By>[Field] | undefined } = {
      ...row,
      requests: this.#requests,
      errors: this.#errors,
      aborted: this.#aborted,
      failovers: this.#failovers,
      repairs: this.#repairs,
      invalidOutputs: this.#invalidOutputs,
      inputTokens: this.#inputTokens,
      outputTokens: this.#outputTokens,
      cachedTokens: this.#cachedTokens,
      cacheShare: shareOf(this.#cachedTokens, this.#inputTokens),
      usd: isPriced ? usd : null,
      unpriced: this.#unpriced,
      usdPerSuccess: isPriced ? shareOf(usd, successes) : undefined,
      p50TotalMs: total.at(0.5),
      p95TotalMs: total.at(0.95),
      p99TotalMs: total.at(0.99),
      p50FirstTokenMs: first.at(0.5),
      p95FirstTokenMs: first.at(0.95),
      p99FirstTokenMs: first.at(0.99),
      quality: shareOf(this.#scoreSum, this.#scores),
      scores: this.#scores,
    };
    return withoutUndefined(fields) as ReportRow<By>;
  }

  #end(
    outcome: 'ok' | 'error' | 'aborted',
    { durationMs, firstTokenMs }: Pick<RouterEvents['call-end'], 'durationMs' | 'firstTokenMs'>,
  ): void {
    this.#requests += 1;
    if (outcome === 'error') this.#errors += 1;
    if (outcome === 'aborted') this.#aborted += 1;
    // A failure or an abort shows nothing about how long an answer takes.
    if (outcome !== 'ok') return;
    this.#totalMs.add(durationMs);
    if (firstTokenMs !== undefined) this.#firstTokenMs.add(firstTokenMs);
  }

  #bill({ usage, usd }: RouterEvents['cost']): void {
    const { inputTokens, outputTokens, cachedInputTokens = 0 } = usage;
    this.#inputTokens += inputTokens;
    this.#outputTokens += outputTokens;
    this.#cachedTokens += cachedInputTokens;
    if (usd !== null) {
      this.#nanoUsd += Math.round(usd * nanoPerUsd);
      return;
    }
    this.#unpriced += 1;
    this.#unpricedTokens += inputTokens + outputTokens;
  }
}

function shareOf(part: number, whole: number): number | undefined {
  return whole === 0 ? undefined : part / whole;
}
