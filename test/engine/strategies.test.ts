import { describe, expect, it } from 'vitest';
import {
  isSignalboxError,
  type Strategy,
  type StrategyContext,
  type TargetKnowledge,
} from '../../src/index.ts';
import { createRouter } from '../../src/router.ts';
import { type FakeScript, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';

function setUp(strategy: Strategy, { a = 'a', tier = {} }: { a?: FakeScript; tier?: object } = {}) {
  const runtime = fakeRuntime({ time: 'auto' });
  const providers = {
    a: fakeProvider(a, { runtime }),
    b: fakeProvider('b', { runtime }),
    c: fakeProvider('c', { runtime }),
  };
  return createRouter({
    runtime,
    providers,
    strategies: { mine: strategy },
    prices: { 'b/m': { input: 1, output: 4 } },
    tiers: {
      t: { targets: ['a/m', 'b/m', 'c/m'], strategy: 'mine', retry: { attempts: 0 }, ...tier },
      spare: { targets: ['c/m'] },
    },
  });
}

/** What is known when it is read: later reads would see later values. */
function valuesOf(known: TargetKnowledge) {
  const { price, usd, calls, failureRate, p50FirstTokenMs, p95TotalMs } = known;
  const { inFlight, queued, requestsLeft, isAvailable } = known;
  return {
    ...{ price, usd, calls, failureRate, p50FirstTokenMs, p95TotalMs },
    ...{ inFlight, queued, requestsLeft, isAvailable },
  };
}

const reversed: Strategy = { order: (candidates) => candidates.toReversed() };

describe('a custom strategy', () => {
  it('orders the targets of a tier for failover', async () => {
    const router = setUp(reversed, {
      tier: { targets: ['b/m', 'a/m'] },
      a: { error: 'server_error' },
    });
    const { text, trail } = await router.complete('t', 'hi');
    expect(text).toBe('b');
    expect(trail.map(({ target }) => target)).toEqual(['a/m', 'b/m']);
  });

  it('applies to explain, and to each tier separately', async () => {
    const router = setUp(reversed, { tier: { targets: ['a/m', 'b/m'], fallbackTier: 'spare' } });
    const { candidates } = await router.explain('t', 'hi');
    expect(candidates.map(({ target }) => target)).toEqual(['b/m', 'a/m', 'c/m']);
  });

  it('receives the call and the state of the targets', async () => {
    const seen: StrategyContext[] = [];
    const knowledge: unknown[] = [];
    const spy: Strategy = {
      order(candidates, context) {
        seen.push(context);
        knowledge.push(candidates.map((each) => valuesOf(context.knowledge(each))));
        return candidates;
      },
    };
    const router = setUp(spy, {
      a: [{ text: 'a', firstTokenDelayMs: 20 }, { error: 'server_error' }],
    });
    for (let round = 0; round < 2; round += 1) {
      await router.complete('t', 'one two', { tags: { user: 'u' }, maxOutputTokens: 50 });
    }
    await router.explain('t', 'hi');
    expect(seen[0]?.call).toEqual({
      kind: 'chat',
      tier: 't',
      tags: { user: 'u' },
      mode: 'complete',
      inputTokens: 2,
      maxOutputTokens: 50,
      remainingMs: 600_000,
    });
    expect(knowledge[0]).toEqual([
      { calls: 0, inFlight: 0, queued: 0, isAvailable: true },
      {
        calls: 0,
        inFlight: 0,
        queued: 0,
        isAvailable: true,
        price: { input: 1, output: 4 },
        usd: (2 * 1 + 50 * 4) / 1e6,
      },
      { calls: 0, inFlight: 0, queued: 0, isAvailable: true },
    ]);
    expect(knowledge[2]).toMatchObject([
      { calls: 2, failureRate: 0.5, p50FirstTokenMs: 20, p95TotalMs: 20, inFlight: 0 },
      { calls: 1, failureRate: 0 },
      { calls: 0 },
    ]);
  });

  it('receives the availability and the limits of a target', async () => {
    const knowledge: unknown[] = [];
    const spy: Strategy = {
      order(candidates, context) {
        const [first] = candidates;
        knowledge.push(first && valuesOf(context.knowledge(first)));
        return candidates;
      },
    };
    const router = setUp(spy, {
      a: { error: 'rate_limited', retryAfterMs: 60_000 },
      tier: { targets: [{ target: 'a/m', limits: { rpm: 5 } }, 'b/m'] },
    });
    for (let round = 0; round < 4; round += 1) await router.complete('t', 'hi');
    expect(knowledge[0]).toMatchObject({ isAvailable: true });
    expect(knowledge[3]).toMatchObject({ isAvailable: false, requestsLeft: 2 });
  });

  it('fails the call with a config error when it throws', async () => {
    const router = setUp({
      order() {
        throw new Error('oops');
      },
    });
    const error = await router.complete('t', 'hi').catch((thrown: unknown) => thrown);
    expect(isSignalboxError(error, 'config')).toBe(true);
    expect(String(error)).toContain('strategy "mine" threw');
  });

  it('throws when it is not defined or has the name of a built-in strategy', () => {
    const tier = { targets: ['a/m'] as const };
    const make = (strategies: object, strategy?: string) => () =>
      createRouter({
        providers: { a: fakeProvider('a') },
        tiers: { t: { ...tier, strategy: strategy as 'priority' } },
        strategies: strategies as Record<string, Strategy>,
      });
    expect(make({}, 'mien')).toThrow('tiers.t.strategy: strategy "mien" is not defined');
    expect(make({ mine: reversed }, 'mien')).toThrow('did you mean "mine"?');
    expect(make({ cheapest: reversed })).toThrow('strategies.cheapest: is the name of a built-in');
    expect(make({ mine: {} })).toThrow('strategies.mine: must be an object with a function order');
    expect(make({ mine: { ...reversed, needs: ['moon'] } })).toThrow(
      'strategies.mine.needs: must be a list',
    );
  });

  it('stays defined after reconfigure', async () => {
    const router = setUp(reversed);
    router.reconfigure({
      tiers: { t: { targets: ['a/m', 'b/m'], strategy: 'mine' }, spare: ['c/m'] },
    });
    expect((await router.complete('t', 'hi')).text).toBe('b');
  });
});

describe('the strategy cheapest', () => {
  const prices = {
    // Cheap to ask, dear to answer; and the reverse.
    'a/m': { input: 1, output: 10 },
    'b/m': { input: 3, output: 1, cachedInput: 0.1 },
  };
  const usage = (inputTokens: number, outputTokens: number, cachedInputTokens = 0) => ({
    inputTokens,
    outputTokens,
    totalTokens: inputTokens + outputTokens,
    cachedInputTokens,
  });

  it('chooses by what calls with the same tags usually need', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const script: FakeScript = (request) => {
      const isLong = JSON.stringify(request.messages).includes('long');
      return { text: 'ok', usage: usage(10, isLong ? 900 : 2) };
    };
    const router = createRouter({
      runtime,
      prices,
      providers: { a: fakeProvider(script, { runtime }), b: fakeProvider(script, { runtime }) },
      tiers: { t: { targets: ['a/m', 'b/m'], strategy: 'cheapest' } },
    });
    const ask = async (kind: string) =>
      (await router.complete('t', `${kind} ${'word '.repeat(100)}`, { tags: { kind } })).target;
    for (let each = 0; each < 6; each += 1) for (const kind of ['short', 'long']) await ask(kind);
    expect(await ask('short')).toBe('a/m');
    expect(await ask('long')).toBe('b/m');
    const capped = await router.explain('t', `long ${'word '.repeat(100)}`, {
      tags: { kind: 'long' },
      maxOutputTokens: 2,
    });
    expect(capped.candidates[0]?.target).toBe('a/m');
  });

  it('counts what the vendor has in its cache of the conversation', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const answer = { text: 'ok', usage: usage(2_000, 1, 1_900) };
    const router = createRouter({
      runtime,
      prices,
      providers: { a: fakeProvider('ok', { runtime }), b: fakeProvider(answer, { runtime }) },
      tiers: { t: { targets: ['a/m', 'b/m'], strategy: 'cheapest' } },
    });
    const prompt = 'word '.repeat(2_000);
    const first = async (text: string) =>
      (await router.explain('t', text, { maxOutputTokens: 1 })).candidates[0]?.target;
    expect(await first(prompt)).toBe('a/m');
    await router.complete('t', prompt, { route: { only: ['b/m'] }, maxOutputTokens: 1 });
    expect(await first(prompt)).toBe('b/m');
    expect(await first(`another ${prompt}`)).toBe('a/m');
    await runtime.sleep(300_001);
    expect(await first(prompt)).toBe('a/m');
  });
});

