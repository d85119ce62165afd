import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { rateLimitsOf, reportLimits } from '../../src/transport/answer.ts';

const now = Date.UTC(2026, 0, 1, 12);
const limitsOf = (headers: Record<string, string>) => rateLimitsOf(new Headers(headers), now);

describe('the rate limits in headers', () => {
  test('are read from OpenAI, as requests and tokens with durations', () => {
    expect(
      limitsOf({
        'x-ratelimit-limit-requests': '60',
        'x-ratelimit-remaining-requests': '59',
        'x-ratelimit-reset-requests': '1s',
        'x-ratelimit-limit-tokens': '150000',
        'x-ratelimit-remaining-tokens': '149984',
        'x-ratelimit-reset-tokens': '6m0s',
      }),
    ).toEqual([
      { name: 'requests', unit: 'requests', limit: 60, remaining: 59, resetMs: 1_000 },
      { name: 'tokens', unit: 'tokens', limit: 150_000, remaining: 149_984, resetMs: 360_000 },
    ]);
  });

  test.each([
    ['120ms', 120],
    ['7.66s', 7_660],
    ['1h2m', 3_720_000],
    ['30', 30_000],
    [String(now + 5_000), 5_000],
    [String(now / 1_000 + 5), 5_000],
    ['2026-01-01T12:00:09Z', 9_000],
    ['2026-01-01T11:00:00Z', 0],
  ])('parse %s as a reset in %d ms', (reset, resetMs) => {
    const limits = limitsOf({ 'x-ratelimit-remaining': '3', 'x-ratelimit-reset': reset });
    expect(limits).toEqual([{ name: 'requests', unit: 'requests', remaining: 3, resetMs }]);
  });

  test.each([
    ['999999999', 86_400_000],
    ['9'.repeat(40), 86_400_000],
    ['9999-12-31T23:59:59Z', 86_400_000],
    ['400d', 86_400_000],
  ])('cap %s at one day', (reset, resetMs) => {
    const limits = limitsOf({ 'x-ratelimit-remaining': '3', 'x-ratelimit-reset': reset });
    expect(limits).toEqual([{ name: 'requests', unit: 'requests', remaining: 3, resetMs }]);
  });

  test('are skipped when a number is implausible', () => {
    const rest = { 'x-ratelimit-reset': '1s' };
    for (const remaining of ['9'.repeat(400), '1e3', '-1', 'NaN', '9'.repeat(20)]) {
      expect(limitsOf({ ...rest, 'x-ratelimit-remaining': remaining })).toEqual([]);
    }
    const contradicting = { ...rest, 'x-ratelimit-remaining': '9', 'x-ratelimit-limit': '5' };
    expect(limitsOf(contradicting)).toEqual([
      { name: 'requests', unit: 'requests', remaining: 9, resetMs: 1_000 },
    ]);
  });

  test('are at most 16, with names of limited length', () => {
    const headers = Object.fromEntries(
      Array.from({ length: 100 }, (_, at) => [`x-ratelimit-remaining-day-${at}`, '1']),
    );
    const resets = Object.fromEntries(
      Object.keys(headers).map((name) => [name.replace('remaining', 'reset'), '1s']),
    );
    expect(limitsOf({ ...headers, ...resets })).toHaveLength(16);
    const long = 'x'.repeat(100);
    const named = { [`x-ratelimit-remaining-${long}`]: '1', [`x-ratelimit-reset-${long}`]: '1s' };
    expect(limitsOf(named)).toEqual([]);
  });

  test('are read from Anthropic, with dates measured against its clock', () => {
    const limits = limitsOf({
      date: 'Thu, 01 Jan 2026 13:00:00 GMT',
      'anthropic-ratelimit-requests-limit': '50',
      'anthropic-ratelimit-requests-remaining': '0',
      'anthropic-ratelimit-requests-reset': '2026-01-01T13:00:20Z',
      'anthropic-ratelimit-input-tokens-limit': '40000',
      'anthropic-ratelimit-input-tokens-remaining': '39000',
      'anthropic-ratelimit-input-tokens-reset': '2026-01-01T13:00:01Z',
    });
    expect(limits).toContainEqual({
      name: 'requests',
      unit: 'requests',
      limit: 50,
      remaining: 0,
      resetMs: 20_000,
    });
    expect(limits).toContainEqual({
      name: 'input-tokens',
      unit: 'tokens',
      limit: 40_000,
      remaining: 39_000,
      resetMs: 1_000,
    });
  });

  test('are read from Mistral and Cerebras, with the window in the name', () => {
    const limits = limitsOf({
      'x-ratelimit-limit-req-minute': '60',
      'x-ratelimit-remaining-req-minute': '12',
      'x-ratelimit-limit-tokens-day': '1000000',
      'x-ratelimit-remaining-tokens-day': '5',
      'x-ratelimit-reset-tokens-day': '33011.38',
    });
    expect(limits.map(({ name, unit, resetMs }) => [name, unit, resetMs])).toEqual([
      ['requests-minute', 'requests', 60_000],
      ['tokens-day', 'tokens', 33_011_380],
    ]);
  });

  test("are read from the IETF draft's single header", () => {
    expect(limitsOf({ ratelimit: 'limit=100, remaining=50, reset=30' })).toEqual([
      { name: 'requests', unit: 'requests', limit: 100, remaining: 50, resetMs: 30_000 },
    ]);
  });

  test('reset after Retry-After when the bucket takes longer to refill', () => {
    const headers = {
      'x-ratelimit-remaining-requests': '0',
      'x-ratelimit-reset-requests': '6m0s',
      'retry-after': '2',
    };
    expect(limitsOf(headers)[0]?.resetMs).toBe(2_000);
  });

  test('are skipped without a remaining count or a reset', () => {
    expect(limitsOf({ 'x-ratelimit-limit-requests': '60' })).toEqual([]);
    expect(limitsOf({ 'x-ratelimit-remaining-requests': '0' })).toEqual([]);
    expect(
      limitsOf({ 'x-ratelimit-remaining-requests': 'many', 'x-ratelimit-reset-requests': 'soon' }),
    ).toEqual([]);
  });

  test.each([
    ['0', '0'],
    ['-1', '0'],
    ['-1', '-1'],
    ['0', '-1'],
    ['0.0', '0'],
    ['unlimited', '0'],
    ['0, 0;w=60', '0'],
  ])('are skipped where limit %s and remaining %s mean that there is none', (limit, remaining) => {
    const headersOf = (prefix: string) => ({
      [`${prefix}-limit-requests`]: limit,
      [`${prefix}-remaining-requests`]: remaining,
      [`${prefix}-reset-requests`]: '60s',
    });
    expect(limitsOf(headersOf('x-ratelimit'))).toEqual([]);
    expect(limitsOf(headersOf('anthropic-ratelimit'))).toEqual([]);
    expect(limitsOf({ ratelimit: `limit=${limit}, remaining=${remaining}, reset=60` })).toEqual([]);
  });

  test('are used up when nothing is left of a real limit', () => {
    for (const limit of ['60', '60, 60;w=60', '60, 60']) {
      const headers = {
        'x-ratelimit-limit-requests': limit,
        'x-ratelimit-remaining-requests': '0',
        'x-ratelimit-reset-requests': '60s',
      };
      expect(limitsOf(headers)).toMatchObject([{ remaining: 0, resetMs: 60_000 }]);
    }
  });

  test('are reported only when there are some', () => {
    const reported: unknown[] = [];
    const watch = {
      connected: () => undefined,
      bytes: () => undefined,
      limits: (limits: unknown) => void reported.push(limits),
    };
    reportLimits(new Headers({ 'content-type': 'text/plain' }), watch);
    expect(reported).toEqual([]);
    reportLimits(new Headers({ ratelimit: 'limit=9, remaining=8, reset=7' }), watch);
    expect(reported).toHaveLength(1);
  });

  test('are not negative and consistent for any headers', () => {
    const names = fc.constantFrom(
      'x-ratelimit-remaining-requests',
      'x-ratelimit-reset-requests',
      'x-ratelimit-limit-requests',
      'anthropic-ratelimit-tokens-remaining',
      'anthropic-ratelimit-tokens-reset',
      'ratelimit-remaining',
      'ratelimit-reset',
      'ratelimit',
      'x-ratelimit-remaining',
      'x-ratelimit-remaining-tokens-minute',
      'retry-after',
    );
    const values = fc.oneof(
      fc.string({ unit: fc.constantFrom(...'0123456789smh.-:TZ=, e') }),
      fc.integer().map(String),
    );
    fc.assert(
      fc.property(fc.dictionary(names, values), (headers) => {
        for (const { limit, remaining, resetMs } of limitsOf(headers)) {
          expect(remaining).toBeGreaterThanOrEqual(0);
          expect(resetMs).toBeGreaterThanOrEqual(0);
          if (limit !== undefined) expect(limit).toBeGreaterThanOrEqual(remaining);
        }
      }),
    );
  });
});
