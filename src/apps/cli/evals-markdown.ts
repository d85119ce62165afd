import type { EvalReport } from '../evals/create-evals.ts';
import { cellsOf, headings, judgeTexts } from './evals-table.ts';
import { costText, isFound, regressionText, scoreProblem, targetReports } from './evals-verdict.ts';

/** Cases that are listed of a regression. */
const maxCases = 20;

/** A name in a cell or a line: characters that would be Markdown or HTML are escaped. */
function escaped(text: string): string {
  return text.replace(/[\\`*_{}[\]<>|#~&]/g, (each) => `&#${each.codePointAt(0)};`);
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

/** Formats a report for a comment of a pull request. */
export function formatEvalsMarkdown(report: EvalReport): string {
  const sections = report.reports.map((run) => {
    const { suite, tier, targets } = run.result;
    const cases = targets[0]?.cases.length ?? 0;
    const reports = targetReports(run);
    const regressed = reports.filter(({ compared }) => compared.state === 'regressed');
    const details = regressed.map(({ compared }) =>
      [
        '<details>',
        `<summary>${escaped(regressionText(compared))}</summary>`,
        '',
        row(['case', 'baseline', 'now']),
        '|---|--:|--:|',
        ...compared.worse
          .slice(0, maxCases)
          .map(({ id, before, after }) => row([escaped(id), before.toFixed(2), after.toFixed(2)])),
        '',
        '</details>',
      ].join('\n'),
    );
    const notes = [
      ...reports.flatMap(({ result, compared }) => {
        const problem = scoreProblem(result);
        const { target, reason } = compared;
        return [
          ...(problem === undefined ? [] : [`${target} ${problem}`]),
          ...(reason === undefined ? [] : [`${target}: ${reason}`]),
        ];
      }),
      ...judgeTexts(run.result),
    ].map((note) => `- ${escaped(note)}`);
    return [
      `### ${escaped(suite)}: ${cases} cases, tier ${escaped(tier)}`,
      [
        row(headings),
        `|---|${'--:|'.repeat(headings.length - 2)}---|`,
        ...reports.map((each) => row(cellsOf(each).map(escaped))),
      ].join('\n'),
      ...details,
      ...(notes.length === 0 ? [] : [notes.join('\n')]),
    ].join('\n\n');
  });
  const stopped = report.unfinished.map(
    ({ suite, message }) => `**${escaped(suite)}** stopped: ${escaped(message)}`,
  );
  const title = isFound(report) ? '## Evals: not passed' : '## Evals: passed';
  return [title, ...sections, ...stopped, `Cost of this run: ${costText(report)}`].join('\n\n');
}
