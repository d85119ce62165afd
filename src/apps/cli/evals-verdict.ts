import type { RunReport, TargetComparison } from '../evals/compare-run.ts';
import type { EvalReport } from '../evals/create-evals.ts';
import type { TargetResult } from '../evals/run-result.ts';

/** One target of a run, with its comparison. */
export type TargetReport = { readonly result: TargetResult; readonly compared: TargetComparison };

export function targetReports({ result, targets }: RunReport): readonly TargetReport[] {
  return result.targets.flatMap((each) => {
    const compared = targets.find(({ target }) => target === each.target);
    return compared === undefined ? [] : [{ result: each, compared }];
  });
}

/** The share of calls without an answer that can be scored from which on a score is not to be trusted. */
const maxFailureShare = 0.1;

export function failureCount({ failures }: TargetResult): number {
  return Object.values(failures).reduce((sum, count) => sum + count, 0);
}

/** Why the score of a target says little. `undefined` if nothing is wrong. */
export function scoreProblem(result: TargetResult): string | undefined {
  const { givenUp, scored, failures } = result;
  if (givenUp !== undefined) {
    return `gave no answers (${givenUp}), so the rest of its cases was not asked`;
  }
  const unscored = Object.entries(failures);
  const count = failureCount(result);
  if (count <= maxFailureShare * (scored + count)) return undefined;
  const codes = unscored.map(([code, each]) => `${code} ${each}`).join(', ');
  return `${count} of ${scored + count} calls have no answer that can be scored (${codes})`;
}

/** Whether the command found something: a regression, a score that could not be determined, a run that stopped. */
export function isFound({ reports, unfinished }: EvalReport): boolean {
  if (unfinished.length > 0) return true;
  return reports
    .flatMap(targetReports)
    .some(
      ({ result, compared }) =>
        compared.state === 'regressed' || scoreProblem(result) !== undefined,
    );
}

/** Hundredths of the score, as a difference of the mean. */
function points(effect: number): string {
  const rounded = (Math.abs(effect) * 100).toFixed(1);
  return `${rounded} points`;
}

/** A regression in one line. */
export function regressionText({ target, verdict }: TargetComparison): string {
  if (verdict === undefined) return target;
  const { effect, interval, evidence } = verdict;
  const [low, high] = [interval.low, interval.high].map((each) => (each * 100).toFixed(1));
  const runs = evidence.runs === 1 ? 'this run' : `the latest ${evidence.runs} runs`;
  const chance = evidence.pValue < 1e-6 ? 'p < 1e-6' : `p = ${evidence.pValue.toPrecision(2)}`;
  return `${target} is ${points(effect)} below its baseline (95 %: ${low} to ${high}; ${runs}, ${chance})`;
}

/** A short text for US dollars. */
export function usdText(usd: number | null): string {
  if (usd === null) return 'unknown';
  return usd >= 0.01 || usd === 0 ? `$${usd.toFixed(2)}` : `$${usd.toPrecision(2)}`;
}

/** What a run has cost, as far as prices are known. */
export function costText({ reports, usd }: EvalReport): string {
  const isKnown = reports.every(({ result }) => result.targets.every((each) => each.usd !== null));
  return isKnown ? usdText(usd) : `${usdText(usd)} and what is unknown: set its prices`;
}
