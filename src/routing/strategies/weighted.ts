import type { Strategy } from '../../protocol/strategy.ts';
import { byScore } from './order.ts';

/**
 * A random order in which the first target is drawn by weight, the second by weight from the rest, and so on: the smallest
 * of exponentially distributed figures with the weights as rates (Efraimidis and Spirakis, 2006). A target of weight 0
 * comes last.
 */
export const weighted: Strategy = {
  order(candidates, context) {
    return byScore(
      candidates,
      ({ weight }) => (weight > 0 ? -Math.log(1 - context.random()) / weight : undefined),
      context,
    );
  },
};
