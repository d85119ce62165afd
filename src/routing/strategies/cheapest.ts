import type { Strategy } from '../../protocol/strategy.ts';

/**
 * Lowest list price first: the sum of input and output. Unknown prices come last. Equal prices keep the order of the
 * configuration.
 */
export const cheapest: Strategy = {
  needs: ['prices'],
  order(candidates, context) {
    return candidates
      .map((candidate) => {
        const { price } = context.knowledge(candidate);
        const usd = price === undefined ? Number.POSITIVE_INFINITY : price.input + price.output;
        return { candidate, usd };
      })
      .sort((a, b) => (a.usd === b.usd ? 0 : a.usd - b.usd))
      .map(({ candidate }) => candidate);
  },
};
