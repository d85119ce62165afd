import { defaults } from '../../config/defaults.ts';
import type { SignalboxError } from '../../errors.ts';
import type { RetrySettings } from '../../protocol/call-options.ts';
import type { AttemptErrorCode, ErrorCode } from '../../protocol/error-code.ts';
import { isQueueRejection } from './queue-rejection.ts';

/** What a failure means: one row for each code. Data, not branches. */
type Row = {
  /** Retries of the same target while another target is available. */
  readonly same: number;
  /** Retries of the same target when no other target is available. */
  readonly alone: number;
  /**
   * Whether another target may succeed. `listed`: only if the tier's `fallbackOn` lists the code, or if the vendor
   * rejected the request for a reason of its own ({@link SignalboxError.vendorSpecific}), once in a call.
   */
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
  // Rate limited is not broken: it makes the target unavailable and does not count for its circuit.
  rate_limited: { same: 0, alone: 3, next: 'yes', circuit: false },
  quota_exhausted: { same: 0, alone: 0, next: 'yes', circuit: false },
  auth: { same: 0, alone: 0, next: 'yes', circuit: false },
  permission: { same: 0, alone: 0, next: 'yes', circuit: false },
  model_not_found: { same: 0, alone: 0, next: 'yes', circuit: false },
  // A silent target is not retried: the wait was long enough.
  timeout: { same: 0, alone: 0, next: 'yes', circuit: true },
  context_length: { same: 0, alone: 0, next: 'larger-window', circuit: false },
  request_too_large: { same: 0, alone: 0, next: 'listed', circuit: false },
  content_filter: { same: 0, alone: 0, next: 'listed', circuit: false },
  refusal: { same: 0, alone: 0, next: 'listed', circuit: false },
  unsupported: { same: 0, alone: 0, next: 'yes', circuit: false },
  invalid_request: { same: 0, alone: 0, next: 'listed', circuit: false },
  invalid_response: { same: 1, alone: 1, next: 'yes', circuit: true },
  stream_interrupted: { same: 1, alone: 1, next: 'yes', circuit: true },
  // Its retries are repairs, counted by `repairAttempts`.
  invalid_output: { same: 0, alone: 0, next: 'yes', circuit: false },
  aborted: { same: 0, alone: 0, next: 'listed', circuit: false },
} as const satisfies Record<AttemptErrorCode, Row>;

export type Decision =
  | { readonly verdict: 'retry'; readonly delayMs: number }
  | { readonly verdict: 'next'; readonly reason?: string }
  | { readonly verdict: 'stop'; readonly reason?: string };

/** What the decision depends on besides the failure. */
export type Situation = {
  /** Attempts of this target so far, this one included. */
  readonly tries: number;
  /** Repairs of this target's output so far. */
  readonly repairs: number;
  readonly repairAttempts: number;
  readonly attemptsLeft: number;
  readonly remainingMs: number;
  readonly retry: RetrySettings;
  readonly fallbackOn: readonly AttemptErrorCode[];
  /** Another target of the chain is available now. */
  readonly othersFree: boolean;
  /** No vendor-specific rejection has led to another target of this call yet. */
  readonly isFirstRejection: boolean;
  /** Targets that this call has not tried and that are available now. */
  readonly untried: number;
  /** The target may still be tried: its circuit has not opened. */
  readonly available: boolean;
  /** Some of the answer had arrived: another target is preferred over a retry. */
  readonly hasStarted: boolean;
  /** A function returned the rejected key, and was not asked again in this call. */
  readonly mayRenewKey: boolean;
  readonly onUnsupported: 'warn' | 'error' | 'skip-target';
  /** Takes a token of the retry budget; called last, when nothing else prevents a retry. */
  readonly takeToken: () => boolean;
  readonly random: () => number;
};

/** While another target is available, the delay of a retry may take this share of the time left. */
const waitShare = 0.5;

/** The verdict when every attempt left is reserved for an untried target. */
export const reservedForUntried = {
  verdict: 'next',
  reason: 'the attempts left are for untried targets',
} as const satisfies Decision;

/** Whether an attempt of a tried target would take one from an untried target. */
export function isReservedForUntried(attemptsLeft: number, untried: number): boolean {
  return untried > 0 && attemptsLeft <= untried;
}

/** A repair, or a restart of the same request: without delay, and without a token of the retry budget. */
export function retryAtOnce({ attemptsLeft, untried }: Situation): Decision {
  return isReservedForUntried(attemptsLeft, untried)
    ? reservedForUntried
    : { verdict: 'retry', delayMs: 0 };
}

export function isAttemptErrorCode(code: ErrorCode): code is AttemptErrorCode {
  return Object.hasOwn(failureTable, code);
}

