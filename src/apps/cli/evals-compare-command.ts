import { evalTag } from '../../internal/eval-tag.ts';
import type { TargetsCompared } from '../evals/compare-targets.ts';
import type { CommandResult } from './command-result.ts';
import { usdOf } from './evals-arguments.ts';
import { usdText } from './evals-verdict.ts';
import { eventLinesOf } from './event-lines.ts';
import { openEvals } from './open-evals.ts';
import { type Notes, ProgressNotes } from './progress-notes.ts';
import { indented, styled, type Terminal, wrap } from './terminal.ts';
import { fileOf, parseOptions, UsageProblem } from './usage-problem.ts';

const help = `signalbox evals compare <module or file> --current <target>
--candidate <target>: has a cheaper target caught up?

  <module or file>      as for signalbox evals run
  --config <file>       the same as <module or file>
  --current <target>    the target that answers now, such as openai/gpt-5.4
  --candidate <target>  the target that may replace it
  --suite <name>        only this suite; repeatable
  --margin <n>          how much worse the score may be (default: 0.02)
  --calls <n>           calls a month, to say what would be saved
  --report <file>       JSON lines of events, as for signalbox report: the
                        saving on what the current target has cost in them
  --fresh               run the suites for both targets first
  --max-usd <n>         stop such a run before it costs more
  --json                print the comparison as JSON

Uses the results of finished runs. A suite without a run of both targets is
run: the calls are real and are billed.
Exit code 0: yes for every suite, 1: no, or not enough data, 2: could not run.`;

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;

const options = {
  config: text,
  current: text,
  candidate: text,
  suite: { type: 'string', multiple: true },
  margin: text,
  calls: text,
  report: text,
  fresh: flag,
  'max-usd': text,
  json: flag,
  help: { type: 'boolean', short: 'h' },
} as const;

/** @throws UsageProblem */
function numberOf(name: string, value: string | undefined, max: number): number | undefined {
  if (value === undefined) return undefined;
  const number = value.trim() === '' ? Number.NaN : Number(value);
  if (number > 0 && number <= max) return number;
  throw new UsageProblem(`--${name}: must be a number above 0, and at most ${max}`);
}

/** @throws UsageProblem */
function targetOf(name: string, value: string | undefined): string {
  if (value !== undefined && value !== '') return value;
  throw new UsageProblem(`--${name}: a target is required\n\n${help}`);
}

/** What the current target has cost. */
type Traffic = {
  readonly calls: number;
  /** US dollars. `undefined`: as much as calls of the suite cost. */
  readonly usd?: number;
  /** Days between the first and the last event. `undefined` for a month. */
  readonly days?: number;
};

const dayMs = 86_400_000;
const daysPerMonth = 365.25 / 12;

/** The billed attempts of a target in a file of events, without those of evals and drills. */
async function trafficIn(path: string, target: string): Promise<Traffic> {
  let [calls, usd, first, last] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for await (const line of eventLinesOf(path)) {
    if (!('event' in line)) continue;
    const { event } = line;
    first = Math.min(first, event.at);
    last = Math.max(last, event.at);
    if (event.type !== 'cost' || event.target !== target || event.usd === null) continue;
    if (event.drill !== undefined || Object.hasOwn(event.tags, evalTag)) continue;
    calls += 1;
    usd += event.usd;
  }
  if (calls > 0) return { calls, usd, days: (last - first) / dayMs };
  throw new UsageProblem(`--report: ${path} has no costs of ${target}`);
}

/** What would be saved, in US dollars. Negative if the candidate costs more. */
type Saving = {
  readonly calls: number;
  readonly usdNow: number;
  readonly savedUsd: number;
  /** Absent for traffic of less than a day. */
  readonly savedUsdPerMonth?: number;
};

function savingOf({ current, candidate }: TargetsCompared, traffic: Traffic): Saving | undefined {
  const [now, then] = [current.usdPerCall, candidate.usdPerCall];
  if (now === null || then === null || now <= 0) return undefined;
  const { calls, usd = calls * now, days } = traffic;
  const savedUsd = usd * (1 - then / now);
  const months = days === undefined ? 1 : days / daysPerMonth;
  const isKnown = days === undefined || days >= 1;
  return {
    ...{ calls, usdNow: usd, savedUsd },
    ...(isKnown && { savedUsdPerMonth: savedUsd / months }),
  };
}

type Compared = TargetsCompared & { readonly saving?: Saving };

function points(share: number): string {
  return `${share < 0 ? '-' : '+'}${Math.abs(share * 100).toFixed(1)}`;
}

function answerText({ answer, reason, cases, casesNeeded }: TargetsCompared): string {
  if (answer !== 'not enough data') return answer;
  if (reason !== undefined) return `${answer}: ${reason}`;
  if (cases === 0) return `${answer}: no case was answered by both`;
  return casesNeeded === undefined
    ? `${answer}: the difference is too near to the margin`
    : `${answer}: about ${casesNeeded} cases are needed, there are ${cases}`;
}

