import type { Strategy } from '../../protocol/strategy.ts';

/**
 * The cheapest list price first, input and output counted alike. Targets of unknown price come last; of equal price, the
 * order of the configuration stays.
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
