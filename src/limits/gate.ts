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

/** Weight of the latest attempt in the moving average of how long a slot is held. */
const weight = 0.2;

/** Limits the attempts in flight. `limit` may change at any time. */
export function createConcurrencyGate(name: () => string, limit: () => number): Gate {
  let inFlight = 0;
  let usualMs = 0;
  return {
    get name() {
      return name();
    },
    opensAt: (_, now) => (inFlight < limit() ? now : Number.POSITIVE_INFINITY),
    intervalMs: () => usualMs / limit(),
    enter(_, enteredAt) {
      inFlight += 1;
      return {
        leave(_departure, now) {
          inFlight -= 1;
          const heldMs = now - enteredAt;
          usualMs = usualMs === 0 ? heldMs : usualMs + weight * (heldMs - usualMs);
        },
      };
    },
  };
}
