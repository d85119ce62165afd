/**
 * Tokens of one answer, counted the same way for every wire. `inputTokens` includes tokens read from and written to the
 * cache. `outputTokens` includes reasoning.
 */
export type Usage = {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly totalTokens: number;
  /** Input tokens read from the vendor's prompt cache. */
  readonly cachedInputTokens?: number | undefined;
  /** Input tokens written to the vendor's prompt cache. */
  readonly cacheWriteTokens?: number | undefined;
  /** `cacheWriteTokens` by lifetime (`5m`, `1h`), if the vendor reports it. */
  readonly cacheWriteTokensByTtl?: Readonly<Record<string, number>> | undefined;
  /** Output tokens spent on reasoning. */
  readonly reasoningTokens?: number | undefined;
  /**
   * True if the counts are an estimate: the vendor reported none, for example because the stream was cut, or reported
   * implausible ones.
   */
  readonly estimated?: boolean | undefined;
  /** The vendor's usage object. In events and trails: only its numbers under known names. */
  readonly raw?: unknown;
};

/** Cost of one answer. */
export type Cost = {
  /** US dollars. `null` if the price is unknown, never 0. */
  readonly usd: number | null;
  /** US dollars by kind of token. */
  readonly breakdown: {
    readonly input: number;
    readonly cachedInput: number;
    readonly cacheWrite: number;
    readonly output: number;
  };
  /** `estimated` if the usage is an estimate, or the exact price is not published. */
  readonly priced: 'exact' | 'estimated' | 'unknown';
  /** `usd` plus the cost of the call's failed attempts. */
  readonly attemptsUsd: number;
  /** Only of cached answers: US dollars that the answer cost when it was made. `null` if the price was unknown. */
  readonly savedUsd?: number | null;
};

/** US dollars per million tokens. @default `input` for `cachedInput` and `cacheWrite` */
export type Price = {
  readonly input: number;
  readonly cachedInput?: number | undefined;
  readonly cacheWrite?: number | undefined;
  readonly output: number;
};
