/**
 * Tokens of one answer, counted alike on every wire.
 * `inputTokens` includes cached and written tokens; `outputTokens` includes reasoning.
 */
export type Usage = {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly totalTokens: number;
  /** The part of `inputTokens` read from the vendor's prompt cache. */
  readonly cachedInputTokens?: number;
  /** The part of `inputTokens` written to the vendor's prompt cache. */
  readonly cacheWriteTokens?: number;
  /** `cacheWriteTokens` by lifetime, where the vendor tells (`5m`, `1h`). */
  readonly cacheWriteTokensByTtl?: Readonly<Record<string, number>>;
  /** The part of `outputTokens` spent on reasoning. */
  readonly reasoningTokens?: number;
  /**
   * True when the vendor reported nothing (a cut stream) and we counted what was seen, or reported a count that cannot be
   * right.
   */
  readonly estimated?: boolean;
  /** The vendor's own usage object. In events and trails: its numbers, under names that usage is known to have. */
  readonly raw?: unknown;
};

/** What one answer cost. */
export type Cost = {
  /** US dollars of this answer, or `null` when no price is known. Never 0 for "unknown". */
  readonly usd: number | null;
  readonly breakdown: {
    readonly input: number;
    readonly cachedInput: number;
    readonly cacheWrite: number;
    readonly output: number;
  };
  readonly priced: 'exact' | 'estimated' | 'unknown';
  /** `usd` plus what failed attempts of the same call were billed. */
  readonly attemptsUsd: number;
};

/** US dollars per million tokens. `cachedInput` and `cacheWrite` default to `input`. */
export type Price = {
  readonly input: number;
  readonly cachedInput?: number;
  readonly cacheWrite?: number;
  readonly output: number;
};
