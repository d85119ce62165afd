import type { ErrorCode, TimeoutPhase } from './error-code.ts';
import type { Usage } from './usage.ts';

/** What the engine did after an attempt. */
export type Verdict = 'done' | 'retry' | 'next' | 'stop';

/** An error as it appears in trails and events: no vendor text, which may echo prompts. */
export type ErrorSummary = {
  readonly code: ErrorCode;
  readonly message: string;
  readonly status?: number;
  readonly retryAfterMs?: number;
  readonly requestId?: string;
  readonly phase?: TimeoutPhase;
  /** The plugin, and its rule, that ended the call. */
  readonly policy?: string;
  readonly rule?: string;
};

/** One line of the trail: a try of one target, or why it was passed over. */
export type Attempt = {
  readonly target: string;
  /** Which of the provider's keys, from 1; only with a pool of them. */
  readonly key?: number;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  readonly durationMs: number;
  /** How long it had waited for its turn before, in milliseconds; absent when it had not. */
  readonly queuedMs?: number;
  readonly firstTokenMs?: number;
  readonly outcome: 'ok' | 'error' | 'skipped' | 'aborted';
  readonly error?: ErrorSummary;
  /** Why the target was skipped, or why the verdict is what it is. */
  readonly reason?: string;
  readonly verdict: Verdict;
  readonly usage?: Usage;
  /** US dollars billed for this attempt; `null` when billed at a price nobody knows. */
  readonly cost?: number | null;
};