it('begins with the next target at each call of a round-robin tier, and explain changes nothing', async () => {
  const runtime = fakeRuntime({ time: 'auto' });
  const providers = {
    a: fakeProvider('a', { runtime }),
    b: fakeProvider('b', { runtime }),
    c: fakeProvider('c', { runtime }),
  };
  const router = createRouter({
    runtime,
    providers,
    tiers: { t: { targets: ['a/m', 'b/m', 'c/m'], strategy: 'round-robin' } },
  });
  const texts: string[] = [];
  for (let each = 0; each < 4; each += 1) {
    await router.explain('t', 'hi');
    texts.push((await router.complete('t', 'hi')).text);
  }
  expect(texts).toEqual(['a', 'b', 'c', 'a']);
});

it.each([
  [{ type: 'fastest', by: 'speed' }, 'tiers.t.strategy.by: must be'],
  [{ type: 'balanced', cost: -1 }, 'tiers.t.strategy.cost: must be'],
  [{ type: 'balanced', price: 1 }, 'tiers.t.strategy.price: unknown option'],
  [{ type: 'cheap' }, 'tiers.t.strategy'],
])('rejects the settings %j', (strategy, message) => {
  const make = () =>
    createRouter({
      providers: { a: fakeProvider('a') },
      tiers: { t: { targets: ['a/m'], strategy: strategy as unknown as 'priority' } },
    });
  expect(make).toThrow(message);
});
