import { describe, expect, test } from 'vitest';
import {
  countsAsFailure,
  type Decision,
  decide,
  failureTable,
  isAttemptErrorCode,
  isReservedForUntried,
  isTooLargeToWait,
  type Situation,
} from '../../src/engine/failures/decide.ts';
import { SignalboxError, type SignalboxErrorOptions } from '../../src/errors.ts';
import { QueueRejection } from '../../src/limits/admission-queue.ts';
import type { AttemptErrorCode, ErrorCode, TimeoutPhase } from '../../src/protocol/error-code.ts';

function situation(more: Partial<Situation> = {}): Situation {
  return {
    tries: 1,
    repairs: 0,
    repairAttempts: 1,
    attemptsLeft: 5,
    remainingMs: 600_000,
    retry: {},
    fallbackOn: [],
    othersFree: true,
    isFirstRejection: true,
    untried: 0,
    available: true,
    hasStarted: false,
    mayRenewKey: false,
    onUnsupported: 'warn',
    takeToken: () => true,
    random: () => 0.5,
    ...more,
  };
}

function verdictOn(
  code: ErrorCode,
  more: Partial<Situation> = {},
  options: SignalboxErrorOptions = {},
): Decision {
  return decide(new SignalboxError(code, 'failed', options), situation(more));
}

/** The verdicts on repeated failures of the same target, up to the first that is not a retry. */
function verdicts(code: AttemptErrorCode, more: Partial<Situation>, phase?: TimeoutPhase): string {
  const results: string[] = [];
  for (let tries = 1; tries < 10; tries++) {
    const repairs = tries - 1;
    const { verdict } = verdictOn(code, { tries, repairs, ...more }, { phase });
    results.push(verdict);
    if (verdict !== 'retry') break;
  }
  return results.join(' ');
}

/** The expected verdicts with another target available and with none, and whether the failure counts for the circuit. */
const expected: Record<AttemptErrorCode, readonly [free: string, alone: string, circuit: boolean]> =
  {
    connection: ['retry next', 'retry retry next', true],
    server_error: ['retry next', 'retry retry next', true],
    overloaded: ['retry next', 'retry retry next', true],
    conflict: ['retry next', 'retry retry next', true],
    rate_limited: ['next', 'retry retry retry next', false],
    quota_exhausted: ['next', 'next', false],
    auth: ['next', 'next', false],
    permission: ['next', 'next', false],
    model_not_found: ['next', 'next', false],
    timeout: ['next', 'next', true],
    context_length: ['next', 'next', false],
    request_too_large: ['stop', 'stop', false],
    content_filter: ['stop', 'stop', false],
    refusal: ['stop', 'stop', false],
    unsupported: ['next', 'next', false],
    invalid_request: ['stop', 'stop', false],
    invalid_response: ['retry next', 'retry next', true],
    stream_interrupted: ['retry next', 'retry next', true],
    invalid_output: ['retry next', 'retry next', false],
    aborted: ['stop', 'stop', false],
  };

describe('failureTable', () => {
  test.each(
    Object.entries(expected).map(([code, row]) => [code as AttemptErrorCode, ...row] as const),
  )(
    '%s: %s while another target is available, %s otherwise, circuit %s',
    (code, free, alone, circuit) => {
      expect(verdicts(code, { othersFree: true })).toBe(free);
      expect(verdicts(code, { othersFree: false })).toBe(alone);
      expect(countsAsFailure(new SignalboxError(code, 'failed'))).toBe(circuit);
    },
  );

  test('has a row for every code of an attempt', () => {
    expect(Object.keys(failureTable)).toEqual(Object.keys(expected));
    expect(isAttemptErrorCode('connection')).toBe(true);
    for (const code of ['all_targets_failed', 'config', 'closed'] as const) {
      expect(isAttemptErrorCode(code)).toBe(false);
    }
  });
});

