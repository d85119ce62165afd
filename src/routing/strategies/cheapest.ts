import type { Strategy } from '../../protocol/strategy.ts';
import { byScore } from './order.ts';

/**
 * The lowest expected cost of this call first. Unknown prices come last. Equal costs keep the order of the configuration.
 */
export const cheapest: Strategy = {
  needs: ['prices', 'usage'],
  order: (candidates, context) =>
    byScore(candidates, (candidate) => context.knowledge(candidate).usd, context),
};
