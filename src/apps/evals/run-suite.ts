import { SignalboxError } from '../../errors.ts';
import type { Router } from '../../protocol/router.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import { askTarget } from './ask-target.ts';
import type { AskedCase, LoadedSuite } from './loaded-suite.ts';
import type { AnswerRecord, FailureRecord, RunRecord } from './run-record.ts';
import { runOptions, ScorerCalls, scoreAnswer, scoreBy } from './score-answer.ts';
import { judgeResults, minLabelled } from './summarize.ts';

/** How far a run is. */
export type EvalProgress = {
  readonly suite: string;
  /** Answers that are recorded, of those that the suite asks for. */
  readonly done: number;
  readonly total: number;
  /** US dollars that the run of this suite has cost so far. */
  readonly usd: number;
};

export type RunSettings = {
  readonly router: Router;
  readonly runtime: Runtime;
  /** Requests at once, for each target. */
  readonly concurrency: number;
  /** What this run of the suite may still cost, US dollars. */
  readonly maxUsd: number;
  readonly signal: AbortSignal | undefined;
  /** What one answer is expected to cost, US dollars. */
  readonly expectedUsd: (target: string, testCase: AskedCase) => number;
  readonly onProgress: (progress: EvalProgress) => void;
};

/** Where a run is recorded: the records so far, and where new ones go. */
export type RunLog = {
  readonly targets: readonly string[];
  readonly records: readonly RunRecord[];
  append(record: RunRecord): void;
};

/** Failures in a row after which a target is not asked any more. */
const maxFailuresInARow = 5;

/** Answers of a target after which their mean cost is what the next one is expected to cost. */
const knownAnswers = 8;

/** Why a run is not finished. It goes on from there the next time. */
export type Unfinished = { readonly reason: 'max-usd' | 'budget'; readonly message: string };

type Asked = { readonly testCase: AskedCase; readonly sample: number };

function keyOf(target: string, id: string, sample: number): string {
  return JSON.stringify([target, id, sample]);
}

function overBudget(maxUsd: number): string {
  return `the next answer could cost more than is left of $${maxUsd}`;
}

/** Whether it is what came of one call to a target. */
function isOfCase({ type }: RunRecord): boolean {
  return type === 'answer' || type === 'failure';
}

/** One run of one suite: asks what is not recorded yet, and records it. */
class SuiteRun {
  readonly #suite: LoadedSuite;
  readonly #log: RunLog;
  readonly #settings: RunSettings;
  readonly #records: RunRecord[];
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  #unfinished: Unfinished | undefined;
  /** Why it ended early. */
  #cause: unknown;
  /** US dollars that the run has cost, including what was recorded before. */
  #usd = 0;
  /** US dollars that the calls in flight are expected to cost. */
  #reservedUsd = 0;
  readonly #spentBefore: number;
  /** By target: what its answers have cost, scorers included. */
  readonly #paid = new Map<string, { readonly usd: number; readonly answers: number }>();
  #done: number;

