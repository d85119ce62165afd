import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { responseCache } from '../../src/cache.ts';
import { createEvals, type EvalReport, exact, judge, type Suite } from '../../src/evals.ts';
import { createRouter, type RouterEvent } from '../../src/index.ts';
import { type FakeScript, fakeProvider, fakeRuntime } from '../../src/testing.ts';

const root = mkdtempSync(join(tmpdir(), 'signalbox-evals-'));
afterAll(() => rmSync(root, { recursive: true }));

let folders = 0;
const newFolder = (): string => {
  folders += 1;
  return join(root, String(folders));
};

/** The number in the prompt. */
function askedNumber(request: { readonly messages: readonly unknown[] }): number {
  return Number(/double (\d+)/.exec(JSON.stringify(request.messages))?.[1]);
}

const right: FakeScript = (request) => String(askedNumber(request) * 2);

const doubles = (count: number): Suite['cases'] =>
  Array.from({ length: count }, (_, n) => ({
    id: `n${n}`,
    prompt: `double ${n}`,
    expected: 2 * n,
  }));

type World = {
  readonly suite?: Partial<Suite>;
  readonly script?: FakeScript;
  readonly other?: FakeScript;
  readonly results?: string;
  readonly concurrency?: number;
  readonly time?: 'manual' | 'auto';
};

function open({
  suite = {},
  script = right,
  other = right,
  results = newFolder(),
  time = 'manual',
  ...more
}: World) {
  const runtime = fakeRuntime({ time });
  const providers = {
    a: fakeProvider(script, { runtime }),
    b: fakeProvider(other, { runtime }),
    grader: fakeProvider('{"reason":"","verdict":"pass"}', { runtime }),
  };
  const price = { input: 1, output: 10 };
  const router = createRouter({
    ...{ providers, runtime, plugins: [responseCache()] },
    tiers: {
      fast: { targets: ['a/x', 'b/x'], singleFlight: true },
      smart: ['grader/x'],
    },
    prices: { 'a/x': price, 'b/x': price, 'grader/x': price },
  });
  const events: RouterEvent[] = [];
  router.on('*', (event) => events.push(event));
  const evals = createEvals(router, {
    suites: [{ name: 'doubles', tier: 'fast', cases: doubles(20), scorers: [exact], ...suite }],
    ...{ results, runtime, ...more },
  });
  return { router, evals, providers, events, results, runtime };
}

const targetsOf = ({ reports }: EvalReport) => reports[0]?.result.targets ?? [];

/** The only log below a directory of results. */
function logOf(results: string): string {
  const [name = ''] = readdirSync(join(results, 'doubles')).filter((each) =>
    each.endsWith('.jsonl'),
  );
  return join(results, 'doubles', name);
}

/** Makes the run unfinished again, as if its process had been killed after this many lines. */
function cutLog(results: string, lines: number): string {
  const path = logOf(results);
  rmSync(path.replace(/jsonl$/, 'json'));
  const kept = readFileSync(path, 'utf8').split('\n').slice(0, lines).join('\n');
  truncateSync(path, Buffer.byteLength(kept) + 1);
  return path;
}