describe('a timeout', () => {
  test.each(['connect', 'first-token', 'idle'] as const)('in phase %s is not retried', (phase) => {
    expect(verdicts('timeout', { othersFree: false }, phase)).toBe('next');
    expect(countsAsFailure(new SignalboxError('timeout', 'late', { phase }))).toBe(true);
  });

  test('in phase total stops the call and does not count as a failure', () => {
    const options = { phase: 'total' } as const;
    const listed = verdictOn('timeout', { fallbackOn: ['timeout'] }, options);
    expect(listed).toEqual({ verdict: 'stop', reason: "the call's deadline has passed" });
    expect(countsAsFailure(new SignalboxError('timeout', 'late', options))).toBe(false);
  });

  test('in phase pace does not count as a failure', () => {
    expect(countsAsFailure(new SignalboxError('timeout', 'slow', { phase: 'pace' }))).toBe(false);
  });
});

test('a timeout in phase pace is not retried and does not count as a failure', () => {
  expect(verdicts('timeout', { othersFree: false }, 'pace')).toBe('next');
  expect(countsAsFailure(new SignalboxError('timeout', 'slow', { phase: 'pace' }))).toBe(false);
});

describe('a 413 for a limit per minute', () => {
  test('goes to the next target without a wait', () => {
    const verdict = verdictOn('rate_limited', { othersFree: false }, { status: 413 });
    expect(verdict).toEqual({ verdict: 'next' });
  });

  test('is not confused with a 413 for one request', () => {
    const tooLarge = (code: AttemptErrorCode) =>
      isTooLargeToWait(new SignalboxError(code, 'failed', { status: 413 }));
    expect(tooLarge('rate_limited')).toBe(true);
    expect(tooLarge('request_too_large')).toBe(false);
  });
});

describe('a rejected key', () => {
  test('is renewed and tried again at once, without a token of the retry budget', () => {
    const renewable = { mayRenewKey: true, takeToken: () => false };
    expect(verdictOn('auth', renewable)).toEqual({ verdict: 'retry', delayMs: 0 });
    expect(verdictOn('auth', { ...renewable, attemptsLeft: 1 }).verdict).toBe('retry');
    expect(verdictOn('permission', renewable).verdict).toBe('next');
  });

  test('is not renewed when the call has no attempts left', () => {
    expect(verdictOn('auth', { mayRenewKey: true, attemptsLeft: 0 })).toEqual({
      verdict: 'next',
      reason: 'maxAttempts reached',
    });
  });
});

describe('attempts reserved for untried targets', () => {
  test('are as many as there are such targets', () => {
    expect(isReservedForUntried(1, 2)).toBe(true);
    expect(isReservedForUntried(2, 2)).toBe(true);
    expect(isReservedForUntried(3, 2)).toBe(false);
    expect(isReservedForUntried(0, 0)).toBe(false);
  });

  test('are not used for retries or repairs', () => {
    const reserved = { verdict: 'next', reason: 'the attempts left are for untried targets' };
    for (const code of ['server_error', 'invalid_output'] as const) {
      expect(verdictOn(code, { attemptsLeft: 2, untried: 2 })).toEqual(reserved);
      expect(verdictOn(code, { attemptsLeft: 3, untried: 2 }).verdict).toBe('retry');
    }
  });
});

describe('a code of a call', () => {
  test.each([
    'config',
    'closed',
    'all_targets_failed',
    'budget_exceeded',
    'policy_blocked',
  ] as const)('%s stops the call', (code) => {
    expect(verdictOn(code)).toEqual({ verdict: 'stop' });
    expect(countsAsFailure(new SignalboxError(code, 'x'))).toBe(false);
  });
});

