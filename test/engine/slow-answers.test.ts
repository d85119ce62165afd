import { describe, expect, it } from 'vitest';
import type { TierSettings } from '../../src/protocol/config.ts';
import type { RouterEvents } from '../../src/protocol/events.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import type { ProviderPart } from '../../src/protocol/stream-part.ts';
import { createRouter } from '../../src/router.ts';
import { type FakeScript, fakeProvider } from '../../src/testing/fake-provider.ts';
import { type FakeRuntime, fakeRuntime } from '../../src/testing/fake-runtime.ts';

type Options = {
  readonly runtime?: FakeRuntime;
  readonly targets?: readonly `${'a' | 'b'}/${string}`[];
  readonly provider?: Provider;
};

/** The provider `b` answers at once. */
function setUp(
  a: FakeScript,
  tier: TierSettings,
  {
    runtime = fakeRuntime({ time: 'auto' }),
    targets = ['a/m', 'b/m'],
    provider = fakeProvider(a, { runtime }),
  }: Options = {},
) {
  const providers = { a: provider, b: fakeProvider('from b', { runtime }) };
  const tiers = { t: { targets, ...tier } };
  const router = createRouter({ runtime, providers, tiers });
  const opened: RouterEvents['circuit-open'][] = [];
  router.on('circuit-open', (event) => opened.push(event));
  return { runtime, router, opened, circuit: () => router.snapshot().targets['a/m']?.circuit };
}

const once = { circuit: { consecutiveFailures: 1 } };

/** A runtime whose process stands still for 5 s, 600 ms after its start. */
function blockedRuntime(): FakeRuntime {
  const inner = fakeRuntime({ time: 'auto' });
  let blockedMs = 0;
  void inner.sleep(600).then(() => {
    blockedMs = 5_000;
  });
  return { ...inner, now: () => inner.now() + blockedMs };
}

describe('slowMs', () => {
  it('counts a slow answer as a failure for the circuit, and returns it', async () => {
    const slow = { text: 'slow', firstTokenDelayMs: 3_000 };
    const { router, opened, circuit } = setUp(slow, { ...once, slowMs: 2_000 });
    const { text, trail } = await router.complete('t', 'hi');
    expect(text).toBe('slow');
    expect(trail).toMatchObject([
      { target: 'a/m', outcome: 'ok', reason: 'its 3000 ms exceed slowMs (2000)' },
    ]);
    expect(circuit()).toBe('open');
    expect(opened).toMatchObject([{ target: 'a/m', cause: 'timeout' }]);
    expect((await router.complete('t', 'hi')).target).toBe('b/m');
  });

  it('counts the whole answer, and not one that took exactly as long', async () => {
    const answer = { chunks: ['one', 'two', 'three'], firstTokenDelayMs: 500, chunkDelayMs: 500 };
    const fast = setUp(answer, { ...once, slowMs: 1_500 });
    expect((await fast.router.complete('t', 'hi')).trail[0]?.reason).toBeUndefined();
    expect(fast.circuit()).toBe('closed');
    const slow = setUp(answer, { ...once, slowMs: 1_400 });
    await slow.router.complete('t', 'hi');
    expect(slow.circuit()).toBe('open');
  });

  it('counts a slow answer that was unusable', async () => {
    const slow = { text: '', firstTokenDelayMs: 3_000 };
    const { router, circuit } = setUp(slow, { ...once, slowMs: 2_000, repairAttempts: 0 });
    expect((await router.complete('t', 'hi')).target).toBe('b/m');
    expect(circuit()).toBe('open');
  });

  it('does not count the wait in the queue', async () => {
    const answer = { text: 'ok', firstTokenDelayMs: 900 };
    const { router, circuit } = setUp(
      answer,
      { ...once, slowMs: 1_000, limits: { concurrency: 1 } },
      { targets: ['a/m'] },
    );
    const calls = await Promise.all([1, 2, 3].map(() => router.complete('t', 'hi')));
    expect(calls[2]?.trail[0]).toMatchObject({ queuedMs: 1_800 });
    expect(circuit()).toBe('closed');
  });

  it('does not count the time of a reader that is busy, or of a slow validate', async () => {
    const { runtime, router, circuit } = setUp(
      { chunks: ['one', 'two'], chunkDelayMs: 300 },
      { ...once, slowMs: 1_000 },
    );
    for await (const part of router.stream('t', 'hi')) {
      if (part.type === 'text-delta') await runtime.sleep(5_000);
    }
    await router.complete('t', 'hi', {
      async validate() {
        await runtime.sleep(5_000);
        return true;
      },
    });
    expect(circuit()).toBe('closed');
  });

  it('does not count time in which the process stood still', async () => {
    const blocked = setUp(
      { text: 'ok', firstTokenDelayMs: 1_500 },
      { ...once, slowMs: 2_000 },
      { runtime: blockedRuntime() },
    );
    const { trail } = await blocked.router.complete('t', 'hi');
    expect(trail).toMatchObject([{ target: 'a/m', durationMs: 6_500 }]);
    expect(blocked.circuit()).toBe('closed');
  });
});

