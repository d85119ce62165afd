import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Percentiles } from '../../src/apps/reports/percentiles.ts';

const quantiles = [0, 0.01, 0.5, 0.9, 0.95, 0.99, 1];

function percentilesOf(values: readonly number[]): Percentiles {
  const percentiles = new Percentiles();
  for (const value of values) percentiles.add(value);
  return percentiles;
}

function figuresOf(percentiles: Percentiles): readonly (number | undefined)[] {
  return quantiles.map((quantile) => percentiles.at(quantile));
}

/** The nearest-rank percentile of all values. */
function exact(values: readonly number[], quantile: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.max(Math.ceil(quantile * values.length), 1) - 1] ?? Number.NaN;
}

/** Times in milliseconds: a few, or more than are kept as they are; from 10 µs to a day. */
const times = fc
  .tuple(
    fc.constantFrom(5, 33, 300),
    fc.array(fc.double({ min: -2, max: 7.9, noNaN: true }), { minLength: 1, maxLength: 300 }),
  )
  .map(([most, powers]) => powers.slice(0, most).map((power) => 10 ** power));

describe('Percentiles', () => {
  it('are within 1 % of the exact ones', () => {
    fc.assert(
      fc.property(times, (values) => {
        const percentiles = percentilesOf(values);
        for (const quantile of quantiles) {
          const right = exact(values, quantile);
          const error = Math.abs((percentiles.at(quantile) ?? Number.NaN) - right) / right;
          expect(error).toBeLessThanOrEqual(0.01);
        }
      }),
    );
  });

  it('are the same for merged parts as for the whole', () => {
    fc.assert(
      fc.property(fc.array(times, { maxLength: 6 }), (parts) => {
        const merged = new Percentiles();
        for (const part of parts) merged.merge(percentilesOf(part));
        expect(figuresOf(merged)).toEqual(figuresOf(percentilesOf(parts.flat())));
      }),
    );
  });

  it('are the same for merged parts that end at 1 ms or at 1 µs', () => {
    for (const unit of [1, 0.001]) {
      const low = Array.from({ length: 100 }, (_, index) => unit * (0.01 + index / 2_000));
      const high = Array.from({ length: 100 }, (_, index) => unit * (1 - index / 200));
      const merged = percentilesOf(low);
      merged.merge(percentilesOf(high));
      expect(figuresOf(merged)).toEqual(figuresOf(percentilesOf([...low, ...high])));
    }
  });

  it('are of the right rank for every number of values', () => {
    for (let count = 33; count < 120; count += 1) {
      const values = Array.from({ length: count }, (_, index) => 1.05 ** index);
      const percentiles = percentilesOf(values);
      for (const [index, value] of values.entries()) {
        const found = percentiles.at((index + 0.5) / count) ?? Number.NaN;
        expect(Math.abs(found - value) / value).toBeLessThanOrEqual(0.01);
      }
    }
  });

  it('keep nothing of the part that was merged', () => {
    const part = percentilesOf(Array.from({ length: 50 }, (_, index) => index + 1));
    const before = figuresOf(part);
    const sum = new Percentiles();
    sum.merge(part);
    sum.add(1e6);
    sum.merge(part);
    expect(figuresOf(part)).toEqual(before);
  });

  it('are unknown without values, and take any time', () => {
    expect(new Percentiles().at(0.5)).toBeUndefined();
    const extreme = percentilesOf(
      Array.from({ length: 40 }, (_, index) => (index < 20 ? 0 : 1e300)),
    );
    expect(extreme.at(0)).toBe(0);
    expect(extreme.at(1)).toBeGreaterThan(9e8);
    expect(extreme.at(1)).toBeLessThan(1.1e9);
  });
});
