import type { TargetKnowledge } from './strategy.ts';

/** What was known of a target when it was chosen. A field is absent where it is unknown. */
export type CandidateFigures = {
  /** US dollars that the call is expected to cost there. */
  readonly usd?: number;
  /** Milliseconds to the first token, by the latest answers. */
  readonly firstTokenMs?: number;
  /** Share of the latest attempts that failed, from 0 to 1. */
  readonly failureRate?: number;
  /** The figure that the strategy ordered by, as it reported it. The built-in ones put the lowest first. */
  readonly score?: number;
};

/** A target that the call tries. */
export type PlannedTarget = CandidateFigures & {
  readonly target: string;
  /** Position of the key in the provider's pool, from 1. Absent without a pool. */
  readonly key?: number;
};

/** A target that follows after a failure of a certain code. */
export type PlannedFallback = {
  readonly target: string;
  readonly key?: number;
  /** Why it would be skipped. Absent if it would be tried. */
  readonly reason?: string;
};

/** By error code: the targets that the tier's `fallbacks` list for it, in the order to try them. */
export type PlannedFallbacks = Readonly<Record<string, readonly PlannedFallback[]>>;

/**
 * How the strategy of one tier ordered its targets. It has everything that a built-in strategy read, so that the same order
 * can be computed again.
 */
export type TierOrder = {
  readonly tier: string;
  /** The name of the strategy. */
  readonly strategy: string;
  /** The settings of a built-in strategy. Absent without any. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** How many calls the tier had before. */
  readonly turn: number;
  /** The random numbers that the strategy drew, in order. */
  readonly draws: readonly number[];
  /** The targets in the order of the configuration. */
  readonly targets: readonly {
    readonly target: string;
    readonly weight: number;
    /** What the strategy read of it. An unknown value is absent. */
    readonly known: Partial<TargetKnowledge>;
  }[];
};
