import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createReports } from '../../src/apps/reports/create-reports.ts';
import type { ReportRow } from '../../src/apps/reports/report-row.ts';
import { createRouter } from '../../src/index.ts';
import type { RouterEvent } from '../../src/protocol/events.ts';
import { fakeProvider, fakeRuntime, recordEvents } from '../../src/testing.ts';
import { addCall, eventOf } from '../support/report-events.ts';
import { sampled } from '../support/sampled.ts';

const usage = { inputTokens: 1_000, outputTokens: 100, totalTokens: 1_100, cachedInputTokens: 400 };

/** A router whose first target fails once, then answers badly twice, and is slow. */
function scenario() {
  const runtime = fakeRuntime({ time: 'auto' });
  const first = fakeProvider(
    [
      { error: 'overloaded', status: 529, firstTokenDelayMs: 50 },
      { text: 'not JSON', usage, firstTokenDelayMs: 100 },
      { object: { ok: true }, usage, firstTokenDelayMs: 100 },
      { text: 'fine', usage, firstTokenDelayMs: 200 },
    ],
    { runtime },
  );
  const second = fakeProvider({ text: 'second', usage, firstTokenDelayMs: 10 }, { runtime });
  const router = createRouter({
    runtime,
    providers: { first, second },
    tiers: { fast: { targets: ['first/x', 'second/x'], retry: { attempts: 0 } } },
    prices: {
      'first/x': { input: 1, cachedInput: 0.1, output: 2 },
      'second/x': { input: 3, output: 4 },
    },
  });
  const reports = createReports({ by: ['target', 'model', 'tier', 'feature'] });
  router.on('*', reports.add);
  return { router, reports, recorder: recordEvents(router) };
}

const schema = {
  type: 'object',
  properties: { ok: { type: 'boolean' } },
  required: ['ok'],
} as const;

describe('reports of a router', () => {
  it('count attempts by target and model, and calls by tier and tag', async () => {
    const { router, reports, recorder } = scenario();
    // Fails over; is repaired; answers; gets feedback.
    await router.complete('fast', 'hi', { tags: { feature: 'search' } });
    const repaired = await router.complete('fast', 'hi', { tags: { feature: 'search' }, schema });
    await router.complete('fast', 'hi');
    router.feedback(repaired.callId, { score: 0.5 });
    router.feedback(repaired.callId, { score: 1 });
    await router.close();

    const byTarget = reports.report();
    expect(byTarget.map(({ key, requests, errors }) => [key, requests, errors])).toEqual([
      ['second/x', 1, 0],
      ['first/x', 4, 2],
    ]);
    expect(byTarget[1]).toMatchObject({
      ...{ by: 'target', kind: 'value', failovers: 1, repairs: 1, invalidOutputs: 1 },
      ...{ inputTokens: 3_000, outputTokens: 300, cachedTokens: 1_200, cacheShare: 0.4 },
      ...{ quality: 0.75, scores: 2, p50TotalMs: 100, p95TotalMs: 200, p99FirstTokenMs: 200 },
    });
    const [model, ...noOther] = reports.report({ by: 'model' });
    expect(noOther).toEqual([]);
    expect(model).toMatchObject({ key: 'x', requests: 5, errors: 2, failovers: 1 });
    const [tier] = reports.report({ by: 'tier' });
    expect(tier).toMatchObject({
      ...{ key: 'fast', requests: 3, errors: 0, failovers: 1, repairs: 1, invalidOutputs: 1 },
      ...{ inputTokens: 4_000, quality: 0.75, p50TotalMs: 200, p95FirstTokenMs: 200 },
    });
    const rows = reports.report({ by: 'feature' });
    expect(rows.map(({ key, kind, requests }) => [key, kind, requests])).toEqual([
      ['search', 'value', 2],
      ['(none)', 'none', 1],
    ]);
    const bill = recorder.costUsd() ?? Number.NaN;
    for (const by of ['target', 'model', 'tier', 'feature'] as const) {
      const nano = reports.report({ by }).map(({ usd }) => Math.round((usd ?? 0) * 1e9));
      expect(nano.reduce((sum, each) => sum + each, 0)).toBe(Math.round(bill * 1e9));
    }
    expect(tier?.usdPerSuccess).toBeCloseTo(bill / 3, 12);
  });

  it('separate what was aborted from failures, and leave out calls that still run', async () => {
    const runtime = fakeRuntime();
    const router = createRouter({
      runtime,
      providers: { a: fakeProvider({ hang: true }, { runtime }) },
      tiers: { fast: ['a/x'] },
    });
    const reports = createReports({ by: ['tier', 'target'] });
    router.on('*', reports.add);
    const caller = new AbortController();
    const call = router.complete('fast', 'hi', { signal: caller.signal });
    await runtime.advance(1_000);
    expect(reports.report()).toEqual([]);
    caller.abort();
    await call.catch(() => undefined);
    for (const by of ['tier', 'target'] as const) {
      const [row] = reports.report({ by });
      expect(row).toMatchObject({ requests: 1, errors: 0, aborted: 1 });
      expect(row).not.toHaveProperty('usdPerSuccess');
      expect(row).not.toHaveProperty('p50TotalMs');
    }
    await router.close();
  });

  it('put fire drills in a row of their own', async () => {
    const { router, reports } = scenario();
    const drill = router.drill({ tier: 'fast', fault: 'connection', share: 1, forMs: 60_000 });
    await router.complete('fast', 'hi', { tags: { feature: 'search' } });
    await drill.stop();
    for (const by of ['target', 'tier', 'feature'] as const) {
      const [row, ...others] = reports.report({ by });
      expect(others).toEqual([]);
      expect(row).toMatchObject({ key: '(drills)', kind: 'drill', inputTokens: 1_000 });
    }
    await router.close();
  });
});

