import type { RunReport } from '../evals/compare-run.ts';
import type { EvalReport } from '../evals/create-evals.ts';
import type { SuiteEstimate, SuitePower } from '../evals/estimate.ts';
import type { RunResult } from '../evals/run-result.ts';
import {
  costText,
  failureCount,
  regressionText,
  scoreProblem,
  type TargetReport,
  targetReports,
  usdText,
} from './evals-verdict.ts';
import { indented, type Style, styled, type Terminal, table, wrap } from './terminal.ts';

const stateStyles: Readonly<Record<string, Style>> = {
  steady: 'green',
  regressed: 'red',
  unknown: 'yellow',
};

/** Cases that are listed below a regression. */
const maxCases = 10;

function scoreText(score: number | undefined): string {
  return score === undefined ? '-' : score.toFixed(3);
}

function signed(change: number): string {
  const text = Math.abs(change * 100).toFixed(1);
  return `${change < 0 ? '-' : '+'}${text}`;
}

/** The cells of a target, in the order of `headings`. */
export function cellsOf({ result, compared }: TargetReport): readonly string[] {
  const { score, p50Ms, p95Ms, usd } = result;
  const { verdict } = compared;
  return [
    result.target,
    scoreText(score?.mean),
    score === undefined ? '-' : `${score.low.toFixed(2)}-${score.high.toFixed(2)}`,
    // The drop, the other way round.
    verdict === undefined ? '-' : signed(-verdict.effect),
    String(p50Ms ?? '-'),
    String(p95Ms ?? '-'),
    usdText(usd),
    String(failureCount(result)),
    compared.state,
  ];
}

export const headings = [
  ...['target', 'score', '95 %', 'change', 'p50 ms', 'p95 ms', 'USD', 'failed', 'state'],
] as const;

/** What is known of the judges of a run, in sentences. */
export function judgeTexts({ judges = [] }: RunResult): readonly string[] {
  return judges.map(({ name, labelled, agreement, kappa, counts }) => {
    if (agreement === undefined) {
      return `${name}: it is not known how often it is right, so the scores fail nothing; add labelled cases`;
    }
    const share = `${Math.round(agreement * labelled)} of ${labelled} labelled cases`;
    const beyond = kappa === undefined ? '' : `, kappa ${kappa.toFixed(2)}`;
    const counted = counts ? '' : '; with fewer than 10 the scores fail nothing';
    return `${name}: agrees with ${share}${beyond}${counted}`;
  });
}

/** What is to be said of a target besides its row. */
function notesOf({ result, compared }: TargetReport, terminal: Terminal): readonly string[] {
  const problem = scoreProblem(result);
  const { reason, state, worse } = compared;
  const cases = worse
    .slice(0, maxCases)
    .map(({ id, before, after }) =>
      indented(`${id}: ${before.toFixed(2)} -> ${after.toFixed(2)}`, 2, terminal),
    );
  const more = worse.length - cases.length;
  return [
    ...(problem === undefined
      ? []
      : [styled('red', indented(`${result.target} ${problem}`, 0, terminal), terminal)]),
    ...(reason === undefined ? [] : [indented(`${result.target}: ${reason}`, 0, terminal)]),
    ...(state === 'regressed'
      ? [
          styled('red', indented(regressionText(compared), 0, terminal), terminal),
          ...cases,
          ...(more > 0 ? [`  and ${more} more cases are worse`] : []),
        ]
      : []),
  ];
}

function formatRun(report: RunReport, terminal: Terminal): string {
  const { suite, tier, samples, run, targets } = report.result;
  const cases = targets[0]?.cases.length ?? 0;
  const each = samples === 1 ? '' : `, ${samples} samples each`;
  const title = `suite ${suite}: ${cases} cases${each}, tier ${tier}, run ${run}`;
  const reports = targetReports(report);
  const [head = '', ...rows] = table([headings, ...reports.map(cellsOf)], terminal);
  const body = rows.map((row, index) => {
    const state = reports[index]?.compared.state ?? '';
    const style = stateStyles[state];
    // The state is the last cell.
    return style === undefined ? row : row.replace(/\S+$/, (cell) => styled(style, cell, terminal));
  });
  const notes = [
    ...reports.flatMap((target) => notesOf(target, terminal)),
    ...judgeTexts(report.result).flatMap((line) => wrap(line, terminal.columns)),
  ];
  return [
    styled('bold', wrap(title, terminal.columns).join('\n'), terminal),
    [styled('dim', head, terminal), ...body].join('\n'),
    ...(notes.length === 0 ? [] : [notes.join('\n')]),
  ].join('\n\n');
}

/** Formats a report for a terminal, or for a file without colours. */
export function formatEvals(report: EvalReport, terminal: Terminal): string {
  const stopped = report.unfinished.map(({ suite, message }) =>
    wrap(
      `suite ${suite}: stopped, ${message}; the next run goes on from here`,
      terminal.columns,
    ).join('\n'),
  );
  const cost = `this run: ${costText(report)}`;
  return [...report.reports.map((each) => formatRun(each, terminal)), ...stopped, cost].join(
    '\n\n',
  );
}

function timeText(ms: number | undefined): string {
  if (ms === undefined) return 'unknown';
  const minutes = ms / 60_000;
  return minutes >= 1 ? `${minutes.toFixed(1)} min` : `${Math.ceil(ms / 1_000)} s`;
}

/** What a suite can see, in words. */
function powerText({ inOneRun, inFourRuns }: SuitePower, terminal: Terminal): readonly string[] {
  const drop = (share: number | undefined): string =>
    share === undefined ? 'none' : `${Math.ceil(share * 100)} points`;
  const text = `smallest drop that is found in 9 of 10 times: ${drop(inOneRun)} in one run, ${drop(inFourRuns)} within four runs`;
  return wrap(text, terminal.columns);
}

/** Formats what a run would take. */
export function formatEstimates(estimates: readonly SuiteEstimate[], terminal: Terminal): string {
  return estimates
    .map(({ suite, goesOn, targets, judges, usd, ms, sees }) => {
      const title =
        goesOn === undefined ? `suite ${suite}` : `suite ${suite}, goes on with ${goesOn}`;
      const rows = targets.map((each) => [
        ...[each.target, String(each.calls), String(each.inputTokens), String(each.outputTokens)],
        ...[usdText(each.usd), timeText(each.ms)],
      ]);
      const [head = '', ...body] = table(
        [['target', 'calls', 'tokens in', 'tokens out', 'USD', 'time'], ...rows],
        terminal,
      );
      const judged =
        judges.calls === 0 ? [] : [`judges: ${judges.calls} calls, ${usdText(judges.usd)}`];
      return [
        styled('bold', wrap(title, terminal.columns).join('\n'), terminal),
        [styled('dim', head, terminal), ...body].join('\n'),
        [
          ...judged,
          `together: ${usdText(usd)}, ${timeText(ms)}`,
          ...powerText(sees, terminal),
        ].join('\n'),
      ].join('\n\n');
    })
    .join('\n\n');
}
