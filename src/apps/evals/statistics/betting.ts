import { type Interval, sumOf, type WeightedScore } from './intervals.ts';
import { bisect, logBeta } from './special-functions.ts';

/**
 * Tests that may be looked at after every value, and stopped whenever the reader likes.
 *
 * Each is a game that is fair if the hypothesis is true: it starts with a capital of 1 and bets on every value. By
 * Ville's inequality (1939) the capital ever reaches 1 / alpha with a probability of at most alpha. Capital is
 * returned as its natural logarithm.
 */

/**
 * The capital against "the share of successes is `p0`", where the bets are spread over all other shares by Beta(a, b):
 * the beta-binomial Bayes factor, which Robbins (1970) showed to be valid at every look. The defaults are his.
 */
export function logBayesFactor(
  successes: number,
  failures: number,
  p0: number,
  a: number = 1,
  b: number = 1,
): number {
  const null0 = successes === 0 ? 0 : successes * Math.log(p0);
  const null1 = failures === 0 ? 0 : failures * Math.log1p(-p0);
  return logBeta(a + successes, b + failures) - logBeta(a, b) - null0 - null1;
}

/**
 * An interval for the share of successes that holds at every look at once: the shares against which
 * {@link logBayesFactor} has not won (Robbins 1970). At any number of looks it misses the share with a probability of
 * at most 1 - `confidence`.
 */
export function shareSequence(
  successes: number,
  failures: number,
  confidence: number = 0.95,
): Interval {
  const n = successes + failures;
  if (n === 0) return { low: 0, high: 1 };
  const needed = -Math.log(1 - confidence);
  const excess = (p0: number): number => logBayesFactor(successes, failures, p0) - needed;
  const share = successes / n;
  return {
    low: successes === 0 ? 0 : bisect((p0) => -excess(p0), 0, share),
    high: failures === 0 ? 1 : bisect(excess, share, 1),
  };
}

/**
 * How much of the largest bet is placed. The capital is spread over these evenly: small bets find small differences,
 * large ones find large differences early.
 */
export const stakes = [
  0.005, 0.01, 0.02, 0.04, 0.08, 0.14, 0.22, 0.32, 0.45, 0.6, 0.8,
] as const satisfies readonly number[];

/**
 * What a capital is multiplied by when it bets the stake on a value above `mean`: 1 on average if values from 0 to 1
 * have that mean, and less if they have a lower one. It does not matter how they are distributed. A stake is the share
 * of the largest bet that cannot lose more than everything (Waudby-Smith and Ramdas 2024).
 */
export function payoff(value: number, mean: number, stake: number): number {
  return 1 + (stake * (value - mean)) / mean;
}

/**
 * The capital against "the mean of these scores is at most `mean`". Their order does not matter. With weights, which
 * must not be 0 for all, it is about the weighted mean.
 *
 * @param times How often all of the scores are counted, to see how many scores like these would be enough.
 */
export function logCapitalAbove(
  scores: readonly WeightedScore[],
  mean: number,
  times: number = 1,
): number {
  return logCapital(tallied(scores), mean, times);
}

/**
 * An interval for the mean of scores from 0 to 1, valid at every look: the confidence sequence by betting of
 * Waudby-Smith and Ramdas (2024), with the capital spread over fixed bets, so that the order of the scores does not
 * matter. It assumes nothing about how they are distributed, and is narrow where they vary little.
 */
export function meanSequence(
  scores: readonly WeightedScore[],
  confidence: number = 0.95,
): Interval {
  const total = sumOf(scores.map(({ weight = 1 }) => weight));
  if (total <= 0) return { low: 0, high: 1 };
  const needed = -Math.log((1 - confidence) / 2);
  const lowerBound = (side: readonly WeightedScore[]): number => {
    const mean = sumOf(side.map(({ score, weight = 1 }) => score * weight)) / total;
    const tally = tallied(side);
    return bisect((candidate) => needed - logCapital(tally, candidate, 1), 0, mean);
  };
  const upsideDown = scores.map((row) => ({ ...row, score: 1 - row.score }));
  return { low: lowerBound(scores), high: 1 - lowerBound(upsideDown) };
}

type Tallied = { readonly score: number; readonly weight: number; readonly count: number };

/** Equal scores are bet on once, and counted: most suites have few different ones. The heaviest weighs 1. */
function tallied(scores: readonly WeightedScore[]): readonly Tallied[] {
  const heaviest = Math.max(...scores.map(({ weight = 1 }) => weight));
  const rows = new Map<string, Tallied>();
  for (const { score, weight = 1 } of scores) {
    const key = `${score} ${weight}`;
    const count = (rows.get(key)?.count ?? 0) + 1;
    rows.set(key, { score, weight: weight / heaviest, count });
  }
  return [...rows.values()];
}

function logCapital(rows: readonly Tallied[], mean: number, times: number): number {
  if (mean <= 0) return Number.POSITIVE_INFINITY;
  const logs = stakes.map((stake) => {
    const growth = rows.map(
      ({ score, weight, count }) => count * Math.log(payoff(score, mean, stake * weight)),
    );
    return times * sumOf(growth);
  });
  return logMeanExp(logs);
}

/** A difference from -1 to 1 as a score from 0 to 1, and back. */
export const differences = {
  toScore: (difference: number): number => (difference + 1) / 2,
  fromScore: (score: number): number => 2 * score - 1,
};

/** The logarithm of the mean of numbers that are given by their logarithms. */
function logMeanExp(logs: readonly number[]): number {
  const most = Math.max(...logs);
  return most + Math.log(sumOf(logs.map((log) => Math.exp(log - most))) / logs.length);
}
