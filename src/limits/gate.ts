/** What one attempt takes of the limits, as far as it is known before sending. */
export type Load = {
  /** Estimated tokens of prompt and answer. */
  readonly tokens: number;
};

/** How an admitted attempt ended, as far as limits are concerned. */
export type Departure = {
  /** `limited`: the vendor answered 429. `overloaded`: the vendor is too busy. */
  readonly outcome: 'ok' | 'limited' | 'overloaded' | 'other';
  /** With `limited`: whether the rejections mean that the whole target is limited, not only this call. */
  readonly isTargetLimited?: boolean;
  /** With `limited`: whether the vendor sent `Retry-After`. */
  readonly hasRetryAfter?: boolean;
  /** Tokens used; `undefined` if the vendor reported none. */
  readonly tokens: number | undefined;
};

/** One attempt that a gate has admitted. Call `leave` exactly once. */
export interface Pass {
  leave(departure: Departure, now: number): void;
}

/**
 * One limit. It reports whether an attempt may pass now, or when it may. It does not wait and sets no timers. All times
 * are epoch milliseconds.
 */
export interface Gate {
  /** Name for messages, such as `its rpm limit of 60`. */
  readonly name: string;
  /**
   * When the load may pass: `now` or earlier if it may pass immediately, infinity if another attempt must leave first.
   * Does not take anything from the limit.
   */
  opensAt(load: Load, now: number): number;
  /** Milliseconds by which one such load delays the next one while attempts wait. 0 if unknown. */
  intervalMs(load: Load): number;
  /** Admits the load. Call {@link Gate.opensAt} first. */
  enter(load: Load, now: number): Pass;
}
