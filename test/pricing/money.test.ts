import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addUsd,
  ratePerMillion,
  ratePerThousand,
  scale,
  toNano,
  usdOf,
  usdPerMillion,
} from '../../src/pricing/rate-card.ts';

const attoPerNano = 1_000_000_000n;

describe('rates', () => {
  test('are exact for a price with nine decimals and 1000 million tokens', () => {
    // $0.123456789 per million tokens, times 1000 million tokens, is $123.456789.
    expect(toNano([ratePerMillion(0.123456789) * 1_000_000_000n])).toEqual([123_456_789_000]);
  });

  test('drop floating-point noise', () => {
    expect(ratePerMillion(0.1 + 0.2)).toBe(ratePerMillion(0.3));
  });

  test('per thousand are 1000 times those per million', () => {
    // $10 per thousand searches: one costs a cent.
    expect(toNano([ratePerThousand(10)])).toEqual([10_000_000]);
  });

  test('convert back to their price', () => {
    expect(usdPerMillion(ratePerMillion(0.0375))).toBe(0.0375);
  });

  test('scale by a fraction without remainder', () => {
    expect(scale(ratePerMillion(1.1), [20, 11])).toBe(ratePerMillion(2));
  });

  test('round half up when scaled by a fraction with remainder', () => {
    expect(scale(3n, [1, 2])).toBe(2n);
    expect(scale(10n, [1, 3])).toBe(3n);
  });
});

describe('toNano', () => {
  test('rounds half a nano-dollar up and less down', () => {
    expect(toNano([attoPerNano / 2n])).toEqual([1]);
    expect(toNano([attoPerNano / 2n - 1n])).toEqual([0]);
  });

  test('rounds four lines of 0.4 nano to a total of two', () => {
    const lines = toNano(Array.from({ length: 4 }, () => (attoPerNano * 4n) / 10n));
    expect(lines).toEqual([0, 1, 0, 1]);
  });

  test('returns lines that add up to the rounded sum, each within a nano of its value', () => {
    const amounts = fc.array(fc.bigInt({ min: 0n, max: 10n ** 21n }), { maxLength: 8 });
    fc.assert(
      fc.property(amounts, (lines) => {
        const nano = toNano(lines);
        const exact = lines.reduce((sum, line) => sum + line, 0n);
        const total = nano.reduce((sum, line) => sum + line, 0);
        expect(BigInt(total)).toBe((exact + attoPerNano / 2n) / attoPerNano);
        nano.forEach((line, index) => {
          const difference = BigInt(line) * attoPerNano - (lines[index] ?? 0n);
          expect(difference > -attoPerNano && difference < attoPerNano).toBe(true);
        });
      }),
    );
  });

  test('keeps zero lines', () => {
    expect(toNano([attoPerNano / 3n, 0n, attoPerNano / 3n, 0n])[1]).toBe(0);
  });
});

describe('addUsd', () => {
  test('adds ten times 0.1 to exactly 1', () => {
    const dimes = Array.from({ length: 10 }, () => 0.1);
    expect(dimes.reduce((sum, dime) => sum + dime, 0)).not.toBe(1);
    expect(addUsd(dimes)).toBe(1);
  });

  test('returns 0 for no amounts', () => {
    expect(addUsd([])).toBe(0);
  });

  test('does not drift', () => {
    const amounts = fc.array(fc.integer({ min: 0, max: 10 ** 12 }), { maxLength: 200 });
    fc.assert(
      fc.property(amounts, (nano) => {
        const total = nano.reduce((sum, amount) => sum + amount, 0);
        expect(addUsd(nano.map(usdOf))).toBe(usdOf(total));
      }),
    );
  });
});
