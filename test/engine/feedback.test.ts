import { describe, expect, it } from 'vitest';
import type { Plugin, PluginParts, SignalboxError } from '../../src/index.ts';
import type { RoutingConfig } from '../../src/protocol/config.ts';
import type { PreparedCall } from '../../src/protocol/provider.ts';
import type { ProviderPart } from '../../src/protocol/stream-part.ts';
import { createRouter } from '../../src/router.ts';
import { type FakeScript, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';

const hourMs = 3_600_000;

type Tiers = RoutingConfig<'a' | 'b', 't' | 'other'>['tiers'];

const tiers: Tiers = {
  t: { targets: ['a/m', 'b/m'], retry: { attempts: 0 }, requires: { minQuality: 0.7 } },
  other: { targets: ['a/m', 'b/m'], requires: { minQuality: 0.7 } },
};

/** Vectors, or an image. */
function prepared(part: ProviderPart): PreparedCall {
  const usage = { inputTokens: 1, outputTokens: 0, totalTokens: 1 };
  return {
    warnings: [],
    async *send() {
      yield [part, { type: 'finish', finishReason: 'stop', usage }];
    },
  };
}

const source = { data: new Uint8Array([1]), mediaType: 'image/png' };
const otherTasks = {
  prepareEmbedding: () => prepared({ type: 'vectors', vectors: [[1]] }),
  prepareImage: () => prepared({ type: 'part-end', part: { type: 'image', source } }),
  maxEmbeddingBatch: 1,
};

function setUp({
  a = 'from a',
  routing = { tiers },
  plugins = [],
}: {
  a?: FakeScript;
  routing?: RoutingConfig<'a' | 'b', 't' | 'other'>;
  plugins?: readonly Plugin[];
} = {}) {
  const runtime = fakeRuntime({ time: 'auto' });
  const providers = {
    a: { ...fakeProvider(a, { runtime }), ...otherTasks },
    b: { ...fakeProvider('from b', { runtime }), ...otherTasks },
  };
  const router = createRouter({ runtime, providers, plugins, ...routing });
  const events = recordEvents(router);
  /** Calls the tier so often, and gives each answer the score. Returns the targets. */
  async function rated(count: number, score: number, tier: 't' | 'other' = 't') {
    const targets = [];
    for (let each = 0; each < count; each += 1) {
      const { callId, target } = await router.complete(tier, 'hi');
      expect(router.feedback(callId, { score })).toBe(true);
      targets.push(target);
    }
    return targets;
  }
  const lastEnd = () => events.of('call-end').at(-1);
  return { runtime, router, providers, events, rated, lastEnd };
}

/** Answers the second call with the answer of the first. */
function cacheOfOne(): Plugin {
  let kept: PluginParts | undefined;
  return {
    name: 'cache',
    async *wrapCall(_, next) {
      if (kept !== undefined) return yield kept;
      for await (const batch of next()) {
        kept = batch;
        yield batch;
      }
    },
  };
}

describe('callId', () => {
  it('is that of the events, for complete and stream', async () => {
    const { router, lastEnd } = setUp();
    const { callId } = await router.complete('t', 'hi');
    expect(callId).toBe(lastEnd()?.callId);
    const streamed = await router.stream('t', 'hi').completion;
    expect(streamed.callId).toBe(lastEnd()?.callId);
    expect(streamed.callId).not.toBe(callId);
  });

  it('is that of the last batch, for embed', async () => {
    const { router, events } = setUp();
    const { callId } = await router.embed('t', ['one', 'two']);
    expect(events.of('call-start').map((event) => event.callId)[1]).toBe(callId);
    expect(router.feedback(callId, { score: 1 })).toBe(true);
  });

  it('is that of the events, for image', async () => {
    const { router, lastEnd } = setUp();
    const { callId } = await router.image('t', 'a cat');
    expect(callId).toBe(lastEnd()?.callId);
    expect(router.feedback(callId, { score: 1 })).toBe(true);
  });

  it('of a cached answer is that of the call that got it', async () => {
    const { router, lastEnd, providers } = setUp({ plugins: [cacheOfOne()] });
    const first = await router.complete('t', 'hi');
    const second = await router.complete('t', 'hi', { tags: { user: 'two' } });
    expect(providers.a.calls).toHaveLength(1);
    expect(second.callId).toBe(lastEnd()?.callId);
    expect(second.callId).not.toBe(first.callId);
    expect(router.feedback(second.callId, { score: 1 })).toBe(true);
  });

  it('of a call that shares a request is that of the events, with and without plugins', async () => {
    const plain = setUp();
    const options = { singleFlight: true };
    const shared = await Promise.all([
      plain.router.complete('t', 'hi', options),
      plain.router.complete('t', 'hi', options),
    ]);
    expect(plain.providers.a.calls).toHaveLength(1);
    const ids = new Set(plain.events.of('call-end').map(({ callId }) => callId));
    expect(new Set(shared.map(({ callId }) => callId))).toEqual(ids);
    expect(ids.size).toBe(1);

    const layered = setUp({ plugins: [{ name: 'layer', onParts: () => ({ parts: (b) => b }) }] });
    const both = await Promise.all([
      layered.router.complete('t', 'hi', options),
      layered.router.complete('t', 'hi', options),
    ]);
    expect(layered.providers.a.calls).toHaveLength(1);
    const ended = layered.events.of('call-end').map(({ callId }) => callId);
    expect(both.map(({ callId }) => callId).sort()).toEqual(ended.sort());
    expect(new Set(ended).size).toBe(2);
    for (const { callId } of both) expect(layered.router.feedback(callId, { score: 1 })).toBe(true);
  });
});

describe('feedback', () => {
  it('emits what is known of the call, and the reason', async () => {
    const { router, events, runtime } = setUp();
    const { callId } = await router.complete('t', 'hi', { tags: { feature: 'search' } });
    expect(router.feedback(callId, { score: 0.25, reason: 'wrong city' })).toBe(true);
    expect(events.of('feedback')).toEqual([
      {
        type: 'feedback',
        at: Math.round(runtime.now()),
        callId,
        tier: 't',
        tags: { feature: 'search' },
        target: 'a/m',
        model: 'm',
        servedModel: 'm',
        score: 0.25,
        reason: 'wrong city',
      },
    ]);
  });

  it('counts for the target that answered, after a failover', async () => {
    const { router, events } = setUp({ a: { error: 'server_error' } });
    const { callId } = await router.complete('t', 'hi');
    router.feedback(callId, { score: 1 });
    expect(events.of('feedback')).toMatchObject([{ target: 'b/m' }]);
    const { targets } = router.snapshot();
    expect(targets['b/m']?.quality).toEqual({ t: { score: 1, scores: 1 } });
    expect(targets['a/m']).not.toHaveProperty('quality');
  });

  it('is taken by a listener of call-end', async () => {
    const { router, events } = setUp();
    router.once('call-end', ({ callId }) => router.feedback(callId, { score: 1 }));
    await router.complete('t', 'hi');
    expect(events.of('feedback')).toHaveLength(1);
    expect(events.of('listener-error')).toEqual([]);
  });

  it('returns false for a call that is unknown, failed, or is over for a day', async () => {
    const { router, runtime, events } = setUp();
    expect(router.feedback('call_unknown', { score: 1 })).toBe(false);
    const { callId } = await router.complete('t', 'hi');
    const failed = await router
      .complete('t', 'hi', { route: { only: [] } })
      .catch((error: SignalboxError) => error.code);
    expect(failed).toBe('all_targets_failed');
    expect(router.feedback(events.of('call-end').at(-1)?.callId ?? '', { score: 1 })).toBe(false);
    await runtime.sleep(24 * hourMs - 1);
    expect(router.feedback(callId, { score: 1 })).toBe(true);
    await runtime.sleep(1);
    expect(router.feedback(callId, { score: 1 })).toBe(false);
    expect(events.of('feedback')).toHaveLength(1);
  });

  it('returns false once the router is closed', async () => {
    const { router } = setUp();
    const { callId } = await router.complete('t', 'hi');
    await router.close();
    expect(router.feedback(callId, { score: 1 })).toBe(false);
  });

  it.each([
    [{ score: 1.1 }, 'score'],
    [{ score: -0.1 }, 'score'],
    [{ score: Number.NaN }, 'score'],
    [{ score: '1' }, 'score'],
    [{}, 'score'],
    [{ score: 1, reason: 5 }, 'reason'],
    [{ score: 1, raeson: 'x' }, 'did you mean "reason"'],
  ])('rejects %j, also for an unknown call', (wrong, named) => {
    const { router } = setUp();
    expect(() => router.feedback('call_unknown', wrong as never)).toThrow(named);
    expect(() => router.feedback(undefined as never, { score: 1 })).toThrow('callId');
  });

  it('cuts a long reason, between characters', async () => {
    const { router, events } = setUp();
    const { callId } = await router.complete('t', 'hi');
    router.feedback(callId, { score: 1, reason: `${'x'.repeat(999)}😀` });
    const reason = events.of('feedback')[0]?.reason;
    expect(reason).toHaveLength(1_000);
    expect(reason?.isWellFormed()).toBe(true);
  });

  it('has the id of the fire drill that the call was part of', async () => {
    const { router, events } = setUp();
    const drill = router.drill({ tier: 't', fault: 'connection', share: 1, forMs: 1_000 });
    const { callId } = await router.complete('t', 'hi');
    router.feedback(callId, { score: 1 });
    await drill.stop();
    expect(events.of('feedback')).toMatchObject([{ drill: drill.id, target: 'b/m' }]);
  });
});

describe('minQuality', () => {
  it('puts a target with ten worse scores behind the others, and excludes none', async () => {
    const { router, rated, events } = setUp();
    expect(await rated(10, 0.6)).toEqual(Array(10).fill('a/m'));
    expect(await rated(1, 0.6)).toEqual(['b/m']);
    const demoted = [
      { target: 'a/m', reason: 'its quality is 0.6, and requires.minQuality is 0.7' },
    ];
    const plan = await router.explain('t', 'hi');
    expect(plan.candidates.map(({ target }) => target)).toEqual(['b/m', 'a/m']);
    expect(plan).toMatchObject({ demoted, skipped: [] });
    expect(events.of('route-plan').at(-1)).toMatchObject({
      candidates: [{ target: 'b/m' }, { target: 'a/m' }],
      demoted,
    });
    expect(events.of('route-plan')[0]).not.toHaveProperty('demoted');
    const { target } = await router.complete('t', 'hi', { route: { only: ['a'] } });
    expect(target).toBe('a/m');
  });

  it('keeps a target with better scores, and counts those of each tier apart', async () => {
    const { router, rated } = setUp();
    await rated(20, 0.8);
    expect((await rated(10, 0, 'other')).at(-1)).toBe('a/m');
    expect(await rated(1, 1)).toEqual(['a/m']);
    expect(await rated(1, 1, 'other')).toEqual(['b/m']);
    const { quality } = router.snapshot().targets['a/m'] ?? {};
    expect(quality?.other).toEqual({ score: 0, scores: 10 });
    expect(quality?.t?.scores).toBe(21);
  });

  it('follows the latest scores', async () => {
    const { router, rated } = setUp();
    await rated(200, 1);
    const targets = await rated(30, 0);
    const firstOther = targets.indexOf('b/m');
    expect(firstOther).toBeGreaterThan(10);
    expect(firstOther).toBeLessThan(25);
    expect(router.snapshot().targets['a/m']?.quality?.t?.scores).toBe(50);
  });

  it('forgets scores after six hours without feedback', async () => {
    const { router, rated, runtime } = setUp();
    await rated(10, 0);
    await runtime.sleep(6 * hourMs - 1_000);
    expect((await router.complete('t', 'hi')).target).toBe('b/m');
    await runtime.sleep(1_000);
    expect((await router.complete('t', 'hi')).target).toBe('a/m');
    expect(router.snapshot().targets['a/m']).not.toHaveProperty('quality');
    expect(await rated(10, 0.6)).toEqual(Array(10).fill('a/m'));
    expect((await router.complete('t', 'hi')).target).toBe('b/m');
  });

  it('applies to a call, and to the targets of a tier that a rule sends it to', async () => {
    const { router, rated } = setUp({
      routing: {
        tiers: { t: ['a/m', 'b/m'], other: ['a/m', 'b/m'] },
        rules: [{ name: 'vip', when: { tags: { plan: 'vip' } }, use: 'other' }],
      },
    });
    await rated(10, 0.2);
    const asked = async (options: object) => (await router.complete('t', 'hi', options)).target;
    expect(await asked({})).toBe('a/m');
    expect(await asked({ requires: { minQuality: 0.5 } })).toBe('b/m');
    expect(await asked({ requires: { minQuality: 0.5 }, tags: { plan: 'vip' } })).toBe('b/m');
    await expect(asked({ requires: { minQuality: 2 } })).rejects.toThrow('minQuality');
  });

  it('keeps the scores of what stays when the configuration is replaced, and no others', async () => {
    const { router, rated } = setUp();
    await rated(10, 0);
    await rated(10, 0, 'other');
    router.reconfigure({ tiers: { ...tiers, other: ['b/m'] } });
    expect((await router.complete('t', 'hi')).target).toBe('b/m');
    router.reconfigure({ tiers: { t: ['b/m'], other: ['b/m'] } });
    router.reconfigure({ tiers });
    expect((await router.complete('t', 'hi')).target).toBe('a/m');
    expect(router.snapshot().targets['a/m']).not.toHaveProperty('quality');
  });

  it('holds for drilled calls', async () => {
    const { router, rated } = setUp();
    await rated(10, 0);
    const drill = router.drill({ tier: 't', fault: 'connection', share: 1, forMs: 1_000 });
    expect((await router.complete('t', 'hi')).target).toBe('a/m');
    const { targets } = await drill.stop();
    expect(targets.map(({ target, failing }) => [target, failing])).toEqual([
      ['b/m', true],
      ['a/m', false],
    ]);
  });
});
