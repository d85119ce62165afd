import { differences, meanSequence } from './betting.ts';
import { type Interval, sumOf } from './intervals.ts';
import { type PairedCase, permutationTest } from './paired-tests.ts';

/** The score of each case in one run, from 0 to 1, by case id; the mean of its samples. Cases without one are left out. */
export type RunScores = ReadonlyMap<string, number>;

export type DriftOptions = {
  /**
   * The smallest drop of the mean score that counts. A smaller one is never reported, however certain it is.
   *
   * @default 0.02
   */
  readonly minEffect?: number;
  /**
   * The probability of at least one false alarm in a year, for one target.
   *
   * @default 0.01
   */
  readonly yearlyFalseAlarms?: number;
  /** @default 52, one each week */
  readonly runsPerYear?: number;
  /**
   * How many suites watch the same target. They share its false alarms.
   *
   * @default 1
   */
  readonly suites?: number;
  /** Weights of cases by id. @default 1 each */
  readonly weights?: ReadonlyMap<string, number>;
};

type ChangedCase = {
  readonly id: string;
  /** Mean score in the baseline. */
  readonly before: number;
  /** Mean score in the runs that were compared with it. */
  readonly after: number;
};

/** How a number of the latest runs, taken together, compare with the baseline. */
type DriftEvidence = {
  /** How many of the latest runs were taken together. */
  readonly runs: number;
  /** How often chance alone would lower the score by as much; 1, untested, for a drop below `minEffect`. */
  readonly pValue: number;
  /** What `pValue` may be at most: this comparison's share of the false alarms of a year. */
  readonly allowed: number;
};

export type DriftVerdict = {
  readonly state: 'steady' | 'drifted';
  /** Whether the latest run changed the state. */
  readonly changed: boolean;
  /** How far the mean score is below the baseline: 0.05 is five points. Negative when it is higher. */
  readonly effect: number;
  /** Of `effect`, with 95 % confidence, for prompts like those of the suite. */
  readonly interval: Interval;
  /** The comparison that decided, or the one that is nearest to deciding. */
  readonly evidence: DriftEvidence;
  /** While drifted: how many clean runs came last. */
  readonly cleanRuns: number;
  /** The cases that lost most, at most ten, and then only those that lost. */
  readonly cases: readonly ChangedCase[];
};

/** How many of the latest runs are taken together, and which share of the false alarms each such comparison gets. */
export const windows = [
  { runs: 1, share: 0.5 },
  { runs: 2, share: 0.2 },
  { runs: 4, share: 0.15 },
  { runs: 8, share: 0.15 },
] as const;

const runsToClear = 2;

/** A run is not clean if chance alone would rarely give it as low a score. */
const cleanPValue = 0.05;

const casesListed = 10;

/**
 * Whether a target answers a suite worse than in its baseline, after these runs since (oldest first).
 *
 * After every run the latest 1, 2, 4 and 8 runs, taken together, are compared with the baseline case by case by
 * {@link permutationTest}. A drop is reported if its probability by chance is within that comparison's share of the
 * false alarms of a year, and if it is at least `minEffect`: a group sequential test, with the false alarms spent evenly
 * (Bonferroni). Because the shares add up, the bound needs no assumption about how runs are related; and because they
 * are spent by the year, the bound holds for each year, and a drop in the second year is found as soon as one in the
 * first.
 *
 * It assumes that chance acts on each case apart. A vendor's bad day that hits half of the cases at once is a drift.
 *
 * A drift ends after two clean runs. A run is clean if its score is less than `minEffect` below the baseline, or if it
 * is both nearer to the baseline than to the drift and not lower than chance explains.
 *
 * The verdict depends on the arguments only, so nothing has to be kept between runs but their scores.
 *
 * @param baseline At least three runs, or flaky cases are not known as such. It works with fewer, and sees less.
 */