function priceText({ current, candidate }: TargetsCompared): string {
  const [now, then] = [current.usdPerCall, candidate.usdPerCall];
  const texts = `${usdText(now)} and ${usdText(then)} a call`;
  if (now === null || then === null || now <= 0) return texts;
  const percent = Math.abs((1 - then / now) * 100).toFixed(0);
  return `${texts}: ${percent} % ${then <= now ? 'less' : 'more'}`;
}

function savingText({ calls, usdNow, savedUsd, savedUsdPerMonth }: Saving): string {
  const [verb, amount] = savedUsd < 0 ? ['costs', -savedUsd] : ['saves', savedUsd];
  const month =
    savedUsdPerMonth === undefined ? '' : `, ${usdText(Math.abs(savedUsdPerMonth))} a month`;
  const more = savedUsd < 0 ? ' more than' : ' of';
  return `${verb} ${usdText(amount)}${more} ${usdText(usdNow)} for ${calls} calls${month}`;
}

const listedCases = 10;

function casesText(what: string, cases: TargetsCompared['worse']): readonly string[] {
  if (cases.length === 0) return [];
  const listed = cases
    .slice(0, listedCases)
    .map(({ id, current, candidate }) => `${id} ${current.toFixed(2)} -> ${candidate.toFixed(2)}`);
  const more = cases.length > listedCases ? `, and ${cases.length - listedCases} more` : '';
  return [`${what}: ${listed.join(', ')}${more}`];
}

function format(compared: Compared, terminal: Terminal): string {
  const { suite, runs, cases, current, candidate, margin, difference, interval } = compared;
  const title = `suite ${suite}: can ${candidate.target} replace ${current.target}?`;
  const style = compared.answer === 'yes' ? 'green' : compared.answer === 'no' ? 'red' : 'yellow';
  const lines = [
    ...(cases === 0
      ? []
      : [
          `score ${current.score?.toFixed(3)} and ${candidate.score?.toFixed(3)}: ${points(difference)} points (90 %: ${points(interval.low)} to ${points(interval.high)}), margin ${(margin * 100).toFixed(1)}`,
          `${cases} cases, ${runs} ${runs === 1 ? 'run' : 'runs'}`,
          priceText(compared),
        ]),
    ...(compared.saving === undefined ? [] : [savingText(compared.saving)]),
    ...casesText('worse', compared.worse),
    ...casesText('better', compared.better),
  ];
  return [
    styled('bold', wrap(title, terminal.columns).join('\n'), terminal),
    styled(style, indented(answerText(compared), 2, terminal), terminal),
    ...lines.map((line) => indented(line, 2, terminal)),
  ].join('\n');
}

/**
 * `signalbox evals compare`: whether a cheaper target has caught up with another one, and what it would save.
 * @throws UsageProblem, or SignalboxError `config`, if they cannot be compared
 */
export async function compareEvalsCommand(
  args: readonly string[],
  terminal: Terminal,
  notes: Notes,
): Promise<CommandResult> {
  const { values, positionals } = parseOptions(args, options);
  if (values.help === true) return { exitCode: 0, output: help, problem: '' };
  const file = fileOf(values.config, positionals, help);
  const current = targetOf('current', values.current);
  const candidate = targetOf('candidate', values.candidate);
  const pair = { current, candidate, margin: numberOf('margin', values.margin, 1) };
  const calls = numberOf('calls', values.calls, 1e12);
  const maxUsd = usdOf(values['max-usd']);
  if (calls !== undefined && values.report !== undefined) {
    throw new UsageProblem('--calls and --report exclude each other');
  }
  const traffic =
    values.report === undefined
      ? calls === undefined
        ? undefined
        : { calls }
      : await trafficIn(values.report, current);
  const evals = await openEvals(file);
  let compared = await evals.compare({ ...pair, suites: values.suite });
  const suites = compared
    .filter(({ runs }) => values.fresh === true || runs === 0)
    .map(({ suite }) => suite);
  if (suites.length > 0) {
    const progress = new ProgressNotes(notes);
    await evals
      .run({
        ...{ suites, targets: [current, candidate], fresh: values.fresh === true, maxUsd },
        onProgress: ({ suite, done, total, usd }) =>
          progress.show({ label: suite, done, total, suffix: usdText(usd) }),
      })
      .finally(() => progress.end());
    compared = await evals.compare({ ...pair, suites: values.suite });
  }
  const found = compared.map((each): Compared => {
    const saving = traffic === undefined ? undefined : savingOf(each, traffic);
    return { ...each, ...(saving !== undefined && { saving }) };
  });
  const isYes = found.every(({ answer }) => answer === 'yes');
  const output =
    values.json === true
      ? JSON.stringify({ ok: isYes, compared: found }, null, 2)
      : found.map((each) => format(each, terminal)).join('\n\n');
  return { exitCode: isYes ? 0 : 1, output, problem: '' };
}
