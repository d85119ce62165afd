import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import type { Limits, RoutingConfig } from '../../src/protocol/config.ts';
import { createRouter } from '../../src/router.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { type FakeRuntime, fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { sampled } from '../support/sampled.ts';

type Config = RoutingConfig<'p', string>;

const timeouts = { totalMs: 500_000, firstTokenMs: 400_000 };

async function flush(runtime: FakeRuntime): Promise<void> {
  for (let each = 0; each < 20; each++) await runtime.advance(0);
}

/** A router whose provider answers after `delayMs`, or never. */
function routerOver(config: Config, delayMs?: number) {
  const runtime = fakeRuntime({ time: 'manual' });
  const p = fakeProvider(
    delayMs === undefined ? { hang: true } : { text: 'hi', firstTokenDelayMs: delayMs },
    { runtime },
  );
  const router = createRouter({ runtime, providers: { p }, ...config });
  const start = async (count: number, tier = 't'): Promise<void> => {
    for (let each = 0; each < count; each++) router.complete(tier, 'hi').catch(() => undefined);
    await flush(runtime);
  };
  const end = async (): Promise<void> => {
    const closing = router.close();
    await flush(runtime);
    await closing;
  };
  return { runtime, router, p, start, end, inFlight: () => p.calls.length };
}

const ofTarget = (limits: Limits): Config => ({
  tiers: { t: { targets: [{ target: 'p/m', limits }], timeouts } },
});
const ofTier = (limits: Limits): Config => ({
  tiers: { t: { targets: ['p/m'], limits, timeouts } },
});
const ofProvider = (limits: Limits): Config => ({
  tiers: { t: { targets: ['p/m'], timeouts } },
  providerLimits: { p: limits },
});

