import { describe, expect, it } from 'vitest';
import type { RouterConfig } from '../../src/protocol/config.ts';
import type { DrillFault, DrillOptions } from '../../src/protocol/drill.ts';
import type { Plugin } from '../../src/protocol/plugin.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import { createRouter } from '../../src/router.ts';
import { type FakeScript, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';

type Tier = 't' | 'other' | 'alone';

const answer = { chunks: ['one', ' two', ' three'], firstTokenDelayMs: 10 };

function setUp(
  scripts: Partial<Record<'a' | 'b' | 'c', FakeScript>> = {},
  defaults: RouterConfig<'a' | 'b' | 'c'>['defaults'] = {},
  plugins: readonly Plugin[] = [],
) {
  const runtime = fakeRuntime({ time: 'auto' });
  const providers = {
    a: fakeProvider(scripts.a ?? answer, { runtime }),
    b: fakeProvider(scripts.b ?? answer, { runtime }),
    c: fakeProvider(scripts.c ?? answer, { runtime }),
  };
  const price = { input: 1, output: 1 };
  const router = createRouter({
    runtime,
    providers,
    plugins,
    prices: { 'a/m': price, 'b/m': price, 'c/m': price },
    defaults: { timeouts: { firstTokenMs: 1_000 }, ...defaults },
    tiers: { t: ['a/m', 'b/m', 'c/m'], other: ['a/m', 'b/m'], alone: ['a/m'] },
  });
  async function makeCalls(count: number, tier: Tier = 't', tags: Record<string, string> = {}) {
    const targets: (string | undefined)[] = [];
    for (let each = 0; each < count; each += 1) {
      const completion = await router.complete(tier, 'hi', { tags }).catch(() => undefined);
      targets.push(completion?.target);
    }
    return targets;
  }
  const drill = (options: Partial<DrillOptions<Tier, 'a' | 'b' | 'c'>> = {}) =>
    router.drill({
      ...{ tier: 't', fault: 'overloaded', share: 1, forMs: 600_000, ...options },
    } as DrillOptions<Tier, 'a' | 'b' | 'c'>);
  return { runtime, providers, router, events: recordEvents(router), makeCalls, drill };
}

describe('a fire drill', () => {
  it('passes when the next target answers, and reports it', async () => {
    const { providers, makeCalls, drill } = setUp();
    const running = drill();
    expect(await makeCalls(4)).toEqual(Array(4).fill('b/m'));
    const report = await running.stop();
    expect(report).toMatchObject({
      passed: true,
      reasons: [],
      tier: 't',
      fault: { type: 'overloaded' },
      calls: { drilled: 4, answered: 4, lost: 0, aborted: 0 },
      lost: [],
    });
    expect(report.hops).toMatchObject([
      { from: 'a/m', to: 'b/m', expected: true },
      { from: 'b/m', to: 'c/m', expected: false, ran: 0 },
    ]);
    expect(
      report.targets.map(({ target, failing, answered }) => [target, failing, answered]),
    ).toEqual([
      ['a/m', true, 0],
      ['b/m', false, 4],
      ['c/m', false, 0],
    ]);
    // No request was sent to the failing target.
    expect(providers.a.calls).toHaveLength(0);
  });

  it('behaves like a real failure: retries, then an open circuit, then skips', async () => {
    const { makeCalls, drill, events } = setUp();
    const running = drill();
    await makeCalls(6);
    const { targets, calls, hops } = await running.stop();
    expect(events.names).toEqual(expect.arrayContaining(['retry', 'failover', 'circuit-open']));
    // Three failures open the circuit. Later calls try the next target directly.
    expect(targets[0]).toMatchObject({ faults: 3, attempts: 3, failures: 3 });
    expect(calls).toMatchObject({ drilled: 6, hit: 2 });
    expect(hops[0]?.ran).toBe(2);
  });

  it.each<[DrillFault, string]>([
    [{ type: 'connection' }, 'connection'],
    [{ type: 'timeout' }, 'timeout'],
    [{ type: 'rate_limited', retryAfterMs: 5_000 }, 'rate_limited'],
    [{ type: 'server_error' }, 'server_error'],
    [{ type: 'overloaded' }, 'overloaded'],
    [{ type: 'slow', delayMs: 5_000 }, 'timeout'],
    [{ type: 'cut', afterParts: 2 }, 'stream_interrupted'],
    [{ type: 'truncated', afterParts: 2 }, 'stream_interrupted'],
    [{ type: 'invalid_output' }, 'invalid_output'],
  ])('with %o fails the target with %s, and the next one answers', async (fault, code) => {
    const { router, makeCalls, drill, runtime } = setUp();
    const running = drill({ fault });
    const { target, text, trail } = await router.complete('t', 'hi');
    expect({ target, text }).toEqual({ target: 'b/m', text: 'one two three' });
    expect(trail[0]).toMatchObject({ target: 'a/m', outcome: 'error', error: { code } });
    await makeCalls(2);
    const report = await running.stop();
    expect(report.reasons).toEqual([]);
    expect(report.fault).toEqual(fault);
    expect(runtime.pending).toBe(0);
  });

  it('applies midStream to a cut stream', async () => {
    const { router, drill } = setUp({}, { midStream: 'restart' });
    const running = drill({ fault: { type: 'cut', afterParts: 2 } });
    const shown: string[] = [];
    for await (const part of router.stream('t', 'hi')) {
      shown.push(part.type === 'text-delta' ? part.delta : part.type);
    }
    expect(shown.slice(0, 4)).toEqual(['start', 'one', ' two', 'restart']);
    expect(shown.at(-1)).toBe('finish');
    expect(await running.stop()).toMatchObject({ passed: true });
  });

  it('cuts immediately, without waiting for the next part', async () => {
    const { router, drill } = setUp({ a: { ...answer, stallAfter: 1 } });
    const running = drill({ fault: 'cut' });
    const { latency, trail } = await router.complete('t', 'hi');
    expect(trail.map(({ error }) => error?.code)).toEqual(['stream_interrupted', undefined]);
    expect(latency.totalMs).toBeLessThan(1_000);
    await running.stop();
  });

  it('cuts before the first part with afterParts 0, and a shorter answer at its end', async () => {
    for (const afterParts of [0, 100]) {
      const { router, drill } = setUp();
      const running = drill({ fault: { type: 'truncated', afterParts } });
      const { target, trail } = await router.complete('t', 'hi');
      expect(target).toBe('b/m');
      expect(trail[0]?.firstTokenMs).toBe(afterParts === 0 ? undefined : 10);
      expect(await running.stop()).toMatchObject({ passed: true });
    }
  });

  it('does not pass when a cut stream is lost, and reports the reason', async () => {
    const { router, drill } = setUp();
    const running = drill({ fault: 'cut' });
    const { completion } = router.stream('t', 'hi');
    await expect(completion).rejects.toMatchObject({ code: 'stream_interrupted' });
    const report = await running.stop();
    expect(report).toMatchObject({
      passed: false,
      calls: { lost: 1 },
      lost: [{ code: 'stream_interrupted', attempts: ['stream_interrupted'] }],
    });
    expect(report.reasons).toContain('lost 1 of 1 calls: stream_interrupted ×1');
  });

  it('bills vendor answers but not injected ones', async () => {
    const { drill, makeCalls, events } = setUp();
    const running = drill({ fault: 'invalid_output' });
    await makeCalls(1);
    await running.stop();
    const bills = events.of('cost').map(({ target, usd }) => [target, usd !== 0]);
    expect(bills).toEqual([
      ['a/m', false],
      ['a/m', false],
      ['b/m', true],
    ]);
  });

  it('passes without a hop when a slow target is still in time', async () => {
    const { drill, makeCalls } = setUp();
    const running = drill({ fault: { type: 'slow', delayMs: 500 } });
    expect(await makeCalls(3)).toEqual(Array(3).fill('a/m'));
    const report = await running.stop();
    expect(report).toMatchObject({ passed: true, calls: { hit: 3, answered: 3 } });
    expect(report.latency.drilled).toEqual({ calls: 3, p50Ms: 510, p99Ms: 510 });
  });

  it('tests the second hop when the first two targets fail', async () => {
    const { drill, makeCalls } = setUp();
    const running = drill({ targets: ['a/m', 'b/m'] });
    expect(await makeCalls(2)).toEqual(['c/m', 'c/m']);
    const { passed, hops } = await running.stop();
    expect(passed).toBe(true);
    expect(hops.map(({ ran }) => ran > 0)).toEqual([true, true]);
  });
});

describe('a fire drill does not pass', () => {
  it('when there was no call', async () => {
    const { drill } = setUp();
    const { passed, reasons } = await drill({ forMs: 1_000 }).report;
    expect(passed).toBe(false);
    expect(reasons).toEqual(['no call of tier "t" was part of the drill']);
  });

  it('when its fault reached no target', async () => {
    const { drill, makeCalls } = setUp();
    const running = drill({ targets: ['c/m'] });
    await makeCalls(2);
    const { passed, reasons } = await running.stop();
    expect(passed).toBe(false);
    expect(reasons).toEqual(['the fault never reached c/m']);
  });

  it('when there is no other target', async () => {
    const { drill, makeCalls } = setUp();
    const running = drill({ tier: 'alone' });
    expect(await makeCalls(1, 'alone')).toEqual([undefined]);
    const { passed, reasons, lost } = await running.stop();
    expect(passed).toBe(false);
    expect(reasons).toEqual(['lost 1 of 1 calls: all_targets_failed ×1', 'no call was answered']);
    expect(lost).toMatchObject([
      { code: 'all_targets_failed', attempts: ['overloaded', 'overloaded', 'overloaded'] },
    ]);
  });

  it('when the next target is skipped, even if a later one answers', async () => {
    const { drill, makeCalls, router } = setUp({ b: { error: 'quota_exhausted' } });
    await router.complete('t', 'hi', { route: { only: ['b'] } }).catch(() => undefined);
    const running = drill();
    expect(await makeCalls(1)).toEqual(['c/m']);
    const { passed, reasons } = await running.stop();
    expect(passed).toBe(false);
    expect(reasons).toEqual(['the hop from a/m to b/m never ran']);
  });

  it('when the callers aborted before an answer', async () => {
    const { drill, router, runtime } = setUp();
    const running = drill({ fault: 'timeout' });
    const controller = new AbortController();
    const call = router.complete('t', 'hi', { signal: controller.signal });
    void runtime.sleep(10).then(() => controller.abort());
    await expect(call).rejects.toMatchObject({ code: 'aborted' });
    const { passed, calls, reasons } = await running.stop();
    expect(passed).toBe(false);
    expect(calls).toMatchObject({ aborted: 1, lost: 0 });
    expect(reasons).toContain('no call was answered');
  });
});

describe('a fire drill includes', () => {
  it('only calls of its tier', async () => {
    const { drill, makeCalls } = setUp();
    const running = drill();
    expect(await makeCalls(2, 'other')).toEqual(['a/m', 'a/m']);
    expect((await running.stop()).calls.drilled).toBe(0);
  });

  it('a share of the calls, and reports the others separately', async () => {
    const { drill, makeCalls } = setUp();
    const running = drill({ share: 0.25 });
    const targets = await makeCalls(200);
    const { calls, latency, passed } = await running.stop();
    expect(calls.drilled).toBeGreaterThan(25);
    expect(calls.drilled).toBeLessThan(75);
    expect(targets.filter((target) => target === 'b/m')).toHaveLength(calls.drilled);
    expect(latency.drilled.calls + latency.others.calls).toBe(200);
    expect(latency.others.p50Ms).toBe(10);
    expect(passed).toBe(true);
  });

  it('only calls with its tag', async () => {
    const { router, makeCalls } = setUp();
    const running = router.drill({
      tier: 't',
      fault: 'overloaded',
      forMs: 600_000,
      tag: { drill: 'yes' },
    });
    expect(await makeCalls(1, 't', { drill: 'no' })).toEqual(['a/m']);
    expect(await makeCalls(1, 't', { drill: 'yes', more: 'x' })).toEqual(['b/m']);
    expect((await running.stop()).calls.drilled).toBe(1);
  });

  it('no call after its time, but running calls until they end', async () => {
    const { drill, makeCalls, router } = setUp();
    const running = drill({ fault: 'timeout', forMs: 500 });
    const { target } = await router.complete('t', 'hi');
    expect(target).toBe('b/m');
    expect(await makeCalls(1)).toEqual(['a/m']);
    const { passed, startedAt, endedAt } = await running.report;
    expect(passed).toBe(true);
    expect(endedAt - startedAt).toBe(1_010);
  });

  it('embeddings', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const embedder: Provider = {
      ...fakeProvider(answer, { runtime }),
      prepareEmbedding: ({ values }) => ({
        warnings: [],
        async *send() {
          yield [{ type: 'vectors', vectors: values.map(() => [0.5]) }];
          yield [{ type: 'finish', finishReason: 'stop' }];
        },
      }),
    };
    const router = createRouter({
      runtime,
      providers: { a: embedder, b: embedder },
      tiers: { vectors: ['a/m', 'b/m'] },
    });
    const options = { tier: 'vectors', share: 1, forMs: 60_000 } as const;
    for (const fault of ['connection', 'invalid_output'] as const) {
      const running = router.drill({ ...options, fault });
      expect(await router.embed('vectors', 'hi')).toMatchObject({
        target: 'b/m',
        vectors: [[0.5]],
      });
      expect(await running.stop()).toMatchObject({ passed: true, calls: { drilled: 1, hit: 1 } });
    }
  });

  it('every key of a pool, without affecting their health', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const pooled: Provider = { ...fakeProvider(answer, { runtime }), keyCount: 2 };
    const router = createRouter({
      runtime,
      providers: { a: pooled, b: fakeProvider(answer, { runtime }) },
      tiers: { t: ['a/m', 'b/m'] },
    });
    const fault = { type: 'rate_limited', retryAfterMs: 60_000 } as const;
    const running = router.drill({ tier: 't', fault, share: 1, forMs: 60_000 });
    const { target, trail } = await router.complete('t', 'hi');
    expect(target).toBe('b/m');
    expect(trail.map(({ key }) => key)).toEqual([1, 2, undefined]);
    expect(await running.stop()).toMatchObject({ passed: true, hops: [{ ran: 1 }] });
    const keys = router.snapshot().targets['a/m']?.keys;
    const untouched = { unavailableUntil: {}, limits: { queued: 0 } };
    expect(keys).toEqual([untouched, untouched]);
  });
});