/** Events of a few users over ten seconds. */
const events = fc.array(
  fc
    .record({
      user: fc.constantFrom('', 'a', 'b', 'c', '__proto__', 'constructor'),
      at: fc.nat(10_000),
      nano: fc.nat(5_000_000),
      durationMs: fc.double({ min: 0.5, max: 60_000, noNaN: true }),
      status: fc.constantFrom('ok' as const, 'error' as const, 'aborted' as const),
      drill: fc.option(fc.constant('drill'), { nil: undefined, freq: 5 }),
    })
    .map(({ user, at, nano, durationMs, status, drill }): readonly RouterEvent[] => {
      const tags: Record<string, string> = JSON.parse(`{ "user": ${JSON.stringify(user)} }`);
      const common = { at, tags: user === '' ? {} : tags, ...(drill !== undefined && { drill }) };
      return [
        eventOf('cost', { ...common, usd: nano / 1e9, usage }),
        eventOf('call-end', { ...common, status, durationMs, firstTokenMs: durationMs / 2 }),
        eventOf('feedback', { ...common, score: nano % 2 }),
      ];
    }),
  { maxLength: 150 },
);

const usersOf = (rows: readonly ReportRow[]) => rows.toSorted((a, b) => (a.key < b.key ? -1 : 1));

describe('windows', () => {
  it('add up to the same report as one window', () => {
    fc.assert(
      fc.property(events, fc.integer({ min: 1, max: 9_000 }), (all, windowMs) => {
        const whole = createReports({ by: ['user'], windowMs: 1e9 });
        const parts = createReports({ by: ['user'], windowMs, maxWindows: 20_000 });
        for (const event of all.flat()) {
          whole.add(event);
          parts.add(event);
        }
        expect(usersOf(parts.report())).toEqual(usersOf(whole.report()));
      }),
    );
  });

  it('leave out those before since, which is rounded down to a window', () => {
    const reports = createReports({ by: ['user'], windowMs: 1_000 });
    for (const at of [0, 999, 1_000, 2_500]) addCall(reports, 'a', 0.001, at);
    const requestsSince = (since: number) => reports.report({ since })[0]?.requests;
    expect([0, 999, 1_000, 1_999, 2_000].map(requestsSince)).toEqual([4, 4, 2, 2, 1]);
    expect(reports.report({ since: 3_000 })).toEqual([]);
  });

  it('are kept up to maxWindows, the latest ones with events', () => {
    const reports = createReports({ by: ['user'], windowMs: 1_000, maxWindows: 2 });
    for (const at of [0, 1_000, 900_000]) addCall(reports, 'a', 0.001, at);
    expect(reports.report()[0]?.requests).toBe(2);
    // Older than what is kept.
    addCall(reports, 'a', 0.001, 500);
    expect(reports.report()[0]?.requests).toBe(2);
    addCall(reports, 'a', 0.001, 1_500);
    expect(reports.report()[0]?.requests).toBe(3);
  });
});

