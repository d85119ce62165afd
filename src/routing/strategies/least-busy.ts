import type { Strategy } from '../../protocol/strategy.ts';
import { byScore, shuffled } from './order.ts';

/** The fewest attempts in flight and in the queue first; equal ones in a random order. */
export const leastBusy: Strategy = {
  order(candidates, context) {
    return byScore(
      shuffled(candidates, context.random),
      (candidate) => {
        const { inFlight, queued } = context.knowledge(candidate);
        return inFlight + queued;
      },
      context,
    );
  },
};
