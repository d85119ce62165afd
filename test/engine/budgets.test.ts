import { describe, expect, it } from 'vitest';
import { isSignalboxError, SignalboxError } from '../../src/errors.ts';
import type { BudgetSettings } from '../../src/protocol/budget.ts';
import type { CallOptions } from '../../src/protocol/call-options.ts';
import type { TierSettings } from '../../src/protocol/config.ts';
import type { Plugin } from '../../src/protocol/plugin.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import { createRouter } from '../../src/router.ts';
import { type FakeScript, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';
import { checkedStore } from '../support/checked-store.ts';

/** US dollars per million tokens: one output token costs 0.001. */
const price = { input: 0, output: 1_000 };

/** An answer that costs 0.1. */
const answer = {
  text: 'fine',
  usage: { inputTokens: 10, outputTokens: 100 },
  firstTokenDelayMs: 100,
};

type Options = {
  readonly tier?: TierSettings;
  readonly plugins?: readonly Plugin[];
  readonly time?: 'auto' | 'manual';
  readonly prices?: Record<string, { readonly input: number; readonly output: number }>;
  readonly slow?: boolean;
};

/** A router with budgets on virtual time: one target `<name>/m` per script. */
function setUp(
  scripts: Record<string, FakeScript>,
  budgets: Record<string, BudgetSettings>,
  { tier = {}, plugins = [], time = 'auto', prices, slow = false }: Options = {},
) {
  const runtime = fakeRuntime({ time });
  const names = Object.keys(scripts);
  const fakes = Object.fromEntries(
    names.map((name) => [name, fakeProvider(scripts[name] ?? '', { runtime })]),
  );
  const targets = names.map((name) => `${name}/m` as const);
  const checked = checkedStore({ slow });
  const routing = {
    tiers: { t: { maxOutputTokens: 100, ...tier, targets } },
    prices: prices ?? Object.fromEntries(targets.map((target) => [target, price])),
    budgets,
  };
  const router = createRouter({
    runtime,
    providers: fakes,
    plugins,
    store: checked.store,
    ...routing,
  });
  const events = recordEvents(router);
  const complete = (options?: CallOptions) => router.complete('t', 'hi', options);
  const fails = async (options?: CallOptions): Promise<SignalboxError> =>
    failureOf(complete(options));
  /** What holds once nothing runs. */
  const expectQuiet = (): void => {
    expect(checked.sums(runtime.now()).reserved).toBe(0);
    expect([...checked.settles.values()].every((count) => count === 1)).toBe(true);
  };
  const spent = (): number =>
    events.events
      .flatMap((event) => (event.type === 'cost' ? [Math.round((event.usd ?? 0) * 1e9)] : []))
      .reduce((sum, nano) => sum + nano, 0);
  return { runtime, router, routing, events, fakes, checked, complete, fails, expectQuiet, spent };
}

async function failureOf(call: Promise<unknown>): Promise<SignalboxError> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isSignalboxError(error)) throw new Error('the call did not fail with a SignalboxError');
  return error;
}

const many = <Each>(count: number, make: (index: number) => Each): Each[] =>
  Array.from({ length: count }, (_, index) => make(index));