describe('a limit that changes while calls are in flight', () => {
  const owners = { target: ofTarget, tier: ofTier, provider: ofProvider };

  it.each([
    ['lowered', { concurrency: 5 }, { concurrency: 4 }, 5],
    ['raised', { concurrency: 5 }, { concurrency: 7 }, 7],
    ['kept, with another one added', { concurrency: 5 }, { concurrency: 5, rpm: 1_000 }, 5],
    ['kept, with another one removed', { concurrency: 5, rpm: 1_000 }, { concurrency: 5 }, 5],
    ['a raised rate', { rpm: 5 }, { rpm: 6 }, 6],
    ['a lowered rate', { rpm: 5 }, { rpm: 3 }, 5],
    ['added', {}, { concurrency: 4 }, 20],
  ])('counts attempts in flight: %s', async (_, before, after, sent) => {
    for (const of of Object.values(owners)) {
      const { router, start, inFlight, end } = routerOver(of(before));
      await start(20);
      router.reconfigure(of(after));
      await start(20);
      expect(inFlight()).toBe(sent);
      await end();
    }
  });

  it('counts attempts that were sent while there was no limit', async () => {
    for (const of of Object.values(owners)) {
      const { router, start, inFlight, end } = routerOver(of({ concurrency: 5 }));
      await start(5);
      router.reconfigure(of({}));
      await start(3);
      router.reconfigure(of({ concurrency: 6 }));
      await start(5);
      expect(inFlight()).toBe(8);
      await end();
    }
  });

  it('admits waiting calls when it is raised', async () => {
    for (const of of Object.values(owners)) {
      const { router, runtime, start, inFlight, end } = routerOver(of({ concurrency: 2 }));
      await start(10);
      expect(inFlight()).toBe(2);
      router.reconfigure(of({ concurrency: 4 }));
      await flush(runtime);
      expect(inFlight()).toBe(4);
      router.reconfigure(of({}));
      await flush(runtime);
      expect(inFlight()).toBe(10);
      await end();
    }
  });

  it('applies to waiting calls when it is of another kind', async () => {
    for (const of of Object.values(owners)) {
      const { router, runtime, start, inFlight, end } = routerOver(of({ concurrency: 2 }));
      await start(10);
      router.reconfigure(of({ rpm: 3 }));
      await flush(runtime);
      // The two in flight were sent before there was a rate.
      expect(inFlight()).toBe(5);
      await runtime.advance(62_000);
      await flush(runtime);
      expect(inFlight()).toBe(8);
      await end();
    }
  });

  it('rejects or keeps waiting calls, and never loses them, whatever it changes to', async () => {
    const changes: readonly Limits[] = [
      { concurrency: 1 },
      { concurrency: 3 },
      {},
      { rpm: 2 },
      { tpm: 4_000 },
      { concurrency: 2, maxQueue: 1 },
      { concurrency: 2, maxQueueMs: 100 },
    ];
    for (const of of Object.values(owners)) {
      for (const [at, limits] of changes.entries()) {
        const { router, runtime, end } = routerOver(of({ concurrency: 2 }), 1_000);
        let settled = 0;
        const call = () =>
          void router
            .complete('t', 'hi')
            .catch(() => undefined)
            .then(() => {
              settled += 1;
            });
        for (let each = 0; each < 6; each++) call();
        await flush(runtime);
        for (const change of [limits, ...changes.slice(at + 1)]) {
          router.reconfigure(of(change));
          call();
          await runtime.advance(300);
          await flush(runtime);
        }
        await runtime.advance(timeouts.totalMs);
        await flush(runtime);
        expect(settled).toBe(6 + changes.length - at);
        expect(router.snapshot()).toMatchObject({
          callsInFlight: 0,
          targets: { 'p/m': { limits: { queued: 0 } } },
        });
        await end();
      }
    }
  });

  it('counts what is in flight under the previous name of the tier', async () => {
    const named = (name: string): Config => ({
      tiers: { [name]: { targets: [{ target: 'p/m', limits: { concurrency: 5 } }], timeouts } },
    });
    const { router, runtime, start, inFlight, end } = routerOver(named('t'), 1_000);
    await start(8);
    router.reconfigure(named('u'));
    await start(8, 'u');
    expect(inFlight()).toBe(5);
    await runtime.advance(1_000);
    await flush(runtime);
    expect(inFlight()).toBe(10);
    await end();
  });

  it('is not reset by a call with the previous configuration', async () => {
    const targets = [{ target: 'p/m' as const, limits: { concurrency: 1 } }];
    const more = [{ target: 'p/n' as const, limits: { concurrency: 9 } }];
    const before: Config = {
      tiers: { t: { targets, fallbackTier: 'u', timeouts }, u: { targets: more, timeouts } },
    };
    const { router, runtime, start, end, inFlight } = routerOver(before);
    await start(1);
    router.reconfigure({
      tiers: {
        t: { targets, timeouts },
        u: { targets: [{ target: 'p/n', limits: { concurrency: 2 } }], timeouts },
      },
    });
    await start(5, 'u');
    await flush(runtime);
    expect(inFlight()).toBe(3);
    await end();
  });

  it('is shared by tiers that set the same limit for a target', async () => {
    const targets = [{ target: 'p/m' as const, limits: { concurrency: 5 } }];
    const { start, inFlight, end } = routerOver({
      tiers: { t: { targets, timeouts }, u: { targets, timeouts } },
    });
    await start(4);
    await start(4, 'u');
    expect(inFlight()).toBe(5);
    await end();
  });

  it('distinguishes names of tiers and targets that concatenate equally', async () => {
    const of = (target: `p/${string}`) => ({
      targets: [{ target, limits: { concurrency: 2 } }],
      timeouts,
    });
    const { start, inFlight, end } = routerOver({ tiers: { 'a/p': of('p/m'), a: of('p/p/m') } });
    await start(5, 'a/p');
    await start(5, 'a');
    expect(inFlight()).toBe(4);
    await end();
  });
});

