/** What a report can be grouped by. Other names are those of tags; `tag:model` is a tag that is called `model`. */
export type ReportBy = 'target' | 'model' | 'tier' | (string & {});

/**
 * One row of a report.
 *
 * By `target` and `model`, a request is an attempt that was sent: retries, hedges and each batch of an `embed` count.
 * By `tier` and by tags, a request is a call, whatever it took. Each counts when it ends: what still runs is not in it,
 * except for the attempts that were billed already.
 */
export type ReportRow<By extends string = string> = {
  readonly by: By;
  /** The target, model, tier or value of the tag; at most 200 characters. `(none)`, `(other)` or `(drills)` if `kind` says so. */
  readonly key: string;
  /**
   * `none`: without the tag. `other`: the values that have no row of their own. `drill`: what belongs to fire drills,
   * whose failures may be injected and whose costs are real. The rows add up to everything that was counted.
   */
  readonly kind: 'value' | 'none' | 'other' | 'drill';
  /** A part of it may be in the row `other`: it got its own row when others had to leave. */
  readonly partial?: true;
  readonly requests: number;
  /** Those that failed. */
  readonly errors: number;
  /** Those that the caller or a faster hedge ended: neither failures nor successes. */
  readonly aborted: number;
  /** By target and model: changes from it to another target. Otherwise changes of target during its calls. */
  readonly failovers: number;
  /** How often a model was asked to fix an answer that did not pass validation. */
  readonly repairs: number;
  /** Attempts whose answer did not pass validation, whether a repair followed or not. */
  readonly invalidOutputs: number;
  /** Tokens of all billed attempts, those read from the cache included. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Input tokens read from the vendor's prompt cache. */
  readonly cachedTokens: number;
  /** `cachedTokens` in `inputTokens`, from 0 to 1. Absent without input tokens. */
  readonly cacheShare?: number;
  /**
   * US dollars of all billed attempts with a known price, failed ones included: the sum of the `cost` events, without
   * rounding errors. `null` if attempts were billed and no price is known.
   */
  readonly usd: number | null;
  /** Billed attempts of unknown price. They are not in `usd`. */
  readonly unpriced: number;
  /** `usd` by successful requests. Absent without any, and without a known price. */
  readonly usdPerSuccess?: number;
  /** Milliseconds from start to end, of successful requests, within 1 %. Absent without any. */
  readonly p50TotalMs?: number;
  readonly p95TotalMs?: number;
  readonly p99TotalMs?: number;
  /** Milliseconds from the start of the request to its first token, of successful requests, within 1 %. */
  readonly p50FirstTokenMs?: number;
  readonly p95FirstTokenMs?: number;
  readonly p99FirstTokenMs?: number;
  /** The average score of `router.feedback`, from 0 to 1. Absent without any. */
  readonly quality?: number;
  /** How many scores `quality` is the average of. */
  readonly scores: number;
};

/** Every field of a row, in the order of the columns of a CSV file. */
export const rowFields = [
  'by',
  'key',
  'kind',
  'partial',
  'requests',
  'errors',
  'aborted',
  'failovers',
  'repairs',
  'invalidOutputs',
  'inputTokens',
  'outputTokens',
  'cachedTokens',
  'cacheShare',
  'usd',
  'unpriced',
  'usdPerSuccess',
  'p50TotalMs',
  'p95TotalMs',
  'p99TotalMs',
  'p50FirstTokenMs',
  'p95FirstTokenMs',
  'p99FirstTokenMs',
  'quality',
  'scores',
] as const satisfies readonly (keyof ReportRow)[];
