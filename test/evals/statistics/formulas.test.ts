import { describe, expect, it } from 'vitest';
import {
  logBayesFactor,
  logCapitalAbove,
  meanSequence,
  shareSequence,
  stakes,
} from '../../../src/apps/evals/statistics/betting.ts';
import { scoreInterval, wilsonInterval } from '../../../src/apps/evals/statistics/intervals.ts';
import {
  judgeAgreement,
  positionBias,
} from '../../../src/apps/evals/statistics/judge-agreement.ts';
import { mcnemarTest } from '../../../src/apps/evals/statistics/paired-tests.ts';
import {
  betaQuantile,
  incompleteBeta,
  logBinomial,
  logGamma,
  normalCdf,
  normalQuantile,
} from '../../../src/apps/evals/statistics/special-functions.ts';
import { seeded } from '../../support/personal-data.ts';

/** "n choose k" in integers. */
function choose(n: number, k: number): bigint {
  let result = 1n;
  for (let i = 1; i <= k; i += 1) result = (result * BigInt(n - k + i)) / BigInt(i);
  return result;
}

/** P(Bin(n, p / 100) >= k), in integers until the last division. */
function upperTail(n: number, k: number, hundredths: number): number {
  let sum = 0n;
  for (let i = k; i <= n; i += 1)
    sum +=
      choose(n, i) * BigInt(hundredths) ** BigInt(i) * BigInt(100 - hundredths) ** BigInt(n - i);
  return Number((sum * 10n ** 40n) / 100n ** BigInt(n)) / 1e40;
}

describe('special functions', () => {
  it('computes log gamma at factorials and at one half', () => {
    expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.PI) / 2, 12);
    expect(Math.exp(logGamma(11))).toBeCloseTo(3_628_800, 5);
    // ln 170!, the sum of the logarithms.
    let sum = 0;
    for (let i = 2; i <= 170; i += 1) sum += Math.log(i);
    expect(Math.abs(logGamma(171) / sum - 1)).toBeLessThan(1e-13);
    expect(Math.abs(Math.exp(logBinomial(60, 23)) / Number(choose(60, 23)) - 1)).toBeLessThan(
      1e-11,
    );
  });

  it.each([
    [20, 3, 10],
    [22, 16, 50],
    [200, 31, 12],
    [200, 120, 50],
    [200, 199, 98],
    [1000, 60, 4],
  ])('computes the incomplete beta function like a sum over %i throws', (n, k, hundredths) => {
    const exact = upperTail(n, k, hundredths);
    expect(Math.abs(incompleteBeta(hundredths / 100, k, n - k + 1) / exact - 1)).toBeLessThan(
      1e-10,
    );
  });

  it('computes beta quantiles: closed forms, and the limits of Clopper and Pearson', () => {
    expect(betaQuantile(0.3, 1, 7)).toBeCloseTo(1 - 0.7 ** (1 / 7), 12);
    expect(betaQuantile(0.3, 7, 1)).toBeCloseTo(0.3 ** (1 / 7), 12);
    expect(betaQuantile(0.5, 4, 4)).toBeCloseTo(0.5, 12);
    // Newcombe (1998), table I, method 5: 81 of 263, 15 of 148, 1 of 29.
    expect(betaQuantile(0.025, 81, 183)).toBeCloseTo(0.2527, 4);
    expect(betaQuantile(0.975, 82, 182)).toBeCloseTo(0.3676, 4);
    expect(betaQuantile(0.025, 15, 134)).toBeCloseTo(0.0578, 4);
    expect(betaQuantile(0.975, 16, 133)).toBeCloseTo(0.1617, 4);
    expect(betaQuantile(0.975, 2, 28)).toBeCloseTo(0.1776, 4);
  });

  it('computes the normal distribution like the published tables', () => {
    expect(normalQuantile(0.975)).toBeCloseTo(1.959963984540054, 12);
    expect(normalQuantile(0.9995)).toBeCloseTo(3.290526731491926, 10);
    expect(normalQuantile(1e-5)).toBeCloseTo(-4.264890793922825, 12);
    expect(normalCdf(-3) / 1.3498980316300946e-3).toBeCloseTo(1, 12);
    expect(normalCdf(-6) / 9.865876450376946e-10).toBeCloseTo(1, 11);
    expect(normalCdf(1)).toBeCloseTo(0.8413447460685429, 14);
  });
});

