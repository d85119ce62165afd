import { describe, expect, it } from 'vitest';
import type { TierSettings } from '../../src/protocol/config.ts';
import { createRouter } from '../../src/router.ts';
import { type FakeScript, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';

function setUp({ b, t = {} }: { b?: FakeScript; t?: TierSettings } = {}) {
  const runtime = fakeRuntime({ time: 'auto' });
  const providers = {
    a: fakeProvider('from a', { runtime }),
    b: fakeProvider(b ?? 'from b', { runtime }),
    c: fakeProvider('from c', { runtime }),
  };
  const tiers = {
    t: { retry: { attempts: 0 }, ...t, targets: ['a/m', 'b/m'] },
    chained: { targets: ['a/m'], fallbackTier: 'last' },
    last: { targets: ['c/m'] },
  } as const;
  const router = createRouter({ runtime, providers, tiers });
  const plan = async (tier: keyof typeof tiers = 't', options: object = {}) =>
    (await router.explain(tier, 'hi', options)).candidates.map(({ target }) => target);
  const isFirst = async (calls: number) => {
    let first = 0;
    for (let each = 0; each < calls; each += 1) if ((await plan())[0] === 'a/m') first += 1;
    return first / calls;
  };
  return { runtime, router, providers, tiers, plan, isFirst, events: recordEvents(router) };
}

describe('a demoted target', () => {
  it('is tried after the others, of the fallback tier too, until it is restored', async () => {
    const { router, plan, providers } = setUp();
    const demotion = router.demote('a/m');
    expect((await router.complete('t', 'hi')).text).toBe('from b');
    expect(await plan()).toEqual(['b/m', 'a/m']);
    expect(await plan('chained')).toEqual(['c/m', 'a/m']);
    expect(providers.a.calls).toHaveLength(0);
    demotion.restore();
    expect(demotion.target).toBe('a/m');
    expect(await plan()).toEqual(['a/m', 'b/m']);
  });

  it('is tried when the others fail, or none is left', async () => {
    const { router } = setUp({ b: { error: 'server_error' } });
    router.demote('a/m');
    expect((await router.complete('t', 'hi')).text).toBe('from a');
    router.isolate('b/m');
    expect((await router.complete('t', 'hi')).text).toBe('from a');
    router.demote('b/m');
    expect((await router.complete('t', 'hi')).text).toBe('from a');
  });

  it.each(['round-robin', 'least-busy', 'cheapest', 'fastest', 'balanced'] as const)(
    'stands behind the others with %s',
    async (strategy) => {
      const { router, isFirst } = setUp({ t: { strategy } });
      router.demote('a/m', { weight: 0.9 });
      for (let each = 0; each < 10; each += 1) await router.complete('t', 'hi');
      expect(await isFirst(10)).toBe(0);
    },
  );

  it('has the lower weight with weighted, and comes last without one', async () => {
    const { router, isFirst } = setUp({ t: { strategy: 'weighted' } });
    expect(await isFirst(2_000)).toBeCloseTo(0.5, 1);
    const some = router.demote('a/m', { weight: 0.25 });
    const share = await isFirst(2_000);
    expect(share).toBeGreaterThan(0.17);
    expect(share).toBeLessThan(0.23);
    const none = router.demote('a/m');
    expect(await isFirst(100)).toBe(0);
    none.restore();
    expect(await isFirst(2_000)).toBeCloseTo(0.2, 1);
    some.restore();
    const more = router.demote('a/m', { weight: 50 });
    expect(await isFirst(2_000)).toBeCloseTo(0.5, 1);
    more.restore();
  });

  it('gives way to the order that a call asks for', async () => {
    const { router, plan } = setUp();
    router.demote('a/m');
    expect(await plan('t', { route: { order: ['a'] } })).toEqual(['a/m', 'b/m']);
  });

  it('is reported by explain, route-plan, snapshot and events', async () => {
    const { router, events } = setUp();
    const weighted = setUp({ t: { strategy: 'weighted' } });
    using demotion = router.demote('a/m', { weight: 0.1 });
    using _ = weighted.router.demote('a/m', { weight: 0.1 });
    const demoted = [{ target: 'a/m', reason: 'demoted' }];
    expect(await router.explain('t', 'hi')).toMatchObject({ demoted });
    expect(await weighted.router.explain('t', 'hi')).toMatchObject({
      demoted: [{ target: 'a/m', reason: 'demoted to weight 0.1' }],
    });
    await router.complete('t', 'hi');
    expect(events.of('route-plan')).toMatchObject([{ demoted }]);
    expect(router.snapshot().targets['a/m']).toMatchObject({ demoted: { weight: 0.1 } });
    expect(router.snapshot().targets['b/m']).not.toHaveProperty('demoted');
    demotion.restore();
    expect(await router.explain('t', 'hi')).not.toHaveProperty('demoted');
    expect(router.snapshot().targets['a/m']).not.toHaveProperty('demoted');
    const fields = { callId: null, tier: null, tags: {}, target: 'a/m', at: expect.any(Number) };
    expect(events.of('target-demote')).toEqual([{ type: 'target-demote', ...fields, weight: 0.1 }]);
    expect(events.of('target-demote-end')).toEqual([{ type: 'target-demote-end', ...fields }]);
  });

  it('is demoted until each of its handles is restored, by the lowest weight', async () => {
    const { router, events, plan } = setUp();
    const weight = () => router.snapshot().targets['a/m']?.demoted?.weight;
    const half = router.demote('a/m', { weight: 0.5 });
    const tenth = router.demote('a/m', { weight: 0.1 });
    const again = router.demote('a/m', { weight: 0.1 });
    expect(weight()).toBe(0.1);
    tenth.restore();
    tenth.restore();
    expect(weight()).toBe(0.1);
    again.restore();
    expect(weight()).toBe(0.5);
    expect(await plan()).toEqual(['b/m', 'a/m']);
    half.restore();
    expect(weight()).toBeUndefined();
    expect(await plan()).toEqual(['a/m', 'b/m']);
    expect(events.of('target-demote').map((event) => event.weight)).toEqual([0.5, 0.1, 0.5]);
    expect(events.of('target-demote-end')).toHaveLength(1);
  });

  it('can be isolated too, and each handle ends what it began', async () => {
    const { router, plan } = setUp();
    const demotion = router.demote('a/m');
    const isolation = router.isolate('a/m');
    expect(await plan()).toEqual(['b/m']);
    expect(await router.explain('t', 'hi')).not.toHaveProperty('demoted');
    isolation.restore();
    expect(await plan()).toEqual(['b/m', 'a/m']);
    router.isolate('a/m');
    demotion.restore();
    expect(await plan()).toEqual(['b/m']);
  });

  it('stays demoted when reconfigure removes it and adds it again', async () => {
    const { router, tiers, plan } = setUp();
    const demotion = router.demote('a/m');
    router.reconfigure({ tiers: { t: ['b/m'], chained: ['b/m'], last: ['b/m'] } });
    router.reconfigure({ tiers });
    expect(await plan()).toEqual(['b/m', 'a/m']);
    demotion.restore();
    expect(await plan()).toEqual(['a/m', 'b/m']);
  });

  it('stays demoted in a fire drill', async () => {
    const { router } = setUp();
    router.demote('a/m');
    const drill = router.drill({ tier: 't', fault: 'connection', share: 1, forMs: 1_000 });
    expect((await router.complete('t', 'hi')).text).toBe('from a');
    const { targets } = await drill.stop();
    expect(targets.map(({ target, failing }) => [target, failing])).toEqual([
      ['b/m', true],
      ['a/m', false],
    ]);
  });

  it('keeps its family: vectors of another model do not replace its own', async () => {
    const sent: string[] = [];
    const embedder = (name: string) => ({
      ...fakeProvider(),
      prepareEmbedding: () => ({
        warnings: [],
        async *send() {
          sent.push(name);
          yield [{ type: 'vectors', vectors: [[1]] } as const];
          const usage = { inputTokens: 1, outputTokens: 0, totalTokens: 1 };
          yield [{ type: 'finish', finishReason: 'stop', usage } as const];
        },
      }),
    });
    const providers = { a: embedder('a'), b: embedder('b') };
    const router = createRouter({ providers, tiers: { e: ['a/one', 'b/two'] } });
    router.demote('a/one');
    await router.embed('e', 'hi');
    expect(sent).toEqual(['a']);
  });
});

it.each([
  ['a/n', undefined, 'no tier has the target "a/n"; did you mean "a/m"'],
  [undefined, undefined, 'no tier has the target undefined'],
  ['a/m', { weight: -1 }, 'weight'],
  ['a/m', { weight: Number.NaN }, 'weight'],
  ['a/m', { wieght: 1 }, 'did you mean "weight"'],
  ['a/m', 5, 'demote'],
])('rejects %j with %j', (target, options, named) => {
  const { router } = setUp();
  expect(() => router.demote(target as never, options as never)).toThrow(named);
  expect(router.snapshot().targets['a/m']).not.toHaveProperty('demoted');
});
