import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createStatistics } from '../../src/telemetry/statistics.ts';

describe('createStatistics', () => {
  test('returns no percentiles without samples', () => {
    const statistics = createStatistics();
    expect(statistics.snapshot()).toEqual({ calls: 0, failures: 0, aborted: 0 });
    expect(statistics.percentile('totalMs', 0.5)).toBeUndefined();
  });

  test('returns nearest-rank percentiles', () => {
    const statistics = createStatistics();
    for (let ms = 100; ms >= 1; ms -= 1) {
      statistics.record({ outcome: 'ok', firstTokenMs: ms, totalMs: ms * 10 });
    }
    expect(statistics.snapshot()).toEqual({
      calls: 100,
      failures: 0,
      aborted: 0,
      p50FirstTokenMs: 50,
      p95FirstTokenMs: 95,
      p99FirstTokenMs: 99,
      p50TotalMs: 500,
      p95TotalMs: 950,
      p99TotalMs: 990,
    });
  });

  test('counts failures and aborts separately and ignores their total time', () => {
    const statistics = createStatistics();
    statistics.record({ outcome: 'ok', totalMs: 100 });
    statistics.record({ outcome: 'error', totalMs: 1 });
    statistics.record({ outcome: 'aborted', firstTokenMs: 20, totalMs: 9000 });
    expect(statistics.snapshot()).toMatchObject({
      calls: 3,
      failures: 1,
      aborted: 1,
      p50FirstTokenMs: 20,
      p99TotalMs: 100,
    });
  });

  test('replaces old samples but keeps counting', () => {
    const statistics = createStatistics({ capacity: 3 });
    for (const totalMs of [1000, 1, 2, 3]) statistics.record({ outcome: 'ok', totalMs });
    expect(statistics.percentile('totalMs', 1)).toBe(3);
    expect(statistics.snapshot().calls).toBe(4);
  });

  test('replaces the oldest sample after a percentile was read', () => {
    const statistics = createStatistics({ capacity: 2 });
    statistics.record({ outcome: 'ok', totalMs: 9 });
    statistics.record({ outcome: 'ok', totalMs: 1 });
    expect(statistics.percentile('totalMs', 0)).toBe(1);
    // The next sample replaces the oldest, 9, although sorting moved it to the end.
    statistics.record({ outcome: 'ok', totalMs: 5 });
    expect(statistics.percentile('totalMs', 1)).toBe(5);
  });

  test('returns a sample that at least the given share of samples does not exceed', () => {
    const samples = fc.array(fc.integer({ min: 0, max: 10 ** 6 }), { minLength: 1, maxLength: 50 });
    const quantiles = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(samples, quantiles, (totals, quantile) => {
        const statistics = createStatistics({ capacity: 50 });
        for (const totalMs of totals) statistics.record({ outcome: 'ok', totalMs });
        const found = statistics.percentile('totalMs', quantile) ?? Number.NaN;
        const covered = totals.filter((total) => total <= found).length;
        const below = totals.filter((total) => total < found).length;
        expect(totals).toContain(found);
        expect(covered).toBeGreaterThanOrEqual(quantile * totals.length);
        expect(below === 0 || below < quantile * totals.length).toBe(true);
      }),
    );
  });
});