/** Rate limits are counted over seconds at least: a retry sooner than that is limited too. */
const rateLimitBaseMs = 1_000;

/**
 * The delay before the n-th retry (1, 2, …), with full jitter: from 0 to the doubled base (AWS, "Exponential Backoff And
 * Jitter").
 */
export function backoffMs(
  retry: number,
  limits: { readonly minMs: number; readonly maxMs: number },
  random: number,
): number {
  return random * Math.min(limits.maxMs, limits.minMs * 2 ** (retry - 1));
}

/** The same for a rate limit without `Retry-After`: at least half of the doubled base. */
export function rateLimitBackoffMs(retry: number, maxMs: number, random: number): number {
  return Math.min(maxMs, rateLimitBaseMs * 2 ** (retry - 1)) * (0.5 + random / 2);
}

/** Whether the failure counts for the target's circuit. The call's deadline and a blocked request do not. */
export function countsAsFailure(error: SignalboxError): boolean {
  const isDeadline = error.phase === 'total' || error.phase === 'pace';
  const isOfCall = isDeadline || isBlocked(error);
  return isAttemptErrorCode(error.code) && failureTable[error.code].circuit && !isOfCall;
}

/** A firewall or proxy rejected this request with a page of its own, usually for its content. */
function isBlocked({ code, status = 0 }: SignalboxError): boolean {
  return code === 'invalid_response' && status >= 400;
}

/** Groq answers 413 to a request that alone exceeds the limit per minute: no wait makes it fit. */
export function isTooLargeToWait(error: SignalboxError): boolean {
  return error.code === 'rate_limited' && error.status === 413;
}

function triesOf(row: Row, error: SignalboxError, situation: Situation): number {
  if (isTooLargeToWait(error) || isBlocked(error)) return 0;
  const usual = situation.othersFree ? row.same : row.alone;
  // The caller's number replaces ours for failures that are retried at all.
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
    if (error.vendorSpecific === true && situation.othersFree && situation.isFirstRejection) {
      return { verdict: 'next', reason: 'another vendor may accept the request' };
    }
    return {
      verdict: 'stop',
      reason: 'another target would fail too, or must not answer (see fallbackOn)',
    };
  }
  if (error.code === 'unsupported' && situation.onUnsupported === 'error') {
    return { verdict: 'stop', reason: "onUnsupported is 'error'" };
  }
  return { verdict: 'next' };
}

/** What to do after a failed attempt: retry the same target, go to the next one, or stop. */
export function decide(error: SignalboxError, situation: Situation): Decision {
  if (!isAttemptErrorCode(error.code)) return { verdict: 'stop' };
  if (error.phase === 'total') {
    return { verdict: 'stop', reason: "the call's deadline has passed" };
  }
  // A retry would wait outside the queue.
  if (isQueueRejection(error)) return { verdict: 'next' };
  const row: Row = failureTable[error.code];
  if (error.code === 'invalid_output' && situation.repairs < situation.repairAttempts) {
    if (situation.attemptsLeft > 0) return retryAtOnce(situation);
  }
  if (error.code === 'auth' && situation.mayRenewKey && situation.attemptsLeft > 0) {
    return retryAtOnce(situation);
  }
  const onward = goOn(row, error, situation);
  if (onward.verdict === 'stop') return onward;
  if (situation.attemptsLeft <= 0) return { verdict: 'next', reason: 'maxAttempts reached' };
  if (situation.tries > triesOf(row, error, situation)) return onward;
  if (situation.hasStarted && situation.othersFree)
    return { verdict: 'next', reason: 'part of the answer had arrived' };
  if (!situation.available) return { verdict: 'next', reason: 'its circuit has opened' };
  const delayMs = delayFor(error, situation);
  if (delayMs >= situation.remainingMs) {
    return { verdict: 'next', reason: `a wait of ${Math.ceil(delayMs)} ms exceeds the deadline` };
  }
  // Another target answers sooner than a vendor's long `Retry-After`, and a wait that takes most of the time left would
  // leave none for it.
  const isTooLong =
    (error.retryAfterMs ?? 0) > defaults.patienceMs || delayMs > situation.remainingMs * waitShare;
  if (situation.othersFree && isTooLong) {
    const reason = `another target is faster than a wait of ${Math.ceil(delayMs)} ms`;
    return { verdict: 'next', reason };
  }
  if (isReservedForUntried(situation.attemptsLeft, situation.untried)) return reservedForUntried;
  if (!situation.takeToken()) return { verdict: 'next', reason: 'the retry budget is empty' };
  return { verdict: 'retry', delayMs };
}