describe('intervals', () => {
  // Newcombe (1998), Statistics in Medicine 17:857, table I, method 3.
  it.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])('computes the Wilson interval of %i of %i', (successes, n, low, high) => {
    const found = wilsonInterval(successes, n);
    expect(found.low).toBeCloseTo(low, 4);
    expect(found.high).toBeCloseTo(high, 4);
    // The limits are where the score test is exactly at its critical value.
    for (const limit of [found.low, found.high].filter((value) => value > 0)) {
      const z = (successes / n - limit) / Math.sqrt((limit * (1 - limit)) / n);
      expect(Math.abs(z)).toBeCloseTo(1.959963984540054, 9);
    }
  });

  it('is the Wilson interval for scores of 0 and 1', () => {
    const scores = Array.from({ length: 148 }, (_, index) => ({ score: index < 15 ? 1 : 0 }));
    const { low, high } = wilsonInterval(15, 148);
    const found = scoreInterval(scores);
    expect(found.mean).toBeCloseTo(15 / 148, 12);
    expect(found.low).toBeCloseTo(low, 12);
    expect(found.high).toBeCloseTo(high, 12);
  });

  it('is narrower for fractions, and no wider than nothing for a few equal ones', () => {
    const equal = scoreInterval(Array.from({ length: 20 }, () => ({ score: 0.8 })));
    const asBinary = wilsonInterval(16, 20);
    expect(equal.high - equal.low).toBeLessThan(asBinary.high - asBinary.low);
    expect(equal.high - equal.low).toBeGreaterThan(0.1);
  });

  it('counts a weight of two like two equal cases that are one cluster', () => {
    const weighted = scoreInterval([
      { score: 1, weight: 2 },
      { score: 0 },
      { score: 0 },
      { score: 1 },
    ]);
    expect(weighted.mean).toBeCloseTo(0.6, 12);
    const separate = scoreInterval([1, 1, 0, 0, 1].map((score) => ({ score })));
    expect(weighted.high - weighted.low).toBeGreaterThan(separate.high - separate.low);
  });

  it('covers the mean of fractional scores in about 95 %', () => {
    const random = seeded(7);
    // A judge that gives fifths, and one that fails rarely but entirely.
    const judges = [() => Math.round(random() ** 0.3 * 5) / 5, () => (random() < 0.1 ? 0 : 0.8)];
    const means = [
      [0, 1, 2, 3, 4, 5]
        .map((fifths) => (fifths / 5) * (reach(fifths + 0.5) - reach(fifths - 0.5)))
        .reduce((a, b) => a + b),
      0.72,
    ];
    for (const [index, judge] of judges.entries()) {
      let covered = 0;
      for (let trial = 0; trial < 1000; trial += 1) {
        const scores = Array.from({ length: 50 }, () => ({ score: judge() }));
        const { low, high } = scoreInterval(scores);
        if (low <= (means[index] ?? 0) && (means[index] ?? 0) <= high) covered += 1;
      }
      expect(covered).toBeGreaterThan(930);
    }
    function reach(fifths: number): number {
      return Math.min(1, Math.max(0, fifths / 5)) ** (1 / 0.3);
    }
  });
});

describe('the exact test of McNemar', () => {
  it('agrees with published examples', () => {
    // Fagerland, Lydersen and Laake (2013), BMC Medical Research Methodology 13:91: 0.0703 and 0.0525.
    expect(mcnemarTest(7, 1).different).toBeCloseTo(0.0703125, 9);
    expect(mcnemarTest(16, 6).different).toBeCloseTo((2 * 110_056) / 2 ** 22, 9);
    expect(mcnemarTest(16, 6).different).toBeCloseTo(0.0525, 4);
  });

  it.each([
    [0, 0],
    [5, 5],
    [28, 4],
    [4, 28],
    [90, 60],
  ])('is the sum of binomial probabilities for %i lost and %i gained', (lost, gained) => {
    expect(mcnemarTest(lost, gained).worse).toBeCloseTo(upperTail(lost + gained, lost, 50), 12);
  });
});

