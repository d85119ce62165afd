import type { Gate, Load, Pass } from './gate.ts';

interface WithheldPass extends Pass {
  /** The vendor has begun to answer: it refuses no more. */
  begun(): void;
}

export interface WithheldGate extends Gate {
  enter(load: Load, now: number): WithheldPass;
  /** Whether only one may go to see. */
  isGuarded(): boolean;
}

/**
 * Keeps everybody away from a target until the time that it was told to be left alone until, whoever has waited
 * for how long. After a refusal that did not say when to come again, one goes first to see, and the others once
 * its answer begins: all who waited would else be refused together.
 */
export function createWithheldGate(limitedUntil: () => number | undefined): WithheldGate {
  /** When it was refused without a time last; `undefined` once somebody is answered who came after that. */
  let refusedAt: number | undefined;
  let scouts = 0;
  return {
    name: "the vendor's rate limit",
    opensAt(_, now) {
      const until = limitedUntil() ?? now;
      if (until > now) return until;
      return refusedAt !== undefined && scouts > 0 ? Number.POSITIVE_INFINITY : now;
    },
    paceMs: () => 0,
    isGuarded: () => refusedAt !== undefined,
    enter(_, enteredAt) {
      const isScout = refusedAt !== undefined;
      if (isScout) scouts += 1;
      function begun(): void {
        if (enteredAt >= (refusedAt ?? enteredAt)) refusedAt = undefined;
      }
      return {
        begun,
        leave({ outcome, toldWhen }, now) {
          if (isScout) scouts -= 1;
          if (outcome === 'limited' && toldWhen !== true) refusedAt = now;
          else if (outcome === 'ok') begun();
        },
      };
    },
  };
}
