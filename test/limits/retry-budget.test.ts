import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRetryBudget, retryBudgetRules } from '../../src/limits/request-budgets.ts';

function setUp() {
  const clock = { now: 0 };
  return { clock, budget: createRetryBudget(() => clock.now) };
}

function takeAll(budget: { take(): boolean }, tries = 1_000): number {
  let taken = 0;
  for (let each = 0; each < tries; each++) if (budget.take()) taken += 1;
  return taken;
}

describe('createRetryBudget', () => {
  test('gives a thousand failing callers only the initial tokens', () => {
    const { budget } = setUp();
    expect(takeAll(budget)).toBe(10);
    expect(budget.take()).toBe(false);
  });

  test('refills three tokens per second, up to the floor', () => {
    const { clock, budget } = setUp();
    takeAll(budget);
    clock.now += 1_000;
    expect(budget.tokens()).toBe(3);
    expect(takeAll(budget)).toBe(3);
    clock.now += 333;
    expect(takeAll(budget)).toBe(0);
    clock.now += 1;
    expect(takeAll(budget)).toBe(1);
    clock.now += 3_600_000;
    expect(takeAll(budget)).toBe(10);
  });

  test('limits an outage of a minute to the floor plus three retries per second', () => {
    const { clock, budget } = setUp();
    let taken = 0;
    for (let second = 0; second < 60; second++) {
      taken += takeAll(budget, 100);
      clock.now += 1_000;
    }
    expect(taken).toBe(10 + 59 * 3);
  });

  test('adds a tenth of a token per success, up to the capacity', () => {
    const { budget } = setUp();
    takeAll(budget);
    for (let call = 0; call < 25; call++) budget.success();
    expect(budget.tokens()).toBeCloseTo(2.5);
    expect(takeAll(budget)).toBe(2);
    for (let call = 0; call < 5_000; call++) budget.success();
    expect(takeAll(budget)).toBe(100);
  });

  test('does not refill over time above the floor', () => {
    const { clock, budget } = setUp();
    for (let call = 0; call < 100; call++) budget.success();
    const earned = budget.tokens();
    clock.now += 60_000;
    expect(budget.tokens()).toBe(earned);
  });

  test('refills before a success is added', () => {
    const { clock, budget } = setUp();
    takeAll(budget);
    clock.now += 60_000;
    budget.success();
    expect(budget.tokens()).toBeCloseTo(10.1);
  });

  test('ignores a clock that goes backwards', () => {
    const { clock, budget } = setUp();
    takeAll(budget);
    clock.now = -60_000;
    expect(budget.tokens()).toBe(0);
  });

  test('stays between zero and the capacity', () => {
    const step = fc.oneof(
      fc.constant('take' as const),
      fc.constant('success' as const),
      fc.integer({ min: -1_000, max: 100_000 }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const { clock, budget } = setUp();
        for (const each of steps) {
          const before = budget.tokens();
          if (each === 'take') expect(budget.take()).toBe(before >= 1);
          else if (each === 'success') budget.success();
          else clock.now += each;
          expect(budget.tokens()).toBeGreaterThanOrEqual(0);
          expect(budget.tokens()).toBeLessThanOrEqual(retryBudgetRules.capacity);
        }
      }),
    );
  });
});
