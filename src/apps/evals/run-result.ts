import type { Interval } from './statistics/intervals.ts';

/** What a judge is worth: how often it agreed with the labels of cases. */
export type JudgeResult = {
  /** The name of the scorer. */
  readonly name: string;
  /** How many labelled cases it graded. */
  readonly labelled: number;
  /** Share of them that it graded as the label says. Absent without any. */
  readonly agreement?: number;
  /** The share that agrees beyond chance: Cohen's kappa. Absent if all have the same grade. */
  readonly kappa?: number;
  /** Whether its scores count: measured on enough labelled cases. Otherwise the run reports and fails nothing. */
  readonly counts: boolean;
};

/** One case of a run. */
export type CaseResult = {
  readonly id: string;
  /** Changes with everything that its score depends on. */
  readonly hash: string;
  /** The mean of its samples. `null` if none was scored. */
  readonly score: number | null;
  /** The score of each sample, in order. */
  readonly samples: readonly number[];
  /** Codes of the calls that failed. Absent without any. */
  readonly failures?: readonly string[];
  /** Absent if it is 1. */
  readonly weight?: number;
};

/** The result of one target in one run. */
export type TargetResult = {
  readonly target: string;
  /** The weighted mean of the cases with its confidence interval (95 %). Absent if no case was scored. */
  readonly score?: Interval & { readonly mean: number };
  /** Answers that were scored. Unusable ones of the model (a refusal, invalid output) are scored with 0. */
  readonly scored: number;
  /** Calls without an answer that can be scored, by code of the error: they are in no score. */
  readonly failures: Readonly<Record<string, number>>;
  /** Set if it failed so often in a row that the rest of its cases was not asked. */
  readonly givenUp?: string;
  /** US dollars of its answers, failed attempts included. `null` if a price is unknown. */
  readonly usd: number | null;
  /** US dollars that the scorers spent on its answers. */
  readonly scorersUsd: number;
  readonly p50Ms?: number;
  readonly p95Ms?: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** In the order of the suite. */
  readonly cases: readonly CaseResult[];
};

/** The result of one finished run of one suite. Plain data. */
export type RunResult = {
  readonly version: 1;
  /** The time of its start. */
  readonly run: string;
  readonly suite: string;
  readonly tier: string;
  readonly fingerprint: string;
  readonly samples: number;
  readonly minEffect: number;
  /** Absent without judges. */
  readonly judges?: readonly JudgeResult[];
  readonly targets: readonly TargetResult[];
};

/** Whether the scores of a run may fail it, or change routing: whether all its judges count. */
export function isCounted({ judges = [] }: RunResult): boolean {
  return judges.every(({ counts }) => counts);
}

/** The score of each case of a target, for comparisons. */
export function scoresOf({ cases }: TargetResult): ReadonlyMap<string, number> {
  return new Map(cases.flatMap(({ id, score }) => (score === null ? [] : [[id, score] as const])));
}
