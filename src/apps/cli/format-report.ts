import type { DrillReport } from '../../protocol/drill.ts';

type Cell = string | number;

/** Formats rows as a table: the first column left-aligned, the others right-aligned. */
function table(rows: readonly (readonly Cell[])[]): string {
  const columns = rows[0]?.length ?? 0;
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => String(row[column] ?? '').length)),
  );
  const lines = rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 ? String(cell).padEnd(width) : String(cell).padStart(width);
      })
      .join('   ')
      .trimEnd(),
  );
  return lines.join('\n');
}

const rounded = (ms: number | undefined): Cell => (ms === undefined ? '-' : Math.round(ms));

function latencyRow(
  name: string,
  { calls, p50Ms, p99Ms }: DrillReport['latency']['drilled'],
): readonly Cell[] {
  return [name, calls, rounded(p50Ms), rounded(p99Ms)];
}

/** Formats the report as tables for a terminal. */
export function formatReport(report: DrillReport): string {
  const { tier, fault, calls, targets, hops, latency, lost, passed, reasons } = report;
  const { drilled, hit, answered } = calls;
  const sections = [
    `Fire drill on tier "${tier}": ${fault.type}\n${drilled} calls drilled, ${hit} reached a failing target, ${answered} answered, ${calls.lost} lost`,
    table([
      ['target', 'fails', 'faults', 'attempts', 'answered'],
      ...targets.map((each) => [
        each.target,
        each.failing ? 'yes' : 'no',
        each.faults,
        each.attempts,
        each.answered,
      ]),
    ]),
    table([
      ['hop', 'expected', 'ran'],
      ...hops.map(({ from, to, ran, expected }) => [
        `${from} → ${to}`,
        expected ? 'yes' : 'no',
        ran === 0 ? 'never' : ran,
      ]),
    ]),
    table([
      ['latency', 'calls', 'p50 ms', 'p99 ms'],
      latencyRow('drilled', latency.drilled),
      latencyRow('others', latency.others),
    ]),
    ...(lost.length === 0
      ? []
      : [
          table([
            ['lost call', 'code', 'attempts'],
            ...lost.map(({ callId, code, attempts }) => [callId, code, attempts.join(', ')]),
          ]),
        ]),
    passed ? 'passed' : ['NOT PASSED', ...reasons.map((reason) => `  ${reason}`)].join('\n'),
  ];
  return sections.join('\n\n');
}
