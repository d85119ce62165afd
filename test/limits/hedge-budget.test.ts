import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createHedgeBudget, hedgeBudgetRules } from '../../src/limits/hedge-budget.ts';

const free = (): boolean => true;

it('never allows more than was earned and what a tier starts with', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.01, max: 2, noNaN: true }),
      fc.array(fc.boolean(), { maxLength: 200 }),
      (maxExtra, asks) => {
        const budget = createHedgeBudget();
        let taken = 0;
        for (const asked of asks) {
          budget.earn(maxExtra);
          if (asked && budget.take(free)) taken += 1;
        }
        expect(taken).toBeLessThanOrEqual(hedgeBudgetRules.floor + asks.length * maxExtra + 1e-9);
      },
    ),
  );
});

it('takes no token of the retry budget for a hedge that it does not allow', () => {
  const budget = createHedgeBudget();
  let tokens = 0;
  const take = (): boolean => {
    tokens += 1;
    return true;
  };
  expect(budget.take(take)).toBe(true);
  expect(budget.take(take)).toBe(false);
  expect(tokens).toBe(1);
});

it('keeps its own when the retry budget is empty', () => {
  const budget = createHedgeBudget();
  expect(budget.take(() => false)).toBe(false);
  expect(budget.take(free)).toBe(true);
});

it('allows none while most calls are late, and some again when they are not', () => {
  const budget = createHedgeBudget();
  for (let call = 0; call < 10; call += 1) {
    budget.earn(1);
    budget.note(call < hedgeBudgetRules.maxLate + 1);
  }
  expect(budget.take(free)).toBe(false);
  budget.note(false);
  expect(budget.take(free)).toBe(true);
});
