import type { Gate, Load, Pass } from './gate.ts';

interface WithheldPass extends Pass {
  /** The vendor has begun to answer: it refuses no more. */
  answered(): void;
}

export interface WithheldGate extends Gate {
  enter(load: Load, now: number): WithheldPass;
  /** Whether only one may go to see. */
  isGuarded(): boolean;
}

/** Refusals come at once: an attempt that was not refused within this time is being answered. */
const refusedWithinMs = 3_000;

/**
 * Keeps all attempts away from a target that is limited, until its time, however long they have waited. After a limit
 * without a time one attempt goes first to see, and the others once its answer begins, or when it was not refused for
 * a while: all that waited would else be refused together.
 */
export function createWithheldGate(limitedUntil: () => number | undefined): WithheldGate {
  /** When it was refused without a time last; `undefined` once somebody is answered who came after that. */
  let refusedAt: number | undefined;
  let scouts = 0;
  /** When the last scout was sent. */
  let scoutAt = 0;
  return {
    name: "the vendor's rate limit",
    opensAt(_, now) {
      const until = limitedUntil() ?? now;
      if (until > now) return until;
      return refusedAt !== undefined && scouts > 0 ? Math.max(now, scoutAt + refusedWithinMs) : now;
    },
    paceMs: () => 0,
    isGuarded: () => refusedAt !== undefined,
    enter(_, enteredAt) {
      const isScout = refusedAt !== undefined;
      if (isScout) {
        scouts += 1;
        scoutAt = enteredAt;
      }
      function answered(): void {
        if (enteredAt >= (refusedAt ?? enteredAt)) refusedAt = undefined;
      }
      return {
        answered,
        leave({ outcome, hasRetryAfter, isTargetLimited }, now) {
          if (isScout) scouts -= 1;
          if (isTargetLimited === true && hasRetryAfter !== true) refusedAt = now;
          else if (outcome === 'ok') answered();
        },
      };
    },
  };
}