describe('a budget', () => {
  it('refuses a call once what was spent leaves no room', async () => {
    const { complete, fails, fakes, router, runtime, events, expectQuiet } = setUp(
      { a: answer },
      { team: { usd: 0.25, per: 'day' } },
    );
    await complete();
    await complete();
    const error = await fails();
    const resetsAt = Date.UTC(2026, 0, 2);
    expect(error).toMatchObject({
      code: 'budget_exceeded',
      budget: 'team',
      resetsAt,
      target: 'a/m',
    });
    expect(error.retryAfterMs).toBe(resetsAt - runtime.now());
    expect(error.message).toContain('over budget "team": 0.2 of 0.25 usd are spent');
    expect(error.trail).toMatchObject([{ outcome: 'skipped', verdict: 'stop' }]);
    expect(fakes.a?.calls).toHaveLength(2);
    expect(events.events.filter(({ type }) => type === 'budget-exceeded')).toMatchObject([
      { budget: 'team', unit: 'usd', limit: 0.25, settled: 0.2, action: 'rejected', target: 'a/m' },
    ]);
    expect(router.snapshot().budgets).toEqual([
      { name: 'team', unit: 'usd', limit: 0.25, settled: 0.2, reserved: 0, left: 0.05, resetsAt },
    ]);
    expectQuiet();
  });

  it('begins again with its next window', async () => {
    const { complete, fails, runtime } = setUp({ a: answer }, { team: { usd: 0.1, per: 'hour' } });
    await complete();
    await fails();
    await runtime.sleep(3_600_000);
    await complete();
  });

  it.each([false, true])(
    'lets calls wait while only requests in flight leave no room (store answers later: %s)',
    async (slow) => {
      const { complete, fakes, checked, runtime, expectQuiet, spent } = setUp(
        { a: { ...answer, usage: { inputTokens: 10, outputTokens: 50 } } },
        { team: { usd: 0.3, per: 'day' } },
        { slow },
      );
      const ended = await Promise.allSettled(many(10, () => complete()));
      // Each may cost 0.1, and costs 0.05.
      const served = ended.filter(({ status }) => status === 'fulfilled').length;
      expect(served).toBe(5);
      expect(checked.sums(runtime.now()).settled).toBe(250_000_000);
      expect(spent()).toBe(250_000_000);
      const starts = fakes.a?.calls.map(({ at }) => at - (fakes.a?.calls[0]?.at ?? 0));
      expect(starts?.slice(0, 4)).toEqual([0, 0, 0, 100]);
      expectQuiet();
    },
  );

  it('frees its slot under the limits while it waits', async () => {
    const { router, fakes, runtime } = setUp(
      { a: answer },
      { team: { match: { team: 'x' }, usd: 0.1, per: 'day' } },
      { tier: { limits: { concurrency: 2 } } },
    );
    const tags = { team: 'x' };
    const first = router.complete('t', 'hi', { tags });
    const second = failureOf(router.complete('t', 'hi', { tags }));
    await router.complete('t', 'hi');
    expect(runtime.now() - (fakes.a?.calls[0]?.at ?? 0)).toBe(100);
    await first;
    expect((await second).code).toBe('budget_exceeded');
  });

  it('lets a call wait up to its deadline', async () => {
    const { complete, fails, expectQuiet, fakes } = setUp(
      { a: { ...answer, firstTokenDelayMs: 10_000 } },
      { team: { usd: 0.1, per: 'day' } },
    );
    const first = complete();
    const error = await fails({ timeouts: { totalMs: 1_000 } });
    expect(error).toMatchObject({ code: 'timeout', phase: 'total' });
    expect(error.message).toContain('waited for room in budget "team"');
    await first;
    expect(fakes.a?.calls).toHaveLength(1);
    expectQuiet();
  });

  it('is apart for each value of a tag, and shared by calls without it', async () => {
    const { complete, fails, router } = setUp(
      { a: answer },
      { user: { by: 'user', usd: 0.1, per: 'day' } },
    );
    await complete({ tags: { user: 'ann' } });
    await complete({ tags: { user: 'bob' } });
    await complete();
    expect(await fails({ tags: { user: 'ann' } })).toMatchObject({ budget: 'user', by: 'ann' });
    expect(await fails()).toMatchObject({ by: '(none)' });
    const shown = router.snapshot().budgets ?? [];
    expect(shown.map(({ by }) => by)).toEqual(['(none)', 'ann', 'bob']);
  });

  it('counts tokens and requests too, and a rolling minute', async () => {
    const { complete, fails, runtime, router } = setUp(
      { a: answer },
      { rate: { tokens: 500, requests: 2, per: 'minute' } },
    );
    await complete();
    await complete();
    expect(await fails()).toMatchObject({ budget: 'rate', retryAfterMs: 60_000 });
    expect(router.snapshot().budgets).toMatchObject([
      { unit: 'tokens', settled: 220 },
      { unit: 'requests', settled: 2, left: 0 },
    ]);
    await runtime.sleep(61_000);
    await complete();
  });

  it('does not count attempts that were not billed', async () => {
    const { complete, checked, runtime, expectQuiet, spent } = setUp(
      { a: [{ error: 'server_error' }, answer] },
      { team: { usd: 0.1, requests: 1, per: 'day' } },
    );
    await complete();
    expect(checked.settles.size).toBe(2);
    expect(spent()).toBe(100_000_000);
    expect(checked.sums(runtime.now()).settled).toBe(100_000_001);
    expectQuiet();
  });

  it('holds for repairs and failovers', async () => {
    const { fails, fakes, expectQuiet } = setUp(
      { a: answer, b: answer },
      { team: { usd: 0.15, per: 'day' } },
    );
    const error = await fails({ validate: () => 'wrong' });
    expect(error).toMatchObject({ code: 'budget_exceeded' });
    expect(fakes.a?.calls).toHaveLength(1);
    expect(fakes.b?.calls).toHaveLength(0);
    expectQuiet();
  });

  it('does not start a hedge that does not fit', async () => {
    const { complete, events, fakes, expectQuiet } = setUp(
      { a: { ...answer, firstTokenDelayMs: 1_000 }, b: answer },
      { team: { usd: 0.15, per: 'day' } },
      { tier: { hedge: { afterMs: 100, maxExtra: 1 } } },
    );
    await complete();
    expect(fakes.b?.calls).toHaveLength(0);
    expect(events.events.some(({ type }) => type === 'hedge')).toBe(false);
    expectQuiet();
  });

  it('starts a hedge that fits, and releases the reservation of the one that lost', async () => {
    const { complete, fakes, expectQuiet, checked, runtime } = setUp(
      { a: { ...answer, firstTokenDelayMs: 1_000 }, b: answer },
      { team: { usd: 0.2, per: 'day' } },
      { tier: { hedge: { afterMs: 100, maxExtra: 1 } } },
    );
    await complete();
    expect(fakes.b?.calls).toHaveLength(1);
    expect(checked.sums(runtime.now()).settled).toBe(100_000_000);
    expectQuiet();
  });
});

