import { fileOf, parseOptions, UsageProblem } from './usage-problem.ts';

export type EvalsArguments = {
  readonly file: string;
  readonly targets: readonly string[] | undefined;
  readonly maxUsd: number | undefined;
  readonly mode: 'run' | 'dry-run';
  readonly start: 'go-on' | 'fresh';
  readonly baseline: string | undefined;
  readonly afterwards: 'update-baseline' | 'nothing';
  /** The file of a JUnit report. */
  readonly junit: string | undefined;
  readonly format: 'table' | 'json' | 'markdown';
};

export const evalsHelp = `signalbox evals run <module or file>: ask every target the cases of the suites,
score the answers, and compare them with the baseline
signalbox evals compare --help: can a cheaper target replace another one?
signalbox evals watch --help: run the suites on their schedule

  <module or file>      YAML or JSON file with providers and evals, or a module
                        that exports what createEvals returns, as "evals" or
                        by default
  --config <file>       the same as <module or file>
  --targets <list>      only these targets, with commas between them; repeatable
  --baseline <file>     compare with this file instead of the configured one
  --update-baseline     add the runs to the baseline, except regressions
  --max-usd <n>         stop before the runs cost more; the next run goes on
  --dry-run             only say what a run would take, in calls, US dollars and
                        time
  --fresh               start over instead of going on with an unfinished run
  --junit <file>        also write a JUnit report
  --markdown            print Markdown, for a pull request
  --json                print the report as JSON

The calls are real and are billed. A run that is interrupted goes on the next
time, without asking again what is recorded.
Exit code 0: no regression, 1: a target regressed, or its score could not be
determined, 2: could not run.`;

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;

const options = {
  config: text,
  targets: { type: 'string', multiple: true },
  baseline: text,
  'update-baseline': flag,
  'max-usd': text,
  'dry-run': flag,
  fresh: flag,
  junit: text,
  markdown: flag,
  json: flag,
  help: { type: 'boolean', short: 'h' },
} as const;

/** The dollars of `--max-usd`. @throws UsageProblem */
export function usdOf(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const usd = value.trim() === '' ? Number.NaN : Number(value);
  if (usd > 0 && usd < Number.POSITIVE_INFINITY) return usd;
  throw new UsageProblem('--max-usd: must be a positive number of US dollars');
}

/** Parses the arguments; `undefined` for `--help`. @throws UsageProblem */
export function parseEvalsArguments(args: readonly string[]): EvalsArguments | undefined {
  const { values, positionals } = parseOptions(args, options);
  if (values.help === true) return undefined;
  const [action, ...files] = positionals;
  if (action !== 'run') {
    throw new UsageProblem(`the actions are run, compare and watch\n\n${evalsHelp}`);
  }
  const { json, markdown } = values;
  if (json === true && markdown === true) {
    throw new UsageProblem('--json and --markdown exclude each other');
  }
  return {
    file: fileOf(values.config, files, evalsHelp),
    targets: values.targets?.flatMap((list) => list.split(',')).map((target) => target.trim()),
    maxUsd: usdOf(values['max-usd']),
    mode: values['dry-run'] === true ? 'dry-run' : 'run',
    start: values.fresh === true ? 'fresh' : 'go-on',
    baseline: values.baseline,
    afterwards: values['update-baseline'] === true ? 'update-baseline' : 'nothing',
    junit: values.junit,
    format: json === true ? 'json' : markdown === true ? 'markdown' : 'table',
  };
}
