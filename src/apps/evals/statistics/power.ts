import { windows } from './drift.ts';
import { sumOf } from './intervals.ts';
import { logBinomial, normalCdf, normalQuantile } from './special-functions.ts';

/** A suite, and what is known of how it is answered. Shares are from 0 to 1. */
export type SuiteDesign = {
  /** Cases in the suite. */
  readonly cases: number;
  /** The share of right answers in the baseline. */
  readonly accuracy: number;
  /** The share of answers that differ by chance when the same case is asked again. */
  readonly noise: number;
  /** The share of answers that the scorer marks wrongly, by chance. @default 0 */
  readonly judgeErrors?: number;
  /** How often each case is asked in one run. @default 1 */
  readonly samples?: number;
  /** @default 0.02 */
  readonly minEffect?: number;
  /** Runs that are pooled in the baseline. @default 3 */
  readonly baselineRuns?: number;
  /** @default 0.01, as in the options of `detectDrift` */
  readonly yearlyFalseAlarms?: number;
  /** @default 52 */
  readonly runsPerYear?: number;
  /** @default 1 */
  readonly suites?: number;
};

/**
 * The probability that `detectDrift` reports a drop of `drop` (0.1 is ten points) within so many runs after it: that
 * of the one comparison that sees most, so that the truth is rather a little better.
 *
 * The drop is modelled as cases that were answered rightly and are answered wrongly from then on. The evidence of a
 * case has an exact distribution; its sum over the suite is taken as normal, and its critical value is corrected for
 * skewness by the expansion of Cornish and Fisher (1937). For suites of 50 cases or more this is mostly within five
 * points of a simulation of the test itself; between, where small suites find about half, it promises up to thirteen
 * too much. With several samples it promises too little: they are counted only by what they take from the noise.
 */
export function detectionProbability(design: SuiteDesign, drop: number, runs: number = 1): number {
  const { yearlyFalseAlarms = 0.01, runsPerYear = 52, suites = 1 } = design;
  const allowed = yearlyFalseAlarms / runsPerYear / suites;
  const probabilities = windows
    .filter((window) => window.runs <= runs)
    .map((window) => probabilityIn(design, drop, window.runs, allowed * window.share));
  return Math.max(0, ...probabilities);
}

/**
 * The smallest drop, in steps of 0.001, that is reported within so many runs with this probability, or undefined if
 * the suite cannot see any.
 */
export function smallestDrop(
  design: SuiteDesign,
  runs: number = 1,
  probability: number = 0.9,
): number | undefined {
  let [unseen, seen] = [0, Math.floor(design.accuracy * 1000)];
  const sees = (thousandths: number): boolean =>
    detectionProbability(design, thousandths / 1000, runs) >= probability;
  if (!sees(seen)) return undefined;
  while (seen - unseen > 1) {
    const middle = Math.floor((unseen + seen) / 2);
    if (sees(middle)) seen = middle;
    else unseen = middle;
  }
  return seen / 1000;
}

/** How often a case fails in the runs of the baseline and in the current ones, with the probability of each outcome. */
type Outcome = {
  readonly probability: number;
  readonly wrongBefore: number;
  readonly wrongNow: number;
};

type Moments = { readonly mean: number; readonly variance: number; readonly third: number };