describe('the delay of a retry', () => {
  const delays = (code: AttemptErrorCode, more: Partial<Situation> = {}) =>
    [1, 2, 3].map((tries) => {
      const decision = verdictOn(code, {
        tries,
        othersFree: false,
        retry: { attempts: 9 },
        ...more,
      });
      return decision.verdict === 'retry' ? decision.delayMs : undefined;
    });

  test('doubles, with full jitter', () => {
    expect(delays('server_error')).toEqual([125, 250, 500]);
    expect(delays('server_error', { random: () => 0 })).toEqual([0, 0, 0]);
  });

  test('uses minMs and maxMs of the caller', () => {
    const retry = { attempts: 9, minMs: 1_000, maxMs: 1_500 };
    expect(delays('server_error', { retry })).toEqual([500, 750, 750]);
    expect(delays('rate_limited', { retry })).toEqual([750, 1_125, 1_125]);
  });

  test('is longer for a rate limit without Retry-After', () => {
    expect(delays('rate_limited')).toEqual([750, 1_500, 3_000]);
  });

  test('is Retry-After if the vendor sends it', () => {
    for (const code of ['rate_limited', 'overloaded'] as const) {
      expect(verdictOn(code, { othersFree: false }, { retryAfterMs: 20_000 })).toEqual({
        verdict: 'retry',
        delayMs: 20_000,
      });
    }
  });

  test('prevents the retry if it exceeds the deadline', () => {
    const alone = { othersFree: false, remainingMs: 5_000 };
    expect(verdictOn('rate_limited', alone, { retryAfterMs: 4_999 }).verdict).toBe('retry');
    expect(verdictOn('rate_limited', alone, { retryAfterMs: 5_000 })).toEqual({
      verdict: 'next',
      reason: 'a wait of 5000 ms exceeds the deadline',
    });
    expect(verdictOn('server_error', { remainingMs: 100 }).verdict).toBe('next');
  });

  test('prevents the retry if it is long and another target is available', () => {
    expect(verdictOn('overloaded', {}, { retryAfterMs: 1_001 })).toEqual({
      verdict: 'next',
      reason: 'another target is faster than a wait of 1001 ms',
    });
    expect(verdictOn('overloaded', {}, { retryAfterMs: 1_000 }).verdict).toBe('retry');
    const alone = { othersFree: false };
    expect(verdictOn('overloaded', alone, { retryAfterMs: 8_000 }).verdict).toBe('retry');
  });

  test('prevents the retry if it takes over half of the time left and another target is available', () => {
    const half = { retryAfterMs: 500 };
    expect(verdictOn('overloaded', { remainingMs: 1_000 }, half).verdict).toBe('retry');
    expect(verdictOn('overloaded', { remainingMs: 999 }, half).verdict).toBe('next');
    expect(verdictOn('overloaded', { remainingMs: 999, othersFree: false }, half).verdict).toBe(
      'retry',
    );
  });
});

describe('a retry is not made', () => {
  test('when the call has no attempts left', () => {
    for (const code of ['server_error', 'rate_limited', 'invalid_output'] as const) {
      expect(verdictOn(code, { attemptsLeft: 0, othersFree: false })).toEqual({
        verdict: 'next',
        reason: 'maxAttempts reached',
      });
    }
  });

  test('when the retry budget is empty', () => {
    expect(verdictOn('server_error', { takeToken: () => false })).toEqual({
      verdict: 'next',
      reason: 'the retry budget is empty',
    });
  });

  test('when part of the answer had arrived and another target is available', () => {
    expect(verdictOn('stream_interrupted', { hasStarted: true })).toEqual({
      verdict: 'next',
      reason: 'part of the answer had arrived',
    });
    expect(verdictOn('stream_interrupted', { hasStarted: true, othersFree: false }).verdict).toBe(
      'retry',
    );
  });

  test('when the failure opened the circuit', () => {
    expect(verdictOn('server_error', { available: false, othersFree: false })).toEqual({
      verdict: 'next',
      reason: 'its circuit has opened',
    });
  });

  test('without taking a token: only a retry takes one', () => {
    let taken = 0;
    const takeToken = (): boolean => {
      taken += 1;
      return true;
    };
    const without: readonly [AttemptErrorCode, Partial<Situation>][] = [
      ['auth', {}],
      ['invalid_request', {}],
      ['server_error', { tries: 2 }],
      ['server_error', { attemptsLeft: 0 }],
      ['server_error', { available: false }],
      ['server_error', { remainingMs: 0 }],
      ['stream_interrupted', { hasStarted: true }],
      ['invalid_output', {}],
    ];
    for (const [code, more] of without) verdictOn(code, { ...more, takeToken });
    expect(taken).toBe(0);
    verdictOn('server_error', { takeToken });
    expect(taken).toBe(1);
  });
});

describe('retry.attempts', () => {
  test('overrides the number of the table', () => {
    const four = { retry: { attempts: 4 } };
    expect(verdicts('server_error', four)).toBe('retry retry retry retry next');
    expect(verdicts('rate_limited', { ...four, othersFree: false })).toBe(
      'retry retry retry retry next',
    );
  });

  test('disables retries with 0', () => {
    const none = { retry: { attempts: 0 }, othersFree: false };
    expect(verdicts('server_error', none)).toBe('next');
    expect(verdicts('rate_limited', none)).toBe('next');
  });

  test('does not enable retries for other codes', () => {
    const four = { retry: { attempts: 4 } };
    for (const code of ['auth', 'timeout', 'quota_exhausted', 'rate_limited'] as const) {
      expect(verdicts(code, four)).toBe('next');
    }
    expect(verdicts('invalid_request', four)).toBe('stop');
  });
});

