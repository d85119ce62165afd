import type { Strategy } from '../../protocol/strategy.ts';
import { byFigure, shuffled } from './order.ts';

/** The fewest attempts in flight and in the queue first; equal ones in a random order. */
export const leastBusy: Strategy = {
  order(candidates, { knowledge, random }) {
    return byFigure(shuffled(candidates, random), (candidate) => {
      const { inFlight, queued } = knowledge(candidate);
      return inFlight + queued;
    });
  },
};
