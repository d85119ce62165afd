import { SignalboxError } from '../../errors.ts';
import { emitEvent } from '../../internal/emit-event.ts';
import { quoted, quotedList } from '../../internal/quoted.ts';
import { timestamp } from '../../internal/timestamp.ts';
import type { RouterEvents } from '../../protocol/events.ts';
import type { Router } from '../../protocol/router.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import { systemRuntime } from '../../runtime.ts';
import { readBaseline, withResult, writeBaseline } from './baseline.ts';
import { checkOptionNames } from './check-options.ts';
import { compareRun, type RunReport } from './compare-run.ts';
import { Estimator, type SuiteEstimate } from './estimate.ts';
import { type LoadedSuite, loadSuite } from './loaded-suite.ts';
import { type RecordedRun, RunDirectory } from './run-file.ts';
import type { RunHeader } from './run-record.ts';
import type { RunResult } from './run-result.ts';
import { type EvalProgress, runSuite, type Unfinished } from './run-suite.ts';
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
  /** @default the system's */
  readonly runtime?: Runtime | undefined;
};

export type EvalRunOptions = {
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

export interface Evals {
  /**
   * Asks every target of the suites' tiers every case, scores the answers, and compares the scores with the baseline. It
   * goes on with unfinished runs of the same suites, without asking again what is recorded.
   *
   * Calls have the priority `low` and the tag `eval`, go to one target without failover, and are not cached. Emits
   * `eval-end` for each target.
   *
   * @throws SignalboxError `config` that lists what is wrong with a suite, or names a judge that does not agree with the
   * labelled cases; `aborted`; `closed`
   */
  run(options?: EvalRunOptions): Promise<EvalReport>;
  /** What `run` would take, for each suite. Sends nothing. */
  estimate(options?: Pick<EvalRunOptions, 'targets' | 'fresh'>): Promise<readonly SuiteEstimate[]>;
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
} as const satisfies Record<keyof EvalsOptions, true>;
const runOptionNames = {
  ...{ targets: true, maxUsd: true, fresh: true, baseline: true, signal: true, onProgress: true },
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
  const now = (): number => Math.round(runtime.now());

  async function load(): Promise<readonly LoadedSuite[]> {
    const loaded: LoadedSuite[] = [];
    for (const suite of suites) loaded.push(await loadSuite(suite));
    const names = loaded.map(({ name }) => name);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice === undefined) return loaded;
    throw new SignalboxError('config', `two suites have the name ${quoted(twice)}`);
  }

  async function prepare({
    targets: only,
    fresh = false,
  }: EvalRunOptions): Promise<readonly Prepared[]> {
    const loaded = await load();
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
    const latest = Date.parse(directory.latestRun()?.replace(/T(\d+)-(\d+)-/, 'T$1:$2:') ?? '');
    const at = Number.isNaN(latest) ? now() : Math.max(now(), latest + 1);
    const { name, tier, fingerprint, samples } = suite;
    const run = timestamp(at).replaceAll(':', '-');
    return { type: 'run', version: 1, run, suite: name, tier, fingerprint, targets, samples };
  }

  /** The routers of other libraries that have the same methods have no such function. */
  const emit: unknown = Reflect.get(router, emitEvent);

  function emitEnd({ result, targets }: RunReport): void {
    if (typeof emit !== 'function') return;
    for (const each of result.targets) {
      const compared = targets.find(({ target }) => target === each.target);
      const event: Omit<RouterEvents['eval-end'], 'at'> = {
        ...{ type: 'eval-end', callId: null, tier: null, tags: {} },
        ...{ suite: result.suite, run: result.run, target: each.target },
        score: each.score?.mean ?? null,
        scored: each.scored,
        failures: Object.values(each.failures).reduce((sum, count) => sum + count, 0),
        usd: each.usd,
        state: compared?.state ?? 'unknown',
      };
      emit.call(router, event);
    }
  }

  async function run(runOptions: EvalRunOptions = {}): Promise<EvalReport> {
    const { maxUsd = Number.POSITIVE_INFINITY, signal, onProgress = () => undefined } = runOptions;
    checkOptionNames('evals.run()', runOptions, runOptionNames);
    checkNumber('maxUsd', maxUsd, (each) => each > 0);
    const prepared = await prepare(runOptions);
    const baseline = readBaseline(runOptions.baseline ?? options.baseline);
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
        const report = compareRun(result, earlier, baseline, suites.length);
        emitEnd(report);
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
    run,
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
