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

interface RecoveryPass extends Pass {
  /** The vendor has started to answer, so the limit is over. */
  answered(): void;
}

export interface RecoveryGate extends Gate {
  enter(load: Load, now: number): RecoveryPass;
  /** Whether only one attempt may pass, as a probe. */
  isProbing(): boolean;
}

/** A 429 arrives immediately: an attempt that was not rejected within this time is being answered. */
const rejectedWithinMs = 3_000;

/**
 * Holds all attempts back while the target is rate limited, even those that already waited. After a limit without
 * `Retry-After`, one attempt passes as a probe. The others pass when its answer starts, or when it was not rejected for
 * a while. Otherwise all waiting attempts would be rejected together.
 */
export function createRecoveryGate(limitedUntil: () => number | undefined): RecoveryGate {
  /** When the target was last limited without `Retry-After`; `undefined` once a later attempt is answered. */
  let limitedAt: number | undefined;
  let probes = 0;
  let lastProbeAt = 0;
  return {
    name: "the vendor's rate limit",
    opensAt(_, now) {
      const until = limitedUntil() ?? now;
      if (until > now) return until;
      const isProbed = limitedAt !== undefined && probes > 0;
      return isProbed ? Math.max(now, lastProbeAt + rejectedWithinMs) : now;
    },
    intervalMs: () => 0,
    isProbing: () => limitedAt !== undefined,
    enter(_, enteredAt) {
      const isProbe = limitedAt !== undefined;
      if (isProbe) {
        probes += 1;
        lastProbeAt = enteredAt;
      }
      function answered(): void {
        if (enteredAt >= (limitedAt ?? enteredAt)) limitedAt = undefined;
      }
      return {
        answered,
        leave({ outcome, hasRetryAfter, isTargetLimited }, now) {
          if (isProbe) probes -= 1;
          if (isTargetLimited === true && hasRetryAfter !== true) limitedAt = now;
          else if (outcome === 'ok') answered();
        },
      };
    },
  };
}
