import { describe, expect, it } from 'vitest';
import type {
  RouterEvents,
  Strategy,
  StrategyContext,
  StrategyObject,
  TierOrder,
} from '../../src/index.ts';
import { createRouter } from '../../src/router.ts';
import { builtInStrategies } from '../../src/routing/strategy.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';

/** The order that the strategy computes from what the event has, and nothing else. */
function replayed({ tier, strategy, settings, turn, draws, targets }: TierOrder) {
  const make = builtInStrategies[strategy as keyof typeof builtInStrategies];
  const left = [...draws];
  const known = new Map(targets.map((each) => [each.target, each.known]));
  const context: StrategyContext = {
    call: { kind: 'chat', tier, tags: {}, mode: 'complete', inputTokens: 0, remainingMs: 0 },
    knowledge: ({ id }) => ({
      calls: Number.NaN,
      inFlight: Number.NaN,
      queued: Number.NaN,
      isAvailable: false,
      ...known.get(id),
    }),
    turn,
    now: () => Number.NaN,
    random: () => left.shift() ?? Number.NaN,
    score: () => undefined,
  };
  const candidates = targets.map(({ target, weight }) => {
    const [provider = '', model = ''] = target.split('/');
    return { id: target, provider, model, weight };
  });
  const ordered = make(settings ?? {}).order(candidates, context);
  expect(left).toEqual([]);
  return ordered.map(({ id }) => id);
}

/** Random traffic on targets of random speed, price and reliability. Returns the plans as JSON keeps them. */
async function plansOf(
  strategy: StrategyObject,
  seed: number,
  count: number,
): Promise<readonly RouterEvents['route-plan'][]> {
  const runtime = fakeRuntime({ time: 'auto', seed });
  const { random } = fakeRuntime({ seed: seed + 1_000 });
  const names = ['a', 'b', 'c', 'd', 'e'] as const;
  const script = () => ({
    text: 'word '.repeat(1 + Math.floor(20 * random())),
    firstTokenDelayMs: Math.floor(1_000 * random()),
  });
  const router = createRouter({
    runtime,
    providers: Object.fromEntries(
      names.map((name) => {
        const answers = Array.from({ length: 40 }, () =>
          random() < 0.1 ? ({ error: 'server_error' } as const) : script(),
        );
        return [name, fakeProvider(answers, { runtime })];
      }),
    ),
    prices: Object.fromEntries(
      // The price of one target is unknown.
      names.slice(1).map((name) => [`${name}/m`, { input: random(), output: 10 * random() }]),
    ),
    tiers: {
      t: {
        targets: names.map((name) => ({
          target: `${name}/m`,
          weight: Math.floor(4 * random()),
          ...(random() < 0.3 && { limits: { concurrency: 1 } }),
        })),
        strategy,
      },
    },
  });
  // Beforehand: while the price list is imported, virtual time would pass.
  await router.preload();
  const events = recordEvents(router);
  const calls: Promise<unknown>[] = [];
  for (let call = 0; call < count; call++) {
    calls.push(router.complete('t', 'secret prompt').catch(() => undefined));
    const pause = random();
    await runtime.sleep(pause < 0.6 ? 0 : pause < 0.95 ? 1_000 * random() : 30_000);
  }
  await Promise.all(calls);
  return JSON.parse(JSON.stringify(events.of('route-plan')));
}

describe('route-plan', () => {
  it.each<StrategyObject>([
    { type: 'priority' },
    { type: 'weighted' },
    { type: 'round-robin' },
    { type: 'least-busy' },
    { type: 'cheapest' },
    { type: 'fastest' },
    { type: 'fastest', by: 'total' },
    { type: 'balanced' },
    { type: 'balanced', cost: 3, failure: 0 },
  ])('has what $type needs to compute the same order again', async (strategy) => {
    const { type, ...settings } = strategy;
    const plans = await plansOf(strategy, 3, 250);
    expect(plans).toHaveLength(250);
    let reordered = 0;
    for (const plan of plans) {
      const [order] = plan.orders;
      if (order === undefined) throw new Error('no order');
      expect([order.strategy, order.settings ?? {}]).toEqual([type, settings]);
      const skipped = new Set(plan.skipped.map(({ target }) => target));
      const free = (ids: readonly string[]) => ids.filter((id) => !skipped.has(id));
      const ordered = replayed(order);
      expect(free(ordered)).toEqual(free(plan.candidates.map(({ target }) => target)));
      if (ordered[0] !== order.targets[0]?.target) reordered += 1;
      // The lowest score comes first, but for an explored target and the first of two random ones.
      if (type === 'cheapest' || type === 'weighted' || type === 'least-busy') {
        const scores = plan.candidates
          .filter(({ target }) => !skipped.has(target))
          .map(({ score = Number.POSITIVE_INFINITY }) => score);
        expect(scores).toEqual(scores.toSorted((a, b) => a - b));
      }
      expect(JSON.stringify(plan)).not.toContain('secret');
    }
    // Two calls of this many explore.
    const explores = type === 'fastest' || type === 'balanced';
    const [explored] = plans[119]?.orders ?? [];
    expect(explored?.targets.some(({ known }) => known.idleMs !== undefined)).toBe(explores);
    expect(reordered > 0).toBe(type !== 'priority');
  });
});

