import { estimateTokenCount } from 'tokenx';
import type { Description, TargetDescription } from '../../protocol/description.ts';
import type { Snapshot } from '../../protocol/router.ts';
import { withoutBytes } from './eval-case.ts';
import type { AskedCase, LoadedSuite } from './loaded-suite.ts';
import type { JudgeResult, RunResult, TargetResult } from './run-result.ts';
import { smallestDrop } from './statistics/power.ts';

/** What a run would take for one target. */
export type TargetEstimate = {
  readonly target: string;
  /** Calls, without those that are recorded already. */
  readonly calls: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** US dollars. `null` if the price is unknown. */
  readonly usd: number | null;
  /** Milliseconds, if requests do not wait for limits. Absent if nothing is known of the target's times. */
  readonly ms?: number;
};

/** What a run of a suite would take. An estimate: answers may be longer than expected. */
export type SuiteEstimate = {
  readonly suite: string;
  /** The run that it would go on with. Absent for a new one. */
  readonly goesOn?: string;
  readonly targets: readonly TargetEstimate[];
  /** Calls of judges: their cost is that of the first target of their tier. */
  readonly judges: { readonly calls: number; readonly usd: number | null };
  /** US dollars. `null` if a price is unknown. */
  readonly usd: number | null;
  /** Milliseconds: targets are asked at the same time. Absent if it is unknown. */
  readonly ms?: number;
  /** What the suite can see. */
  readonly sees: SuitePower;
};

/**
 * The smallest drop of the mean score, from 0 to 1, that is found in nine of ten times: in one run, and within four.
 * Absent if it sees none. It is computed from the latest results, or else for 90 % right answers, of which 2 % differ by
 * chance; judges are wrong as often as on their labelled cases, or else in 10 %.
 */
export type SuitePower = { readonly inOneRun?: number; readonly inFourRuns?: number };

const assumed = { accuracy: 0.9, noise: 0.02, judgeErrors: 0.1 } as const;

/** Tokens of an answer of which nothing is known: two paragraphs. */
const unknownOutputTokens = 300;

/** Tokens of a judge's instructions and of its verdict. */
const judgeTokens = { input: 250, output: 80 } as const;

function textTokens(value: unknown): number {
  if (value === undefined) return 0;
  return estimateTokenCount(typeof value === 'string' ? value : JSON.stringify(value));
}

/** Estimated tokens of what is sent for a case. */
function inputTokensOf({ options }: LoadedSuite, { prompt, messages, tools }: AskedCase): number {
  const text = messages && withoutBytes(messages);
  const parts = [options.system, prompt, text, tools, options.schema];
  return parts.reduce<number>((sum, part) => sum + textTokens(part), 0);
}

/** The tier that a scorer calls, if it has one. */
function tierOf(options: unknown): string {
  return String(Reflect.get(Object(options), 'tier'));
}

/** What is known of targets: their prices, and what they took before. */
export class Estimator {
  readonly #prices: ReadonlyMap<string, TargetDescription>;
  readonly #tiers: ReadonlyMap<string, readonly TargetDescription[]>;
  readonly #snapshot: Snapshot;
  readonly #previous: readonly TargetResult[];
  readonly #judges: readonly JudgeResult[];
  readonly #suite: LoadedSuite;

  constructor(
    suite: LoadedSuite,
    { tiers }: Description,
    snapshot: Snapshot,
    results: readonly RunResult[],
  ) {
    this.#suite = suite;
    this.#snapshot = snapshot;
    const all = tiers.flatMap(({ targets, fallbackTargets }) => [...targets, ...fallbackTargets]);
    this.#prices = new Map(all.map((each) => [each.target, each]));
    this.#tiers = new Map(tiers.map(({ name, targets }) => [name, targets]));
    this.#previous = results.flatMap(({ targets }) => targets);
    this.#judges = results.flatMap(({ judges = [] }) => judges);
  }

