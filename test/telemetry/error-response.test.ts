import { describe, expect, test } from 'vitest';
import { SignalboxError } from '../../src/errors.ts';
import type { ErrorCode } from '../../src/protocol/error-code.ts';
import { errorResponse } from '../../src/telemetry/error-response.ts';

const secret = 'sk-secret SECRET';

function statusOf(code: ErrorCode, errors?: readonly ErrorCode[]): number {
  return errorResponse(
    new SignalboxError(code, secret, {
      errors: errors?.map((each) => new SignalboxError(each, secret)),
    }),
  ).status;
}

describe('errorResponse', () => {
  test('has the status and the sentence of the code, and nothing else of the error', () => {
    const error = new SignalboxError('overloaded', secret, {
      target: secret,
      requestId: secret,
      status: 529,
      cause: new Error(secret),
    });
    expect(errorResponse(error)).toEqual({
      status: 503,
      headers: {},
      body: {
        error: {
          code: 'overloaded',
          message: 'The model is not available at the moment. Try again later.',
        },
      },
    });
  });

  test.each([
    [1, '1'],
    [1_000, '1'],
    [1_001, '2'],
    [0, '1'],
  ])('has Retry-After for %d ms', (retryAfterMs, seconds) => {
    const error = new SignalboxError('rate_limited', secret, { retryAfterMs });
    const { headers, body } = errorResponse(error);
    expect(headers).toEqual({ 'retry-after': seconds });
    expect(body.error.retryAfterMs).toBe(retryAfterMs);
  });

  test('has no Retry-After with a status that has none', () => {
    const error = new SignalboxError('server_error', secret, { retryAfterMs: 5_000 });
    expect(errorResponse(error)).toMatchObject({ status: 502, headers: {} });
    expect(errorResponse(error).body.error).not.toHaveProperty('retryAfterMs');
  });

  test('has the status of what all targets failed with, and 503 otherwise', () => {
    expect(statusOf('all_targets_failed', ['rate_limited', 'rate_limited'])).toBe(429);
    expect(statusOf('all_targets_failed', ['timeout'])).toBe(504);
    expect(statusOf('all_targets_failed', ['rate_limited', 'timeout'])).toBe(503);
    expect(statusOf('all_targets_failed', [])).toBe(503);
    expect(statusOf('all_targets_failed')).toBe(503);
  });

  test.each([
    ['for a short time', { resetsAt: 1, retryAfterMs: 60_000, by: 'u1' }, 429],
    ["for long, a client's own", { resetsAt: 1, retryAfterMs: 3_600_001, by: 'u1' }, 402],
    ['for long, of everyone', { resetsAt: 1, retryAfterMs: 3_600_001 }, 429],
    ['of the call', {}, 402],
  ])('has the status of a budget that is used up %s', (_, fields, status) => {
    const error = new SignalboxError('budget_exceeded', secret, { budget: 'b', ...fields });
    const response = errorResponse(error);
    expect(response.status).toBe(status);
    expect('retry-after' in response.headers).toBe(status === 429);
    expect(JSON.stringify(response)).not.toContain('u1');
  });

  test('says nothing of errors that are not ours', () => {
    const expected = {
      status: 500,
      headers: {},
      body: { error: { code: 'internal', message: 'An error occurred.' } },
    };
    for (const error of [new Error(secret), secret, undefined, null, {}]) {
      expect(errorResponse(error)).toEqual(expected);
    }
  });

  test('has status 500 for an unknown code', () => {
    expect(statusOf('of-a-newer-copy' as ErrorCode)).toBe(500);
    expect(statusOf('toString' as ErrorCode)).toBe(500);
  });
});
