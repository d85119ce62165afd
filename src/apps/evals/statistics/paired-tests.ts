import { sumOf } from './intervals.ts';
import { incompleteBeta } from './special-functions.ts';

/**
 * McNemar's exact test of two paired runs with scores of 0 and 1 (McNemar 1947; the exact conditional form, not mid-p).
 *
 * @param lost Cases that were right and are wrong now.
 * @param gained Cases that were wrong and are right now.
 * @returns `worse`: how often chance alone loses at least as many of the changed cases; `different`: two-sided.
 */
export function mcnemarTest(
  lost: number,
  gained: number,
): { readonly worse: number; readonly different: number } {
  // P(Bin(n, 1/2) >= k) is the distribution function of Beta(k, n - k + 1) at 1/2.
  const atLeast = (k: number, other: number): number =>
    k === 0 ? 1 : incompleteBeta(0.5, k, other + 1);
  const worse = atLeast(lost, gained);
  return { worse, different: Math.min(1, 2 * Math.min(worse, atLeast(gained, lost))) };
}

/** The scores of one case, from 0 to 1, one for each run: the runs of the baseline, and those that are tested. */
export type PairedCase = {
  readonly baseline: readonly number[];
  readonly current: readonly number[];
  /** @default 1 */
  readonly weight?: number;
};

/** Scores are compared in hundredths, unless a coarser unit fits them all. */
const finestUnit = 100;

/** The most evidence that a case could give, on average, is counted in so many steps. */
const evidenceSteps = 36;

/** Probabilities below this are left out of sums, and added to the result instead. */
const negligible = 1e-20;

/**
 * An exact one-sided test whether the current runs score lower than the baseline: the permutation test with one
 * stratum for each case. Returns how often there would be as much evidence of a drop, or more, if for each case all of
 * its runs, old and new, came in random order.
 *
 * The evidence of a case is the square of its drop, from its mean in the baseline to its mean in the current runs,
 * with the sign of the drop: a case that broke counts for more than four that wobble.
 *
 * With one run on each side and scores of 0 and 1 this is McNemar's exact test; with more, one of the exact conditional
 * tests of matched sets (Miettinen 1970; Breslow and Day 1980, chapter 7). A case that always scores the same says
 * nothing. A flaky case says little: after one failure in three baseline runs, another one has a probability of 1/2. A
 * case that never failed says most. So no rate of noise has to be known or estimated.
 *
 * The distribution is computed by convolution, without random numbers. Scores are rounded to hundredths first, which
 * keeps the test exact, because old and new scores are rounded alike.
 */
export function permutationTest(cases: readonly PairedCase[]): number {
  const compared = cases.filter(({ baseline, current }) => baseline.length * current.length > 0);
  const unit = unitOf(compared.flatMap(({ baseline, current }) => [...baseline, ...current]));
  const strata = compared
    .map((row) => stratumOf(row, unit))
    .filter(({ values }) => values[0] !== values.at(-1));
  const largest = sumOf(strata.map((stratum) => largestEvidence(stratum))) / strata.length;
  const steps = evidenceSteps / largest;
  const known = new Map<string, Evidence>();
  let total: Evidence = { from: 0, shares: Float64Array.of(1), lost: 0 };
  let observed = 0;
  for (const stratum of strata) {
    observed += Math.round(evidenceOf(stratum, stratum.observed) * steps);
    const key = `${stratum.weight}:${stratum.count}:${stratum.values}`;
    const evidence = known.get(key) ?? evidenceByChance(stratum, steps);
    known.set(key, evidence);
    total = added(total, evidence);
  }
  const asMuch = sumOf(total.shares.subarray(Math.max(0, observed - total.from)));
  return Math.min(1, asMuch + total.lost);
}

/** A case with whole numbers for scores. */
type Stratum = {
  /** The scores of all runs, sorted. */
  readonly values: readonly number[];
  /** How many of the runs are current, and the sum of their scores. */
  readonly count: number;
  readonly observed: number;
  readonly weight: number;
};