describe('a removed target', () => {
  const config = (model: string): Config => ({
    tiers: { t: { targets: [{ target: `p/${model}`, limits: { concurrency: 3 } }], timeouts } },
  });

  it('keeps its limit while a call to it is in flight', async () => {
    const { router, runtime, start, inFlight, end } = routerOver(config('m'), 1_000);
    await start(3);
    router.reconfigure(config('n'));
    router.reconfigure(config('m'));
    await start(3);
    expect(inFlight()).toBe(3);
    await runtime.advance(1_000);
    await flush(runtime);
    expect(inFlight()).toBe(6);
    await end();
  });

  it('still admits waiting calls within its limit', async () => {
    const { router, runtime, start, inFlight, end } = routerOver(config('m'), 1_000);
    await start(9);
    router.reconfigure(config('n'));
    for (const sent of [3, 6, 9]) {
      expect(inFlight()).toBe(sent);
      await runtime.advance(1_000);
      await flush(runtime);
    }
    await end();
  });

  it('lets waiting calls go on to others when it fails, and keeps its statistics', async () => {
    const runtime = fakeRuntime({ time: 'manual' });
    const p = fakeProvider({ error: 'server_error', firstTokenDelayMs: 1_000 }, { runtime });
    const q = fakeProvider('from q', { runtime });
    const busy = { t: { targets: ['p/m', 'q/m'], limits: { concurrency: 1 }, timeouts } } as const;
    const router = createRouter({ runtime, providers: { p, q }, tiers: busy });
    const texts: unknown[] = [];
    for (let each = 0; each < 3; each++) {
      void router.complete('t', 'hi').then(
        ({ text }) => texts.push(text),
        (error) => texts.push(error.code),
      );
    }
    await flush(runtime);
    router.reconfigure({ tiers: { t: ['q/m'] } });
    router.reconfigure({ tiers: busy });
    for (let each = 0; each < 60; each++) await runtime.advance(1_000);
    await flush(runtime);
    expect(texts).toEqual(['from q', 'from q', 'from q']);
    expect(router.snapshot().targets['p/m']?.failures).toBeGreaterThan(0);
    await router.close();
  });

  it('loses its state, and the others keep theirs', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const p = fakeProvider({ error: 'server_error' }, { runtime });
    const both: Config = {
      tiers: { t: { targets: ['p/m'], retry: { attempts: 0 } }, u: { targets: ['p/n'] } },
    };
    const router = createRouter({ runtime, providers: { p }, ...both });
    for (const tier of ['t', 't', 't', 'u', 'u', 'u']) {
      await router.complete(tier, 'hi').catch(() => undefined);
    }
    const { calls } = router.snapshot().targets['p/n'] ?? {};
    router.reconfigure({ tiers: { u: { targets: ['p/n'] } } });
    router.reconfigure(both);
    expect(router.snapshot().targets['p/m']).toMatchObject({ circuit: 'closed', calls: 0 });
    expect(router.snapshot().targets['p/n']).toMatchObject({ circuit: 'open', calls });
  });
});

describe('many reconfigurations', () => {
  setFlagsFromString('--expose-gc');
  const gc: () => void = runInNewContext('gc');

  function bytesUsed(): number {
    for (let each = 0; each < 3; each++) gc();
    return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
  }

  const changes: Readonly<Record<string, (at: number) => Config>> = {
    'the limits of a target': (at) => ofTarget({ concurrency: 10 + at, rpm: 9_000 + at }),
    'the limits of a tier': (at) => ofTier({ rpm: 9_000 + at, tpm: 9_000_000 + at }),
    'the models': (at) => ({
      tiers: { t: { targets: [{ target: `p/m${at}`, limits: { rpm: 60 } }], retry: {} } },
    }),
    'the names of tiers': (at) => ({
      tiers: { t: ['p/m'], [`t${at}`]: { targets: ['p/m'], limits: { tpm: 100_000 + at } } },
    }),
  };

  it.each(Object.entries(changes))(
    'of %s do not leak memory',
    async (_, config) => {
      const runtime = fakeRuntime({ time: 'auto' });
      const answers = fakeProvider('hi', { runtime });
      // A fake provider keeps its requests.
      const p = { ...answers, prepare: (r: never) => fakeProvider('hi', { runtime }).prepare(r) };
      const router = createRouter({ runtime, providers: { p }, ...config(0) });
      async function change(from: number, to: number): Promise<void> {
        for (let at = from; at < to; at++) {
          const next = config(at);
          router.reconfigure(next);
          for (const tier of Object.keys(next.tiers)) await router.complete(tier, 'hi');
        }
      }
      await change(0, 100);
      const before = bytesUsed();
      const count = sampled(800, 300);
      await change(100, 100 + count);
      // Two kilobytes per change would be more.
      expect(bytesUsed() - before).toBeLessThan(2_000 * count);
      await router.close();
    },
    60_000,
  );
});
