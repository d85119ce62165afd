/** What one attempt takes of the limits, as far as that can be known before it is sent. */
export type Load = {
  /** Tokens of prompt and answer together, estimated. */
  readonly tokens: number;
};

/** How an attempt that was let through went, as far as limits go. */
export type Departure = {
  /** `limited`: the vendor said that it was too much; `overloaded`: that it is too busy. */
  readonly outcome: 'ok' | 'limited' | 'overloaded' | 'other';
  /** Of `limited`: whether so many are refused that nobody is to be sent now, and not only this call. */
  readonly isTargetLimited?: boolean;
  /** Of `limited`: whether the vendor said when to come again. */
  readonly hasRetryAfter?: boolean;
  /** Tokens it took in the end; `undefined` when nobody said. */
  readonly tokens: number | undefined;
};

/** One attempt that a gate has let through. Let it leave exactly once. */
export interface Pass {
  leave(departure: Departure, now: number): void;
}

/**
 * One limit. It answers whether an attempt may pass now, and else when; it waits for nobody and sets no timer.
 * All times are epoch milliseconds.
 */
export interface Gate {
  /** What it is, for people: `its rpm limit of 60`. */
  readonly name: string;
  /**
   * From when on the load may pass: now or earlier if at once, infinity if only when another one leaves.
   * Takes nothing.
   */
  opensAt(load: Load, now: number): number;
  /** How long one such load keeps others waiting when many wait, in milliseconds; 0 when that is not known. */
  paceMs(load: Load): number;
  /** Lets it through. Ask {@link Gate.opensAt} first. */
  enter(load: Load, now: number): Pass;
}
