import { describe, expect, it } from 'vitest';
import { detectDrift, type RunScores } from '../../../src/apps/evals/statistics/drift.ts';
import {
  mcnemarTest,
  type PairedCase,
  permutationTest,
} from '../../../src/apps/evals/statistics/paired-tests.ts';
import {
  detectionProbability,
  type SuiteDesign,
  smallestDrop,
} from '../../../src/apps/evals/statistics/power.ts';
import { seeded } from '../../support/personal-data.ts';
import { type SimulatedSuite, weekOfDetection } from './simulate-suite.ts';

/** All ways to draw `count` of the values, by their positions. */
function subsets(count: number, from: number): readonly (readonly number[])[] {
  if (count === 0) return [[]];
  if (from < count) return [];
  const last = from - 1;
  return [...subsets(count, last), ...subsets(count - 1, last).map((rest) => [...rest, last])];
}

function evidence(baseline: readonly number[], current: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const drop = mean(baseline) - mean(current);
  return drop * Math.abs(drop);
}

/** The test by its definition: every order of every case. */
function byEnumeration(cases: readonly PairedCase[]): number {
  const observed = cases.reduce((sum, row) => sum + evidence(row.baseline, row.current), 0);
  function tail(index: number, sum: number): number {
    const row = cases[index];
    if (row === undefined) return sum >= observed - 1e-9 ? 1 : 0;
    const all = [...row.baseline, ...row.current];
    const drawn = subsets(row.current.length, all.length);
    const tails = drawn.map((chosen) => {
      const current = all.filter((_, position) => chosen.includes(position));
      const baseline = all.filter((_, position) => !chosen.includes(position));
      return tail(index + 1, sum + evidence(baseline, current));
    });
    return tails.reduce((a, b) => a + b, 0) / drawn.length;
  }
  return tail(0, 0);
}

describe('the permutation test', () => {
  it.each([
    [9, 1],
    [28, 4],
    [6, 5],
    [0, 3],
    [0, 0],
  ])('is the exact test of McNemar for two runs: %i lost, %i gained', (lost, gained) => {
    const rows = (count: number, baseline: number, current: number): readonly PairedCase[] =>
      Array.from({ length: count }, () => ({ baseline: [baseline], current: [current] }));
    const cases = [...rows(lost, 1, 0), ...rows(gained, 0, 1), ...rows(40, 1, 1)];
    expect(permutationTest(cases)).toBeCloseTo(mcnemarTest(lost, gained).worse, 12);
  });

  it('is the share of all orders with as much evidence', () => {
    const random = seeded(11);
    for (let trial = 0; trial < 10; trial += 1) {
      // Differences of halves and thirds, whose squares are whole in the unit of the test.
      const cases = Array.from({ length: 4 }, () => ({
        baseline: Array.from({ length: 3 }, () => Math.round(random())),
        current: Array.from({ length: trial % 2 === 0 ? 1 : 2 }, () => Math.round(random() * 0.9)),
      }));
      expect(permutationTest(cases)).toBeCloseTo(byEnumeration(cases), 12);
    }
  });

  it('does not reject more often than it says, for fractions and weights', () => {
    const random = seeded(5);
    const limits = [0.01, 0.05, 0.2];
    const rejected = limits.map(() => 0);
    for (let trial = 0; trial < 300; trial += 1) {
      const cases = Array.from({ length: 30 }, (_, index) => {
        const score = (): number => Math.round((index / 40 + random() / 4) * 10) / 10;
        return {
          baseline: [score(), score(), score()],
          current: [score()],
          weight: 1 + (index % 3),
        };
      });
      const pValue = permutationTest(cases);
      for (const [index, limit] of limits.entries())
        if (pValue <= limit) rejected[index] = (rejected[index] ?? 0) + 1;
    }
    expect(rejected[0]).toBeLessThanOrEqual(8);
    expect(rejected[1]).toBeLessThanOrEqual(26);
    expect(rejected[2]).toBeLessThanOrEqual(78);
    expect(rejected[2]).toBeGreaterThan(40);
  });

  it('finds that every answer became a little worse', () => {
    const cases = Array.from({ length: 60 }, (_, index) => {
      const usual = 0.5 + (index % 5) / 10;
      return { baseline: [usual, usual + 0.02, usual - 0.02], current: [usual - 0.06] };
    });
    expect(permutationTest(cases)).toBeLessThan(1e-15);
  });

  it('takes a case that broke for more than a case that was flaky before', () => {
    const steady = Array.from({ length: 8 }, () => ({ baseline: [1, 1, 1], current: [0] }));
    const flaky = Array.from({ length: 8 }, () => ({ baseline: [1, 0, 1], current: [0] }));
    expect(permutationTest(steady)).toBeCloseTo(0.25 ** 8, 12);
    expect(permutationTest(flaky)).toBeCloseTo(0.5 ** 8, 9);
  });

  it('says nothing without cases that both sides have', () => {
    expect(permutationTest([])).toBe(1);
    expect(permutationTest([{ baseline: [], current: [0] }])).toBe(1);
  });
});