describe('the effect of a fire drill', () => {
  it('on circuit, statistics and retry budget is discarded after the drill', async () => {
    const { drill, makeCalls, router } = setUp();
    await makeCalls(1);
    const before = router.snapshot();
    const running = drill({ targets: ['a/m'], fault: 'server_error' });
    await makeCalls(5);
    const during = router.snapshot();
    await running.stop();
    expect(during.targets['a/m']).toEqual(before.targets['a/m']);
    expect(during.retryBudget).toBe(before.retryBudget);
    expect(await makeCalls(1)).toEqual(['a/m']);
  });

  it('is not visible to other calls', async () => {
    const { drill, makeCalls } = setUp();
    drill({
      fault: { type: 'rate_limited', retryAfterMs: 60_000 },
      share: 1,
      tag: { drill: 'yes' },
    });
    expect(await makeCalls(2, 't', { drill: 'yes' })).toEqual(['b/m', 'b/m']);
    expect(await makeCalls(2)).toEqual(['a/m', 'a/m']);
  });

  it('on targets that do not fail is real', async () => {
    const { drill, makeCalls, router } = setUp({ b: { error: 'server_error' } });
    const running = drill();
    expect(await makeCalls(2)).toEqual(['c/m', 'c/m']);
    await running.stop();
    expect(router.snapshot().targets['b/m']).toMatchObject({ failures: 3, circuit: 'open' });
  });

  it('does not reach the calls that plugins make for a drilled call', async () => {
    const answered: string[] = [];
    const asking: Plugin = {
      name: 'asking',
      exceptTiers: ['alone'],
      async *wrapCall(call, next) {
        if (call.drill !== undefined) {
          answered.push((await call.ask('alone', 'hi')).target);
        }
        yield* next();
      },
    };
    const passing: Plugin = { name: 'passing' };
    const { makeCalls, drill, router } = setUp({}, {}, [asking, passing]);
    const running = drill({ fault: 'server_error' });
    expect(await makeCalls(4)).toEqual(Array(4).fill('b/m'));
    await running.stop();
    expect(answered).toEqual(Array(4).fill('a/m'));
    expect(router.snapshot().targets['a/m']).toMatchObject({ circuit: 'closed', failures: 0 });
  });

  it('does not make an unavailable target available', async () => {
    const { drill, makeCalls } = setUp({ a: { error: 'quota_exhausted' } });
    await makeCalls(1);
    const running = drill();
    await makeCalls(1);
    const { reasons } = await running.stop();
    expect(reasons).toContain('the fault never reached a/m');
  });
});

