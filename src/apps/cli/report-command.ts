import { systemRuntime } from '../../runtime.ts';
import { createReports } from '../reports/create-reports.ts';
import type { ReportRow } from '../reports/report-row.ts';
import { toCsv } from '../reports/to-csv.ts';
import type { CommandResult } from './command-result.ts';
import { eventLinesOf } from './event-lines.ts';
import { indented, styled, type Terminal, table, wrap } from './terminal.ts';
import { fileOf, parseOptions, UsageProblem } from './usage-problem.ts';

const reportHelp = `signalbox report <file>: what calls cost, how long they took and how they failed

  <file>            JSON lines of events, as router.on('*', …) receives them
  --by <name>       target, model, tier or the name of a tag (default: target)
  --since <time>    only events from then on: 2026-11-30 (UTC),
                    2026-11-30T08:00Z, or 90m, 24h, 7d before now
  --top <n>         the number of rows; the rest is one row (default: 20;
                    all with --csv and --json)
  --csv             print all figures as CSV
  --json            print all figures as JSON

Exit code 0: all lines read, 1: some are unreadable, or there is no event,
2: could not run.`;

const options = {
  by: { type: 'string', default: 'target' },
  since: { type: 'string' },
  top: { type: 'string' },
  csv: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

const defaultTop = 20;

/** Keys of one file: about 80 MB if all are busy, whatever its size. */
const maxSeries = 10_000;

/** Unreadable lines that are listed; further ones are counted. */
const maxListed = 10;

/** A day in UTC, or a time with its zone: without one it would be another time on each machine. */
const time = /^\d{4}-\d{2}-\d{2}(?:T[\d:.]+(?:Z|[+-]\d{2}:\d{2}))?$/;

const msPer = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Epoch milliseconds. */
function sinceOf(text: string): number {
  const [, count, unit] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  if (unit === 'm' || unit === 'h' || unit === 'd') {
    return systemRuntime.now() - Number(count) * msPer[unit];
  }
  const at = time.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at))
    throw new UsageProblem(`--since: "${text}" is neither 2026-11-30, 2026-11-30T08:00Z nor 24h`);
  return at;
}

function topOf(text: string): number {
  const top = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (top === 0) throw new UsageProblem('--top: must be a positive integer');
  return top;
}

type LineProblem = { readonly line: number; readonly message: string };

/** What was read from a file. */
type FileReport = {
  readonly by: string;
  /** The events that count. */
  readonly events: number;
  /** Unreadable lines. */
  readonly unreadable: number;
  /** The first of them. */
  readonly problems: readonly LineProblem[];
  readonly rows: readonly ReportRow[];
};

async function readReport(
  path: string,
  { by, since, top }: { readonly by: string; readonly since: number; readonly top: number },
): Promise<FileReport> {
  // One window holds every time that an event can have.
  const windowMs = Number.MAX_SAFE_INTEGER;
  const reports = createReports({ by: [by], windowMs, maxWindows: 1, maxSeries });
  const problems: LineProblem[] = [];
  let events = 0;
  let unreadable = 0;
  for await (const line of eventLinesOf(path)) {
    if ('event' in line) {
      if (line.event.at < since) continue;
      events += 1;
      reports.add(line.event);
      continue;
    }
    unreadable += 1;
    if (problems.length < maxListed) problems.push({ line: line.number, message: line.problem });
  }
  return { by, events, unreadable, problems, rows: reports.report({ top }) };
}

type Column = readonly [heading: string, cell: (row: ReportRow) => string];

function rounded(value: number | undefined): string {
  return value === undefined ? '-' : String(Math.round(value));
}

function shownUsd(usd: number | null | undefined): string {
  if (usd === undefined || usd === null) return '-';
  return usd >= 100 ? usd.toFixed(0) : usd >= 0.1 ? usd.toFixed(2) : usd.toFixed(6);
}

function percent(share: number | undefined): string {
  return share === undefined ? '-' : `${Math.round(share * 100)}%`;
}

/** The columns, the most important first: as many are shown as there is room for. */
const columns: readonly Column[] = [
  ['requests', ({ requests }) => String(requests)],
  ['errors', ({ errors }) => String(errors)],
  ['USD', ({ usd }) => shownUsd(usd)],
  ['USD/success', ({ usdPerSuccess }) => shownUsd(usdPerSuccess)],
  ['p50 ms', ({ p50TotalMs }) => rounded(p50TotalMs)],
  ['p95 ms', ({ p95TotalMs }) => rounded(p95TotalMs)],
  ['cached', ({ cacheShare }) => percent(cacheShare)],
  ['quality', ({ quality }) => quality?.toFixed(2) ?? '-'],
  ['failovers', ({ failovers }) => String(failovers)],
  ['repairs', ({ repairs }) => String(repairs)],
  ['invalid', ({ invalidOutputs }) => String(invalidOutputs)],
  ['first p95', ({ p95FirstTokenMs }) => rounded(p95FirstTokenMs)],
  ['p99 ms', ({ p99TotalMs }) => rounded(p99TotalMs)],
  ['tokens in', ({ inputTokens }) => String(inputTokens)],
  ['tokens out', ({ outputTokens }) => String(outputTokens)],
];