export function detectDrift(
  baseline: readonly RunScores[],
  runs: readonly RunScores[],
  options: DriftOptions = {},
): DriftVerdict {
  const { minEffect = 0.02, runsPerYear = 52, yearlyFalseAlarms = 0.01, suites = 1 } = options;
  const allowedEachRun = yearlyFalseAlarms / runsPerYear / suites;
  const known = baselineRows(baseline, options.weights);
  const compare = (from: number, to: number, allowed: number): Comparison => {
    const rows = withRuns(known, runs.slice(from, to));
    const effect = effectOf(rows);
    // Most comparisons end here, without a test.
    const pValue = effect >= minEffect ? permutationTest(rows) : 1;
    return { rows, effect, evidence: { runs: to - from, pValue, allowed } };
  };
  let [latest, changed, start, cleanRuns] = [compare(0, 0, allowedEachRun), false, 0, 0];
  /** The drop when it was found. */
  let drift: number | undefined;
  for (let end = 1; end <= runs.length; end += 1) {
    changed = false;
    if (drift === undefined) {
      latest = windows
        .filter((window) => window.runs <= end - start)
        .map((window) => compare(end - window.runs, end, window.share * allowedEachRun))
        .reduce((best, one) => (closeness(one) > closeness(best) ? one : best));
      changed = latest.effect >= minEffect && closeness(latest) >= 1;
      if (changed) [drift, cleanRuns] = [latest.effect, 0];
    } else {
      latest = compare(end - 1, end, allowedEachRun);
      const recovered = latest.effect < drift / 2 && latest.evidence.pValue > cleanPValue;
      cleanRuns = latest.effect < minEffect || recovered ? cleanRuns + 1 : 0;
      changed = cleanRuns === runsToClear;
      // The clean runs are the first of the time after the drift.
      if (changed) [drift, start] = [undefined, end - runsToClear];
    }
  }
  const state = drift === undefined ? 'steady' : 'drifted';
  const { rows, effect, evidence } = latest;
  return {
    ...{ state, changed, effect, evidence, interval: effectInterval(rows), cleanRuns },
    cases: mostChanged(rows),
  };
}

type Row = PairedCase & { readonly id: string };

type Comparison = {
  readonly rows: readonly Row[];
  readonly effect: number;
  readonly evidence: DriftEvidence;
};

/** How near a comparison is to a decision; at 1 it is one. */
function closeness({ evidence }: Comparison): number {
  return evidence.allowed / evidence.pValue;
}

type BaselineRow = Omit<Row, 'current'>;

function baselineRows(
  baseline: readonly RunScores[],
  weights: ReadonlyMap<string, number> = new Map(),
): readonly BaselineRow[] {
  const ids = new Set(baseline.flatMap((run) => [...run.keys()]));
  return [...ids].map((id) => ({
    ...{ id, baseline: scoresOf(id, baseline), weight: weights.get(id) ?? 1 },
  }));
}

/** The cases that the runs have scores of as well. */
function withRuns(known: readonly BaselineRow[], runs: readonly RunScores[]): readonly Row[] {
  return known
    .map((row) => ({ ...row, current: scoresOf(row.id, runs) }))
    .filter(({ current }) => current.length > 0);
}

function scoresOf(id: string, runs: readonly RunScores[]): readonly number[] {
  return runs.flatMap((run) => run.get(id) ?? []);
}

function meanOf(values: readonly number[]): number {
  return sumOf(values) / values.length;
}

function dropOf({ baseline, current }: PairedCase): number {
  return meanOf(baseline) - meanOf(current);
}

function effectOf(rows: readonly Row[]): number {
  const total = sumOf(rows.map(({ weight = 1 }) => weight));
  return total === 0 ? 0 : sumOf(rows.map((row) => dropOf(row) * (row.weight ?? 1))) / total;
}

function effectInterval(rows: readonly Row[]): Interval {
  const { low, high } = meanSequence(
    rows.map((row) => ({ score: differences.toScore(dropOf(row)), weight: row.weight ?? 1 })),
  );
  return { low: differences.fromScore(low), high: differences.fromScore(high) };
}

function mostChanged(rows: readonly Row[]): readonly ChangedCase[] {
  return rows
    .filter((row) => dropOf(row) > 0)
    .sort((a, b) => dropOf(b) - dropOf(a) || (a.id < b.id ? -1 : 1))
    .slice(0, casesListed)
    .map(({ id, baseline, current }) => ({ id, before: meanOf(baseline), after: meanOf(current) }));
}
