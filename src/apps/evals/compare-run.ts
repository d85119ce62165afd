import { type Baseline, baselineRuns, latestBaselineRun, minBaselineRuns } from './baseline.ts';
import { isCounted, type RunResult, scoresOf, type TargetResult } from './run-result.ts';
import { type DriftVerdict, detectDrift } from './statistics/drift.ts';

/** One target of a run beside its baseline. */
export type TargetComparison = {
  readonly target: string;
  /** How many runs its baseline has. */
  readonly baselineRuns: number;
  /**
   * `regressed`: worse than its baseline. `unknown`: its baseline has less than three runs, its judges do not count, or it
   * gave no answers that can be compared.
   */
  readonly state: 'steady' | 'regressed' | 'unknown';
  /** Why the state is unknown. */
  readonly reason?: string;
  /** How the runs since the baseline compare with it. Absent if the state is unknown. */
  readonly verdict?: DriftVerdict;
  /** The cases that are worse than in the baseline, those that lost most first. */
  readonly worse: readonly {
    readonly id: string;
    /** Its mean in the baseline. */
    readonly before: number;
    readonly after: number;
  }[];
};

/** A finished run, and how it compares with the baseline. Plain data. */
export type RunReport = {
  readonly result: RunResult;
  readonly targets: readonly TargetComparison[];
};

/** Of scores: smaller differences are rounding. */
const sameScore = 1e-6;

function worseCases(baseline: readonly ReadonlyMap<string, number>[], { cases }: TargetResult) {
  return cases
    .flatMap(({ id, score }) => {
      const before = baseline.flatMap((run) => run.get(id) ?? []);
      if (score === null || before.length === 0) return [];
      const mean = before.reduce((sum, each) => sum + each, 0) / before.length;
      return [{ id, before: mean, after: score }];
    })
    .filter(({ before, after }) => after < before - sameScore)
    .sort((a, b) => b.before - b.after - (a.before - a.after) || (a.id < b.id ? -1 : 1));
}

function unknownReason(result: RunResult, each: TargetResult, runs: number): string | undefined {
  if (!isCounted(result)) return 'the agreement of its judge with labelled cases is not known';
  if (each.score === undefined) return 'it gave no answer that was scored';
  if (runs >= minBaselineRuns) return undefined;
  return `its baseline has ${runs} of at least ${minBaselineRuns} runs`;
}

/**
 * Compares a run with the baseline, case by case, together with the runs since the baseline (oldest first, without this
 * one). Pure.
 *
 * @param suites How many suites are run: they share the probability of a false alarm.
 */
export function compareRun(
  result: RunResult,
  earlier: readonly RunResult[],
  baseline: Baseline,
  suites: number,
): RunReport {
  const targets = result.targets.map((each): TargetComparison => {
    const { target } = each;
    const known = baselineRuns(baseline, result.suite, each);
    const common = { target, baselineRuns: known.length, worse: worseCases(known, each) };
    const reason = unknownReason(result, each, known.length);
    if (reason !== undefined) return { ...common, state: 'unknown', reason };
    const latest = latestBaselineRun(baseline, result.suite, target);
    const runs = [...earlier, result]
      .filter(({ run, fingerprint }) => run > latest && fingerprint === result.fingerprint)
      .flatMap((run) => run.targets.filter((other) => other.target === target));
    const weights = new Map(each.cases.map(({ id, weight = 1 }) => [id, weight]));
    const { minEffect } = result;
    const compared = runs.length > 0 ? runs : [each];
    const verdict = detectDrift(known, compared.map(scoresOf), { minEffect, suites, weights });
    return { ...common, state: verdict.state === 'drifted' ? 'regressed' : 'steady', verdict };
  });
  return { result, targets };
}