describe('tests that may be looked at any time', () => {
  it('computes the beta-binomial Bayes factor', () => {
    // 115 successes of 200, fair or of any share: 0.005956 to 1 / 201, the example of Wikipedia's "Bayes factor".
    expect(Math.exp(-logBayesFactor(115, 85, 0.5))).toBeCloseTo(1.1971, 3);
    const exact = Number((2n ** 200n * 10n ** 20n) / (201n * choose(200, 115))) / 1e20;
    expect(Math.exp(logBayesFactor(115, 85, 0.5))).toBeCloseTo(exact, 9);
    // The factors of successive values, each the predictive share of Laplace, multiply to the same.
    let product = 1;
    for (let i = 0; i < 12; i += 1) product *= (i + 1) / (i + 2) / 0.9;
    expect(Math.exp(logBayesFactor(12, 0, 0.9))).toBeCloseTo(product, 9);
  });

  it('computes the confidence sequence of Robbins', () => {
    const { low, high } = shareSequence(30, 170);
    for (const p of [low, high]) {
      // Robbins (1970): (n + 1) C(n, x) p^x (1 - p)^(n - x) = alpha at both ends.
      const left = 201 * Number(choose(200, 30)) * p ** 30 * (1 - p) ** 170;
      expect(left).toBeCloseTo(0.05, 8);
    }
    expect(low).toBeLessThan(0.15);
    // Without successes the equation has a solution in closed form.
    expect(shareSequence(0, 100).high).toBeCloseTo(1 - (0.05 / 101) ** (1 / 100), 10);
    expect(shareSequence(0, 100).low).toBe(0);
  });

  it('computes the confidence sequence by betting where the capital is exactly enough', () => {
    const scores = [0.5, 0.5, 1, 0, 0.5, 0.5, 1, 0.5, 0.5, 0.5, 0.75, 0.5, 1, 0.25];
    const rows = scores.map((score) => ({ score }));
    const { low, high } = meanSequence(rows);
    const capital = (values: readonly number[], mean: number): number =>
      stakes
        .map((stake) =>
          values.reduce((product, x) => product * (1 - stake + (stake * x) / mean), 1),
        )
        .reduce((a, b) => a + b) / stakes.length;
    expect(capital(scores, low)).toBeCloseTo(40, 6);
    expect(
      capital(
        scores.map((x) => 1 - x),
        1 - high,
      ),
    ).toBeCloseTo(40, 6);
    expect(Math.exp(logCapitalAbove(rows, 0.4))).toBeCloseTo(capital(scores, 0.4), 9);
    expect(meanSequence([...rows].reverse()).low).toBeCloseTo(low, 12);
  });

  it('misses the share at any of 500 looks in at most 5 %', () => {
    let missed = 0;
    const random = seeded(3);
    for (let trial = 0; trial < 400; trial += 1) {
      let [successes, failures, wrong] = [0, 0, false];
      for (let look = 0; look < 500; look += 1) {
        if (random() < 0.1) successes += 1;
        else failures += 1;
        wrong ||= logBayesFactor(successes, failures, 0.1) > Math.log(20);
      }
      if (wrong) missed += 1;
    }
    expect(missed).toBeLessThanOrEqual(20);
  });
});

describe('judges', () => {
  const table = (counts: readonly (readonly [string, string, number])[]) =>
    counts.flatMap(([judge, label, count]) =>
      Array.from({ length: count }, () => ({ judge, label })),
    );

  it.each([
    [20, 5, 10, 15, 0.4],
    [45, 15, 25, 15, 0.130435],
    [25, 35, 5, 35, 0.259259],
  ])('computes the kappa of published tables: %i, %i, %i, %i', (a, b, c, d, kappa) => {
    // The three examples of Wikipedia's "Cohen's kappa".
    const found = judgeAgreement(
      table([
        ['yes', 'yes', a],
        ['yes', 'no', b],
        ['no', 'yes', c],
        ['no', 'no', d],
      ]),
    );
    expect(found.kappa).toBeCloseTo(kappa, 6);
    expect(found.accuracy).toBeCloseTo((a + d) / (a + b + c + d), 12);
    expect(found.interval).toEqual(wilsonInterval(a + d, a + b + c + d));
  });

  it('has no kappa where only one label occurs', () => {
    expect(judgeAgreement(table([['yes', 'yes', 4]])).kappa).toBeUndefined();
  });

  it('counts verdicts that follow the position', () => {
    const verdicts = [
      ...Array.from({ length: 9 }, () => ({ asShown: 'first', swapped: 'first' }) as const),
      ...Array.from({ length: 30 }, () => ({ asShown: 'first', swapped: 'second' }) as const),
      { asShown: 'second', swapped: 'second' } as const,
    ];
    const found = positionBias(verdicts);
    expect(found).toMatchObject({ pairs: 40, rate: 0.25, firstShare: 0.9 });
    expect(found.pValue).toBeCloseTo((2 * 11) / 1024, 12);
    expect(positionBias([])).toMatchObject({ rate: 0, firstShare: undefined, pValue: 1 });
  });
});
