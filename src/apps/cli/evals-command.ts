import { writeFile } from 'node:fs/promises';
import { fileProblemOf } from '../../internal/local-file.ts';
import type { EvalReport, Evals } from '../evals/create-evals.ts';
import type { RunResult } from '../evals/run-result.ts';
import type { CommandResult } from './command-result.ts';
import { type EvalsArguments, evalsHelp, parseEvalsArguments } from './evals-arguments.ts';
import { formatEvalsJunit } from './evals-junit.ts';
import { formatEvalsMarkdown } from './evals-markdown.ts';
import { formatEstimates, formatEvals } from './evals-table.ts';
import { isFound, usdText } from './evals-verdict.ts';
import { openEvals } from './open-evals.ts';
import { type Notes, ProgressNotes } from './progress-notes.ts';
import type { Terminal } from './terminal.ts';
import { UsageProblem } from './usage-problem.ts';

async function runEvals(evals: Evals, args: EvalsArguments, notes: Notes): Promise<EvalReport> {
  const progress = new ProgressNotes(notes);
  try {
    return await evals.run({
      targets: args.targets,
      maxUsd: args.maxUsd,
      fresh: args.start === 'fresh',
      baseline: args.baseline,
      onProgress: ({ suite, done, total, usd }) =>
        progress.show({ label: suite, done, total, suffix: usdText(usd) }),
    });
  } finally {
    progress.end();
  }
}

/** The results without the targets that regressed: a baseline must not follow them down. */
function withoutRegressions({ reports }: EvalReport): readonly RunResult[] {
  return reports.map(({ result, targets }) => ({
    ...result,
    targets: result.targets.filter(
      ({ target }) => !targets.some((each) => each.target === target && each.state === 'regressed'),
    ),
  }));
}

function updateBaseline(evals: Evals, report: EvalReport, { baseline }: EvalsArguments): string {
  return evals
    .updateBaseline(withoutRegressions(report), { baseline })
    .map(({ suite, target, runs }) => {
      const more = runs < 3 ? '; it needs 3 before anything is compared with it' : '';
      return `the baseline of ${target} in ${suite} has ${runs} runs${more}`;
    })
    .join('\n');
}

async function writeJunit(path: string, report: EvalReport): Promise<void> {
  try {
    await writeFile(path, formatEvalsJunit(report));
  } catch (cause) {
    throw new UsageProblem(fileProblemOf('write', path, cause), { cause });
  }
}

function formatReport(
  report: EvalReport,
  format: EvalsArguments['format'],
  terminal: Terminal,
): string {
  if (format === 'json') return JSON.stringify({ ok: !isFound(report), ...report }, null, 2);
  return format === 'markdown' ? formatEvalsMarkdown(report) : formatEvals(report, terminal);
}

/**
 * `signalbox evals run`: runs the suites of a document or a module, and compares the scores with the baseline.
 * @throws UsageProblem, or SignalboxError `config`, if they cannot be run
 */
export async function evalsCommand(
  args: readonly string[],
  terminal: Terminal,
  notes: Notes,
): Promise<CommandResult> {
  const parsed = parseEvalsArguments(args);
  if (parsed === undefined) return { exitCode: 0, output: evalsHelp, problem: '' };
  const evals = await openEvals(parsed.file);
  const { targets, start, format } = parsed;
  if (parsed.mode === 'dry-run') {
    const estimates = await evals.estimate({ targets, fresh: start === 'fresh' });
    const isJson = format === 'json';
    const output = isJson
      ? JSON.stringify(estimates, null, 2)
      : formatEstimates(estimates, terminal);
    return { exitCode: 0, output, problem: '' };
  }
  const report = await runEvals(evals, parsed, notes);
  if (parsed.junit !== undefined) await writeJunit(parsed.junit, report);
  const updated =
    parsed.afterwards === 'update-baseline' ? updateBaseline(evals, report, parsed) : '';
  const output = formatReport(report, format, terminal);
  return { exitCode: isFound(report) ? 1 : 0, output, problem: updated };
}
