import type { Gate } from './gate.ts';

/** How much the latest attempt counts for the usual time that a place is held. */
const weight = 0.2;

/** So many attempts in flight at once. The limit may change from one moment to the next. */
export function createConcurrencyGate(name: () => string, limit: () => number): Gate {
  let inFlight = 0;
  let usualMs = 0;
  return {
    get name() {
      return name();
    },
    opensAt: (_, now) => (inFlight < limit() ? now : Number.POSITIVE_INFINITY),
    paceMs: () => usualMs / limit(),
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