describe('the report of a fire drill', () => {
  it('has events and trails that are marked', async () => {
    const { drill, router, events, makeCalls } = setUp();
    const running = drill();
    const { trail } = await router.complete('t', 'hi');
    await makeCalls(2);
    const last = await router.complete('t', 'hi');
    await running.stop();
    await router.complete('t', 'hi');
    expect(trail.map(({ target, reason }) => [target, reason?.slice(0, 10)])).toEqual([
      ['a/m', 'fire drill'],
      ['a/m', 'fire drill'],
      ['b/m', undefined],
    ]);
    expect(trail[0]?.error?.message).toContain('fire drill');
    expect(last.trail[0]?.reason).toMatch(/^fire drill: circuit open until/);
    expect(events.of('circuit-open')).toMatchObject([{ target: 'a/m', drill: running.id }]);
    expect(events.of('call-end').map(({ drill: id }) => id)).toEqual([
      ...Array(4).fill(running.id),
      undefined,
    ]);
    expect(events.of('drill-start')).toMatchObject([
      { drill: running.id, tier: 't', fault: 'overloaded', targets: ['a/m'] },
    ]);
    expect(events.of('drill-end')).toMatchObject([
      { drill: running.id, passed: true, reasons: [] },
    ]);
  });

  it('resolves when the router is closed', async () => {
    const { drill, router, events, runtime } = setUp();
    const running = drill({ fault: 'timeout' });
    const call = router.complete('t', 'hi');
    const failing = expect(call).rejects.toMatchObject({ code: 'closed' });
    await router.close();
    await failing;
    expect(await running.report).toMatchObject({ passed: false, calls: { aborted: 1 } });
    expect(events.names.at(-1)).toBe('drill-end');
    expect(() => drill()).toThrow('the router is closed');
    await runtime.settle();
    expect(runtime.pending).toBe(0);
  });
});

