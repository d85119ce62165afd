import { detectDrift, type RunScores } from '../../../src/apps/evals/statistics/drift.ts';

export type SimulatedSuite = {
  readonly cases: number;
  /** The share of answers that differ by chance. */
  readonly noise: number;
  /** The share of answers that the judge marks wrongly, by chance. */
  readonly judgeErrors?: number;
  /** The share of cases that break after the baseline; of the 90 % that were answered rightly. */
  readonly drop?: number;
  readonly baselineRuns?: number;
  readonly samples?: number;
};

/** The weekly run that first reports a drift, or undefined if none does within so many. */
export function weekOfDetection(
  suite: SimulatedSuite,
  weeks: number,
  random: () => number,
): number | undefined {
  const { cases, noise, judgeErrors = 0, drop = 0, baselineRuns = 3, samples = 1 } = suite;
  const run = (broken: number): RunScores =>
    new Map(
      Array.from({ length: cases }, (_, index) => {
        const isRight = index >= broken && index < cases * 0.9;
        const flips = (): boolean => random() < noise !== random() < judgeErrors;
        let right = 0;
        for (let sample = 0; sample < samples; sample += 1) right += isRight !== flips() ? 1 : 0;
        return [`case ${index}`, right / samples];
      }),
    );
  const baseline = Array.from({ length: baselineRuns }, () => run(0));
  const runs: RunScores[] = [];
  for (let week = 1; week <= weeks; week += 1) {
    runs.push(run(Math.round(cases * drop)));
    // The latest eight runs are all that a steady target is judged by.
    if (detectDrift(baseline, runs.slice(-8)).state === 'drifted') return week;
  }
  return undefined;
}
