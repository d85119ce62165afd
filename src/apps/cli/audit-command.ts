import { readFileSync } from 'node:fs';
import { AuditChain, headText, parseHead } from '../../plugins/policies/audit/audit-chain.ts';
import { type AuditProblem, verifyAudit } from '../../plugins/policies/audit/verify-audit.ts';
import type { CommandResult } from './command-result.ts';
import { parseOptions, UsageProblem } from './usage-problem.ts';

const auditHelp = `signalbox audit verify <file>…: find lines of an audit log that were changed, removed or moved

  <file>…             the files of the log, in any order: audit.jsonl*
                      (without its .lock)
  --key-file <path>   the key of the log; without, only the numbers of the
                      lines are checked
  --head <head>       a head that the event audit-head reported; with the latest
                      one, a log that was cut before it is found too
  --first <n>         the number of the first line, if older files were removed
                      on purpose
  --json              print the result as JSON

Exit code 0: the log is whole, 1: it is not, 2: could not run.`;

const options = {
  'key-file': { type: 'string' },
  head: { type: 'string' },
  first: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** @throws UsageProblem */
function readable<Value>(path: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === undefined) throw error;
    throw new UsageProblem(`cannot read ${path} (${String(code)})`);
  }
}

/** @throws UsageProblem */
function headOf(text: string | undefined) {
  if (text === undefined) return undefined;
  const head = parseHead(text);
  if (head !== undefined) return head;
  throw new UsageProblem('--head must be the head of an event audit-head: <lines>:<64 hex digits>');
}

/** @throws UsageProblem */
function firstOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const first = Number(text);
  if (Number.isSafeInteger(first) && first >= 1) return first;
  throw new UsageProblem('--first must be the number of a line, from 1');
}

function textOf({ file, line, message }: AuditProblem): string {
  return `${file}:${line} ${message}`;
}

/** The command `signalbox audit`. */
export async function auditCommand(args: readonly string[]): Promise<CommandResult> {
  const { values, positionals } = parseOptions(args, options);
  if (values.help) return { exitCode: 0, output: auditHelp, problem: '' };
  const [action, ...given] = positionals;
  if (action !== 'verify') throw new UsageProblem(`the only action is verify\n\n${auditHelp}`);
  // What `audit.jsonl*` names besides.
  const files = given.filter((file) => !file.endsWith('.lock'));
  if (files.length === 0) throw new UsageProblem(`a file is required\n\n${auditHelp}`);
  const { 'key-file': keyFile } = values;
  const key = keyFile === undefined ? undefined : readable(keyFile, () => readFileSync(keyFile));
  const head = headOf(values.head);
  if (head !== undefined && key === undefined) throw new UsageProblem('--head needs --key-file');
  const chain = new AuditChain(key);
  const first = firstOf(values.first);
  const report = readable(files.join(', '), () => verifyAudit(files, chain, { head, first }));
  const { lines, problems, cutLine } = report;
  const exitCode = problems.length > 0 ? 1 : 0;
  const end = headText(report.head);
  if (values.json) {
    const { head: _, ...rest } = report;
    const result = { ok: exitCode === 0, ...rest, ...(key !== undefined && { head: end }) };
    return { exitCode, output: JSON.stringify(result, null, 2), problem: '' };
  }
  const state = key === undefined ? 'in order; without --key-file nothing else is known' : 'intact';
  const summary =
    exitCode === 0
      ? [`${lines} lines, ${state}`, ...(key === undefined ? [] : [`head ${end}`])]
      : [`${problems.length} problems in ${lines} lines`];
  const notes = cutLine === undefined ? [] : [`note: ${textOf(cutLine)}`];
  const output = [...problems.map(textOf), ...notes, ...summary].join('\n');
  return { exitCode, output, problem: '' };
}