describe('the options of a fire drill', () => {
  it.each<[string, object, string]>([
    ['another tier', { tier: 'x' }, 'there is no tier "x"'],
    ['another fault', { fault: 'fire' }, 'fault: must be one of connection, timeout'],
    ['no scope', { share: undefined }, 'share: '],
    ['a share above one', { share: 2 }, 'share: '],
    ['no time', { forMs: undefined }, 'forMs: '],
    ['a target of another tier', { targets: ['b/x'] }, 'targets[0]: the tier does not ask "b/x"'],
    ['an empty tag', { tag: {} }, 'tag: must name at least one tag'],
    ['a misspelled option', { formMs: 1 }, 'formMs: unknown option'],
  ])('with %s throw with the path of the option', (_, wrong, message) => {
    const { drill, runtime } = setUp();
    expect(() => drill(wrong)).toThrow(message);
    expect(runtime.pending).toBe(0);
  });
});

describe('a fire drill of fallbacks by error code', () => {
  const setUpFallbacks = () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const providers = {
      a: fakeProvider({ error: 'content_filter' }, { runtime }),
      b: fakeProvider('b', { runtime }),
      c: fakeProvider('c', { runtime }),
    };
    const router = createRouter({
      runtime,
      providers,
      tiers: { t: { targets: ['a/m'], fallbacks: { content_filter: ['b/m', 'c/m'] } } },
    });
    return { router, providers };
  };

  it('makes a target fail that only they list', async () => {
    const { router, providers } = setUpFallbacks();
    const options = { tier: 't', fault: 'server_error', share: 1, forMs: 600_000 } as const;
    const drill = router.drill({ ...options, targets: ['b/m'] });
    expect((await router.complete('t', 'hi')).target).toBe('c/m');
    expect(providers.b.calls).toHaveLength(0);
    const report = await drill.stop();
    expect(report).toMatchObject({ passed: true, reasons: [] });
    expect(report.targets).toMatchObject([
      { target: 'a/m', failing: false },
      { target: 'b/m', failing: true, faults: 2 },
      { target: 'c/m', failing: false, answered: 1 },
    ]);
    expect(report.hops).toEqual([]);
  });

  it('has not passed when no call came to them', async () => {
    const { router } = setUpFallbacks();
    const options = { tier: 't', fault: 'server_error', tag: { x: 'y' }, forMs: 600_000 } as const;
    const drill = router.drill({ ...options, targets: ['c/m'] });
    await router.complete('t', 'hi', { tags: { x: 'y' } });
    const { passed, reasons } = await drill.stop();
    expect([passed, reasons]).toEqual([false, ['the fault never reached c/m']]);
  });
});