function setUp(strategy: Strategy | undefined, tier: object = {}) {
  const runtime = fakeRuntime({ time: 'auto' });
  const a = { text: 'a', firstTokenDelayMs: 20 };
  const providers = {
    a: fakeProvider([a, { error: 'server_error' }, a], { runtime }),
    b: fakeProvider('b', { runtime, capabilities: ['vision'] }),
    c: fakeProvider('c', { runtime, compliance: { region: 'eu' } }),
  };
  const router = createRouter({
    runtime,
    providers,
    prices: { 'a/m': { input: 1, output: 1 }, 'b/m': { input: 2, output: 2 } },
    ...(strategy !== undefined && { strategies: { mine: strategy } }),
    tiers: {
      t: {
        targets: ['a/m', 'b/m'],
        retry: { attempts: 0 },
        ...(strategy !== undefined && { strategy: 'mine' }),
        ...tier,
      },
    },
  });
  return { router, events: recordEvents(router) };
}

const image = {
  role: 'user',
  content: [
    { type: 'text', text: 'What is this?' },
    { type: 'image', source: { type: 'url', url: 'https://x.test/a.png' } },
  ],
} as const;

describe('the figures of a decision', () => {
  it('are those that a strategy of the user reads and reports', async () => {
    const mine: Strategy = {
      order(candidates, context) {
        candidates.forEach((each, index) => void context.score(each, 7 - index));
        const [first] = candidates;
        if (first !== undefined) void context.knowledge(first).recentFirstTokenMs;
        return candidates.toReversed();
      },
    };
    const { router, events } = setUp(mine);
    await router.complete('t', 'hi', { route: { ignore: ['b'] } });
    await router.complete('t', 'hi');
    expect(events.of('route-plan')[1]).toMatchObject({
      strategy: 'mine',
      inputTokens: 1,
      modalities: ['text'],
      candidates: [
        { target: 'b/m', score: 6 },
        { target: 'a/m', score: 7, firstTokenMs: 20 },
      ],
      orders: [
        {
          tier: 't',
          strategy: 'mine',
          turn: 1,
          draws: [],
          targets: [{ target: 'a/m', known: { recentFirstTokenMs: 20 } }, { known: {} }],
        },
      ],
    });
    // Nothing asked for a price.
    expect(events.of('route-plan')[1]?.candidates[0]).not.toHaveProperty('usd');
  });

  it('are all that is known in explain, whatever the strategy asks for', async () => {
    const { router } = setUp(undefined);
    await router.complete('t', 'hi', { route: { only: ['a'] } });
    await router.complete('t', 'hi', { route: { only: ['a'] } }).catch(() => undefined);
    const { strategy, candidates } = await router.explain('t', 'hi');
    expect(strategy).toBe('priority');
    const [a, b] = candidates;
    expect(a).toMatchObject({ target: 'a/m', firstTokenMs: 20, failureRate: expect.any(Number) });
    expect(a?.failureRate).toBeGreaterThan(0);
    expect(b?.usd).toBeGreaterThan(a?.usd ?? 0);
    expect(b).not.toHaveProperty('firstTokenMs');
    expect(b).not.toHaveProperty('score');
  });

  it('have the cost that a requirement asked for', async () => {
    const { router, events } = setUp(undefined, { requires: { maxEstimatedUsd: 1 } });
    await router.complete('t', 'hi');
    expect(events.of('route-plan')[0]?.candidates[0]?.usd).toBeGreaterThan(0);
  });

  it('name what the messages contain', async () => {
    const { router, events } = setUp(undefined);
    await router.complete('t', [image], { route: { only: ['b'] } });
    expect(events.of('route-plan')[0]?.modalities).toEqual(['text', 'image']);
  });
});

describe('the fallbacks of a decision', () => {
  const tier = {
    fallbacks: { context_length: ['b/m', 'c/m'], content_filter: ['c/m'] },
  } as const;

  it('are in explain and in the event, by code', async () => {
    const { router, events } = setUp(undefined, tier);
    const fallbacks = {
      context_length: [{ target: 'b/m' }, { target: 'c/m' }],
      content_filter: [{ target: 'c/m' }],
    };
    expect((await router.explain('t', 'hi')).fallbacks).toEqual(fallbacks);
    await router.complete('t', 'hi');
    expect(events.of('route-plan')[0]?.fallbacks).toEqual(fallbacks);
  });

  it('have the reason why one would be skipped', async () => {
    const { router } = setUp(undefined, tier);
    const { fallbacks } = await router.explain('t', 'hi', { requires: { regions: ['us'] } });
    expect(fallbacks?.content_filter).toEqual([
      { target: 'c/m', reason: expect.stringContaining('its region is "eu"') },
    ]);
  });

  it('are absent where a tier lists none', async () => {
    const { router } = setUp(undefined);
    expect(await router.explain('t', 'hi')).not.toHaveProperty('fallbacks');
  });
});
