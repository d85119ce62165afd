import { isSignalboxError, SignalboxError, summarizeError } from '../../errors.ts';
import { quoted, quotedList } from '../../internal/quoted.ts';
import { timestamp } from '../../internal/timestamp.ts';
import type { Router } from '../../protocol/router.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import { systemRuntime } from '../../runtime.ts';
import { readBaseline, withResult, writeBaseline } from './baseline.ts';
import { checkOptionNames } from './check-options.ts';
import { compareRun, type RunReport } from './compare-run.ts';
import { compareTargets, hasTargets, type TargetsCompared } from './compare-targets.ts';
import { DriftWatch } from './drift-watch.ts';
import { emitEnd, emitOf, ofRouter } from './emit.ts';
import { Estimator, type SuiteEstimate } from './estimate.ts';
import { type LoadedSuite, loadSuite } from './loaded-suite.ts';
import { type RecordedRun, RunDirectory } from './run-file.ts';
import type { RunHeader } from './run-record.ts';
import type { RunResult } from './run-result.ts';
import { type EvalProgress, runSuite, type Unfinished } from './run-suite.ts';
import { parseSchedule, Scheduler } from './schedule.ts';
import type { Suite } from './suite.ts';
import { summarize } from './summarize.ts';

export type EvalsOptions = {
  /** Suites, or files of suites: `.yaml`, `.yml` or `.json`. */
  readonly suites: readonly (Suite | string)[];
  /** The file of what runs are compared with. @default none: runs are only reported */
  readonly baseline?: string | undefined;
  /** The directory of the results: one file for each run. */
  readonly results: string;
  /** Requests at once, for each target. @default 4 */
  readonly concurrency?: number | undefined;
  /**
   * A cron expression, such as `0 3 * * 1` for Mondays at three: when `start()` runs the suites. Needs the package `croner`.
   * @default none
   */
  readonly schedule?: string | undefined;
  /** The time zone of the schedule, such as `Europe/Berlin`. @default the system's */
  readonly timeZone?: string | undefined;
  /**
   * What happens to a target that answers worse than its baseline. `report`: the event `drift-detected`. `demote`: it is also
   * demoted, unless a tier of it has no other healthy target, until two clean runs.
   * @default 'report'
   */
  readonly onDrift?: 'report' | 'demote' | undefined;
  /** Clock and timers of the runs and of the schedule. @default the system's */
  readonly runtime?: Runtime | undefined;
};

export type EvalRunOptions = {
  /** Only these suites, by name. @default all */
  readonly suites?: readonly string[] | undefined;
  /** Only these targets. @default all targets of the suite's tier */
  readonly targets?: readonly string[] | undefined;
  /**
   * What the run may cost, US dollars, all suites together. It stops before the answer that would exceed it, and goes on
   * from there the next time. Answers that are longer than expected may exceed it, at most those in flight.
   * @default no limit
   */
  readonly maxUsd?: number | undefined;
  /** Starts new runs, also if there are unfinished ones. @default false */
  readonly fresh?: boolean | undefined;
  /** Another file than that of `createEvals`. */
  readonly baseline?: string | undefined;
  /** Aborts the run: it fails with `aborted`, and goes on the next time. */
  readonly signal?: AbortSignal | undefined;
  /** Called for each answer. */
  readonly onProgress?: ((progress: EvalProgress) => void) | undefined;
};

/** What a run found. Plain data. */
export type EvalReport = {
  /** Finished runs, in the order of the suites. */
  readonly reports: readonly RunReport[];
  /** Runs that stopped early, and go on the next time. */
  readonly unfinished: readonly (Unfinished & { readonly suite: string })[];
  /** US dollars that this run has cost, without what unfinished ones cost before. */
  readonly usd: number;
};

export type CompareOptions = {
  /** The target that answers now. */
  readonly current: string;
  /** The target that may replace it. */
  readonly candidate: string;
  /** Only these suites, by name. @default those whose tier has both targets */
  readonly suites?: readonly string[] | undefined;
  /** How much worse the mean score of the candidate may be, from 0 to 1. @default 0.02 */
  readonly margin?: number | undefined;
};

