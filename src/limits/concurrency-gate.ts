import type { Gate } from './gate.ts';

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