describe('what a suite finds', () => {
  /** The share of simulated targets that are reported within so many weekly runs. */
  function found(suite: SimulatedSuite, weeks: number, targets: number): number {
    const detected = Array.from({ length: targets }, (_, seed) =>
      weekOfDetection(suite, weeks, seeded(seed + 1)),
    ).filter((week) => week !== undefined);
    return detected.length / targets;
  }
  const suite = { cases: 200, noise: 0.02 };

  it('finds ten points in one run, fifteen nearly always, and five points in four', () => {
    expect(found({ ...suite, drop: 0.1 }, 1, 100)).toBeGreaterThanOrEqual(0.9);
    expect(found({ ...suite, drop: 0.15 }, 1, 100)).toBeGreaterThanOrEqual(0.99);
    expect(found({ ...suite, drop: 0.05 }, 4, 30)).toBeGreaterThanOrEqual(0.85);
  });

  it('raises no false alarm in years of weekly runs, with a judge that is often wrong either', () => {
    expect(found(suite, 52, 1)).toBe(0);
    expect(found({ ...suite, judgeErrors: 0.1 }, 52, 1)).toBe(0);
    expect(found({ cases: 50, noise: 0.05 }, 52, 2)).toBe(0);
  });

  it.each<[SimulatedSuite, number, number]>([
    [{ cases: 200, noise: 0.02, drop: 0.05 }, 1, 12],
    [{ cases: 200, noise: 0.02, drop: 0.1 }, 1, 12],
    [{ cases: 100, noise: 0.05, drop: 0.15 }, 1, 12],
    [{ cases: 50, noise: 0.02, drop: 0.15 }, 1, 12],
    [{ cases: 200, noise: 0.02, judgeErrors: 0.1, drop: 0.15 }, 1, 12],
  ])('predicts the share of %j that is found in %i run', (suite, runs, tolerance) => {
    const design: SuiteDesign = { ...suite, accuracy: 0.9 };
    const said = detectionProbability(design, suite.drop ?? 0, runs);
    expect(Math.abs(said - found(suite, runs, 60)) * 100).toBeLessThan(tolerance);
  });

  it('says what a suite can see, which falls with its size and the errors of its judge', () => {
    const design: SuiteDesign = { cases: 200, accuracy: 0.9, noise: 0.02 };
    const sizes = [50, 100, 200, 400].map((cases) => smallestDrop({ ...design, cases }) ?? 1);
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
    expect(sizes[0]).toBeGreaterThan(0.15);
    expect(sizes[2]).toBeLessThan(0.1);
    expect(smallestDrop(design, 4)).toBeLessThan(0.05);
    const judged = { ...design, judgeErrors: 0.1 };
    expect(detectionProbability(judged, 0.1)).toBeLessThan(0.34);
    expect(detectionProbability({ ...judged, samples: 3 }, 0.1)).toBeGreaterThan(0.7);
    expect(detectionProbability(judged, 0.1, 4)).toBeGreaterThan(0.9);
    expect(smallestDrop({ ...design, cases: 5 })).toBeUndefined();
    expect(detectionProbability({ ...design, noise: 0 }, 0.01, 4)).toBeLessThan(0.1);
  });
});

