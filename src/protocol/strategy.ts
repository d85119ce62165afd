import type { Tags } from './completion.ts';
import type { Runtime } from './runtime.ts';

/** A target that a strategy orders. */
export type StrategyCandidate = {
  /** `provider/model`. */
  readonly id: string;
  readonly provider: string;
  readonly model: string;
};

/** Current state of a target. Unknown values are absent. */
export type TargetKnowledge = {
  /** List prices, US dollars per million tokens. Absent if unknown, or not loaded: see {@link Strategy.needs}. */
  readonly price?: { readonly input: number; readonly output: number };
  /** Attempts so far. */
  readonly calls: number;
  /** Share of failed attempts, from 0 to 1. Absent before the first attempt. */
  readonly failureRate?: number;
  /** Percentiles over the latest 200 answers, in milliseconds. */
  readonly p50FirstTokenMs?: number;
  readonly p95FirstTokenMs?: number;
  readonly p50TotalMs?: number;
  readonly p95TotalMs?: number;
  /** Attempts in flight. */
  readonly inFlight: number;
  /** Attempts that wait in the queue. */
  readonly queued: number;
  /** Requests left of its limits. With a pool: of the key with the most. */
  readonly requestsLeft?: number;
  /** The same for tokens. */
  readonly tokensLeft?: number;
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
  /** Epoch milliseconds. */
  readonly now: Runtime['now'];
  /** A number in [0, 1). */
  readonly random: Runtime['random'];
};

/**
 * Orders the targets of a tier for one call. `order` must be fast and must not keep its arguments. Targets that it
 * omits come last, in the order of the configuration. Health, limits and capabilities are applied afterwards.
 *
 * If `order` throws or does not return a list, the call fails with `config`, and the error names the strategy.
 */
export interface Strategy {
  /** Data to load before the first call of {@link order}. */
  readonly needs?: readonly 'prices'[] | undefined;
  /** Returns the candidates in the order in which to try them. */
  order<Candidate extends StrategyCandidate>(
    candidates: readonly Candidate[],
    context: StrategyContext,
  ): readonly Candidate[];
}