/** `count` chunks of two tokens, one every `everyMs`. */
const trickle = (count: number, everyMs: number) => ({
  chunks: Array.from({ length: count }, () => 'word word '),
  chunkDelayMs: everyMs,
});

describe('minTokensPerSecond', () => {
  const floor = { minTokensPerSecond: 10, retry: { attempts: 0 } };

  it('leaves an answer that is slower, and tries the next target', async () => {
    const { router, circuit } = setUp(trickle(1_000, 500), { ...once, ...floor });
    const { text, trail } = await router.complete('t', 'hi');
    expect(text).toBe('from b');
    expect(trail).toMatchObject([
      {
        target: 'a/m',
        verdict: 'next',
        durationMs: 2_000,
        error: { code: 'timeout', phase: 'throughput' },
      },
      { target: 'b/m' },
    ]);
    expect(trail[0]?.error?.message).toContain('fewer than minTokensPerSecond (10)');
    expect(circuit()).toBe('open');
  });

  it('leaves an answer of many small parts', async () => {
    const { router } = setUp(trickle(1_000, 200), { ...floor, minTokensPerSecond: 20 });
    const { trail } = await router.complete('t', 'hi');
    expect(trail[0]).toMatchObject({ durationMs: 2_000, error: { phase: 'throughput' } });
  });

  it('keeps a faster answer, and one that is over sooner', async () => {
    const fast = setUp(trickle(100, 100), floor);
    expect((await fast.router.complete('t', 'hi')).target).toBe('a/m');
    const short = setUp(trickle(4, 500), floor);
    expect((await short.router.complete('t', 'hi')).target).toBe('a/m');
  });

  it('leaves an answer that stalls after its first token', async () => {
    const { router } = setUp({ ...trickle(9, 0), stallAfter: 1 }, floor);
    const { trail } = await router.complete('t', 'hi');
    expect(trail[0]).toMatchObject({ durationMs: 2_000, error: { phase: 'throughput' } });
  });

  it('waits for the first token as long as firstTokenMs allows', async () => {
    const { router } = setUp({ ...trickle(9, 10), firstTokenDelayMs: 20_000 }, floor);
    expect((await router.complete('t', 'hi')).target).toBe('a/m');
  });

  it('keeps a slow answer when no other target is available', async () => {
    const { router } = setUp(trickle(9, 1_000), floor, { targets: ['a/m'] });
    expect((await router.complete('t', 'hi')).trail).toMatchObject([{ outcome: 'ok' }]);
  });

  it('does not leave a stream that its reader has seen a part of', async () => {
    const { router } = setUp(trickle(9, 1_000), floor);
    const completion = await router.stream('t', 'hi').completion;
    expect(completion.trail).toMatchObject([{ target: 'a/m', outcome: 'ok' }]);
  });

  it('leaves a stream while only its reasoning has arrived, which the reader does not see', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    async function* parts(): AsyncGenerator<readonly ProviderPart[]> {
      for (let each = 0; each < 100; each += 1) {
        yield [{ type: 'reasoning-delta', index: 0, delta: 'hm ' } as ProviderPart];
        await runtime.sleep(1_000);
      }
    }
    const provider: Provider = {
      ...fakeProvider('never', { runtime }),
      prepare: () => ({ warnings: [], send: () => parts() }),
    };
    const { router } = setUp('never', floor, { runtime, provider });
    const { target, trail } = await router.stream('t', 'hi').completion;
    expect(target).toBe('b/m');
    expect(trail[0]?.error).toMatchObject({ phase: 'throughput' });
  });

  it('does not blame a target for time in which the process stood still', async () => {
    const { router } = setUp(trickle(30, 100), floor, { runtime: blockedRuntime() });
    expect((await router.complete('t', 'hi')).trail).toMatchObject([{ target: 'a/m' }]);
  });

  it('leaves no timer behind', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const { router } = setUp(trickle(1_000, 500), { ...floor, slowMs: 10 }, { runtime });
    await router.complete('t', 'hi');
    await router.stream('t', 'hi').completion;
    await router.close();
    expect(runtime.pending).toBe(0);
  });
});