  /** The latest result of the target with answers. */
  #latest(target: string): TargetResult | undefined {
    return this.#previous.findLast((each) => each.target === target && each.scored > 0);
  }

  /** The first of these targets, and of those of the scorers' tiers, whose price is not known. */
  unpriced(targets: readonly string[]): string | undefined {
    const ofScorers = this.#suite.scorers.flatMap(
      ({ options }) => this.#tiers.get(tierOf(options)) ?? [],
    );
    return [...targets, ...ofScorers.map(({ target }) => target)].find(
      (target) => this.#prices.get(target)?.price === undefined,
    );
  }

  #outputTokens(target: string): number {
    const latest = this.#latest(target);
    if (latest !== undefined) return latest.outputTokens / latest.scored;
    return Math.min(
      this.#suite.options.maxOutputTokens ?? unknownOutputTokens,
      unknownOutputTokens,
    );
  }

  #usdOf(price: TargetDescription['price'], input: number, output: number): number | null {
    return price === undefined ? null : (input * price.input + output * price.output) / 1e6;
  }

  #judgeCalls(testCase: AskedCase): number {
    const judges = this.#suite.scorers.filter(({ kind }) => kind === 'judge').length;
    return judges * (testCase.expected === undefined ? 1 : 2);
  }

  /** What the judges of the suite would take for an answer of this case. */
  #judgeUsd(testCase: AskedCase, outputTokens: number): number | null {
    const input = judgeTokens.input + inputTokensOf(this.#suite, testCase) + outputTokens;
    const calls = testCase.expected === undefined ? 1 : 2;
    let usd = 0;
    for (const { kind, options } of this.#suite.scorers) {
      if (kind !== 'judge') continue;
      const [first] = this.#tiers.get(tierOf(options)) ?? [];
      const one = this.#usdOf(first?.price, input, judgeTokens.output);
      if (one === null) return null;
      usd += one * calls;
    }
    return usd;
  }

  /** US dollars that an answer and its judges are expected to cost; 0 if a price is unknown. */
  expectedUsd(target: string, testCase: AskedCase): number {
    const output = this.#outputTokens(target);
    const price = this.#prices.get(target)?.price;
    const usd = this.#usdOf(price, inputTokensOf(this.#suite, testCase), output) ?? 0;
    return usd + (this.#judgeUsd(testCase, output) ?? 0);
  }

  #target(target: string, cases: readonly AskedCase[], concurrency: number): TargetEstimate {
    const outputEach = this.#outputTokens(target);
    const inputTokens = cases.reduce((sum, each) => sum + inputTokensOf(this.#suite, each), 0);
    const outputTokens = Math.round(outputEach * cases.length);
    const { p50TotalMs = this.#latest(target)?.p50Ms } = this.#snapshot.targets[target] ?? {};
    return {
      target,
      calls: cases.length,
      inputTokens,
      outputTokens,
      usd: this.#usdOf(this.#prices.get(target)?.price, inputTokens, outputTokens),
      ...(p50TotalMs !== undefined && {
        ms: Math.round((p50TotalMs * cases.length) / concurrency),
      }),
    };
  }

  #power(suites: number): SuitePower {
    const { scorers, cases, samples, minEffect } = this.#suite;
    const means = this.#previous.flatMap(({ score }) => score?.mean ?? []).slice(-5);
    const mean = means.reduce((sum, each) => sum + each, 0) / means.length;
    const agreement = this.#judges.at(-1)?.agreement ?? 1 - assumed.judgeErrors;
    const isJudged = scorers.some(({ kind }) => kind === 'judge');
    const design = {
      ...{ cases: cases.length, samples, minEffect, suites, noise: assumed.noise },
      accuracy: means.length === 0 ? assumed.accuracy : mean,
      judgeErrors: isJudged ? 1 - agreement : 0,
    };
    const [inOneRun, inFourRuns] = [smallestDrop(design, 1), smallestDrop(design, 4)];
    return {
      ...(inOneRun !== undefined && { inOneRun }),
      ...(inFourRuns !== undefined && { inFourRuns }),
    };
  }

  /** `left` are the cases that each target has still to be asked, once for each sample. */
  estimate(
    left: ReadonlyMap<string, readonly AskedCase[]>,
    concurrency: number,
    goesOn: string | undefined,
    suites: number,
  ): SuiteEstimate {
    const targets = [...left].map(([target, cases]) => this.#target(target, cases, concurrency));
    let calls = 0;
    let judgesUsd: number | null = 0;
    for (const [target, cases] of left) {
      for (const each of cases) {
        calls += this.#judgeCalls(each);
        const usd = this.#judgeUsd(each, this.#outputTokens(target));
        judgesUsd = usd === null || judgesUsd === null ? null : judgesUsd + usd;
      }
    }
    const usd = targets.reduce<number | null>(
      (sum, each) => (sum === null || each.usd === null ? null : sum + each.usd),
      judgesUsd,
    );
    const times = targets.flatMap(({ ms, calls: asked }) => (asked === 0 ? 0 : (ms ?? [])));
    const isTimed = times.length === targets.length;
    return {
      suite: this.#suite.name,
      ...(goesOn !== undefined && { goesOn }),
      targets,
      judges: { calls, usd: judgesUsd },
      usd,
      ...(isTimed && { ms: Math.max(0, ...times) }),
      sees: this.#power(suites),
    };
  }
}