describe('fallbackOn', () => {
  test.each(['content_filter', 'refusal', 'invalid_request', 'request_too_large'] as const)(
    'goes to the next target on %s if it is listed',
    (code) => {
      expect(verdictOn(code, { fallbackOn: [code] })).toEqual({ verdict: 'next' });
      const stop = {
        verdict: 'stop',
        reason: 'another target would fail too, or must not answer (see fallbackOn)',
      };
      expect(verdictOn(code, { fallbackOn: ['timeout'] })).toEqual(stop);
      expect(verdictOn(code, { attemptsLeft: 0 })).toEqual(stop);
    },
  );

  test.each(['invalid_request', 'request_too_large'] as const)(
    'is not needed for a vendor-specific %s, once and while another target is available',
    (code) => {
      const vendorSpecific = { vendorSpecific: true };
      expect(verdictOn(code, {}, vendorSpecific)).toEqual({
        verdict: 'next',
        reason: 'another vendor may accept the request',
      });
      expect(verdictOn(code, { isFirstRejection: false }, vendorSpecific).verdict).toBe('stop');
      expect(verdictOn(code, { othersFree: false }, vendorSpecific).verdict).toBe('stop');
    },
  );

  test('does not apply to aborted calls', () => {
    expect(verdictOn('aborted', { fallbackOn: ['aborted'] }).verdict).toBe('stop');
  });
});

describe('invalid_output', () => {
  test('is repaired without delay, up to repairAttempts times', () => {
    expect(verdictOn('invalid_output')).toEqual({ verdict: 'retry', delayMs: 0 });
    expect(verdicts('invalid_output', { repairAttempts: 3 })).toBe('retry retry retry next');
    expect(verdicts('invalid_output', { repairAttempts: 0 })).toBe('next');
  });

  test('is repaired independently of retries', () => {
    const more = { retry: { attempts: 0 }, tries: 5, takeToken: () => false };
    expect(verdictOn('invalid_output', more).verdict).toBe('retry');
  });
});

describe('a key that a function returned', () => {
  test('is asked for again without delay, if an attempt is left', () => {
    const mayRenewKey = true;
    expect(verdictOn('auth', { mayRenewKey })).toEqual({ verdict: 'retry', delayMs: 0 });
    expect(verdictOn('auth', { mayRenewKey, attemptsLeft: 0 }).verdict).toBe('next');
    expect(verdictOn('auth', { mayRenewKey, attemptsLeft: 1, untried: 1 }).verdict).toBe('next');
    expect(verdictOn('permission', { mayRenewKey }).verdict).toBe('next');
  });
});

describe('the attempts left', () => {
  test('are for targets that were not tried', () => {
    const left = { attemptsLeft: 2, random: () => 0 };
    expect(verdictOn('server_error', { ...left, untried: 1 }).verdict).toBe('retry');
    expect(verdictOn('server_error', { ...left, untried: 2 })).toEqual({
      verdict: 'next',
      reason: 'the attempts left are for untried targets',
    });
  });
});

describe('unsupported', () => {
  test("goes to the next target, or stops with onUnsupported 'error'", () => {
    expect(verdictOn('unsupported', { onUnsupported: 'warn' }).verdict).toBe('next');
    expect(verdictOn('unsupported', { onUnsupported: 'skip-target' }).verdict).toBe('next');
    expect(verdictOn('unsupported', { onUnsupported: 'error' })).toEqual({
      verdict: 'stop',
      reason: "onUnsupported is 'error'",
    });
    expect(verdictOn('server_error', { onUnsupported: 'error' }).verdict).toBe('retry');
  });
});

test('goes to the next target after a rejection by the queue', () => {
  const cause = new QueueRejection('full', 'its rpm limit of 60', 5_000);
  const rejected = new SignalboxError('rate_limited', 'rejected', { cause, retryAfterMs: 5_000 });
  expect(decide(rejected, situation({ othersFree: false }))).toEqual({ verdict: 'next' });
});
