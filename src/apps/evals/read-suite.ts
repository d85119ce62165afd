import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, extname, resolve } from 'node:path';
import { configError, type Problem } from '../../config/problems.ts';
import { SignalboxError } from '../../errors.ts';
import type { Locate } from '../../internal/document-positions.ts';
import { quoted, quotedList } from '../../internal/quoted.ts';
import { documentError, parseObject, parseText } from '../config-source/parse-document.ts';
import { formatOf, readSourceText } from '../config-source/read-file.ts';
import { CsvProblem, type CsvRow, csvRows } from './csv-rows.ts';
import type { EvalCase } from './eval-case.ts';
import { judge, similar } from './model-scorers.ts';
import type { Scorer } from './scorer.ts';
import { exact, includes, jsonSchema, matches, numeric, toolCall } from './scorers.ts';
import { caseCountProblem, caseProblems, checkSuite, type Suite } from './suite.ts';

/** Files of cases may be longer than configurations: 10,000 prompts of a page. */
const maxCaseFileBytes = 32_000_000;

/** A case, and where it is. */
export type PlacedCase = { readonly data: EvalCase; readonly place: string };

/** Scorers by their name in a document. */
const plain = { exact, includes, matches, jsonSchema, numeric, toolCall } as const;
const ofModels = { similar, judge } as const;

/** Built-in scorers take other arguments too. */
type OptionsOnly = (options: object) => Scorer;

type Found = { readonly scorer?: Scorer; readonly problem?: string };

/** The options that the scorers take in a document, with what each must be. */
const optionTypes: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  exact: { ignoreCase: 'boolean' },
  includes: { ignoreCase: 'boolean' },
  matches: { pattern: 'string' },
  jsonSchema: { schema: 'object' },
  numeric: { tolerance: 'number', relative: 'number' },
  toolCall: {},
  similar: { tier: 'string', atLeast: 'number' },
  judge: { tier: 'string', rubric: 'string', minAgreement: 'number' },
};

const required: Readonly<Record<string, readonly string[]>> = {
  similar: ['tier'],
  judge: ['tier', 'rubric'],
};

function optionsProblem(name: string, options: object): string | undefined {
  const known = { ...optionTypes[name], weight: 'number' };
  for (const [option, value] of Object.entries(options)) {
    const type = Object.hasOwn(known, option) ? Reflect.get(known, option) : undefined;
    if (type === undefined) {
      return `${name} has no option ${quoted(option)}; there is ${quotedList(Object.keys(known))}`;
    }
    if (typeof value !== type) return `${option} of ${name} must be a ${String(type)}`;
  }
  const missing = required[name]?.find((option) => !Object.hasOwn(options, option));
  return missing === undefined ? undefined : `${name} needs the option ${quoted(missing)}`;
}

/** The scorer that an entry of a document names: `exact`, or `{ judge: { tier, rubric } }`. */
function scorerOf(entry: unknown): Found {
  const [name, options = {}, ...more]: readonly unknown[] =
    typeof entry === 'object' && entry !== null ? Object.entries(entry).flat() : [entry];
  if (
    typeof name !== 'string' ||
    more.length > 0 ||
    typeof options !== 'object' ||
    options === null
  ) {
    return { problem: 'must be the name of a scorer, or one name with its options' };
  }
  if (!Object.hasOwn(optionTypes, name)) {
    const names = quotedList(Object.keys(optionTypes));
    return { problem: `there is no scorer ${quoted(name)}; there is ${names}` };
  }
  const problem = optionsProblem(name, options);
  if (problem !== undefined) return { problem };
  if (Object.hasOwn(plain, name))
    return { scorer: (plain[name as keyof typeof plain] as OptionsOnly)(options) };
  return { scorer: ofModels[name as keyof typeof ofModels](options as never) };
}

/** Replaces the names of scorers in a document by the scorers. */
function withScorers(document: object, locate: Locate): object {
  const scorers: unknown = Reflect.get(document, 'scorers');
  if (!Array.isArray(scorers)) return document;
  const found = scorers.map(scorerOf);
  const problems = found.flatMap(({ problem }, index): readonly Problem[] =>
    problem === undefined ? [] : [{ path: ['scorers', index], message: problem }],
  );
  if (problems.length > 0) throw configError(problems, 'suite', locate);
  return { ...document, scorers: found.map(({ scorer }) => scorer) };
}

/** A suite of a document: scorers are names, and `file` is relative to the document. */
export function suiteOfData(document: object, locate: Locate, directory: string): Suite {
  const suite: unknown = withScorers(document, locate);
  checkSuite(suite, locate);
  return suite.file === undefined ? suite : { ...suite, file: resolve(directory, suite.file) };
}

/** Reads a suite from a YAML or JSON file. @throws SignalboxError `config` with path, line and column */
export async function readSuiteFile(path: string): Promise<Suite> {
  const { value, locate } = await parseObject(await readSourceText(path));
  return suiteOfData(value, locate, dirname(resolve(path)));
}

