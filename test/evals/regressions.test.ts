import { describe, expect, it } from 'vitest';
import { type Baseline, withResult } from '../../src/apps/evals/baseline.ts';
import { compareRun } from '../../src/apps/evals/compare-run.ts';
import { formatResult } from '../../src/apps/evals/format-result.ts';
import { type LoadedSuite, loadSuite } from '../../src/apps/evals/loaded-suite.ts';
import type { RunHeader, RunRecord } from '../../src/apps/evals/run-record.ts';
import { summarize } from '../../src/apps/evals/summarize.ts';
import { exact, type RunResult } from '../../src/evals.ts';
import { fakeRuntime } from '../../src/testing.ts';

const targets = ['a/x', 'b/x', 'c/x'];
const empty: Baseline = { version: 1, suites: {} };

const suiteOf = (count: number, more: object = {}): Promise<LoadedSuite> =>
  loadSuite({
    ...{ name: 'suite', tier: 'fast', scorers: [exact], ...more },
    cases: Array.from({ length: count }, (_, n) => ({ id: `n${n}`, prompt: `${n}`, expected: n })),
  });

/** A run whose answers are right as `isRight` says. */
function runOf(
  suite: LoadedSuite,
  run: string,
  isRight: (target: string, index: number) => boolean,
): RunResult {
  const header: RunHeader = {
    ...{ type: 'run', version: 1, run, suite: suite.name, tier: suite.tier, targets },
    ...{ fingerprint: suite.fingerprint, samples: suite.samples },
  };
  const records = targets.flatMap((target) =>
    suite.cases.flatMap(({ id }, index): readonly RunRecord[] => {
      const score = isRight(target, index) ? 1 : 0;
      const of = { target, case: id, sample: 1 };
      return [
        {
          ...{
            type: 'answer',
            ...of,
            model: 'x',
            text: '',
            finishReason: 'stop',
            ms: 10,
            usd: 0.001,
          },
          ...{ inputTokens: 1, outputTokens: 1 },
        },
        { type: 'score', ...of, score, scores: { exact: score }, usd: 0 },
      ];
    }),
  );
  return summarize(suite, header, records);
}

describe('20 seeds of a suite of 200 cases at 2 % noise', () => {
  it('flag a target that got 15 points worse, and not the equal ones, in at least 19', async () => {
    const suite = await suiteOf(200);
    const seeds = Array.from({ length: 20 }, (_, index) => index + 1);
    const right = seeds.filter((seed) => {
      const { random } = fakeRuntime({ seed });
      // What each target can do: 90 % of the cases. Later, one of them can do 15 points less.
      const abilities = targets.map(() => suite.cases.map(() => random() < 0.9));
      const lost = new Set(
        (abilities[0] ?? []).flatMap((can, index) => (can ? [index] : [])).slice(0, 30),
      );
      const isRight = (isWorse: boolean) => (target: string, index: number) => {
        const can = abilities[targets.indexOf(target)]?.[index] ?? false;
        const is = isWorse && target === 'a/x' && lost.has(index) ? false : can;
        return random() < 0.02 ? !is : is;
      };
      const baseline = ['1', '2', '3']
        .map((run) => runOf(suite, run, isRight(false)))
        .reduce(withResult, empty);
      const states = (isWorse: boolean) =>
        compareRun(runOf(suite, '4', isRight(isWorse)), [], baseline, 1).targets.map(
          ({ state }) => state,
        );
      return states(true).join() === 'regressed,steady,steady';
    });
    expect(right.length).toBeGreaterThanOrEqual(19);
  });
});

describe('a comparison', () => {
  it('says nothing before the baseline has three runs', async () => {
    const suite = await suiteOf(10);
    const run = (name: string) => runOf(suite, name, () => true);
    const baseline = [run('1'), run('2')].reduce(withResult, empty);
    const { targets: compared } = compareRun(run('3'), [], baseline, 1);
    expect(compared[0]).toMatchObject({ state: 'unknown', baselineRuns: 2 });
    expect(compared[0]?.reason).toBe('its baseline has 2 of at least 3 runs');
  });

  it('lists the cases that are worse, those that lost most first', async () => {
    const suite = await suiteOf(100);
    const before = ['1', '2', '3'].map((name) =>
      runOf(suite, name, (_, n) => n !== 5 || name === '1'),
    );
    const baseline = before.reduce(withResult, empty);
    const { targets: compared } = compareRun(
      runOf(suite, '4', (_, n) => n > 29),
      [],
      baseline,
      1,
    );
    expect(compared[0]).toMatchObject({ state: 'regressed' });
    expect(compared[0]?.worse).toHaveLength(30);
    expect(compared[0]?.worse.slice(0, 2)).toEqual([
      { id: 'n0', before: 1, after: 0 },
      { id: 'n1', before: 1, after: 0 },
    ]);
    expect(compared[0]?.worse.at(-1)).toEqual({
      id: 'n5',
      before: expect.closeTo(1 / 3),
      after: 0,
    });
  });

  it('finds a small drop in several runs together', async () => {
    const suite = await suiteOf(200);
    const baseline = ['1', '2', '3']
      .map((name) => runOf(suite, name, () => true))
      .reduce(withResult, empty);
    const low = (name: string) => runOf(suite, name, (_, n) => n > 5);
    const stateAfter = (count: number) => {
      const runs = Array.from({ length: count }, (_, index) => low(String(index + 4)));
      return compareRun(low('9'), runs, baseline, 1).targets[0]?.state;
    };
    expect([stateAfter(0), stateAfter(3)]).toEqual(['steady', 'regressed']);
  });

  it('leaves out cases that have changed since the baseline', async () => {
    const suite = await suiteOf(10);
    const baseline = ['1', '2', '3']
      .map((name) => runOf(suite, name, () => true))
      .reduce(withResult, empty);
    const changed = await suiteOf(10, { scorers: [exact({ ignoreCase: true })] });
    const { targets: compared } = compareRun(
      runOf(changed, '4', () => false),
      [],
      baseline,
      1,
    );
    expect(compared[0]?.worse).toEqual([]);
  });
});

describe('a baseline', () => {
  it('keeps the latest ten runs, and no run twice', async () => {
    const suite = await suiteOf(3);
    const names = Array.from({ length: 12 }, (_, index) => String(index + 10));
    const runs = names.map((name) => runOf(suite, name, (_, n) => n === 0 || name === '21'));
    const baseline = [...runs, ...runs.slice(-1)].reduce(withResult, empty);
    const known = baseline.suites.suite?.['a/x'];
    expect(known?.runs).toEqual(names.slice(2));
    expect(known?.cases.n1?.scores).toEqual([...Array.from({ length: 9 }, () => 0), 1]);
  });
});

describe('a file of a result', () => {
  it('has one line for each case, and is JSON of the result', async () => {
    const result = runOf(await suiteOf(3), '1', () => true);
    const text = formatResult(result);
    expect(JSON.parse(text)).toEqual(result);
    expect(text.match(/^ {8}\{"id":"n\d",.*\},?$/gm)).toHaveLength(9);
  });

  it('does not depend on the order in which answers came', async () => {
    const suite = await suiteOf(5);
    const result = runOf(suite, '1', (_, n) => n !== 2);
    expect(result.targets[0]?.cases.map(({ id }) => id)).toEqual(['n0', 'n1', 'n2', 'n3', 'n4']);
    expect(result.targets[0]?.score?.mean).toBe(0.8);
  });
});