describe('onExceeded: downgrade', () => {
  const prices = { 'a/m': price, 'b/m': { input: 0, output: 10 } };

  it('passes over targets that do not fit, and fails when none does', async () => {
    const { complete, fails, events, expectQuiet } = setUp(
      { a: answer, b: answer },
      { team: { usd: 0.1015, per: 'day', onExceeded: 'downgrade' } },
      { prices },
    );
    expect((await complete()).target).toBe('a/m');
    const second = await complete();
    expect(second.target).toBe('b/m');
    expect(second.trail[0]).toMatchObject({ outcome: 'skipped', reason: 'over budget "team"' });
    expect(events.events.some(({ type }) => type === 'failover')).toBe(false);
    const error = await fails();
    expect(error).toMatchObject({ code: 'budget_exceeded', budget: 'team' });
    expect(error.trail.map(({ target }) => target)).toEqual(['a/m', 'b/m']);
    expectQuiet();
  });

  it('waits for requests in flight when nothing else is left', async () => {
    const { complete, runtime, expectQuiet } = setUp(
      { a: { ...answer, usage: { inputTokens: 1, outputTokens: 10 } } },
      { team: { usd: 0.15, per: 'day', onExceeded: 'downgrade' } },
    );
    const before = runtime.now();
    await Promise.all([complete(), complete()]);
    expect(runtime.now() - before).toBe(200);
    expectQuiet();
  });

  it('goes on to the fallbackTier', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const router = createRouter({
      runtime,
      providers: { a: fakeProvider(answer, { runtime }), b: fakeProvider(answer, { runtime }) },
      tiers: {
        t: { targets: ['a/m'], fallbackTier: 'small', maxOutputTokens: 100 },
        small: { targets: ['b/m'], maxOutputTokens: 100 },
      },
      prices,
      budgets: { team: { usd: 0.05, per: 'minute', onExceeded: 'downgrade' } },
    });
    expect((await router.complete('t', 'hi')).target).toBe('b/m');
  });
});

describe('onExceeded: warn', () => {
  it('only emits events, once for each share and value', async () => {
    const { complete, events } = setUp(
      { a: answer },
      { team: { by: 'user', usd: 0.2, per: 'day', onExceeded: 'warn', warnAt: [0.5] } },
    );
    for (const user of ['ann', 'ann', 'ann', 'bob']) await complete({ tags: { user } });
    const heard = events.events.filter(({ type }) => type.startsWith('budget-'));
    expect(heard).toMatchObject([
      { type: 'budget-warning', by: 'ann', share: 0.5, settled: 0.1 },
      { type: 'budget-exceeded', by: 'ann', action: 'warned', settled: 0.2 },
      { type: 'budget-warning', by: 'bob', share: 0.5 },
    ]);
  });
});

