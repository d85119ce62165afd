import type { Gate, Load, Pass } from './gate.ts';

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