describe('more keys than maxSeries', () => {
  it('keep a row for every heavy spender, early or late, and lose nothing of the sum', () => {
    const maxSeries = 20;
    const spending = fc.array(fc.tuple(fc.nat(200), fc.integer({ min: 1, max: 1_000 })), {
      minLength: 200,
      maxLength: 1_500,
    });
    fc.assert(
      fc.property(spending, fc.nat(1_000), fc.nat(1_500), (calls, heavyMicro, from) => {
        const reports = createReports({ by: ['user'], maxSeries });
        const spent = new Map<string, number>();
        const all = calls.map(([user, micro], index) =>
          index >= from && index % 7 === 0
            ? (['heavy', heavyMicro + 1] as const)
            : ([`${user}`, micro] as const),
        );
        for (const [user, micro] of all) {
          addCall(reports, user, micro / 1e6);
          spent.set(user, (spent.get(user) ?? 0) + micro);
        }
        const total = [...spent.values()].reduce((sum, each) => sum + each, 0);
        const rows = reports.report();
        const shown = new Map(rows.map((row) => [row.key, Math.round((row.usd ?? 0) * 1e6)]));
        // A request counts a nano-dollar when keys are compared.
        const error = (4 * (total + calls.length / 1_000)) / (3 * maxSeries);
        for (const [user, micro] of spent) {
          const missing = micro - (shown.get(user) ?? 0);
          expect(missing).toBeGreaterThanOrEqual(0);
          expect(missing).toBeLessThanOrEqual(error);
          const row = rows.find(({ key }) => key === user);
          if (row !== undefined && row.partial !== true) expect(missing).toBe(0);
        }
        expect([...shown.values()].reduce((sum, each) => sum + each, 0)).toBe(total);
        expect(rows.filter(({ kind }) => kind === 'value').length).toBeLessThanOrEqual(maxSeries);
        expect(rows.reduce((sum, row) => sum + row.requests, 0)).toBe(calls.length);
      }),
      { numRuns: 50 },
    );
  });

  it('have one row other, and a row that came late says that it may lack a part', () => {
    const reports = createReports({ by: ['user'], maxSeries: 4 });
    for (const user of ['a', 'b', 'c', 'd']) addCall(reports, user, user === 'a' ? 0.5 : 0.001);
    addCall(reports, 'late', 0.9);
    const rows = reports.report();
    expect(rows.map(({ key, kind, partial }) => [key, kind, partial])).toEqual([
      ['late', 'value', true],
      ['a', 'value', undefined],
      ...['c', 'd'].map((user) => [user, 'value', undefined]),
      ['(other)', 'other', undefined],
    ]);
  });

  it('keep those with most tokens if no price is known', () => {
    const reports = createReports({ by: ['user'], maxSeries: 4 });
    const tokens = { inputTokens: 50_000, outputTokens: 0, totalTokens: 50_000 };
    reports.add(eventOf('cost', { tags: { user: 'own model' }, usd: null, usage: tokens }));
    for (let user = 0; user < 100; user += 1) addCall(reports, `${user}`, 0.000_1);
    expect(reports.report()[0]).toMatchObject({ key: 'own model', usd: null, unpriced: 1 });
  });

  it('take bounded memory for many calls with a tenth as many values', async () => {
    const script = join(import.meta.dirname, '..', 'support', 'report-memory.ts');
    const calls = sampled(1_000_000, 200_000);
    const args = ['--no-warnings', '--expose-gc', script, String(calls)];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const { bytes, keys, missingNano, requests, first } = JSON.parse(stdout);
    expect(keys).toBeLessThanOrEqual(4 * 500 + 1);
    // Four windows of 500 keys of few requests each, as documented.
    expect(bytes).toBeLessThan(4 * 500 * 1_000);
    expect([missingNano, requests]).toEqual([0, calls]);
    expect(first).toMatchObject({ key: 'heavy', requests: calls / 100 - 1 });
  });

  it('merge what top leaves out into other', () => {
    const reports = createReports({ by: ['user'] });
    for (const [user, usd] of [
      ['a', 1],
      ['b', 3],
      ['c', 2],
    ] as const)
      addCall(reports, user, usd);
    const rows = reports.report({ top: 1 });
    expect(rows.map(({ key, usd, requests }) => [key, usd, requests])).toEqual([
      ['b', 3, 1],
      ['(other)', 3, 2],
    ]);
  });
});

describe('createReports', () => {
  it('groups by a tag that is called like a field, and cuts long values', () => {
    const reports = createReports({ by: ['tag:model', 'tag:tag:x'] });
    const tags = { model: 'm'.repeat(10_000), 'tag:x': 'y' };
    reports.add(eventOf('call-end', { tags }));
    expect(reports.report()[0]?.key).toBe('m'.repeat(200));
    expect(reports.report({ by: 'tag:tag:x' })[0]?.key).toBe('y');
  });

  it('adds US dollars without rounding errors', () => {
    const reports = createReports({ by: ['user'] });
    for (let call = 0; call < 1_000; call += 1) addCall(reports, 'a', 0.000_000_1);
    expect(reports.report()[0]?.usd).toBe(0.000_1);
  });

  it.each([
    [{ by: [] }, 'createReports.by'],
    [{ by: 'user' }, 'createReports.by'],
    [{ by: [''] }, 'createReports.by'],
    [{ by: ['user'], windowMs: 0 }, 'createReports.windowMs'],
    [{ by: ['user'], maxWindows: 1.5 }, 'createReports.maxWindows'],
    [{ by: ['user'], maxSeries: Number.NaN }, 'createReports.maxSeries'],
  ])('rejects %j', (options, path) => {
    expect(() => createReports(options as never)).toThrow(path);
  });

  it('rejects reports by what is not counted, and wrong numbers', () => {
    const reports = createReports({ by: ['user'] });
    expect(() => reports.report({ by: 'usr' as never })).toThrow(
      'report.by: "usr" is not in createReports.by: "user"',
    );
    expect(() => reports.report({ since: Number.NaN })).toThrow('report.since');
    expect(() => reports.report({ top: 0 })).toThrow('report.top');
  });
});
