import { normalQuantile } from './special-functions.ts';

/** Where a value lies, with the confidence that the caller asked for. */
export type Interval = { readonly low: number; readonly high: number };

/**
 * An interval for the share of successes: Wilson (1927), without continuity correction, as recommended by Newcombe
 * (1998) and by Brown, Cai and DasGupta (2001). `n` need not be an integer.
 */
export function wilsonInterval(successes: number, n: number, confidence: number = 0.95): Interval {
  if (n <= 0) return { low: 0, high: 1 };
  const z2 = normalQuantile((1 - confidence) / 2) ** 2;
  const share = successes / n;
  const centre = (share + z2 / (2 * n)) / (1 + z2 / n);
  const half = Math.sqrt((z2 * share * (1 - share)) / n + (z2 / (2 * n)) ** 2) / (1 + z2 / n);
  // At the ends the formula is exact, and its rounding is not.
  const low = share <= 0 ? 0 : Math.max(0, centre - half);
  return { low, high: share >= 1 ? 1 : Math.min(1, centre + half) };
}

/** The score of one case, from 0 to 1: with several samples, their mean, because samples of one case are a cluster. */
export type WeightedScore = { readonly score: number; readonly weight?: number };

/**
 * The mean score of a suite, with an interval for prompts like those of the suite.
 *
 * Wilson's interval at the effective sample size of Kish (1965), as Korn and Graubard (1998) do for surveys: n m (1 - m)
 * / s², where s² is the variance of the scores. With scores of 0 and 1 this is Wilson's interval itself. Fractions vary
 * less, so they count for more. A few equal scores would then count for infinitely many, so s² is drawn toward m (1 -
 * m), the largest that is possible, with the weight of z² scores: the weight that Wilson's own centre gives to 1/2.
 */
export function scoreInterval(
  scores: readonly WeightedScore[],
  confidence: number = 0.95,
): Interval & { readonly mean: number } {
  const weightOf = ({ weight = 1 }: WeightedScore): number => weight;
  const total = sumOf(scores.map(weightOf));
  if (total <= 0) return { mean: Number.NaN, low: 0, high: 1 };
  const mean = sumOf(scores.map((row) => weightOf(row) * row.score)) / total;
  const n = total ** 2 / sumOf(scores.map((row) => weightOf(row) ** 2));
  const variance = sumOf(scores.map((row) => weightOf(row) * (row.score - mean) ** 2)) / total;
  const largest = mean * (1 - mean);
  const z2 = normalQuantile((1 - confidence) / 2) ** 2;
  const drawn = (n * variance + z2 * largest) / (n + z2);
  const effective = drawn > 0 ? (n * largest) / drawn : n;
  return { mean, ...wilsonInterval(mean * effective, effective, confidence) };
}

export function sumOf(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