  constructor(suite: LoadedSuite, log: RunLog, settings: RunSettings) {
    this.#suite = suite;
    this.#log = log;
    this.#settings = settings;
    this.#records = [...log.records];
    const { signal } = settings;
    this.#signal = AbortSignal.any([this.#stop.signal, ...(signal === undefined ? [] : [signal])]);
    for (const record of this.#records) this.#count(record);
    this.#done = this.#records.filter(isOfCase).length;
    this.#spentBefore = this.#usd;
  }

  get records(): readonly RunRecord[] {
    return this.#records;
  }

  get usd(): number {
    return this.#usd - this.#spentBefore;
  }

  /** @throws SignalboxError `config` if a judge does not agree with the labelled cases; `aborted`; `closed` */
  async run(): Promise<Unfinished | undefined> {
    try {
      await this.#gradeLabels();
      if (this.#unfinished !== undefined) return this.#unfinished;
      this.#checkJudges();
      const results = await Promise.allSettled(
        this.#log.targets.map((each) => this.#runTarget(each)),
      );
      const failed = results.find((each) => each.status === 'rejected');
      if (this.#unfinished === undefined && failed !== undefined)
        throw this.#cause ?? failed.reason;
    } catch (error) {
      if (this.#unfinished === undefined) throw this.#failure(error);
    }
    return this.#unfinished;
  }

  /** An abort is seen in many places, each with an error of its own. */
  #failure(error: unknown): unknown {
    const { signal } = this.#settings;
    const isOther = error instanceof SignalboxError && error.code !== 'aborted';
    if (signal?.aborted !== true || isOther) return error;
    const message = `the run of suite "${this.#suite.name}" was aborted; it goes on the next time`;
    return new SignalboxError('aborted', message, { cause: signal.reason });
  }

  #append(record: RunRecord): void {
    this.#log.append(record);
    this.#records.push(record);
    this.#count(record);
    if (!isOfCase(record)) return;
    this.#done += 1;
    this.#report();
  }

  #count(record: RunRecord): void {
    const usd = ('usd' in record && record.usd) || 0;
    this.#usd += usd;
    if (!('target' in record)) return;
    const paid = this.#paid.get(record.target) ?? { usd: 0, answers: 0 };
    this.#paid.set(record.target, {
      usd: paid.usd + usd,
      answers: paid.answers + (isOfCase(record) ? 1 : 0),
    });
  }

  #report(): void {
    const { cases, samples, name } = this.#suite;
    const total = cases.length * samples * this.#log.targets.length;
    this.#settings.onProgress({ suite: name, done: this.#done, total, usd: this.#usd });
  }

  /** Ends the run: what is in flight is aborted and not recorded. */
  #end(error: unknown): void {
    this.#cause ??= error;
    if (error instanceof SignalboxError && error.code === 'budget_exceeded') {
      this.#unfinished ??= {
        reason: 'budget',
        message: `the budget ${error.budget ?? ''} is used up`,
      };
    }
    this.#stop.abort(error);
  }

  #scorerCalls(): ScorerCalls {
    return new ScorerCalls(this.#settings.router, runOptions(this.#suite.name, this.#signal));
  }

  /** Has each judge grade the labelled cases that it has not graded yet. */
  async #gradeLabels(): Promise<void> {
    const { scorers, labelled } = this.#suite;
    const graded = new Set(
      this.#records.flatMap((each) =>
        each.type === 'label' ? [keyOf(each.scorer, each.case, 0)] : [],
      ),
    );
    for (const scorer of scorers.filter(({ kind }) => kind === 'judge')) {
      await this.#inParallel(labelled, async (testCase) => {
        if (graded.has(keyOf(scorer.name, testCase.id, 0))) return;
        if (this.usd >= this.#settings.maxUsd) {
          this.#unfinished ??= { reason: 'max-usd', message: overBudget(this.#settings.maxUsd) };
        }
        if (this.#unfinished !== undefined) return;
        const { answer: text = '', label = 0 } = testCase;
        const answer = { target: 'label', text, toolCalls: [], finishReason: 'stop' };
        const calls = this.#scorerCalls();
        const score = await scoreBy(scorer, answer, testCase, calls);
        const of = { scorer: scorer.name, case: testCase.id } as const;
        this.#append({ type: 'label', ...of, label, score, usd: calls.usd });
      });
    }
  }

  /** @throws SignalboxError `config` */
  #checkJudges(): void {
    for (const judge of judgeResults(this.#suite, this.#records)) {
      const { name, labelled, agreement = 1, counts } = judge;
      if (counts || labelled < minLabelled) continue;
      const share = `${Math.round(agreement * labelled)} of ${labelled} labelled cases`;
      const advice = 'improve its rubric, or use a stronger tier';
      throw new SignalboxError(
        'config',
        `suite "${this.#suite.name}": ${name} agrees with only ${share}, so its scores would mean little; ${advice}`,
      );
    }
  }

  async #inParallel<Item>(
    items: Iterable<Item>,
    work: (item: Item) => Promise<void>,
  ): Promise<void> {
    // All workers take from one iterator.
    const left = items[Symbol.iterator]();
    const worker = async (): Promise<void> => {
      for (let next = left.next(); next.done !== true; next = left.next()) {
        this.#signal.throwIfAborted();
        try {
          await work(next.value);
        } catch (error) {
          this.#end(error);
          throw error;
        }
      }
    };
    const workers = Array.from({ length: this.#settings.concurrency }, worker);
    const results = await Promise.allSettled(workers);
    if (results.some(({ status }) => status === 'rejected'))
      throw this.#cause ?? this.#signal.reason;
  }

  async #runTarget(target: string): Promise<void> {
    const recorded = new Map<string, AnswerRecord | FailureRecord>();
    const scored = new Set<string>();
    for (const each of this.#records) {
      if (!('target' in each) || each.target !== target || each.type === 'given-up') continue;
      const key = keyOf(target, each.case, each.sample);
      if (each.type === 'score') scored.add(key);
      else recorded.set(key, each);
    }
    const { cases, samples } = this.#suite;
    const all = cases.flatMap((testCase) =>
      Array.from({ length: samples }, (_, index): Asked => ({ testCase, sample: index + 1 })),
    );
    let failuresInARow = 0;
    await this.#inParallel(all, async (asked) => {
      const key = keyOf(target, asked.testCase.id, asked.sample);
      if (scored.has(key) || failuresInARow >= maxFailuresInARow) return;
      const record = recorded.get(key) ?? (await this.#ask(target, asked));
      if (record === undefined) return;
      if (record.type === 'answer') {
        failuresInARow = 0;
        await this.#score(record, asked.testCase);
      } else if (record.score === 0) failuresInARow = 0;
      else if (!recorded.has(key)) {
        failuresInARow += 1;
        if (failuresInARow !== maxFailuresInARow) return;
        this.#append({ type: 'given-up', target, code: record.code });
      }
    });
  }

  /** What the next answer is expected to cost: as much as those so far, once there are some. */
  #expectedUsd(target: string, testCase: AskedCase): number {
    const { usd, answers } = this.#paid.get(target) ?? { usd: 0, answers: 0 };
    if (answers >= knownAnswers) return usd / answers;
    return this.#settings.expectedUsd(target, testCase);
  }

  /** `undefined` if the run ends before. */
  async #ask(
    target: string,
    { testCase, sample }: Asked,
  ): Promise<AnswerRecord | FailureRecord | undefined> {
    const { router, runtime, maxUsd } = this.#settings;
    const expected = this.#expectedUsd(target, testCase);
    if (this.usd + this.#reservedUsd + expected > maxUsd) {
      this.#unfinished ??= {
        reason: 'max-usd',
        message: overBudget(maxUsd),
      };
    }
    // What is in flight is still recorded: it is paid.
    if (this.#unfinished !== undefined) return undefined;
    this.#reservedUsd += expected;
    try {
      const question = { suite: this.#suite, target, testCase, sample, signal: this.#signal };
      const record = await askTarget(router, runtime, question);
      this.#append(record);
      return record;
    } finally {
      this.#reservedUsd -= expected;
    }
  }

  async #score(record: AnswerRecord, testCase: AskedCase): Promise<void> {
    const { target, case: id, sample, text, object, toolCalls = [], finishReason } = record;
    const answer = { target, text, object, toolCalls, finishReason };
    const calls = this.#scorerCalls();
    const scores = await scoreAnswer(this.#suite, answer, testCase, calls);
    this.#append({ type: 'score', target, case: id, sample, ...scores, usd: calls.usd });
  }
}

/** What a run has recorded, and why it is not finished. */
export type RunOutcome = {
  readonly records: readonly RunRecord[];
  /** US dollars that it has cost now: without what was recorded before. */
  readonly usd: number;
  readonly unfinished: Unfinished | undefined;
};

/**
 * Runs a suite, or goes on with a run: nothing that is recorded is asked again. What was in flight when the process was
 * killed, at most `concurrency` requests for each target, is not recorded, and is asked again.
 * @throws SignalboxError `config` for calls that are invalid, or judges that do not agree with labels; `aborted`; `closed`
 */
export async function runSuite(
  suite: LoadedSuite,
  log: RunLog,
  settings: RunSettings,
): Promise<RunOutcome> {
  const run = new SuiteRun(suite, log, settings);
  const unfinished = await run.run();
  return { records: run.records, usd: run.usd, unfinished };
}