describe('an answer without maxOutputTokens', () => {
  const tier = { maxOutputTokens: undefined };

  it('gets the output limit for which there is room, with a warning', async () => {
    const { complete, fails, fakes, expectQuiet } = setUp(
      { a: answer },
      { team: { usd: 1, per: 'day' } },
      { tier },
    );
    const first = await complete();
    expect(fakes.a?.calls[0]?.request.maxOutputTokens).toBe(1_000);
    expect(first.warnings).toMatchObject([{ code: 'adjusted-param', param: 'maxOutputTokens' }]);
    for (let count = 1; count < 9; count += 1) await complete();
    // 0.1 is left: not twice what the answers usually need.
    expect(await fails()).toMatchObject({ code: 'budget_exceeded' });
    expectQuiet();
  });

  it('waits until nothing else is reserved', async () => {
    const { complete, fakes } = setUp({ a: answer }, { team: { usd: 1, per: 'day' } }, { tier });
    await Promise.all([complete(), complete(), complete()]);
    const [first = 0] = fakes.a?.calls.map(({ at }) => at) ?? [];
    expect(fakes.a?.calls.map(({ at }) => at - first)).toEqual([0, 100, 200]);
    expect(fakes.a?.calls.map(({ request }) => request.maxOutputTokens)).toEqual([1_000, 900, 800]);
  });
});

describe('calls that wait', () => {
  it('do not wait for one that was woken and refused by another budget', async () => {
    const usage = { inputTokens: 1, outputTokens: 10 };
    const { complete, fails, runtime, expectQuiet } = setUp(
      { a: { chunks: ['fine'], usage } },
      { money: { usd: 0.15, per: 'day' }, few: { requests: 1, per: 'day' } },
    );
    const startedAt = runtime.now();
    const first = complete();
    const errors = await Promise.all(many(5, () => fails()));
    await first;
    expect(errors.map(({ budget }) => budget)).toEqual(many(5, () => 'few'));
    expect(runtime.now() - startedAt).toBeLessThan(1_000);
    expectQuiet();
  });
});

describe('a stream', () => {
  const long = {
    chunks: many(400, () => 'word word word word '),
    chunkDelayMs: 10,
    usage: 'none',
  } as const;

  it('is cut at the cap', async () => {
    const { router, fakes, checked, runtime, events, expectQuiet, spent } = setUp(
      { a: long },
      { team: { usd: 0.4, per: 'day' } },
      { tier: { maxOutputTokens: 2_000 } },
    );
    let text = '';
    const error = await failureOf(
      (async () => {
        for await (const part of router.stream('t', 'hi')) {
          if (part.type === 'text-delta') text += part.delta;
        }
      })(),
    );
    expect(error).toMatchObject({ code: 'budget_exceeded', budget: 'team', target: 'a/m' });
    expect(error.message).toMatch(/^a\/m: over budget "team": the answer was cut; it resets at /);
    expect(error.partial?.text).toBe(text);
    expect(fakes.a?.calls[0]?.outcome).toBe('aborted');
    const { settled } = checked.sums(runtime.now());
    expect(settled).toBeGreaterThan(380_000_000);
    expect(settled).toBeLessThan(425_000_000);
    expect(settled).toBe(spent());
    expect(events.events.filter(({ type }) => type === 'budget-exceeded')).toMatchObject([
      { action: 'cut', budget: 'team' },
    ]);
    expectQuiet();
  });

  it('goes on beyond what was reserved while there is room', async () => {
    const usage = { inputTokens: 1, outputTokens: 1_600 };
    const { complete, checked, runtime, expectQuiet } = setUp(
      { a: { ...long, usage } },
      { team: { usd: 10, per: 'day' } },
    );
    await complete();
    expect(checked.sums(runtime.now()).settled).toBe(1_600_000_000);
    expectQuiet();
  });

  it('is billed as estimated when its reader leaves it', async () => {
    const { router, checked, runtime, expectQuiet, spent, events } = setUp(
      { a: long },
      { team: { usd: 10, per: 'day' } },
    );
    let parts = 0;
    for await (const part of router.stream('t', 'hi')) {
      if (part.type === 'text-delta' && ++parts === 10) break;
    }
    const { settled } = checked.sums(runtime.now());
    expect(settled).toBeGreaterThan(30_000_000);
    expect(settled).toBe(spent());
    expect(events.events.find(({ type }) => type === 'cost')).toMatchObject({
      priced: 'estimated',
    });
    expectQuiet();
  });

  it('is billed as estimated when its reader leaves it, without budgets too', async () => {
    const { router, spent } = setUp({ a: long }, {});
    let parts = 0;
    for await (const part of router.stream('t', 'hi')) {
      if (part.type === 'text-delta' && ++parts === 10) break;
    }
    expect(spent()).toBeGreaterThan(30_000_000);
  });
});

