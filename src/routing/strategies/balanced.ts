import type { Strategy, StrategyCandidate, StrategyContext } from '../../protocol/strategy.ts';
import { byScore, explored, startingWith } from './order.ts';

/** How much each figure counts, relative to the others. */
export type BalancedSettings = {
  readonly cost?: number | undefined;
  readonly latency?: number | undefined;
  readonly failure?: number | undefined;
};

type Figures = {
  readonly usd: number | undefined;
  readonly ms: number | undefined;
  readonly failureRate: number;
};

function figuresOf(candidate: StrategyCandidate, { knowledge }: StrategyContext): Figures {
  const { usd, totalMs, recentFailureRate } = knowledge(candidate);
  return { usd, ms: totalMs, failureRate: recentFailureRate ?? 0 };
}

/** The average of the known figures; 1 if they are all unknown or 0, because they are divided by it. */
function average(figures: readonly (number | undefined)[]): number {
  const known = figures.filter((figure) => figure !== undefined);
  const sum = known.reduce((total, figure) => total + figure, 0);
  return sum > 0 ? sum / known.length : 1;
}

/**
 * The scores of targets with these figures, the lower the better. A score is the expected price of choosing the target:
 * its cost and its time, each relative to the average of all targets and times its weight, and, as often as it fails, the
 * weight of a failure and the price of the best other target, which is asked next. An unknown cost counts as the highest
 * known one, an unknown time as the lowest, so that the target is tried.
 */
export function balancedScores(
  figures: readonly Figures[],
  { cost = 1, latency = 1, failure = 1 }: BalancedSettings,
): readonly number[] {
  const averageUsd = average(figures.map(({ usd }) => usd));
  const averageMs = average(figures.map(({ ms }) => ms));
  const highestUsd = Math.max(averageUsd, ...figures.map(({ usd }) => usd ?? 0));
  const lowestMs = Math.min(averageMs, ...figures.map(({ ms }) => ms ?? averageMs));
  const prices = figures.map(
    ({ usd = highestUsd, ms = lowestMs }) => (cost * usd) / averageUsd + (latency * ms) / averageMs,
  );
  const [best = 0, second = 0] = prices.toSorted((a, b) => a - b);
  return prices.map((price, index) => {
    // The best other one: of equal ones, another has the same price.
    const next = price === best ? second : best;
    return price + (figures[index]?.failureRate ?? 0) * (failure + next);
  });
}

/** The best of cost, latency and failures first. One call in 120 explores. */
export function balanced(settings: BalancedSettings): Strategy {
  return {
    needs: ['prices', 'usage'],
    order(candidates, context) {
      const scores = balancedScores(
        candidates.map((each) => figuresOf(each, context)),
        settings,
      );
      // They are asked for in the order of the candidates.
      const inTurn = scores.values();
      const ordered = byScore(candidates, () => inTurn.next().value, context);
      return startingWith(explored(candidates, context), ordered);
    },
  };
}
