import { describe, expect, it } from 'vitest';
import {
  type ChangeDetectorOptions,
  createChangeDetector,
} from '../../../src/apps/evals/statistics/change-detector.ts';
import {
  type ComparedCase,
  testNonInferiority,
} from '../../../src/apps/evals/statistics/non-inferiority.ts';
import { seeded } from '../../support/personal-data.ts';

describe('has the cheaper model caught up', () => {
  /** Cases of which so many are answered rightly by both, by one of the two, and by neither. */
  function compared(both: number, onlyExpensive: number, onlyCheap: number, neither: number) {
    const rows = (count: number, expensive: number, cheap: number): readonly ComparedCase[] =>
      Array.from({ length: count }, () => ({ expensive, cheap }));
    return [
      ...[...rows(both, 1, 1), ...rows(onlyExpensive, 1, 0)],
      ...[...rows(onlyCheap, 0, 1), ...rows(neither, 0, 0)],
    ];
  }

  it('says yes, no, or how many cases are missing', () => {
    const caughtUp = testNonInferiority(compared(180, 4, 5, 11), { margin: 0.05 });
    expect(caughtUp.answer).toBe('yes');
    expect(caughtUp.difference).toBeCloseTo(1 / 200, 12);
    expect(testNonInferiority(compared(140, 40, 5, 15))).toMatchObject({ answer: 'no' });
    const open = testNonInferiority(compared(180, 5, 5, 10));
    expect(open.answer).toBe('not enough data');
    expect(open.casesNeeded).toBeGreaterThan(500);
    expect(open.casesNeeded).toBeLessThan(2500);
  });

  it('answers with as many cases as it asked for, if they are alike', () => {
    const part = compared(180, 5, 5, 10);
    const { casesNeeded = 0 } = testNonInferiority(part);
    const times = Math.ceil(casesNeeded / 200);
    const all = Array.from({ length: times }, () => part).flat();
    expect(testNonInferiority(all).answer).toBe('yes');
    expect(testNonInferiority(all.slice(0, all.length - 400)).answer).toBe('not enough data');
  });

  it('does not promise an answer at the margin itself', () => {
    const found = testNonInferiority(compared(180, 7, 3, 10));
    expect(found).toMatchObject({ answer: 'not enough data' });
    expect(found.casesNeeded).toBeUndefined();
    expect(testNonInferiority([])).toMatchObject({ answer: 'not enough data' });
  });

  it('takes weights and fractions', () => {
    const rows = Array.from({ length: 200 }, (_, index) => ({
      ...{ expensive: 0.8, cheap: index % 4 === 0 ? 0.7 : 0.8, weight: index % 4 === 0 ? 3 : 1 },
    }));
    expect(testNonInferiority(rows, { margin: 0.15 })).toMatchObject({ answer: 'yes' });
    expect(testNonInferiority(rows).difference).toBeCloseTo(-0.05, 9);
  });

  it('is wrong in at most 5 % although it is asked after every 20 cases', () => {
    const random = seeded(2);
    let wrong = 0;
    for (let trial = 0; trial < 20; trial += 1) {
      const rows: ComparedCase[] = [];
      let answered = false;
      while (!answered && rows.length < 200) {
        for (let count = 0; count < 20; count += 1) {
          // Exactly the margin of ten points worse: 13 % lost, 3 % gained.
          const draw = random();
          rows.push({ expensive: draw < 0.13 ? 1 : 0, cheap: draw > 0.97 ? 1 : 0 });
        }
        answered = testNonInferiority(rows, { margin: 0.1 }).answer === 'yes';
      }
      if (answered) wrong += 1;
    }
    expect(wrong).toBeLessThanOrEqual(3);
  });
});