describe('an unknown price', () => {
  const prices = { 'b/m': price };

  it('is refused: the next target is used', async () => {
    const { complete, fakes } = setUp(
      { a: answer, b: answer },
      { team: { usd: 1, per: 'day' } },
      { prices },
    );
    const { target, trail } = await complete();
    expect(target).toBe('b/m');
    expect(trail[0]).toMatchObject({ outcome: 'skipped', reason: 'over budget "team"' });
    expect(fakes.a?.calls).toHaveLength(0);
  });

  it('fails the call when there is no other target', async () => {
    const { fails } = setUp({ a: answer }, { team: { usd: 1, per: 'day' } }, { prices: {} });
    const error = await fails();
    expect(error).toMatchObject({ code: 'budget_exceeded', budget: 'team' });
    expect(error.message).toContain('the price is unknown');
  });

  it('counts as the budget says', async () => {
    const unknownPrice = { usdPerMillion: 1_000 };
    const { complete, checked, runtime } = setUp(
      { a: answer },
      { team: { usd: 1, per: 'day', unknownPrice } },
      { prices: {} },
    );
    await complete();
    expect(checked.sums(runtime.now()).settled).toBe(110_000_000);
  });

  it('does not matter for tokens', async () => {
    const { complete } = setUp(
      { a: answer },
      { team: { tokens: 1_000, per: 'day' } },
      { prices: {} },
    );
    await complete();
  });
});

describe('maxUsd', () => {
  it('ends a call whose attempts would cost more', async () => {
    const { fails, fakes, spent } = setUp({ a: answer }, {});
    const error = await fails({ maxUsd: 0.25, validate: () => 'no', retry: {} });
    expect(error).toMatchObject({ code: 'all_targets_failed' });
    const second = await fails({ maxUsd: 0.15, validate: () => 'no' });
    expect(second).toMatchObject({ code: 'budget_exceeded', budget: 'maxUsd' });
    expect(second.resetsAt).toBeUndefined();
    expect(fakes.a?.calls).toHaveLength(3);
    expect(spent()).toBe(300_000_000);
  });

  it('refuses a call that alone may cost more', async () => {
    const { fails, fakes } = setUp({ a: answer }, {});
    expect(await fails({ maxUsd: 0.05 })).toMatchObject({ budget: 'maxUsd' });
    expect(fakes.a?.calls).toHaveLength(0);
  });

  it('holds for the calls that plugins make for it', async () => {
    const errors: unknown[] = [];
    const plugin: Plugin = {
      name: 'asks',
      async onRequest(request, call) {
        await call.ask('t', 'first');
        await call.ask('t', 'second').catch((error: unknown) => errors.push(error));
        return request;
      },
    };
    const { fails, fakes } = setUp({ a: answer }, {}, { plugins: [plugin] });
    const error = await fails({ maxUsd: 0.1 });
    expect(error).toMatchObject({ code: 'budget_exceeded', budget: 'maxUsd' });
    expect(errors).toMatchObject([{ code: 'budget_exceeded' }]);
    expect(fakes.a?.calls).toHaveLength(1);
  });
});

describe('calls of plugins', () => {
  it('do not wait for the reservation of the call that waits for them', async () => {
    let failure: SignalboxError | undefined;
    const plugin: Plugin = {
      name: 'asks',
      async *wrapAttempt(attempt, next) {
        failure = await failureOf(attempt.call.ask('t', 'inner'));
        yield* next();
      },
    };
    const { complete, runtime, expectQuiet } = setUp(
      { a: answer },
      { team: { usd: 0.15, per: 'day' } },
      { plugins: [plugin] },
    );
    const before = runtime.now();
    await complete();
    expect(failure).toMatchObject({ code: 'budget_exceeded' });
    expect(runtime.now() - before).toBe(100);
    expectQuiet();
  });
});

