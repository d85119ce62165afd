import { defaults } from '../../config/defaults.ts';
import type { SignalboxError } from '../../errors.ts';
import type { RetrySettings } from '../../protocol/call-options.ts';
import type { AttemptErrorCode, ErrorCode } from '../../protocol/error-code.ts';
import { backoffMs, rateLimitBackoffMs } from './backoff.ts';
import { wasTurnedAway } from './queue-rejection.ts';

/** What a failure means: one row for each code. Data, not branches. */
type Row = {
  /** Tries more of the same target while another one is free. */
  readonly same: number;
  /** Tries more of the same target when no other one is free. */
  readonly alone: number;
  /** Whether another target may do better. `listed`: only if the tier's `fallbackOn` says so. */
  readonly next: 'yes' | 'larger-window' | 'listed';
  /** Whether it counts as a failure of the target. */
  readonly circuit: boolean;
};

export const failureTable = {
  // A reset or a refused connection may have been one bad host of many.
  connection: { same: 1, alone: 2, next: 'yes', circuit: true },
  server_error: { same: 1, alone: 2, next: 'yes', circuit: true },
  overloaded: { same: 1, alone: 2, next: 'yes', circuit: true },
  conflict: { same: 1, alone: 2, next: 'yes', circuit: true },
  // Limited is not broken: it is told to the target's health, not to its circuit.
  rate_limited: { same: 0, alone: 3, next: 'yes', circuit: false },
  quota_exhausted: { same: 0, alone: 0, next: 'yes', circuit: false },
  auth: { same: 0, alone: 0, next: 'yes', circuit: false },
  permission: { same: 0, alone: 0, next: 'yes', circuit: false },
  model_not_found: { same: 0, alone: 0, next: 'yes', circuit: false },
  // A silent route is not asked again: the wait was long enough.
  timeout: { same: 0, alone: 0, next: 'yes', circuit: true },
  context_length: { same: 0, alone: 0, next: 'larger-window', circuit: false },
  request_too_large: { same: 0, alone: 0, next: 'listed', circuit: false },
  content_filter: { same: 0, alone: 0, next: 'listed', circuit: false },
  refusal: { same: 0, alone: 0, next: 'listed', circuit: false },
  unsupported: { same: 0, alone: 0, next: 'yes', circuit: false },
  invalid_request: { same: 0, alone: 0, next: 'listed', circuit: false },
  invalid_response: { same: 1, alone: 1, next: 'yes', circuit: true },
  stream_interrupted: { same: 1, alone: 1, next: 'yes', circuit: true },
  // Its tries are repairs, counted by `repairAttempts`.
  invalid_output: { same: 0, alone: 0, next: 'yes', circuit: false },
  aborted: { same: 0, alone: 0, next: 'listed', circuit: false },
} as const satisfies Record<AttemptErrorCode, Row>;

export type Decision =
  | { readonly verdict: 'retry'; readonly delayMs: number }
  | { readonly verdict: 'next'; readonly reason?: string }
  | { readonly verdict: 'stop'; readonly reason?: string };

/** What the decision depends on besides the failure. */
export type Situation = {
  /** Tries of this target so far, this one included. */
  readonly tries: number;
  /** Repairs of this target's output so far. */
  readonly repairs: number;
  readonly repairAttempts: number;
  readonly attemptsLeft: number;
  readonly remainingMs: number;
  readonly retry: RetrySettings;
  readonly fallbackOn: readonly AttemptErrorCode[];
  /** Another target of the chain could be asked now. */
  readonly othersFree: boolean;
  /** Targets that this call has not asked and that could answer now. */
  readonly untried: number;
  /** The target may still be asked: its circuit has not opened over this failure. */
  readonly available: boolean;
  /** Some of the answer had arrived: another target is better than the same once more. */
  readonly begun: boolean;
  readonly onUnsupported: 'warn' | 'error' | 'skip-target';
  /** Takes a token of the retry budget; asked last, and only when all else speaks for a retry. */
  readonly takeToken: () => boolean;
  readonly random: () => number;
};

/** While another target could be asked, the wait before a retry may use up half of what is left, no more. */
const waitShare = 0.5;

/** The verdict where every attempt left is needed by a target that was not asked. */
export const leftToUntried = {
  verdict: 'next',
  reason: 'the attempts left are for untried targets',
} as const satisfies Decision;

/** Whether one more attempt of a target that was asked already would be at the cost of one that was not. */
export function isNeededByUntried(attemptsLeft: number, untried: number): boolean {
  return untried > 0 && attemptsLeft <= untried;
}