export interface Evals {
  /** The router whose targets are asked. */
  readonly router: Router;
  /**
   * Asks every target of the suites' tiers every case, scores the answers, and compares the scores with the baseline. It
   * goes on with unfinished runs of the same suites, without asking again what is recorded.
   *
   * Calls have the priority `low` and the tag `eval`, go to one target without failover, and are not cached. Emits
   * `eval-end` for each target, `drift-detected` and `drift-cleared`.
   *
   * @throws SignalboxError `config` that lists what is wrong with a suite, or names a judge that does not agree with the
   * labelled cases, or while the suite runs already; `aborted`; `closed`
   */
  run(options?: EvalRunOptions): Promise<EvalReport>;
  /** What `run` would take, for each suite. Sends nothing. */
  estimate(
    options?: Pick<EvalRunOptions, 'targets' | 'suites' | 'fresh'>,
  ): Promise<readonly SuiteEstimate[]>;
  /**
   * Runs the suites at the times of `schedule` until `stop()`, one run after the other. At once if an unfinished run is
   * there, or if a time has passed since the latest run. Demotes again what has drifted. A run that fails emits `eval-failed`.
   * The process stays alive.
   * @throws SignalboxError `config` without a `schedule`
   */
  start(options?: Pick<EvalRunOptions, 'targets' | 'maxUsd' | 'onProgress'>): Promise<void>;
  /** Ends the schedule. A run in progress is aborted, and goes on the next time. */
  stop(): Promise<void>;
  /** When the schedule runs the suites next, epoch milliseconds. `undefined` while it is stopped. */
  nextRun(): number | undefined;
  /**
   * Has the candidate caught up with the current target? Compares their answers to the same cases in the latest finished
   * runs of each suite. It sends nothing: run the suites first.
   * @throws SignalboxError `config` if no suite has both targets
   */
  compare(options: CompareOptions): Promise<readonly TargetsCompared[]>;
  /** The results of the finished runs of all suites, oldest first. */
  results(): Promise<readonly RunResult[]>;
  /** Adds runs to the baseline, which keeps the latest ten of each target. Returns how many runs each target has then. */
  updateBaseline(
    results: readonly RunResult[],
    options?: Pick<EvalRunOptions, 'baseline'>,
  ): readonly { readonly suite: string; readonly target: string; readonly runs: number }[];
}

const evalsOptionNames = {
  ...{ suites: true, baseline: true, results: true, concurrency: true, runtime: true },
  ...{ schedule: true, timeZone: true, onDrift: true },
} as const satisfies Record<keyof EvalsOptions, true>;
const runOptionNames = {
  ...{ suites: true, targets: true, maxUsd: true, fresh: true, baseline: true, signal: true },
  onProgress: true,
} as const satisfies Record<keyof EvalRunOptions, true>;

const defaultConcurrency = 4;

/** A suite that is ready to run: its targets, and the run that it goes on with. */
type Prepared = {
  readonly suite: LoadedSuite;
  readonly directory: RunDirectory;
  readonly targets: readonly string[];
  readonly unfinished: RecordedRun | undefined;
  readonly earlier: readonly RunResult[];
  readonly estimator: Estimator;
};

function isSameList(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((each) => right.includes(each));
}

function checkNumber(
  name: string,
  value: number | undefined,
  isValid: (value: number) => boolean,
): void {
  if (value === undefined || (typeof value === 'number' && isValid(value))) return;
  throw new SignalboxError('config', `${name} must be a positive number`);
}

/**
 * Runs suites of cases against the targets of a router.
 * @throws SignalboxError `config` for invalid options
 */
export function createEvals<
  const Tier extends string,
  const Provider extends string,
  const Strategy extends string = never,