function stratumOf({ baseline, current, weight = 1 }: PairedCase, unit: number): Stratum {
  const inUnits = (score: number): number => Math.round(score * unit);
  const now = current.map(inUnits);
  const values = [...baseline.map(inUnits), ...now].sort((a, b) => a - b);
  return { values, count: now.length, observed: sumOf(now), weight };
}

/** The evidence if the current runs have this sum. */
function evidenceOf({ values, count, weight }: Stratum, sum: number): number {
  const drop = (sumOf(values) - sum) / (values.length - count) - sum / count;
  return weight * drop * Math.abs(drop);
}

/** Of either sign. It does not depend on which runs are the current ones, so it may choose the steps of the test. */
function largestEvidence(stratum: Stratum): number {
  const lowest = sumOf(stratum.values.slice(0, stratum.count));
  const highest = sumOf(stratum.values.slice(-stratum.count));
  return Math.max(evidenceOf(stratum, lowest), -evidenceOf(stratum, highest));
}

/** The distribution of evidence: `shares[i]` is the probability of `from + i`, `lost` that of what was left out. */
type Evidence = { readonly from: number; readonly shares: Float64Array; readonly lost: number };

/** The distribution if the current runs are drawn at random: subsets are counted by their sum. */
function evidenceByChance(stratum: Stratum, steps: number): Evidence {
  const { values, count } = stratum;
  const [least = 0, greatest = 0] = [values[0], values.at(-1)];
  const range = (greatest - least) * count;
  const width = range + 1;
  // ways[k * width + s]: subsets of k of the values seen so far that have the sum s, each value less the least one.
  const ways = new Float64Array((count + 1) * width);
  ways[0] = 1;
  for (const value of values) {
    const step = value - least;
    for (let k = count; k >= 1; k -= 1)
      for (let s = range; s >= step; s -= 1)
        ways[k * width + s] = (ways[k * width + s] ?? 0) + (ways[(k - 1) * width + s - step] ?? 0);
  }
  const subsets = ways.subarray(count * width);
  const all = sumOf(subsets);
  const stepsAt = (sum: number): number =>
    Math.round(evidenceOf(stratum, sum + least * count) * steps);
  // Evidence falls as the sum rises.
  const from = stepsAt(subsets.findLastIndex(Boolean));
  const shares = new Float64Array(stepsAt(subsets.findIndex(Boolean)) - from + 1);
  subsets.forEach((number, sum) => {
    if (number === 0) return;
    const index = stepsAt(sum) - from;
    shares[index] = (shares[index] ?? 0) + number / all;
  });
  return { from, shares, lost: 0 };
}

/** The distribution of the sum, without the ends that cannot matter: they would make a large suite slow. */
function added(left: Evidence, right: Evidence): Evidence {
  const shares = new Float64Array(left.shares.length + right.shares.length - 1);
  for (const [shift, share] of right.shares.entries()) {
    if (share === 0) continue;
    for (let index = 0; index < left.shares.length; index += 1)
      shares[index + shift] = (shares[index + shift] ?? 0) + (left.shares[index] ?? 0) * share;
  }
  const matters = (share: number): boolean => share > negligible;
  const [first, end] = [shares.findIndex(matters), shares.findLastIndex(matters) + 1];
  const lost = left.lost + sumOf(shares.subarray(0, first)) + sumOf(shares.subarray(end));
  return { from: left.from + right.from + first, shares: shares.slice(first, end), lost };
}

/** The smallest number of steps from 0 to 1 of which all scores are multiples. */
function unitOf(scores: readonly number[]): number {
  const distinct = [...new Set(scores)];
  for (let unit = 1; unit < finestUnit; unit += 1) {
    const fits = (score: number): boolean =>
      Math.abs(score * unit - Math.round(score * unit)) < 1e-9;
    if (distinct.every(fits)) return unit;
  }
  return finestUnit;
}
