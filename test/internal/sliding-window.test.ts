import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createSlidingWindow } from '../../src/internal/windows.ts';

test('counts at least everything within the window', () => {
  const steps = fc.array(
    fc.record({ afterMs: fc.nat(30_000), amount: fc.integer({ min: 1, max: 9 }) }),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(steps, (list) => {
      const window = createSlidingWindow(10_000);
      const all: { at: number; amount: number }[] = [];
      let now = 1_000_000;
      const recent = (ms: number): number =>
        all.filter(({ at }) => now - at < ms).reduce((sum, { amount }) => sum + amount, 0);
      for (const { afterMs, amount } of list) {
        now += afterMs;
        window.add(amount, now);
        all.push({ at: now, amount });
        expect(window.total(now)).toBeGreaterThanOrEqual(recent(10_000));
        expect(window.total(now)).toBeLessThanOrEqual(recent(10_200));
        const emptyAt = window.fallsTo(0, now);
        expect(emptyAt).toBeGreaterThanOrEqual(now + 10_000);
        expect(emptyAt).toBeLessThanOrEqual(now + 10_200);
      }
    }),
  );
});

test('applies a correction to its slot, and ignores it once the slot has expired', () => {
  const window = createSlidingWindow(1_000);
  window.add(100, 5_000);
  window.correct(-60, 5_000, 5_500);
  expect(window.total(5_500)).toBe(40);
  expect(window.since(5_400, 5_500)).toBe(0);
  window.correct(500, 5_000, 9_000);
  expect(window.total(9_000)).toBe(0);
});