describe('the change detector', () => {
  /** How many values after the change it takes, or undefined if none of them completes the evidence. */
  function valuesUntil(
    options: ChangeDetectorOptions,
    before: () => number,
    after: () => number,
    count: number,
  ): number | undefined {
    const detector = createChangeDetector(options);
    for (let index = 0; index < (options.referenceSize ?? 500); index += 1) detector.add(before());
    for (let index = 1; index <= count; index += 1) if (detector.add(after())) return index;
    return undefined;
  }
  /** Latency-like numbers with a long tail. */
  const longTailed = (random: () => number, factor: number) => () =>
    factor * Math.exp(2 * (random() + random() + random() - 1.5));

  it('finds more refusals, and slower and shorter answers', () => {
    const random = seeded(4);
    const share = (p: number) => () => (random() < p ? 1 : 0);
    const refusals = valuesUntil({ watch: 'share' }, share(0.01), share(0.12), 5000);
    expect(refusals).toBeLessThan(600);
    const slower = { watch: 'higher' } as const;
    const twice = valuesUntil(slower, longTailed(random, 1), longTailed(random, 2), 5000);
    expect(twice).toBeLessThan(600);
    const shorter = { watch: 'lower' } as const;
    const half = valuesUntil(shorter, longTailed(random, 1), longTailed(random, 0.5), 5000);
    expect(half).toBeLessThan(600);
    expect(valuesUntil(slower, longTailed(random, 2), longTailed(random, 1), 5000)).toBeUndefined();
  });

  it('keeps the bound on false alarms, also where neighbours are alike', () => {
    const random = seeded(9);
    let alarms = 0;
    for (let trial = 0; trial < 30; trial += 1) {
      let alike = 0;
      // Half of the values repeat the one before.
      const sticky = () => {
        if (random() < 0.5) alike = random() < 0.05 ? 1 : 0;
        return alike;
      };
      if (valuesUntil({ watch: 'share', minEffect: 0 }, sticky, sticky, 5000)) alarms += 1;
      const tailed = longTailed(random, 1);
      if (valuesUntil({ watch: 'higher', minEffect: 0 }, tailed, tailed, 5000)) alarms += 1;
    }
    expect(alarms).toBeLessThanOrEqual(1);
  });

  it('grows by one a batch on average when there is no change', () => {
    // The largest share that is no change: the bets are fair, whatever was drawn before.
    const random = seeded(6);
    const options = { watch: 'share', referenceSize: 100, batchSize: 1, horizon: 10 } as const;
    const needed = 10 / 0.005;
    let [sum, trials] = [0, 2000];
    for (let trial = 0; trial < trials; trial += 1) {
      const detector = createChangeDetector(options);
      for (let index = 0; index < 100; index += 1) detector.add(index < 10 ? 1 : 0);
      // Clopper and Pearson's upper bound of 10 in 100 at 99.5 %, and minEffect.
      const level = 0.2024 + 0.02;
      for (let index = 0; index < 5; index += 1) detector.add(random() < level ? 1 : 0);
      sum += detector.report().evidence * needed;
    }
    expect(sum / trials).toBeGreaterThan(4.3);
    expect(sum / trials).toBeLessThan(5.7);
  });

  it('reports the reference, the share since, and the threshold of numbers', () => {
    const detector = createChangeDetector({ watch: 'lower', referenceSize: 100, batchSize: 5 });
    expect(detector.report()).toMatchObject({ phase: 'reference', interval: { low: 0, high: 1 } });
    for (let value = 1; value <= 100; value += 1) detector.add(value);
    expect(detector.report()).toMatchObject({ phase: 'watching', referenceShare: 0.25, share: 0 });
    expect(detector.report().threshold).toBe(26);
    let added = 0;
    while (!detector.add(3)) added += 1;
    expect(added).toBeLessThan(120);
    expect(detector.report()).toMatchObject({ phase: 'changed', share: 1 });
    expect(detector.report().evidence).toBeGreaterThanOrEqual(1);
    expect(detector.add(3)).toBe(false);
    detector.reset();
    expect(detector.report()).toMatchObject({ phase: 'reference', evidence: 0 });
  });

  it('finds no rise where all values of the reference count already', () => {
    const detector = createChangeDetector({ watch: 'share', referenceSize: 20 });
    const alarms = Array.from({ length: 2000 }, () => detector.add(1)).filter(Boolean);
    expect(alarms).toEqual([]);
  });
});
