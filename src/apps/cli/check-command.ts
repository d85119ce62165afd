import { type CheckReport, checkConfig, checkInvalid, type Finding } from './check-config.ts';
import type { CommandResult } from './command-result.ts';
import { openSource, type Source } from './open-source.ts';
import { indented, styled, type Terminal, table, wrap } from './terminal.ts';
import { fileOf, parseOptions } from './usage-problem.ts';

const checkHelp = `signalbox check <file>: find mistakes in a configuration before calls do

  <file>             YAML or JSON file with providers, or a module that exports
                     a configuration or a router
  --config <file>    the same as <file>
  --strict           exit with 1 for warnings too
  --json             print the report as JSON

It sends nothing. Exit code 0: no errors, 1: errors, 2: could not run.`;

const options = {
  config: { type: 'string' },
  strict: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Dollars per million tokens, in few characters. */
function shownPrice(price: number | undefined): string {
  if (price === undefined) return '-';
  const digits = price >= 100 ? 0 : 2;
  const rounded = price.toFixed(digits);
  return Number(rounded) === price ? rounded : String(Number(price.toPrecision(3)));
}

const units = [
  ['M', 1_000_000],
  ['k', 1_000],
] as const;

/** Tokens, in few characters. */
function shownTokens(tokens: number | undefined): string {
  if (tokens === undefined) return '-';
  const [unit, size] = units.find(([, each]) => tokens >= each) ?? ['', 1];
  return `${Number((tokens / size).toPrecision(3))}${unit}`;
}

type Row = CheckReport['targets'][number];

function sectionName({ kind, of, code }: Row): string {
  if (kind === 'rule') return `rule ${of}`;
  return kind === 'tier' ? `tier ${of}` : `tier ${of}, after ${code}`;
}

/** The resolved table, with a heading for each tier and rule. One width for all, so that columns align. */
function formatTargets(rows: readonly Row[], terminal: Terminal): string {
  const heading = ['provider/model', '$ in', '$ out', 'context', 'output', 'status'];
  const cells = rows.map(({ target, price, contextWindow, outputLimit, status }) => [
    target,
    shownPrice(price?.input),
    shownPrice(price?.output),
    shownTokens(contextWindow),
    shownTokens(outputLimit),
    status,
  ]);
  const [head = '', ...lines] = table([heading, ...cells], terminal);
  let section = '';
  const shown = rows.flatMap((row, index) => {
    const name = sectionName(row);
    const isNew = name !== section;
    section = name;
    const title = wrap(name, terminal.columns).map((line) => styled('bold', line, terminal));
    return [...(isNew ? ['', ...title] : []), lines[index] ?? ''];
  });
  return [styled('dim', head, terminal), ...shown].join('\n');
}

function formatFinding({ severity, path, line, column, message }: Finding, terminal: Terminal) {
  const position = line === undefined ? '' : ` (${line}:${column})`;
  const place = wrap(`${severity} ${path}${position}`, terminal.columns);
  const color = severity === 'error' ? 'red' : 'yellow';
  const [first = '', ...rest] = place;
  const title = `${styled(color, severity, terminal)}${first.slice(severity.length)}`;
  return [title, ...rest, indented(message, 2, terminal)].join('\n');
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** Formats the report for a terminal. */
function formatCheck(report: CheckReport, terminal: Terminal): string {
  const { targets, findings, errors, warnings, priceLists } = report;
  const dates = priceLists.map(({ source, date }) => `${source} of ${date ?? 'unknown date'}`);
  const notes = ['$: US dollars per million tokens', ...dates].join('; ');
  const summary = `${counted(errors, 'error')}, ${counted(warnings, 'warning')}`;
  const color = errors > 0 ? 'red' : warnings > 0 ? 'yellow' : 'green';
  return [
    ...(targets.length === 0
      ? []
      : [
          formatTargets(targets, terminal),
          styled('dim', wrap(notes, terminal.columns).join('\n'), terminal),
        ]),
    ...findings.map((finding) => formatFinding(finding, terminal)),
    styled(color, summary, terminal),
  ].join('\n\n');
}

async function reportOf(source: Source): Promise<CheckReport> {
  const { missing } = source;
  if ('invalid' in source) return checkInvalid(source.invalid.problems ?? [], missing);
  const { router, placed } = source;
  try {
    return checkConfig(await router.describe(), placed, missing);
  } finally {
    await router.close();
  }
}

/**
 * `signalbox check`: reports what is wrong with a configuration. Sends nothing.
 * @throws UsageProblem, or SignalboxError `config`, if the file cannot be read.
 */
export async function checkCommand(
  args: readonly string[],
  terminal: Terminal,
): Promise<CommandResult> {
  const { values, positionals } = parseOptions(args, options);
  if (values.help === true) return { exitCode: 0, output: checkHelp, problem: '' };
  const file = fileOf(values.config, positionals, checkHelp);
  const report = await reportOf(await openSource(file));
  const output =
    values.json === true ? JSON.stringify(report, null, 2) : formatCheck(report, terminal);
  const isFound = report.errors > 0 || (values.strict === true && report.warnings > 0);
  return { exitCode: isFound ? 1 : 0, output, problem: '' };
}