describe('a run', () => {
  it('asks every target every case once, at low priority, with a tag, past cache and sharing', async () => {
    const { evals, providers, events } = open({ suite: { samples: 2 } });
    const report = await evals.run();
    expect(targetsOf(report)).toMatchObject([
      { target: 'a/x', score: { mean: 1 }, scored: 40, failures: {}, usd: expect.any(Number) },
      { target: 'b/x', score: { mean: 1 }, scored: 40, failures: {} },
    ]);
    expect([providers.a.calls.length, providers.b.calls.length]).toEqual([40, 40]);
    const starts = events.filter(({ type }) => type === 'call-start');
    expect(starts).toHaveLength(80);
    for (const { tags } of starts) expect(tags).toEqual({ eval: 'doubles' });
    expect(events.filter(({ type }) => type === 'eval-end')).toMatchObject([
      { target: 'a/x', suite: 'doubles', score: 1, scored: 40, failures: 0, state: 'unknown' },
      { target: 'b/x' },
    ]);
    const billed = events.reduce(
      (sum, each) => sum + (each.type === 'cost' ? (each.usd ?? 0) : 0),
      0,
    );
    expect(report.usd).toBeCloseTo(billed, 12);
  });

  it('does not fail over: each target answers for itself', async () => {
    const { evals, providers } = open({ script: { error: 'server_error' }, time: 'auto' });
    const report = await evals.run();
    const [a, b] = targetsOf(report);
    expect(a).toMatchObject({ scored: 0, givenUp: 'server_error' });
    expect(a?.score).toBeUndefined();
    expect(b).toMatchObject({ score: { mean: 1 }, scored: 20 });
    expect(providers.b.calls).toHaveLength(20);
  });

  it('is left out by fire drills, unless one is made for it', async () => {
    const { router, evals } = open({ time: 'auto' });
    const drill = (tag?: Record<string, string>) =>
      router.drill({
        tier: 'fast',
        fault: 'server_error',
        share: 1,
        forMs: 1e9,
        ...(tag && { tag }),
      });
    const general = drill();
    expect(targetsOf(await evals.run())).toMatchObject([{ scored: 20 }, { scored: 20 }]);
    expect((await general.stop()).calls.drilled).toBe(0);
    const own = drill({ eval: 'doubles' });
    await evals.run();
    expect((await own.stop()).calls.drilled).toBeGreaterThan(0);
  });

  it('scores an unusable answer with 0, and a failed call not at all', async () => {
    const { evals } = open({
      script: (request) => {
        const n = askedNumber(request);
        if (n === 3) return { error: 'refusal' };
        return n === 5 ? { error: 'invalid_request' } : String(n * 2);
      },
    });
    const [a] = targetsOf(await evals.run());
    expect(a).toMatchObject({ scored: 19, failures: { refusal: 1, invalid_request: 1 } });
    expect(a?.score?.mean).toBeCloseTo(18 / 19, 6);
    expect(a?.cases[3]).toMatchObject({ score: 0, failures: ['refusal'] });
    expect(a?.cases[5]).toMatchObject({ score: null, failures: ['invalid_request'] });
  });

  it('weighs cases and scorers', async () => {
    const cases = [
      { id: 'one', prompt: 'double 1', expected: 2, weight: 3 },
      { id: 'two', prompt: 'double 2', expected: 5 },
    ];
    const half = Object.assign(() => 0.5, {});
    const scorers = [exact, { name: 'half', weight: 3, score: half }];
    const { evals } = open({ suite: { cases, scorers } });
    const [a] = targetsOf(await evals.run());
    expect(a?.cases.map(({ score }) => score)).toEqual([0.625, 0.375]);
    expect(a?.score?.mean).toBeCloseTo((3 * 0.625 + 0.375) / 4, 6);
  });

  it('counts an answer that a scorer fails on, and goes on', async () => {
    const scorer = ({ text }: { readonly text: string }): number => {
      if (text === '4') throw new TypeError('no');
      return text === '6' ? 7 : 1;
    };
    const { evals } = open({ suite: { scorers: [scorer] } });
    const [a] = targetsOf(await evals.run());
    expect(a).toMatchObject({
      scored: 18,
      failures: { 'scorer: RangeError': 1, 'scorer: TypeError': 1 },
      score: { mean: 1 },
    });
  });

  it('waits for a target that is available again later', async () => {
    const { evals, runtime } = open({
      time: 'auto',
      script: (request, attempt) =>
        attempt <= 6
          ? { error: 'rate_limited', status: 429, retryAfterMs: 20_000 }
          : String(askedNumber(request) * 2),
    });
    const before = runtime.now();
    const report = await evals.run({ targets: ['a/x'] });
    expect(targetsOf(report)).toMatchObject([{ scored: 20, failures: {} }]);
    expect(runtime.now() - before).toBeGreaterThanOrEqual(20_000);
  });

  it('runs some targets only, and names one that no tier has', async () => {
    const { evals } = open({});
    expect(targetsOf(await evals.run({ targets: ['b/x'] }))).toMatchObject([{ target: 'b/x' }]);
    await expect(evals.run({ targets: ['c/x'] })).rejects.toThrow(
      /no tier of the suites has "c\/x"/,
    );
    const { evals: lost } = open({ suite: { tier: 'fats' } });
    await expect(lost.run()).rejects.toThrow(/there is no tier "fats"; there is "fast", "smart"/);
  });
});

