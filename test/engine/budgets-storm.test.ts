import { expect, it } from 'vitest';
import { storm } from '../simulation/storm.ts';
import { sampled } from '../support/sampled.ts';

/** `npm run simulate -- --storm 100` has 1,000 calls each. */
const calls = 300;

it.each(Array.from({ length: sampled(5, 2) }, (_, seed) => seed + 1))(
  'no attempt of many concurrent calls escapes a budget (seed %i)',
  async (seed) => {
    const { violations, refusedAt } = await storm(seed, calls, { isHidden: false });
    expect(violations).toEqual([]);
    expect(refusedAt).toBeLessThan(Number.POSITIVE_INFINITY);
  },
);

it('a budget is exceeded by no more than vendors bill beyond reservations', async () => {
  const { violations, excessUsd } = await storm(6, calls, { isHidden: true });
  expect(violations).toEqual([]);
  expect(excessUsd).toBeGreaterThan(0);
});
