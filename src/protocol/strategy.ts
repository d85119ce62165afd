import type { Tags } from './completion.ts';
import type { Runtime } from './runtime.ts';

/** A target that a strategy orders. */
export type StrategyCandidate = {
  /** `provider/model`. */
  readonly id: string;
  readonly provider: string;
  readonly model: string;
  /** The target's `weight`. */
  readonly weight: number;
};

/** Current state of a target. Unknown values are `undefined`. Values are computed when they are read. */
export type TargetKnowledge = {
  /** List prices, US dollars per million tokens. Unknown too if not loaded: see {@link Strategy.needs}. */
  readonly price?: { readonly input: number; readonly output: number } | undefined;
  /**
   * US dollars that the call is expected to cost at this target: its counted input, with the discount for what the vendor
   * has in its cache, and the output that such calls usually have, at the rates of its service tier. Needs `prices` and `usage`.
   */
  readonly usd?: number | undefined;
  /** Attempts so far. */
  readonly calls: number;
  /** Share of failed attempts, from 0 to 1. Absent before the first attempt. */
  readonly failureRate?: number | undefined;
  /** The same of the latest attempts: an attempt counts less with each later one, and half after 40 s. */
  readonly recentFailureRate?: number | undefined;
  /**
   * Milliseconds to the first token now: a moving average of the latest answers. A slower answer raises it at once, and is
   * forgotten within seconds.
   */
  readonly recentFirstTokenMs?: number | undefined;
  /** Milliseconds that the whole answer of this call is expected to take, by the latest answers and its usual length. */
  readonly totalMs?: number | undefined;
  /** Milliseconds since it last answered or failed. */
  readonly idleMs?: number | undefined;
  /** Percentiles over the latest 200 answers, in milliseconds. */
  readonly p50FirstTokenMs?: number | undefined;
  readonly p95FirstTokenMs?: number | undefined;
  readonly p50TotalMs?: number | undefined;
  readonly p95TotalMs?: number | undefined;
  /** Attempts in flight. */
  readonly inFlight: number;
  /** Attempts that wait in the queue. */
  readonly queued: number;
  /** Requests left of its limits. With a pool: of the key with the most. */
  readonly requestsLeft?: number | undefined;
  /** The same for tokens. */
  readonly tokensLeft?: number | undefined;
  /** Whether it can be tried now. The plan skips unavailable targets anyway. */
  readonly isAvailable: boolean;
};

/** The call, and the state of the targets. */
export type StrategyContext = {
  readonly call: {
    readonly kind: 'chat' | 'embed' | 'image';
    readonly tier: string;
    readonly tags: Tags;
    readonly mode: 'complete' | 'stream';
    /** Estimated tokens of the request. */
    readonly inputTokens: number;
    readonly maxOutputTokens?: number;
    /** Milliseconds until the call's deadline. */
    readonly remainingMs: number;
  };
  /** Looks up the current state of a candidate. */
  knowledge(candidate: StrategyCandidate): TargetKnowledge;
  /** How many calls the tier has had before this one. */
  readonly turn: number;
  /** Epoch milliseconds. */
  readonly now: Runtime['now'];
  /** A number in [0, 1). */
  readonly random: Runtime['random'];
  /** Reports the figure that a candidate is ordered by: `explain` and the event `route-plan` show it. Changes nothing else. */
  score(candidate: StrategyCandidate, score: number): void;
};

/**
 * Orders the targets of a tier for one call. `order` must be fast and must not keep its arguments. Targets that it
 * omits come last, in the order of the configuration. Health, limits and capabilities are applied afterwards.
 *
 * If `order` throws or does not return a list, the call fails with `config`, and the error names the strategy.
 */
export interface Strategy {
  /**
   * What {@link order} needs to know. `prices` are loaded before its first call. `usage`: how long the answers of such
   * calls are, and how much of their input vendors have in their caches; otherwise all answers count as equally long.
   */
  readonly needs?: readonly ('prices' | 'usage')[] | undefined;
  /** Returns the candidates in the order in which to try them. */
  order<Candidate extends StrategyCandidate>(
    candidates: readonly Candidate[],
    context: StrategyContext,
  ): readonly Candidate[];
}
