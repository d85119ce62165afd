import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createHedgeBudget, hedgeBudgetRules } from '../../src/limits/request-budgets.ts';

const free = (): boolean => true;

it('allows no more hedges than the initial ones plus the earned ones', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.01, max: 2, noNaN: true }),
      fc.array(fc.boolean(), { maxLength: 200 }),
      (maxExtra, calls) => {
        const budget = createHedgeBudget();
        let taken = 0;
        for (const isLate of calls) {
          budget.earn(maxExtra);
          if (isLate && budget.take(free)) taken += 1;
        }
        expect(taken).toBeLessThanOrEqual(hedgeBudgetRules.floor + calls.length * maxExtra + 1e-9);
      },
    ),
  );
});

it('takes no token of the retry budget when it allows no hedge', () => {
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

it('allows hedges while half of the calls are late', () => {
  const budget = createHedgeBudget();
  for (let call = 0; call < hedgeBudgetRules.maxLate; call += 1) budget.note(true);
  expect(budget.take(free)).toBe(true);
});

it('accumulates at most ten hedges', () => {
  const budget = createHedgeBudget();
  budget.earn(1_000);
  let taken = 0;
  while (budget.take(free)) taken += 1;
  expect(taken).toBe(hedgeBudgetRules.capacity);
});

it('keeps the hedge when the retry budget is empty', () => {
  const budget = createHedgeBudget();
  expect(budget.take(() => false)).toBe(false);
  expect(budget.take(free)).toBe(true);
});

it('allows no hedges while most calls are late', () => {
  const budget = createHedgeBudget();
  for (let call = 0; call < 10; call += 1) {
    budget.earn(1);
    budget.note(call < hedgeBudgetRules.maxLate + 1);
  }
  expect(budget.take(free)).toBe(false);
  budget.note(false);
  expect(budget.take(free)).toBe(true);
});