/** A repair, or the same question from the start: at once, and without a token of the retry budget. */
export function askAgain({ attemptsLeft, untried }: Situation): Decision {
  return isNeededByUntried(attemptsLeft, untried)
    ? leftToUntried
    : { verdict: 'retry', delayMs: 0 };
}

export function isAttemptErrorCode(code: ErrorCode): code is AttemptErrorCode {
  return Object.hasOwn(failureTable, code);
}

/** Whether the failure counts against the target's circuit. The caller's own deadline never does. */
export function countsAsFailure(error: SignalboxError): boolean {
  const isDeadline = error.phase === 'total' || error.phase === 'pace';
  return isAttemptErrorCode(error.code) && failureTable[error.code].circuit && !isDeadline;
}

/** Groq's limit per minute, which this request exceeds all by itself: no wait makes it fit. */
function isTooLargeToWait(error: SignalboxError): boolean {
  return error.code === 'rate_limited' && error.status === 413;
}

function triesOf(row: Row, error: SignalboxError, situation: Situation): number {
  if (isTooLargeToWait(error)) return 0;
  const usual = situation.othersFree ? row.same : row.alone;
  // A number of the caller's own replaces ours, for the failures that are worth a retry at all.
  return usual > 0 ? (situation.retry.attempts ?? usual) : 0;
}

function delayFor(error: SignalboxError, situation: Situation): number {
  const { retry, random, tries } = situation;
  if (error.retryAfterMs !== undefined) return error.retryAfterMs;
  const { minMs = defaults.retryMinMs, maxMs = defaults.retryMaxMs } = retry;
  if (error.code === 'rate_limited') return rateLimitBackoffMs(tries, maxMs, random());
  return backoffMs(tries, { minMs, maxMs }, random());
}

function goOn(row: Row, error: SignalboxError, situation: Situation): Decision {
  if (error.code === 'aborted') return { verdict: 'stop' };
  const listed = situation.fallbackOn.some((code) => code === error.code);
  if (row.next === 'listed' && !listed) {
    return {
      verdict: 'stop',
      reason: 'would fail elsewhere too, or is not for another target to answer',
    };
  }
  if (error.code === 'unsupported' && situation.onUnsupported === 'error') {
    return { verdict: 'stop', reason: "onUnsupported is 'error'" };
  }
  return { verdict: 'next' };
}

/** What to do after a failed attempt: the same target again, the next one, or none. */
export function decide(error: SignalboxError, situation: Situation): Decision {
  if (!isAttemptErrorCode(error.code)) return { verdict: 'stop' };
  if (error.code === 'timeout' && error.phase === 'total') {
    return { verdict: 'stop', reason: "the call's deadline has passed" };
  }
  // Trying again would be to queue outside the queue.
  if (wasTurnedAway(error)) return { verdict: 'next' };
  const row: Row = failureTable[error.code];
  if (error.code === 'invalid_output' && situation.repairs < situation.repairAttempts) {
    if (situation.attemptsLeft > 0) return askAgain(situation);
  }
  const onward = goOn(row, error, situation);
  if (onward.verdict === 'stop') return onward;
  if (situation.attemptsLeft <= 0) return { verdict: 'next', reason: 'maxAttempts reached' };
  if (situation.tries > triesOf(row, error, situation)) return onward;
  if (situation.begun && situation.othersFree)
    return { verdict: 'next', reason: 'had begun to answer' };
  if (!situation.available) return { verdict: 'next', reason: 'its circuit has opened' };
  const delayMs = delayFor(error, situation);
  if (delayMs >= situation.remainingMs) {
    return { verdict: 'next', reason: `a wait of ${Math.ceil(delayMs)} ms exceeds the deadline` };
  }
  // A wait that the vendor asks for is longer than it takes another target to answer; and one that takes most of
  // the time left would leave none for another target.
  const isTooLong =
    (error.retryAfterMs ?? 0) > defaults.patienceMs || delayMs > situation.remainingMs * waitShare;
  if (situation.othersFree && isTooLong) {
    const reason = `a wait of ${Math.ceil(delayMs)} ms is better spent on another target`;
    return { verdict: 'next', reason };
  }
  if (isNeededByUntried(situation.attemptsLeft, situation.untried)) return leftToUntried;
  if (!situation.takeToken()) return { verdict: 'next', reason: 'the retry budget is empty' };
  return { verdict: 'retry', delayMs };
}
