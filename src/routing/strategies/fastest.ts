import type { Strategy, StrategyCandidate, StrategyContext } from '../../protocol/strategy.ts';
import { byScore, explored, shuffled, startingWith } from './order.ts';

/** What is fast: the first token, or the whole answer. */
export type FastestSettings = { readonly by?: 'first-token' | 'total' | undefined };

/** Whatever failed: a target that always fails is not tried for its speed. */
const leastSuccess = 0.05;

/** The time to expect, in milliseconds; 0 for a target that has not answered yet, so that it is tried. */
function expectedMs(
  candidate: StrategyCandidate,
  { knowledge }: StrategyContext,
  by: FastestSettings['by'],
): number {
  const known = knowledge(candidate);
  const ms = (by === 'total' ? known.totalMs : known.recentFirstTokenMs) ?? 0;
  const success = Math.max(leastSuccess, 1 - (known.recentFailureRate ?? 0));
  return (ms * (known.inFlight + 1)) / success;
}

/**
 * The faster of two random targets first, the others by speed. Always choosing the fastest of all would send every call to
 * the same target until it is slow ("The Power of Two Choices in Randomized Load Balancing", Mitzenmacher, 2001). The time
 * is that of the latest answers, times the attempts in flight, as in Finagle's peak EWMA. One call in 120 explores.
 */
export function fastest({ by }: FastestSettings): Strategy {
  return {
    ...(by === 'total' && { needs: ['usage'] as const }),
    order(candidates, context) {
      const random = shuffled(candidates, context.random);
      const bySpeed = byScore(random, (each) => expectedMs(each, context, by), context);
      const faster = bySpeed.find((each) => each === random[0] || each === random[1]);
      return startingWith(explored(candidates, context), startingWith(faster, bySpeed));
    },
  };
}