async function readCaseText(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > maxCaseFileBytes) {
      throw documentError(`${path} has more than ${maxCaseFileBytes} bytes`);
    }
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (cause instanceof SignalboxError) throw cause;
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'see cause';
    throw documentError(`${path} cannot be read (${code})`).with({ cause });
  }
}

type Row = { readonly data: unknown; readonly line: number };

/** One JSON object a line. @throws SignalboxError `config` that names the line */
async function jsonLines(text: string, name: string): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const { value, problems } = await parseText({ text: line, format: 'json' });
    const [problem] = problems;
    if (problem !== undefined) {
      throw documentError(
        `${name}:${index + 1}:${problem.position?.column ?? 1} ${problem.message}`,
      );
    }
    rows.push({ data: value, line: index + 1 });
  }
  return rows;
}

const textColumns = ['id', 'prompt', 'expected', 'answer'];
const numberColumns = ['weight', 'label'];
const tagColumn = /^tags?[.:](.+)$/;

/** The case in a row. An empty cell is a field that is not set. */
function caseOfRow(columns: readonly string[], { cells }: CsvRow): EvalCase {
  const fields: Record<string, unknown> = {};
  const tags: Record<string, string> = {};
  for (const [index, column] of columns.entries()) {
    const cell = cells[index] ?? '';
    if (cell === '') continue;
    const tag = tagColumn.exec(column)?.[1];
    if (tag !== undefined) tags[tag] = cell;
    else fields[column] = numberColumns.includes(column) ? Number(cell) : cell;
  }
  return { ...fields, ...(Object.keys(tags).length > 0 && { tags }) };
}

/** A row of names, then one case a row. @throws SignalboxError `config` that names the line */
function csvCases(text: string, name: string): readonly Row[] {
  try {
    const [head, ...rows] = csvRows(text);
    const columns = head?.cells.map((cell) => cell.trim()) ?? [];
    const unknown = columns.find(
      (each) => ![...textColumns, ...numberColumns].includes(each) && !tagColumn.test(each),
    );
    const twice = columns.find((each, index) => columns.indexOf(each) !== index);
    if (twice !== undefined) {
      throw documentError(`${name}:1 has two columns ${quoted(twice)}`);
    }
    if (unknown !== undefined) {
      const known = quotedList([...textColumns, ...numberColumns, 'tags.<name>']);
      throw documentError(`${name}:1 has a column ${quoted(unknown)}; there is ${known}`);
    }
    return rows.map((row) => {
      if (row.cells.length === columns.length)
        return { data: caseOfRow(columns, row), line: row.line };
      const problem = `has ${row.cells.length} cells, and the first line has ${columns.length}`;
      throw new CsvProblem(row.line, problem);
    });
  } catch (error) {
    if (!(error instanceof CsvProblem)) throw error;
    throw documentError(`${name}:${error.line} ${error.message}`);
  }
}

/** A list of cases, or an object with `cases`. */
async function documentCases(
  text: string,
  format: 'yaml' | 'json',
  name: string,
): Promise<readonly Row[]> {
  const { value, problems, locate } = await parseText({ text, format, name });
  if (problems.length > 0) throw configError(problems, 'file of cases', locate);
  const base = Array.isArray(value) ? [] : ['cases'];
  const list: unknown = Array.isArray(value) ? value : Reflect.get(Object(value), 'cases');
  if (!Array.isArray(list)) throw documentError(`${name} must be a list of cases`);
  return list.map((data: unknown, index) => ({ data, line: locate([...base, index])?.line ?? 1 }));
}

/** Reads a file of cases. @throws SignalboxError `config` that lists the problems with their lines */
async function readCases(path: string): Promise<readonly PlacedCase[]> {
  const name = basename(path);
  const extension = extname(path).toLowerCase();
  const format = formatOf(path);
  const text = await readCaseText(path);
  let rows: readonly Row[];
  if (format !== undefined) rows = await documentCases(text, format, name);
  else if (extension === '.csv') rows = csvCases(text, name);
  else if (extension === '.jsonl' || extension === '.ndjson') rows = await jsonLines(text, name);
  else throw documentError(`${path} must end with .yaml, .yml, .json, .jsonl or .csv`);
  const count = caseCountProblem(rows.length);
  if (count !== undefined) throw documentError(`${name} ${count}`);
  const problems = rows.flatMap(({ data, line }) =>
    caseProblems(data).map((problem) => ({
      ...problem,
      position: { document: name, line, column: 1 },
    })),
  );
  if (problems.length > 0) throw configError(problems, 'case');
  return rows.map(({ data, line }) => ({ data: data as EvalCase, place: `${name}:${line}` }));
}

/** The cases of a suite, from its file if it has one. */
export async function casesOf({ cases, file }: Suite): Promise<readonly PlacedCase[]> {
  if (file !== undefined) return await readCases(file);
  return (cases ?? []).map((data, index) => ({ data, place: `cases[${index}]` }));
}
