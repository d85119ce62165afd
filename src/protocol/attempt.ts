import type { ErrorCode, TimeoutPhase } from './error-code.ts';
import type { Usage } from './usage.ts';

/** What the router did after an attempt: `retry` the same target, try the `next` one, `stop`, or `done`. */
export type Verdict = 'done' | 'retry' | 'next' | 'stop';

/** An error in trails and events. Contains no vendor text, which may repeat prompts. */
export type ErrorSummary = {
  readonly code: ErrorCode;
  readonly message: string;
  readonly status?: number;
  readonly retryAfterMs?: number;
  readonly requestId?: string;
  readonly phase?: TimeoutPhase;
  /** Name of the plugin that ended the call. */
  readonly policy?: string;
  /** Name of the plugin's rule. */
  readonly rule?: string;
  /** The budget that leaves no room, with code `budget_exceeded`. */
  readonly budget?: string;
  /** The value of the budget's `by` tag. */
  readonly by?: string;
  /** Epoch milliseconds at which the budget is available again. */
  readonly resetsAt?: number;
};

/** One line of the trail: an attempt of one target, or why the target was skipped. */
export type Attempt = {
  /** `provider/model`. */
  readonly target: string;
  /** Position of the key in the provider's pool, from 1. Absent without a pool. */
  readonly key?: number;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  readonly durationMs: number;
  /** Milliseconds in the queue before it started. Absent if it did not wait. */
  readonly queuedMs?: number;
  /** Milliseconds from the start of the attempt to its first token. */
  readonly firstTokenMs?: number;
  readonly outcome: 'ok' | 'error' | 'skipped' | 'aborted';
  readonly error?: ErrorSummary;
  /** Why the target was skipped, or the reason for the verdict. */
  readonly reason?: string;
  readonly verdict: Verdict;
  readonly usage?: Usage;
  /** US dollars billed for this attempt. `null` if the price is unknown. */
  readonly cost?: number | null;
};