describe('a run that was interrupted', () => {
  it('asks nothing again that is recorded, and gives the same result', async () => {
    const world = open({ concurrency: 1 });
    await world.evals.run();
    const [whole] = await world.evals.results();
    for (const lines of [1, 2, 3, 18, 40, 79, 81]) {
      const path = cutLog(world.results, lines);
      const recorded = readFileSync(path, 'utf8').match(/"type":"answer"/g)?.length ?? 0;
      // The next line was being written.
      appendFileSync(path, '{"type":"answer","target":"a/x","ca');
      const next = open({ results: world.results, concurrency: 1 });
      await next.evals.run();
      const asked = next.providers.a.calls.length + next.providers.b.calls.length;
      expect(asked).toBe(40 - recorded);
      const [result] = await next.evals.results();
      const timeless = (each: unknown) => JSON.stringify(each).replace(/"p\d+Ms":\d+/g, '');
      expect(timeless(result)).toBe(timeless(whole));
    }
  });

  it('scores an answer that was recorded without a score, without asking for it', async () => {
    const world = open({ concurrency: 1 });
    await world.evals.run();
    const path = cutLog(world.results, 2);
    expect(readFileSync(path, 'utf8')).not.toMatch(/"type":"score"/);
    const next = open({ results: world.results });
    await next.evals.run();
    expect(next.providers.a.calls.length + next.providers.b.calls.length).toBe(39);
  });

  it('starts over with fresh, with other targets, and with a changed suite', async () => {
    for (const [more, options, calls] of [
      [{}, { fresh: true }, 40],
      [{}, { targets: ['a/x'] }, 20],
      [{ suite: { samples: 2 } }, {}, 80],
      [{ suite: { scorers: [exact({ ignoreCase: true })] } }, {}, 40],
    ] as const) {
      const folder = newFolder();
      const first = open({ results: folder });
      await first.evals.run();
      cutLog(folder, 30);
      const next = open({ results: folder, ...more });
      await next.evals.run(options);
      const asked = next.providers.a.calls.length + next.providers.b.calls.length;
      expect(asked).toBe(calls);
    }
  });

  it('is refused while another one runs', async () => {
    const { evals } = open({ script: { hang: true } });
    const stop = new AbortController();
    const running = evals.run({ signal: stop.signal });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await expect(evals.run()).rejects.toThrow(/the suite doubles is open in this process already/);
    stop.abort();
    await expect(running).rejects.toMatchObject({ code: 'aborted' });
  });

  it('names the line of a log that is damaged', async () => {
    const world = open({});
    await world.evals.run();
    appendFileSync(cutLog(world.results, 5), 'not JSON\n');
    await expect(world.evals.run()).rejects.toThrow(/\.jsonl:6 is not JSON/);
    await world.evals.run({ fresh: true });
  });
});