describe('reservations end', () => {
  it('when a call is aborted while it waits', async () => {
    const { complete, fails, expectQuiet, checked } = setUp(
      { a: answer },
      { team: { usd: 0.1, per: 'day' } },
    );
    const first = complete();
    const controller = new AbortController();
    const second = fails({ signal: controller.signal });
    await Promise.resolve();
    controller.abort();
    expect(await second).toMatchObject({ code: 'aborted' });
    await first;
    expect(checked.settles.size).toBe(1);
    expectQuiet();
  });

  it('when the router is closed', async () => {
    const { router, complete, expectQuiet } = setUp(
      { a: { hang: true } },
      { team: { usd: 0.1, per: 'day' } },
      { time: 'manual' },
    );
    const ended = [failureOf(complete()), failureOf(complete())];
    await Promise.resolve();
    await router.close();
    for (const error of await Promise.all(ended)) expect(error).toMatchObject({ code: 'closed' });
    expectQuiet();
  });

  it('when a listener and a plugin throw', async () => {
    const plugin: Plugin = {
      name: 'broken',
      accept() {
        throw new Error('broken');
      },
    };
    const { router, fails, expectQuiet, checked, runtime, spent } = setUp(
      { a: answer },
      { team: { usd: 1, per: 'day', warnAt: [0.05] } },
      { plugins: [plugin] },
    );
    for (const name of ['cost', 'attempt-start', 'budget-warning'] as const) {
      router.on(name, () => {
        throw new Error('broken');
      });
    }
    router.on('listener-error', () => undefined);
    expect(await fails()).toMatchObject({ code: 'plugin_failed' });
    expect(checked.sums(runtime.now()).settled).toBe(spent());
    expect(spent()).toBeGreaterThan(0);
    expectQuiet();
  });

  it('when the budget is changed, renamed or removed while a call is in flight', async () => {
    const { router, routing, complete, expectQuiet, checked, runtime, spent } = setUp(
      { a: answer },
      { team: { usd: 1, per: 'day' } },
    );
    const changes: Record<string, BudgetSettings>[] = [
      { team: { usd: 0.05, per: 'day' } },
      { other: { usd: 1, per: 'day' } },
      {},
    ];
    for (const budgets of changes) {
      const running = complete();
      router.reconfigure({ ...routing, budgets });
      await running;
      router.reconfigure(routing);
    }
    expect(checked.sums(runtime.now()).settled).toBe(spent());
    expect(router.snapshot().budgets).toMatchObject([{ settled: 0.3 }]);
    expectQuiet();
  });
});

describe('the snapshot', () => {
  it('has the state of the time before, where the store answers later', async () => {
    const { complete, router, runtime } = setUp(
      { a: answer },
      { team: { usd: 1, per: 'day' } },
      { slow: true },
    );
    await complete();
    expect(router.snapshot().budgets).toEqual([]);
    await runtime.settle();
    expect(router.snapshot().budgets).toMatchObject([{ name: 'team', settled: 0.1 }]);
  });

  it('shows what is reserved meanwhile, and a budget that nobody has used', async () => {
    const { complete, router, runtime } = setUp(
      { a: answer },
      { team: { usd: 1, per: 'day' }, other: { match: { x: 'y' }, tokens: 5, per: 'minute' } },
      { time: 'manual' },
    );
    const running = complete();
    await runtime.settle();
    expect(router.snapshot().budgets).toMatchObject([
      { name: 'team', settled: 0, reserved: 0.1, left: 0.9 },
      { name: 'other', unit: 'tokens', limit: 5, settled: 0, left: 5 },
    ]);
    await runtime.advance(200);
    await running;
  });
});

