import { describe, expect, it } from 'vitest';
import { isSignalboxError, SignalboxError } from '../../src/errors.ts';
import type { TierSettings } from '../../src/protocol/config.ts';
import { createRouter } from '../../src/router.ts';
import { type FakeScript, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';

/** Two targets in a tier, and a tier that falls back to one of them, on virtual time. */
function setUp({ a, b, t = {} }: { a?: FakeScript; b?: FakeScript; t?: TierSettings } = {}) {
  const runtime = fakeRuntime({ time: 'auto' });
  const providers = {
    a: fakeProvider(a ?? 'from a', { runtime }),
    b: fakeProvider(b ?? 'from b', { runtime }),
    c: fakeProvider({ error: 'server_error' }, { runtime }),
  };
  const tiers = {
    t: { ...t, targets: ['a/m', 'b/m'] },
    other: { targets: ['c/m'], fallbackTier: 'alone', retry: { attempts: 0 } },
    alone: { targets: ['a/m'] },
  } as const;
  const router = createRouter({ runtime, providers, tiers });
  const calls = () => [providers.a.calls.length, providers.b.calls.length];
  return { runtime, router, providers, tiers, calls, events: recordEvents(router) };
}

async function failureOf(call: Promise<unknown>): Promise<SignalboxError> {
  const error: unknown = await call.catch((reason: unknown) => reason);
  if (!isSignalboxError(error)) throw new Error('the call did not fail with a SignalboxError');
  return error;
}

describe('an isolated target', () => {
  it('gets no request of any tier until it is restored', async () => {
    const { router, calls } = setUp();
    const isolation = router.isolate('a/m');
    const { text, trail } = await router.complete('t', 'hi');
    expect(text).toBe('from b');
    expect(trail[0]).toMatchObject({ target: 'a/m', outcome: 'skipped', reason: 'isolated' });
    const error = await failureOf(router.complete('other', 'hi'));
    expect(error.message).toContain('a/m: passed over, isolated');
    expect(calls()).toEqual([0, 1]);
    isolation.restore();
    expect((await router.complete('t', 'hi')).text).toBe('from a');
  });

  it.each(['try-least-bad', 'fail-fast'] as const)(
    'fails a call that has no other target, with %s',
    async (whenAllOpen) => {
      const { router, calls } = setUp({ t: { whenAllOpen } });
      router.isolate('a/m');
      router.isolate('b/m');
      const error = await failureOf(router.complete('t', 'hi'));
      expect(error.code).toBe('all_targets_failed');
      expect(error.message).toMatch(/a\/m: passed over, isolated\n.*b\/m: passed over, isolated/);
      expect(error.retryAfterMs).toBeUndefined();
      expect(calls()).toEqual([0, 0]);
    },
  );

  it('is not tried as the least bad target, while one with an open circuit is', async () => {
    const t = { retry: { attempts: 0 }, circuit: { consecutiveFailures: 1 } };
    const { router, calls } = setUp({ b: [{ error: 'server_error' }, 'from b'], t });
    router.isolate('a/m');
    await failureOf(router.complete('t', 'hi'));
    expect((await router.complete('t', 'hi')).text).toBe('from b');
    expect(calls()).toEqual([0, 2]);
  });

  it('is reported by explain, snapshot and events', async () => {
    const { router, events } = setUp();
    using isolation = router.isolate('a/m');
    const { candidates, skipped } = await router.explain('t', 'hi');
    expect(candidates.map(({ target }) => target)).toEqual(['b/m']);
    expect(skipped).toEqual([{ target: 'a/m', reason: 'isolated' }]);
    expect(router.snapshot().targets['a/m']).toMatchObject({ isolated: true });
    expect(router.snapshot().targets['b/m']).not.toHaveProperty('isolated');
    isolation.restore();
    const fields = { callId: null, tier: null, tags: {}, target: 'a/m', at: expect.any(Number) };
    expect(events.of('target-isolate')).toEqual([{ type: 'target-isolate', ...fields }]);
    expect(events.of('target-restore')).toEqual([{ type: 'target-restore', ...fields }]);
  });

  it('stays isolated until each of its handles is restored', async () => {
    const { router, calls, events } = setUp();
    const first = router.isolate('a/m');
    {
      using second = router.isolate('a/m');
      expect(second.target).toBe('a/m');
      first.restore();
      first.restore();
      await router.complete('t', 'hi');
      expect(calls()).toEqual([0, 1]);
    }
    await router.complete('t', 'hi');
    expect(calls()).toEqual([1, 1]);
    expect(events.of('target-isolate')).toHaveLength(1);
    expect(events.of('target-restore')).toHaveLength(1);
  });

  it('stays isolated when reconfigure removes it and adds it again', async () => {
    const { router, tiers, calls } = setUp();
    const isolation = router.isolate('a/m');
    const without = { t: ['b/m'], other: ['c/m'], alone: ['b/m'] } as const;
    router.reconfigure({ tiers: without });
    await router.complete('t', 'hi');
    router.reconfigure({ tiers });
    await router.complete('t', 'hi');
    expect(calls()).toEqual([0, 2]);
    isolation.restore();
    await router.complete('t', 'hi');
    expect(calls()).toEqual([1, 2]);
  });

  it('gets no retry of a call that is under way, and no hedge', async () => {
    const t = { retry: { minMs: 1_000, maxMs: 1_000 }, hedge: { afterMs: 50 } };
    const { router, calls } = setUp({ a: [{ error: 'server_error' }, 'again'], t });
    const held = router.isolate('b/m');
    const call = failureOf(router.complete('t', 'hi'));
    router.once('retry', () => router.isolate('a/m'));
    const error = await call;
    expect(error.code).toBe('all_targets_failed');
    expect(calls()).toEqual([1, 0]);
    held.restore();
    const slow = setUp({ a: { text: 'slow', firstTokenDelayMs: 5_000 }, t });
    slow.router.isolate('b/m');
    expect((await slow.router.complete('t', 'hi')).text).toBe('slow');
    expect(slow.events.of('hedge')).toEqual([]);
  });

  it('gets no attempt that waited in the queue', async () => {
    const { router, calls } = setUp({
      a: { text: 'slow', firstTokenDelayMs: 5_000 },
      t: { limits: { concurrency: 1 } },
    });
    const first = router.complete('t', 'hi', { route: { only: ['a'] } });
    const second = failureOf(router.complete('t', 'hi', { route: { only: ['a'] } }));
    router.once('first-token', () => router.isolate('a/m'));
    expect((await first).text).toBe('slow');
    expect((await second).message).toContain('isolated');
    expect(calls()).toEqual([1, 0]);
  });

  it('is not the aim of a fire drill, and gets no drilled call', async () => {
    const { router, calls } = setUp();
    router.isolate('a/m');
    const drill = router.drill({ tier: 't', fault: 'connection', share: 1, forMs: 1_000 });
    await failureOf(router.complete('t', 'hi'));
    const { targets } = await drill.stop();
    expect(targets.map(({ target, faults }) => [target, faults > 0])).toEqual([['b/m', true]]);
    expect(calls()).toEqual([0, 0]);
    expect(() =>
      router.drill({ tier: 't', fault: 'slow', targets: ['a/m'], share: 1, forMs: 1 }),
    ).toThrow('a/m');
  });

  it('keeps its family: vectors of another model do not replace its own', async () => {
    const prepareEmbedding = () => {
      throw new Error('it must not be sent');
    };
    const embedder = { ...fakeProvider(), prepareEmbedding };
    const providers = { a: embedder, b: embedder };
    const router = createRouter({ providers, tiers: { e: ['a/one', 'b/two'] } });
    router.isolate('a/one');
    const error = await failureOf(router.embed('e', 'hi'));
    expect(error.message).toContain('a/one: passed over, isolated');
    expect(error.message).toContain('b/two: passed over, its vectors cannot be compared');
  });
});

it('rejects a target that no tier has, with the one that was meant', () => {
  const { router } = setUp();
  expect(() => router.isolate('a/n')).toThrow(/no tier has the target "a\/n"; did you mean "a\/m"/);
  expect(() => router.isolate(undefined as never)).toThrow(SignalboxError);
});