function probabilityIn(design: SuiteDesign, drop: number, runs: number, allowed: number): number {
  const { cases, accuracy, baselineRuns = 3, minEffect = 0.02 } = design;
  const flips = flipsOf(design);
  const groups = [
    { count: cases * (accuracy - drop), before: flips, now: flips },
    { count: cases * drop, before: flips, now: 1 - flips },
    { count: cases * (1 - accuracy), before: 1 - flips, now: 1 - flips },
  ].map(({ count, before, now }) => ({
    count,
    outcomes: outcomesOf(baselineRuns, before, runs, now),
  }));
  const chance = Array.from({ length: baselineRuns + runs + 1 }, (_, wrong) =>
    evidenceByChance(baselineRuns, runs, wrong),
  );
  const chanceOf = ({ wrongBefore, wrongNow }: Outcome): Moments =>
    chance[wrongBefore + wrongNow] ?? { mean: 0, variance: 0, third: 0 };
  /** The mean and the variance of a sum over the cases of the suite. */
  const sumOver = (value: (outcome: Outcome) => number): { mean: number; variance: number } => {
    const each = groups.map(({ count, outcomes }) => {
      const { mean, variance } = momentsOf(outcomes.map((one) => [one.probability, value(one)]));
      return { mean: count * mean, variance: count * variance };
    });
    return {
      mean: sumOf(each.map(({ mean }) => mean)),
      variance: sumOf(each.map(({ variance }) => variance)),
    };
  };
  const variance = sumOver((one) => chanceOf(one).variance).mean;
  const seen = sumOver((one) => one.wrongNow / runs - one.wrongBefore / baselineRuns);
  if (variance <= 0 || seen.variance <= 0) return seen.mean >= minEffect * cases ? 1 : 0;
  const skewness = sumOver((one) => chanceOf(one).third).mean / variance ** 1.5;
  const z = -normalQuantile(allowed);
  const needed =
    Math.sqrt(variance) *
    (z + (skewness * (z ** 2 - 1)) / 6 - (skewness ** 2 * (2 * z ** 3 - 5 * z)) / 36);
  // The critical value grows with the root of the variance that the test finds, so flaky outcomes cost evidence.
  const cost = needed / (2 * variance);
  const surplus = sumOver((one) => {
    const byChance = chanceOf(one);
    const evidence = evidenceOf(one.wrongBefore / baselineRuns, one.wrongNow / runs);
    return evidence - byChance.mean - cost * (byChance.variance - variance / cases);
  });
  return Math.min(
    normalCdf((surplus.mean - needed) / Math.sqrt(surplus.variance)),
    normalCdf((seen.mean - minEffect * cases) / Math.sqrt(seen.variance)),
  );
}

/** The share of scores that differ by chance; of several samples, the share that gives one sample the same variance. */
function flipsOf({ noise, judgeErrors = 0, samples = 1 }: SuiteDesign): number {
  const flips = noise * (1 - judgeErrors) + judgeErrors * (1 - noise);
  return (1 - Math.sqrt(1 - (4 * flips * (1 - flips)) / samples)) / 2;
}

/** The evidence of the permutation test. */
function evidenceOf(wrongBefore: number, wrongNow: number): number {
  return (wrongNow - wrongBefore) * Math.abs(wrongNow - wrongBefore);
}

function outcomesOf(
  baselineRuns: number,
  before: number,
  runs: number,
  now: number,
): readonly Outcome[] {
  const binomial = (n: number, k: number, p: number): number =>
    Math.exp(logBinomial(n, k)) * p ** k * (1 - p) ** (n - k);
  const counts = (n: number): readonly number[] => Array.from({ length: n + 1 }, (_, k) => k);
  return counts(baselineRuns).flatMap((wrongBefore) =>
    counts(runs).map((wrongNow) => ({
      ...{ wrongBefore, wrongNow },
      probability: binomial(baselineRuns, wrongBefore, before) * binomial(runs, wrongNow, now),
    })),
  );
}

/** The evidence of a case that fails so often in all, if its runs come in random order (hypergeometric). */
function evidenceByChance(baselineRuns: number, runs: number, wrong: number): Moments {
  const ways = logBinomial(baselineRuns + runs, wrong);
  const least = Math.max(0, wrong - baselineRuns);
  return momentsOf(
    Array.from({ length: Math.min(runs, wrong) - least + 1 }, (_, index) => {
      const now = least + index;
      const before = wrong - now;
      return [
        Math.exp(logBinomial(runs, now) + logBinomial(baselineRuns, before) - ways),
        evidenceOf(before / baselineRuns, now / runs),
      ];
    }),
  );
}

function momentsOf(values: readonly (readonly [probability: number, value: number])[]): Moments {
  const mean = sumOf(values.map(([probability, value]) => probability * value));
  const central = (power: number): number =>
    sumOf(values.map(([probability, value]) => probability * (value - mean) ** power));
  return { mean, variance: central(2), third: central(3) };
}
