import { existsSync, readFileSync } from 'node:fs';
import { SignalboxError } from '../../errors.ts';
import { fileProblemOf } from '../../internal/local-file.ts';
import { replaceFile } from './run-file.ts';
import { isCounted, type RunResult, type TargetResult } from './run-result.ts';

/** Runs that a baseline must have before anything is compared with it: fewer do not show which cases are flaky. */
export const minBaselineRuns = 3;

/** Runs that are kept of each target: the latest ones. */
const maxBaselineRuns = 10;

/** The scores of one case in the runs of a baseline. */
type BaselineCase = {
  /** Changes with everything that its score depends on. */
  readonly hash: string;
  /** One for each run, in order. `null` if the run has none. */
  readonly scores: readonly (number | null)[];
};

type BaselineTarget = {
  /** The runs, oldest first. */
  readonly runs: readonly string[];
  readonly cases: Readonly<Record<string, BaselineCase>>;
};

/** What later runs are compared with: the scores of some runs, by suite and target. Plain data, in one file. */
export type Baseline = {
  readonly version: 1;
  readonly suites: Readonly<Record<string, Readonly<Record<string, BaselineTarget>>>>;
};

const empty: Baseline = { version: 1, suites: {} };

/** Reads the baseline; an empty one if there is no file. @throws SignalboxError `config` */
export function readBaseline(path: string | undefined): Baseline {
  if (path === undefined || !existsSync(path)) return empty;
  let baseline: Baseline;
  try {
    baseline = JSON.parse(readFileSync(path, 'utf8')) as Baseline;
  } catch (cause) {
    throw new SignalboxError('config', fileProblemOf('read', path, cause), { cause });
  }
  const isBaseline =
    baseline?.version === 1 && typeof baseline.suites === 'object' && baseline.suites !== null;
  if (!isBaseline)
    throw new SignalboxError('config', `${path} is not a baseline of signalbox evals`);
  return baseline;
}

/** Adds a run to what is known of a target. Scores of a case that has changed since are dropped. */
function withRun(
  before: BaselineTarget | undefined,
  run: string,
  { cases }: TargetResult,
): BaselineTarget {
  if (before?.runs.includes(run)) return before;
  const { runs = [], cases: known = {} } = before ?? {};
  const first = Math.max(0, runs.length + 1 - maxBaselineRuns);
  const entries = cases.map(({ id, hash, score }) => {
    const old = Object.hasOwn(known, id) ? known[id] : undefined;
    const scores = old?.hash === hash ? old.scores : runs.map(() => null);
    return [id, { hash, scores: [...scores, score].slice(first) }] as const;
  });
  return { runs: [...runs, run].slice(first), cases: Object.fromEntries(entries) };
}

/** The baseline with a run more. A target without a score adds nothing. */
export function withResult(baseline: Baseline, result: RunResult): Baseline {
  if (!isCounted(result)) return baseline;
  const before = baseline.suites[result.suite] ?? {};
  const after = result.targets
    .filter(({ score }) => score !== undefined)
    .map((each) => [each.target, withRun(before[each.target], result.run, each)] as const);
  const suite = { ...before, ...Object.fromEntries(after) };
  return { version: 1, suites: { ...baseline.suites, [result.suite]: suite } };
}

/** Sorted by name, with one line for each case. */
function sortedLines(value: object, margin: string, depth: number): string {
  const lines = Object.keys(value)
    .sort((a, b) => (a < b ? -1 : 1))
    .map((name) => {
      const each: unknown = Reflect.get(value, name);
      const isNested =
        depth > 0 && typeof each === 'object' && each !== null && !Array.isArray(each);
      const text = isNested ? sortedLines(each, `${margin}  `, depth - 1) : JSON.stringify(each);
      return `${margin}  ${JSON.stringify(name)}: ${text}`;
    });
  return lines.length === 0 ? '{}' : `{\n${lines.join(',\n')}\n${margin}}`;
}

/** The levels above a case: suites, suite, target, cases. */
const caseDepth = 4;

export function writeBaseline(path: string, baseline: Baseline): void {
  replaceFile(path, `${sortedLines(baseline, '', caseDepth)}\n`);
}

/** The scores of a target's baseline, one map for each run, for the cases that are still the same. */
export function baselineRuns(
  baseline: Baseline,
  suite: string,
  { target, cases }: TargetResult,
): readonly ReadonlyMap<string, number>[] {
  const known = baseline.suites[suite]?.[target];
  if (known === undefined) return [];
  const same = cases.filter(({ id, hash }) => known.cases[id]?.hash === hash);
  return known.runs.map(
    (_, index) =>
      new Map(
        same.flatMap(({ id }) => {
          const score = known.cases[id]?.scores[index];
          return typeof score === 'number' ? [[id, score] as const] : [];
        }),
      ),
  );
}

/** The latest run in the baseline of a target, by its name, which is its time. */
export function latestBaselineRun(baseline: Baseline, suite: string, target: string): string {
  return baseline.suites[suite]?.[target]?.runs.at(-1) ?? '';
}