describe('a store that fails', () => {
  it('before an attempt fails the call, and sends nothing', async () => {
    const { fails, checked, fakes } = setUp({ a: answer }, { team: { usd: 1, per: 'day' } });
    checked.failAt('reserve');
    const error = await fails();
    expect(error).toMatchObject({ code: 'store_failed', cause: { message: 'the disk is full' } });
    expect(fakes.a?.calls).toHaveLength(0);
  });

  it('after an attempt does not change its answer, and is reported', async () => {
    const { complete, checked, events } = setUp({ a: answer }, { team: { usd: 1, per: 'day' } });
    checked.failAt('settle');
    expect((await complete()).text).toBe('fine');
    expect(events.events.filter(({ type }) => type === 'store-error')).toMatchObject([
      { store: 'checked', error: { message: 'the disk is full' } },
    ]);
  });
});

it('drills spend no budget', async () => {
  const { router, complete, checked, runtime } = setUp(
    { a: answer, b: answer },
    { team: { usd: 1, per: 'day' } },
  );
  const drill = router.drill({
    tier: 't',
    share: 1,
    fault: { type: 'server_error' },
    forMs: 1_000,
  });
  expect((await complete()).target).toBe('b/m');
  await drill.stop();
  expect(checked.sums(runtime.now()).settled).toBe(0);
});

/** A provider that embeds two values per request for 0.001 each, and makes images for 1 each. */
function embedder(): {
  readonly provider: Provider;
  readonly requests: readonly (readonly string[])[];
} {
  const requests: (readonly string[])[] = [];
  const provider: Provider = {
    wire: 'fake',
    maxEmbeddingBatch: 2,
    capabilities: () => new Set(),
    preload: async () => undefined,
    prepare() {
      throw new SignalboxError('unsupported', 'lacks answers');
    },
    prepareEmbedding: ({ values }) => ({
      warnings: [],
      async *send() {
        requests.push(values);
        yield [{ type: 'vectors', vectors: values.map(() => [1, 2]) }];
        const inputTokens = values.length;
        const usage = { inputTokens, outputTokens: 0, totalTokens: inputTokens };
        yield [{ type: 'finish', finishReason: 'stop', usage }];
      },
    }),
    prepareImage: ({ count = 1 }) => ({
      warnings: [],
      async *send() {
        const source = { type: 'base64', data: 'AA==', mediaType: 'image/png' } as const;
        for (let made = 0; made < count; made += 1) {
          yield [{ type: 'part-end', part: { type: 'image', source } }];
        }
        const outputTokens = 1_000 * count;
        const usage = { inputTokens: 0, outputTokens, totalTokens: outputTokens };
        yield [{ type: 'finish', finishReason: 'stop', usage }];
      },
    }),
  };
  return { provider, requests };
}

describe('embed and image', () => {
  function setUpEmbedder(budgets: Record<string, BudgetSettings>) {
    const { provider, requests } = embedder();
    const router = createRouter({
      runtime: fakeRuntime({ time: 'auto' }),
      providers: { a: provider },
      tiers: { t: ['a/m'] },
      prices: { 'a/m': { input: 1_000, output: 1_000 } },
      budgets,
    });
    return { router, requests };
  }

  it('count for each batch, and by the number of images', async () => {
    const { router } = setUpEmbedder({ team: { usd: 10, requests: 3, per: 'minute' } });
    await router.embed('t', ['1', '2', '3']);
    await router.image('t', 'a cat');
    expect(router.snapshot().budgets).toMatchObject([
      { unit: 'usd', settled: 1.003, reserved: 0 },
      { unit: 'requests', settled: 3, left: 0 },
    ]);
  });

  it('reserve for all images of a request', async () => {
    const { router } = setUpEmbedder({ team: { usd: 7, per: 'minute' } });
    await router.image('t', 'a cat');
    // One more may cost 6.24 alone, and leaves no room for it.
    expect(await failureOf(router.image('t', 'a cat', { count: 2 }))).toMatchObject({
      code: 'budget_exceeded',
    });
  });

  it('share maxUsd over all batches, which wait for each other', async () => {
    const { router, requests } = setUpEmbedder({});
    const values = many(20, String);
    // One batch may cost 0.043, and costs 0.002.
    await router.embed('t', values, { maxUsd: 0.09 });
    expect(requests).toHaveLength(10);
    const error = await failureOf(router.embed('t', values, { maxUsd: 0.05 }));
    expect(error).toMatchObject({ code: 'budget_exceeded', budget: 'maxUsd' });
    expect(requests.length).toBeLessThan(20);
  });
});