describe('drift', () => {
  const scores = (wrong: readonly number[]): RunScores =>
    new Map(
      Array.from({ length: 100 }, (_, index) => [`q${index}`, wrong.includes(index) ? 0 : 1]),
    );
  const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);
  const baseline = [scores([90]), scores([91]), scores([])];
  const well = scores([92]);
  const bad = scores(upTo(20));

  it('reports the effect, the evidence and the cases that lost', () => {
    const verdict = detectDrift(baseline, [well, bad]);
    expect(verdict).toMatchObject({ state: 'drifted', changed: true, cleanRuns: 0 });
    expect(verdict.effect).toBeCloseTo(0.2 - 0.02 / 3, 9);
    expect(verdict.interval.low).toBeGreaterThan(0.05);
    expect(verdict.interval.high).toBeLessThan(0.35);
    expect(verdict.evidence.runs).toBe(1);
    expect(verdict.evidence.pValue).toBeLessThan(verdict.evidence.allowed);
    expect(verdict.evidence.allowed).toBeCloseTo(0.005 / 52, 12);
    expect(verdict.cases).toHaveLength(10);
    expect(verdict.cases[0]).toEqual({ id: 'q0', before: 1, after: 0 });
    expect(detectDrift(baseline, [well, bad, bad])).toMatchObject({ changed: false });
  });

  it('clears after two clean runs in a row', () => {
    const verdictAfter = (...runs: readonly RunScores[]) => detectDrift(baseline, [bad, ...runs]);
    expect(verdictAfter(well)).toMatchObject({ state: 'drifted', changed: false, cleanRuns: 1 });
    expect(verdictAfter(well, bad)).toMatchObject({ state: 'drifted', cleanRuns: 0 });
    expect(verdictAfter(well, well)).toMatchObject({
      state: 'steady',
      changed: true,
      cleanRuns: 2,
    });
    expect(verdictAfter(well, well, well)).toMatchObject({ state: 'steady', changed: false });
    expect(verdictAfter(well, well, well, bad)).toMatchObject({ state: 'drifted', changed: true });
  });

  it('does not clear while half of the loss is left', () => {
    const half = scores(upTo(10));
    expect(detectDrift(baseline, [bad, half, half, half])).toMatchObject({ state: 'drifted' });
  });

  it('adds up runs that show too little alone', () => {
    const little = scores(upTo(5));
    expect(detectDrift(baseline, [little]).state).toBe('steady');
    expect(detectDrift(baseline, [little, little])).toMatchObject({
      state: 'drifted',
      evidence: { runs: 2 },
    });
  });

  it('does not report a drop below minEffect, however certain', () => {
    const runs = Array.from({ length: 8 }, () => scores(upTo(6)));
    expect(detectDrift(baseline, runs).state).toBe('drifted');
    expect(detectDrift(baseline, runs, { minEffect: 0.08 }).state).toBe('steady');
  });

  it('knows a flaky case', () => {
    const flaky = [scores(upTo(20)), scores([]), scores(upTo(20))];
    expect(detectDrift(flaky, [bad]).state).toBe('steady');
  });

  it('shares the false alarms of a year among runs and suites', () => {
    const options = { runsPerYear: 365, suites: 4, yearlyFalseAlarms: 0.02 };
    expect(detectDrift(baseline, [well], options).evidence.allowed).toBeCloseTo(0.01 / 365 / 4, 15);
  });

  it('compares the cases that both sides have, by their weights', () => {
    const baselineOfTwo = [1, 2, 3].map(
      () =>
        new Map([
          ['a', 1],
          ['b', 1],
        ]),
    );
    const run = new Map([
      ['a', 0],
      ['new', 0],
    ]);
    expect(detectDrift(baselineOfTwo, [run]).effect).toBe(1);
    const weights = new Map([['a', 3]]);
    const both = new Map([
      ['a', 0],
      ['b', 1],
    ]);
    expect(detectDrift(baselineOfTwo, [both], { weights }).effect).toBe(0.75);
  });

  it('is steady without runs, and without cases', () => {
    expect(detectDrift(baseline, [])).toMatchObject({ state: 'steady', effect: 0, cases: [] });
    expect(detectDrift([], [well])).toMatchObject({ state: 'steady', effect: 0 });
  });
});
