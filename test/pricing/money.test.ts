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
} from '../../src/pricing/money.ts';

const attoPerNano = 1_000_000_000n;

describe('rates', () => {
  test('a price with nine decimals is exact over a thousand million tokens', () => {
    // $0.123456789 per million tokens, times 1000 million tokens, is $123.456789.
    expect(toNano([ratePerMillion(0.123456789) * 1_000_000_000n])).toEqual([123_456_789_000]);
  });

  test('the noise of a binary fraction is dropped', () => {
    expect(ratePerMillion(0.1 + 0.2)).toBe(ratePerMillion(0.3));
  });

  test('a price per thousand is a thousand times a price per million', () => {
    // $10 per thousand searches: one costs a cent.
    expect(toNano([ratePerThousand(10)])).toEqual([10_000_000]);
  });

  test('a rate gives its price back', () => {
    expect(usdPerMillion(ratePerMillion(0.0375))).toBe(0.0375);
  });

  test('a fraction that divides evenly leaves no remainder', () => {
    expect(scale(ratePerMillion(1.1), [20, 11])).toBe(ratePerMillion(2));
  });

  test('a fraction that does not is rounded half up', () => {
    expect(scale(3n, [1, 2])).toBe(2n);
    expect(scale(10n, [1, 3])).toBe(3n);
  });
});

describe('toNano', () => {
  test('half a nano-dollar is rounded up, less is dropped', () => {
    expect(toNano([attoPerNano / 2n])).toEqual([1]);
    expect(toNano([attoPerNano / 2n - 1n])).toEqual([0]);
  });

  test('four lines of 0.4 nano make two, not none', () => {
    const lines = toNano(Array.from({ length: 4 }, () => (attoPerNano * 4n) / 10n));
    expect(lines).toEqual([0, 1, 0, 1]);
  });

  test('lines add up to the rounded sum, each within a nano of its own value', () => {
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

  test('a line of nothing stays nothing', () => {
    expect(toNano([attoPerNano / 3n, 0n, attoPerNano / 3n, 0n])[1]).toBe(0);
  });
});

describe('addUsd', () => {
  test('ten dimes are a dollar, which they are not as doubles', () => {
    const dimes = Array.from({ length: 10 }, () => 0.1);
    expect(dimes.reduce((sum, dime) => sum + dime, 0)).not.toBe(1);
    expect(addUsd(dimes)).toBe(1);
  });

  test('nothing adds up to nothing', () => {
    expect(addUsd([])).toBe(0);
  });

  test('sums of nano-dollars do not drift', () => {
    const amounts = fc.array(fc.integer({ min: 0, max: 10 ** 12 }), { maxLength: 200 });
    fc.assert(
      fc.property(amounts, (nano) => {
        const total = nano.reduce((sum, amount) => sum + amount, 0);
        expect(addUsd(nano.map(usdOf))).toBe(usdOf(total));
      }),
    );
  });
});
