import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { backoffMs, rateLimitBackoffMs } from '../../src/engine/failures/decide.ts';

const retry = fc.integer({ min: 1, max: 2_000 });
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const maxMs = fc.integer({ min: 1, max: 100_000 });

describe('backoffMs', () => {
  test('returns a delay between 0 and the doubled base', () => {
    const limits = { minMs: 250, maxMs: 8_000 };
    expect([1, 2, 3, 4, 5, 6, 7].map((each) => backoffMs(each, limits, 1))).toEqual([
      250, 500, 1_000, 2_000, 4_000, 8_000, 8_000,
    ]);
    expect(backoffMs(3, limits, 0)).toBe(0);
    expect(backoffMs(3, limits, 0.5)).toBe(500);
  });

  test('never exceeds maxMs', () => {
    fc.assert(
      fc.property(
        retry,
        chance,
        maxMs,
        fc.integer({ min: 1, max: 200_000 }),
        (n, random, max, min) => {
          const waitMs = backoffMs(n, { minMs: min, maxMs: max }, random);
          expect(waitMs).toBeGreaterThanOrEqual(0);
          expect(waitMs).toBeLessThanOrEqual(max);
        },
      ),
    );
  });
});

describe('rateLimitBackoffMs', () => {
  test('returns at least half of a base that starts at one second', () => {
    expect([1, 2, 3].map((each) => rateLimitBackoffMs(each, 8_000, 0))).toEqual([
      500, 1_000, 2_000,
    ]);
    expect(rateLimitBackoffMs(1, 8_000, 1)).toBe(1_000);
  });

  test('never exceeds maxMs and is never 0', () => {
    fc.assert(
      fc.property(retry, maxMs, chance, (n, max, random) => {
        const waitMs = rateLimitBackoffMs(n, max, random);
        expect(waitMs).toBeGreaterThan(0);
        expect(waitMs).toBeLessThanOrEqual(max);
      }),
    );
  });
});
