import type { Tags } from './completion.ts';
import type { Runtime } from './runtime.ts';

/** A target that a strategy puts in order. */
export type StrategyCandidate = {
  /** `provider/model`. */
  readonly id: string;
  readonly provider: string;
  readonly model: string;
};

/** What the router knows of a target now. Absent is what it does not know. */
export type TargetKnowledge = {
  /** List prices, US dollars per million tokens; absent when unknown or not loaded, see {@link Strategy.needs}. */
  readonly price?: { readonly input: number; readonly output: number };
  /** Attempts so far. */
  readonly calls: number;
  /** Failed attempts of these, from 0 to 1; absent before the first. */
  readonly failureRate?: number;
  /** Percentiles over its latest 200 answers, in milliseconds. */
  readonly p50FirstTokenMs?: number;
  readonly p95FirstTokenMs?: number;
  readonly p50TotalMs?: number;
  readonly p95TotalMs?: number;
  /** Attempts in flight. */
  readonly inFlight: number;
  /** Attempts that wait for one of its limits. */
  readonly queued: number;
  /** What is left of its limits for now; with a pool of keys, of the key with the most. */
  readonly requestsLeft?: number;
  readonly tokensLeft?: number;
  /** Whether it could be tried now. The plan passes over the others anyway. */
  readonly isAvailable: boolean;
};

/** The call, and what is known of the targets. */
export type StrategyContext = {
  readonly call: {
    readonly kind: 'chat' | 'embed' | 'image';
    readonly tier: string;
    readonly tags: Tags;
    readonly mode: 'complete' | 'stream';
    /** Estimated tokens of the request. */
    readonly inputTokens: number;
    readonly maxOutputTokens?: number;
    /** What is left of the call's time, in milliseconds. */
    readonly remainingMs: number;
  };
  /** What is known of a candidate; looked up when asked for. */
  knowledge(candidate: StrategyCandidate): TargetKnowledge;
  /** Epoch milliseconds. */
  readonly now: Runtime['now'];
  /** A number in [0, 1). */
  readonly random: Runtime['random'];
};

/**
 * Puts the targets of a tier in order for one call. It must be quick, and must not keep what it is given. Targets that
 * it leaves out come last, in the order of the configuration; health, limits and capabilities are applied afterwards.
 *
 * A strategy that throws, or returns no list, fails the call with `config`, which names it.
 */
export interface Strategy {
  /** What must be loaded before {@link order} is called the first time. */
  readonly needs?: readonly 'prices'[];
  order<Candidate extends StrategyCandidate>(
    candidates: readonly Candidate[],
    context: StrategyContext,
  ): readonly Candidate[];
}