/** Characters of the first column that other columns do not take. */
const maxKeyWidth = 24;

function keyCell({ key, partial }: ReportRow): string {
  const name = key === '' ? '""' : key;
  return partial === true ? `${name} *` : name;
}

function formatRows(by: string, rows: readonly ReportRow[], terminal: Terminal): string {
  const keys = [by, ...rows.map(keyCell)];
  let width = Math.min(Math.max(...keys.map(({ length }) => length)), maxKeyWidth);
  const shown: (readonly string[])[] = [];
  for (const [heading, cell] of columns) {
    const cells = [heading, ...rows.map(cell)];
    const cellWidth = Math.max(...cells.map(({ length }) => length));
    width += cellWidth + 2;
    if (width > terminal.columns) break;
    shown.push(cells.map((each) => each.padStart(cellWidth)));
  }
  const lines = keys.map((key, index) => [key, ...shown.map((cells) => cells[index] ?? '')]);
  const [head = '', ...body] = table(lines, terminal);
  return [styled('bold', head, terminal), ...body].join('\n');
}

/** What the table does not explain itself. */
function notesOf(rows: readonly ReportRow[]): readonly string[] {
  const unpriced = rows.reduce((sum, row) => sum + row.unpriced, 0);
  const isThere = (kind: ReportRow['kind']): boolean => rows.some((row) => row.kind === kind);
  return [
    ...(isThere('none') ? ['(none): without the tag'] : []),
    ...(isThere('other') ? ['(other): those without a row of their own'] : []),
    ...(isThere('drill') ? ['(drills): calls of fire drills'] : []),
    ...(rows.some(({ partial }) => partial) ? ['*: a part of it may be in (other)'] : []),
    ...(unpriced > 0 ? [`billed attempts of unknown price, not in USD: ${unpriced}`] : []),
  ];
}

function formatReport({ by, rows }: FileReport, terminal: Terminal): string {
  if (rows.length === 0) return '';
  const notes = notesOf(rows).flatMap((note) => wrap(note, terminal.columns));
  const shown = formatRows(by, rows, terminal);
  return notes.length === 0 ? shown : `${shown}\n\n${styled('dim', notes.join('\n'), terminal)}`;
}

function problemOf({ events, unreadable, problems }: FileReport, terminal: Terminal): string {
  const listed = problems.map(({ line, message }) => `line ${line} ${message}`);
  const further = unreadable - problems.length;
  const lines = [
    ...(events === 0 ? ['no events of calls were found'] : []),
    ...listed,
    ...(further > 0 ? [`and ${further} more unreadable lines`] : []),
  ];
  return lines.map((line) => indented(`signalbox report: ${line}`, 0, terminal)).join('\n');
}

/**
 * `signalbox report`: reads events from a file, one line at a time, and prints what calls cost, how long they took and how
 * they failed.
 * @throws UsageProblem if the file cannot be read
 */
export async function reportCommand(
  args: readonly string[],
  terminal: Terminal,
): Promise<CommandResult> {
  const { values, positionals } = parseOptions(args, options);
  const { by, since, top, csv, json, help } = values;
  if (help === true) return { exitCode: 0, output: reportHelp, problem: '' };
  const file = fileOf(undefined, positionals, reportHelp);
  if (by === '') throw new UsageProblem('--by: must be a name');
  if (csv === true && json === true) throw new UsageProblem('--csv and --json exclude each other');
  const isData = csv === true || json === true;
  const report = await readReport(file, {
    by,
    since: since === undefined ? Number.NEGATIVE_INFINITY : sinceOf(since),
    top: top !== undefined ? topOf(top) : isData ? Number.MAX_SAFE_INTEGER : defaultTop,
  });
  const output =
    csv === true
      ? toCsv(report.rows).replace(/\n$/, '')
      : json === true
        ? JSON.stringify(report, null, 2)
        : formatReport(report, terminal);
  const isFound = report.unreadable > 0 || report.events === 0;
  return { exitCode: isFound ? 1 : 0, output, problem: problemOf(report, terminal) };
}