describe('money', () => {
  it('stops before the answer that would exceed maxUsd, and goes on the next time', async () => {
    const cases = doubles(200);
    const whole = (await open({ suite: { cases } }).evals.run()).usd;
    const { evals, providers } = open({ suite: { cases }, concurrency: 1 });
    const maxUsd = 0.9 * whole;
    const first = await evals.run({ maxUsd });
    expect(first).toMatchObject({ reports: [], unfinished: [{ reason: 'max-usd' }] });
    expect(first.usd).toBeLessThanOrEqual(maxUsd);
    const asked = providers.a.calls.length + providers.b.calls.length;
    expect(asked).toBeGreaterThan(200);
    expect(asked).toBeLessThan(400);
    const second = await evals.run();
    expect(targetsOf(second)).toMatchObject([{ scored: 200 }, { scored: 200 }]);
    expect(providers.a.calls.length + providers.b.calls.length).toBe(400);
  });

  it('says before a run what it would take, and what is left of one', async () => {
    const world = open({});
    expect(await world.evals.estimate()).toMatchObject([
      {
        suite: 'doubles',
        targets: [{ target: 'a/x', calls: 20, outputTokens: 6_000 }, { calls: 20 }],
        usd: expect.any(Number),
      },
    ]);
    expect(world.providers.a.calls).toHaveLength(0);
    await world.evals.run();
    const log = readFileSync(cutLog(world.results, 11), 'utf8');
    const recorded = log.match(/"type":"answer"/g)?.length ?? 0;
    const [left] = await open({ results: world.results }).evals.estimate();
    const calls = left?.targets.reduce((sum, each) => sum + each.calls, 0);
    expect([calls, left?.goesOn]).toEqual([40 - recorded, expect.stringMatching(/^\d{4}-/)]);
  });

  it('refuses maxUsd for a target of unknown price', async () => {
    const router = createRouter({
      providers: { a: fakeProvider(right) },
      tiers: { fast: ['a/x'] },
    });
    const evals = createEvals(router, {
      suites: [{ name: 'doubles', tier: 'fast', cases: doubles(2), scorers: [exact] }],
      results: newFolder(),
    });
    await expect(evals.run({ maxUsd: 1 })).rejects.toThrow(/the price of a\/x is unknown/);
    expect(targetsOf(await evals.run())).toMatchObject([{ scored: 2, usd: null }]);
  });
});

describe('a judge', () => {
  const scorers = [judge({ tier: 'smart', rubric: 'Is a number.' })];
  const labelled = (count: number, wrong: number): NonNullable<Suite['cases']> =>
    Array.from({ length: count }, (_, n) => ({
      ...{ id: `label ${n}`, prompt: 'x', answer: String(n), label: n < wrong ? 0 : 1 },
    }));
  const asked = [{ id: 'one', prompt: 'double 1' }];

  it('is measured on labelled cases before it counts, once', async () => {
    const world = open({ suite: { scorers, cases: [...asked, ...labelled(10, 1)] } });
    const report = await world.evals.run();
    expect(report.reports[0]?.result.judges).toEqual([
      { name: 'judge', labelled: 10, agreement: 0.9, kappa: 0, counts: true },
    ]);
    // The labelled cases are not asked.
    expect(world.providers.a.calls).toHaveLength(1);
    expect(world.providers.grader.calls).toHaveLength(10 + 2);
    cutLog(world.results, 8);
    const next = open({
      results: world.results,
      suite: { scorers, cases: [...asked, ...labelled(10, 1)] },
    });
    await next.evals.run();
    expect(next.providers.grader.calls).toHaveLength(10 + 2 - 7);
  });

  it('is refused if it agrees with too few of them', async () => {
    const world = open({ suite: { scorers, cases: [...asked, ...labelled(10, 3)] } });
    await expect(world.evals.run()).rejects.toThrow(
      /judge agrees with only 7 of 10 labelled cases/,
    );
    expect(world.providers.a.calls).toHaveLength(0);
  });

  it('fails nothing, and is in no baseline, without enough of them', async () => {
    const world = open({ suite: { scorers, cases: [...asked, ...labelled(9, 0)] } });
    const { reports } = await world.evals.run();
    expect(reports[0]?.result.judges).toMatchObject([{ labelled: 9, counts: false }]);
    expect(reports[0]?.targets[0]).toMatchObject({
      state: 'unknown',
      reason: expect.stringMatching(/agreement of its judge/),
    });
    const baseline = join(newFolder(), 'baseline.json');
    const runs = world.evals.updateBaseline(
      reports.map(({ result }) => result),
      { baseline },
    );
    expect(runs).toMatchObject([{ runs: 0 }, { runs: 0 }]);
  });
});
