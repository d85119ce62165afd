import { describe, expect, it } from 'vitest';
import type { TierSettings } from '../../src/protocol/config.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import { createRouter } from '../../src/router.ts';
import { type FakeScript, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';

/** A router with fake providers on virtual time: one target `<name>/m` per script, in this order. */
function setUp(scripts: Record<string, FakeScript>, tier: TierSettings = {}) {
  const runtime = fakeRuntime({ time: 'manual' });
  const names = Object.keys(scripts);
  const fakes = Object.fromEntries(
    names.map((name) => [name, fakeProvider(scripts[name] ?? '', { runtime })]),
  );
  const router = createRouter({
    runtime,
    providers: fakes,
    tiers: { t: { ...tier, targets: names.map((name) => `${name}/m` as const) } },
  });
  return { runtime, router, fakes, events: recordEvents(router) };
}

/** Whether a promise has settled, and its error code. */
function watch(promise: Promise<unknown>) {
  const seen: { code?: unknown; isSettled: boolean } = { isSettled: false };
  promise.then(
    () => {
      seen.isSettled = true;
    },
    (error: { code?: unknown }) => {
      seen.isSettled = true;
      seen.code = error.code;
    },
  );
  return seen;
}

describe("an abort by the caller's signal ends immediately", () => {
  it('the wait for a rate limit after the other targets failed', async () => {
    const { runtime, router, fakes } = setUp({
      a: { error: 'rate_limited', retryAfterMs: 60_000 },
      b: { error: 'auth' },
    });
    const controller = new AbortController();
    const call = watch(router.complete('t', 'hi', { signal: controller.signal }));
    await runtime.advance(1_000);
    expect(fakes.b?.calls).toHaveLength(1);
    expect(call.isSettled).toBe(false);
    controller.abort();
    await runtime.settle();
    expect(call).toEqual({ isSettled: true, code: 'aborted' });
    expect(runtime.pending).toBe(0);
  });

  it('the wait before a retry', async () => {
    const { runtime, router } = setUp({ a: { error: 'overloaded', retryAfterMs: 60_000 } });
    const controller = new AbortController();
    const call = watch(router.complete('t', 'hi', { signal: controller.signal }));
    await runtime.advance(1_000);
    expect(call.isSettled).toBe(false);
    controller.abort();
    await runtime.settle();
    expect(call).toEqual({ isSettled: true, code: 'aborted' });
    expect(runtime.pending).toBe(0);
  });

  it('the wait after a stream broke off', async () => {
    const { runtime, router } = setUp(
      { a: [{ error: 'overloaded', retryAfterMs: 60_000, chunks: ['a', 'b'] }, 'again'] },
      { midStream: 'restart' },
    );
    const controller = new AbortController();
    const types: string[] = [];
    async function read(): Promise<void> {
      for await (const { type } of router.stream('t', 'hi', { signal: controller.signal })) {
        types.push(type);
      }
    }
    const call = watch(read());
    await runtime.advance(1_000);
    expect(types).toEqual(['start', 'text-delta', 'text-delta']);
    expect(call.isSettled).toBe(false);
    controller.abort();
    await runtime.settle();
    expect(call).toEqual({ isSettled: true, code: 'aborted' });
    expect(runtime.pending).toBe(0);
  });
});

describe('a slot under a concurrency limit', () => {
  it('is freed when the attempt is not sent after its wait', async () => {
    const down = { error: 'server_error', firstTokenDelayMs: 100 } as const;
    const { runtime, router, fakes } = setUp(
      { a: [down, { text: 'back', firstTokenDelayMs: 100 }] },
      {
        limits: { concurrency: 1 },
        circuit: { consecutiveFailures: 1, openMs: 1_000 },
        retry: { attempts: 0 },
        whenAllOpen: 'fail-fast',
      },
    );
    const first = watch(router.complete('t', 'hi'));
    const second = watch(router.complete('t', 'hi'));
    await runtime.advance(200);
    // The circuit opened while the second call waited in the queue.
    expect(first.code).toBe('all_targets_failed');
    expect(second.code).toBe('all_targets_failed');
    expect(fakes.a?.calls).toHaveLength(1);
    await runtime.advance(1_000);
    const third = router.complete('t', 'hi');
    await runtime.advance(100);
    expect((await third).text).toBe('back');
    expect(runtime.pending).toBe(0);
  });
});

describe('a call that leaves the queue', () => {
  it('admits the calls that it blocked immediately', async () => {
    const runtime = fakeRuntime({ time: 'manual' });
    let sent = 0;
    const a: Provider = {
      ...fakeProvider('', { runtime }),
      prepare: () => ({
        warnings: [],
        async *send({ watch: { connected, limits } }) {
          sent += 1;
          connected();
          const left = { limit: 1_000, remaining: 500, resetMs: 30_000 };
          limits([{ name: 'tokens', unit: 'tokens', ...left }]);
          yield [{ type: 'part-end', part: { type: 'text', text: 'one' } }];
          yield [{ type: 'finish', finishReason: 'stop' }];
        },
      }),
    };
    const router = createRouter({ runtime, providers: { a }, tiers: { t: ['a/m'] } });
    await router.complete('t', 'hi');
    const controller = new AbortController();
    const large = watch(
      router.complete('t', 'hi', { maxOutputTokens: 900, signal: controller.signal }),
    );
    const small = watch(router.complete('t', 'hi', { maxOutputTokens: 100 }));
    await runtime.settle();
    expect(sent).toBe(1);
    controller.abort();
    await runtime.settle();
    expect(large).toEqual({ isSettled: true, code: 'aborted' });
    expect(small).toEqual({ isSettled: true });
    expect(sent).toBe(2);
    expect(runtime.pending).toBe(0);
  });
});

describe('a success', () => {
  it.each(['quota_exhausted', 'auth', 'permission', 'model_not_found'] as const)(
    'makes a target available again immediately after %s',
    async (error) => {
      const { runtime, router, fakes } = setUp({
        a: [{ error }, 'answers again'],
        b: [{ error: 'invalid_request' }, 'two'],
      });
      const planned = async () =>
        (await router.explain('t', 'hi')).candidates.map(({ target }) => target);
      await router.complete('t', 'hi', { route: { only: ['a'] } }).catch(() => undefined);
      expect(await planned()).toEqual(['b/m']);
      // No other target is allowed, so the least bad one is tried.
      const answer = router.complete('t', 'hi', { route: { only: ['a'] } });
      await runtime.settle();
      expect((await answer).text).toBe('answers again');
      expect(await planned()).toEqual(['a/m', 'b/m']);
      expect((await router.complete('t', 'hi')).target).toBe('a/m');
      expect(fakes.a?.calls).toHaveLength(3);
      expect(fakes.b?.calls).toHaveLength(0);
    },
  );
});