>(typedRouter: Router<Tier, Provider, Strategy>, options: EvalsOptions): Evals {
  // Names of tiers and targets are data here, and checked at run time.
  const router = typedRouter as unknown as Router;
  const { suites, results, concurrency = defaultConcurrency, runtime = systemRuntime } = options;
  const { schedule, timeZone, onDrift = 'report' } = options;
  checkOptionNames('createEvals()', options, evalsOptionNames);
  if (!Array.isArray(suites) || suites.length === 0) {
    throw new SignalboxError(
      'config',
      'createEvals().suites must be a list of suites, or of their files',
    );
  }
  if (typeof results !== 'string' || results === '') {
    throw new SignalboxError('config', 'createEvals().results must be the path of a directory');
  }
  checkNumber(
    'createEvals().concurrency',
    concurrency,
    (each) => Number.isInteger(each) && each > 0,
  );
  if (onDrift !== 'report' && onDrift !== 'demote') {
    throw new SignalboxError('config', "createEvals().onDrift must be 'report' or 'demote'");
  }
  const scheduler =
    schedule === undefined ? undefined : new Scheduler(parseSchedule(schedule, timeZone), runtime);
  const emit = emitOf(router);
  const drift = new DriftWatch(router, results, onDrift, emit);
  const now = (): number => Math.round(runtime.now());

  /** All suites, or those of these names. */
  async function load(only?: readonly string[]): Promise<readonly LoadedSuite[]> {
    const loaded: LoadedSuite[] = [];
    for (const suite of suites) loaded.push(await loadSuite(suite));
    const names = loaded.map(({ name }) => name);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) {
      throw new SignalboxError('config', `two suites have the name ${quoted(twice)}`);
    }
    const missing = only?.find((each) => !names.includes(each));
    if (missing === undefined) return loaded.filter(({ name }) => only?.includes(name) ?? true);
    const known = quotedList(names);
    throw new SignalboxError('config', `there is no suite ${quoted(missing)}; there is ${known}`);
  }

  async function prepare({
    targets: only,
    suites: onlySuites,
    fresh = false,
  }: EvalRunOptions): Promise<readonly Prepared[]> {
    const loaded = await load(onlySuites);
    const description = await router.describe();
    const snapshot = router.snapshot();
    const unknown = new Set(only);
    const prepared = loaded.map((suite): Prepared => {
      const tier = description.tiers.find(({ name }) => name === suite.tier);
      if (tier === undefined) {
        const known = quotedList(description.tiers.map(({ name }) => name));
        const problem = `suite "${suite.name}": there is no tier ${quoted(suite.tier)}; there is ${known}`;
        throw new SignalboxError('config', problem);
      }
      const all = [...tier.targets, ...tier.fallbackTargets].map(({ target }) => target);
      const own = tier.targets.map(({ target }) => target);
      const targets = [
        ...new Set(only === undefined ? own : all.filter((each) => only.includes(each))),
      ];
      for (const target of targets) unknown.delete(target);
      const directory = new RunDirectory(results, suite.name, () => runtime.now());
      const latest = fresh ? undefined : directory.unfinished();
      const isSame =
        latest?.header.fingerprint === suite.fingerprint &&
        isSameList(latest.header.targets, targets);
      const earlier = directory.results();
      const estimator = new Estimator(suite, description, snapshot, earlier);
      return {
        suite,
        directory,
        targets,
        unfinished: isSame ? latest : undefined,
        earlier,
        estimator,
      };
    });
    const [target] = unknown;
    if (target === undefined) return prepared.filter(({ targets }) => targets.length > 0);
    throw new SignalboxError('config', `targets: no tier of the suites has ${quoted(target)}`);
  }

  function headerOf({ suite, targets, unfinished, directory }: Prepared): RunHeader {
    if (unfinished !== undefined) return unfinished.header;
    // Names sort by time, and no two runs have the same one.
    const latest = directory.latestRunAt();
    const at = latest === undefined ? now() : Math.max(now(), latest + 1);
    const { name, tier, fingerprint, samples } = suite;
    const run = timestamp(at).replaceAll(':', '-');
    return { type: 'run', version: 1, run, suite: name, tier, fingerprint, targets, samples };
  }

  async function runScheduled(runOptions: EvalRunOptions): Promise<'go-on' | 'end'> {
    try {
      await run(runOptions);
    } catch (error) {
      if (runOptions.signal?.aborted || isSignalboxError(error, 'closed')) return 'end';
      const failure = isSignalboxError(error)
        ? error
        : new SignalboxError('config', `the run failed: ${String(error)}`);
      emit({ type: 'eval-failed', ...ofRouter, error: summarizeError(failure) });
    }
    return 'go-on';
  }

  async function run(runOptions: EvalRunOptions = {}): Promise<EvalReport> {
    const { maxUsd = Number.POSITIVE_INFINITY, signal, onProgress = () => undefined } = runOptions;
    checkOptionNames('evals.run()', runOptions, runOptionNames);
    checkNumber('maxUsd', maxUsd, (each) => each > 0);
    const prepared = await prepare(runOptions);
    const baseline = readBaseline(runOptions.baseline ?? options.baseline);
    const names = (await load()).map(({ name }) => name);
    await drift.apply(names);
    const reports: RunReport[] = [];
    const unfinished: EvalReport['unfinished'][number][] = [];
    let usd = 0;
    for (const each of prepared) {
      const { suite, directory, targets, estimator, earlier } = each;
      const unpriced = estimator.unpriced(targets);
      if (maxUsd !== Number.POSITIVE_INFINITY && unpriced !== undefined) {
        const problem = `maxUsd: the price of ${unpriced} is unknown; set it in "prices", or leave it out`;
        throw new SignalboxError('config', problem);
      }
      const header = headerOf(each);
      const file = directory.open(header);
      try {
        const outcome = await runSuite(suite, Object.assign(file, { targets: header.targets }), {
          ...{ router, runtime, concurrency, signal, onProgress },
          maxUsd: maxUsd - usd,
          expectedUsd: (target, testCase) => estimator.expectedUsd(target, testCase),
        });
        usd += outcome.usd;
        if (outcome.unfinished !== undefined) {
          unfinished.push({ suite: suite.name, ...outcome.unfinished });
          continue;
        }
        const result = summarize(suite, header, outcome.records);
        file.finish(result);
        const sees = estimator.sees(suites.length);
        const report = { ...compareRun(result, earlier, baseline, suites.length), sees };
        emitEnd(emit, report);
        await drift.update(report, names);
        reports.push(report);
      } finally {
        file.close();
      }
    }
    return { reports, unfinished, usd };
  }

  function casesLeft({ suite, targets, unfinished }: Prepared) {
    const done = new Set(
      (unfinished?.records ?? []).flatMap((each) =>
        each.type === 'answer' || each.type === 'failure'
          ? [JSON.stringify([each.target, each.case, each.sample])]
          : [],
      ),
    );
    return new Map(
      targets.map((target) => [
        target,
        suite.cases.flatMap((each) =>
          Array.from({ length: suite.samples }, (_, index) => index + 1)
            .filter((sample) => !done.has(JSON.stringify([target, each.id, sample])))
            .map(() => each),
        ),
      ]),
    );
  }

  return {
    router,
    run,
    async start(runOptions = {}) {
      if (scheduler === undefined) {
        throw new SignalboxError('config', 'there is no time to run at: set "schedule"');
      }
      const names = (await load()).map(({ name }) => name);
      await drift.apply(names);
      const directories = names.map((name) => new RunDirectory(results, name, now));
      const isInterrupted = directories.some((each) => each.unfinished() !== undefined);
      // A suite that never ran waits for its time, too: a start must not be a surprise on the bill.
      const since = Math.min(...directories.map((each) => each.latestRunAt() ?? now()));
      scheduler.start(isInterrupted ? 'at-once' : since, (signal) =>
        runScheduled({ ...runOptions, signal }),
      );
    },
    async stop() {
      await scheduler?.stop();
    },
    nextRun: () => scheduler?.nextAt,
    async compare({ current, candidate, suites: only, margin }) {
      const loaded = await load(only);
      const known = await router.describe();
      const compared = loaded
        .filter(({ tier }) => hasTargets(known, tier, [current, candidate]))
        .map((suite) => {
          const directory = new RunDirectory(results, suite.name, now);
          const runs = directory
            .results()
            .filter(({ fingerprint }) => fingerprint === suite.fingerprint);
          return compareTargets(suite, runs, { current, candidate, margin });
        });
      if (compared.length > 0) return compared;
      const which = `${quoted(current)} and ${quoted(candidate)}`;
      throw new SignalboxError(
        'config',
        `no suite${only === undefined ? '' : ' of these'} has ${which} in its tier`,
      );
    },
    async estimate(runOptions = {}) {
      const prepared = await prepare(runOptions);
      return prepared.map((each) =>
        each.estimator.estimate(
          casesLeft(each),
          concurrency,
          each.unfinished?.header.run,
          suites.length,
        ),
      );
    },
    async results() {
      const loaded = await load();
      return loaded
        .flatMap(({ name }) => new RunDirectory(results, name, now).results())
        .sort((a, b) => (a.run < b.run ? -1 : 1));
    },
    updateBaseline(added, { baseline: path = options.baseline } = {}) {
      if (path === undefined) {
        throw new SignalboxError('config', 'there is no file for the baseline: set "baseline"');
      }
      const next = added.reduce(withResult, readBaseline(path));
      writeBaseline(path, next);
      return added.flatMap(({ suite, targets }) =>
        targets.map(({ target }) => ({
          ...{ suite, target },
          runs: next.suites[suite]?.[target]?.runs.length ?? 0,
        })),
      );
    },
  };
}
