import { describe, expect, it } from 'vitest';
import { defaults } from '../../src/config/defaults.ts';
import { SignalboxError } from '../../src/errors.ts';
import type { Tags } from '../../src/protocol/completion.ts';
import type { TargetObject, TierSettings } from '../../src/protocol/config.ts';
import type { CallKey, Provider } from '../../src/protocol/provider.ts';
import { createRouter } from '../../src/router.ts';
import { type FakeScript, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';
import { sampled } from '../support/sampled.ts';

type KeyFor = NonNullable<Provider['keyFor']>;
type Failure = { readonly code: SignalboxError['code']; readonly retryAfterMs?: number };

const byCustomer: KeyFor = ({ customer = '' }) => ({ fingerprint: customer });

/** A provider whose key depends on tags, and a spare one. `failures` are by fingerprint. */
function setUp({
  keyFor = byCustomer,
  script = 'own',
  tier = {},
  target = {},
  time = 'auto',
}: {
  readonly keyFor?: KeyFor;
  readonly script?: FakeScript;
  readonly tier?: TierSettings;
  readonly target?: Omit<TargetObject, 'target'>;
  readonly time?: 'auto' | 'manual';
} = {}) {
  const runtime = fakeRuntime({ time });
  const failures = new Map<string, Failure>();
  const used: string[] = [];
  const fake = fakeProvider(script, { runtime });
  const own: Provider = {
    ...fake,
    keyFor,
    prepare(request) {
      const prepared = fake.prepare(request);
      return {
        ...prepared,
        async *send(context) {
          const { fingerprint = '' } = context.callKey ?? {};
          used.push(fingerprint);
          const failure = failures.get(fingerprint);
          if (failure !== undefined) {
            throw new SignalboxError(failure.code, 'no', { retryAfterMs: failure.retryAfterMs });
          }
          yield* prepared.send(context);
        },
      };
    },
  };
  const spare = fakeProvider('spare', { runtime });
  const router = createRouter({
    runtime,
    providers: { own, spare },
    tiers: {
      t: { ...tier, targets: [{ target: 'own/m', ...target }, 'spare/m'] },
      alone: { ...tier, targets: [{ target: 'own/m', ...target }] },
    },
  });
  const ask = (customer: string, name: 't' | 'alone' = 't') =>
    router.complete(name, 'hi', { tags: { customer } });
  const snapshot = () => router.snapshot().targets['own/m'];
  return { runtime, router, failures, used, fake, ask, snapshot, events: recordEvents(router) };
}

const slow =
  (keyFor: KeyFor): KeyFor =>
  async (tags) =>
    keyFor(tags);

describe.each([
  ['at once', byCustomer],
  ['later', slow(byCustomer)],
] as const)('keys by tags that the provider returns %s', (_when, keyFor) => {
  it.each(['auth', 'permission', 'quota_exhausted', 'model_not_found'] as const)(
    'are unavailable one by one after %s',
    async (code) => {
      const { ask, failures, used, snapshot, router } = setUp({ keyFor });
      failures.set('acme', { code });
      for (let each = 0; each < 3; each++) expect((await ask('acme')).text).toBe('spare');
      for (let each = 0; each < 3; each++) expect((await ask('ann')).text).toBe('own');
      expect(used.filter((key) => key === 'acme')).toHaveLength(1);
      expect(snapshot()).toMatchObject({
        circuit: 'closed',
        unavailableUntil: {},
        keysByTags: { known: 2, unavailable: 1 },
      });
      await router.close();
    },
  );

  it('wait for the limit of their own', async () => {
    const { ask, failures, used, runtime, router } = setUp({ keyFor });
    failures.set('acme', { code: 'rate_limited', retryAfterMs: 30_000 });
    for (let each = 0; each < 5; each++) expect((await ask('acme')).text).toBe('spare');
    const sent = used.length;
    expect((await ask('acme')).trail).toMatchObject([
      { target: 'own/m', outcome: 'skipped', reason: expect.stringMatching(/^rate limited until/) },
      { target: 'spare/m' },
    ]);
    failures.clear();
    const startedAt = runtime.now();
    // Without another target it waits, as with any key.
    expect((await ask('acme', 'alone')).text).toBe('own');
    expect(runtime.now() - startedAt).toBeGreaterThan(20_000);
    expect(used).toHaveLength(sent + 1);
    expect((await ask('ann')).trail).toHaveLength(1);
    await router.close();
  });

  it('have separate rates, and share the concurrency of the target', async () => {
    const { ask, router, runtime } = setUp({
      keyFor,
      target: { limits: { rpm: 1, concurrency: 1 } },
      script: { text: 'own', firstTokenDelayMs: 100 },
      time: 'manual',
    });
    const first = [ask('ann', 'alone'), ask('bob', 'alone')];
    await runtime.advance(150);
    expect(router.snapshot().callsInFlight).toBe(1);
    await runtime.advance(100);
    await Promise.all(first);
    const second = ask('ann');
    await runtime.advance(100);
    expect((await second).trail[0]?.reason).toMatch(/^its rpm limit of 1 is used up/);
    await router.close();
  });

  it('have separate queues', async () => {
    const { ask, failures, runtime, router } = setUp({
      keyFor,
      target: { limits: { maxQueue: 1 } },
      time: 'manual',
    });
    failures.set('acme', { code: 'rate_limited', retryAfterMs: 20_000 });
    failures.set('other', { code: 'rate_limited', retryAfterMs: 20_000 });
    const limiting = ['acme', 'acme', 'acme', 'other', 'other', 'other'].map((each) => ask(each));
    await runtime.advance(10_000);
    await Promise.all(limiting);
    failures.clear();
    const waiting = ['acme', 'other'].map((each) => ask(each, 'alone'));
    await runtime.settle();
    expect(router.snapshot().targets['own/m']?.limits?.queued).toBe(2);
    const tooMany = ask('acme', 'alone').catch((error: unknown) => String(error));
    await runtime.advance(20_000);
    const message = await tooMany;
    expect(message).toContain('the queue for own/m is full (maxQueue 1)');
    await Promise.all(waiting);
    await router.close();
  });

  it('keep identical calls of different tags apart', async () => {
    const { ask, used, runtime, router } = setUp({
      keyFor,
      tier: { singleFlight: true },
      script: { text: 'own', firstTokenDelayMs: 100 },
      time: 'manual',
    });
    const calls = ['ann', 'bob', 'ann'].map((customer) => ask(customer));
    await runtime.advance(1_000);
    const answers = await Promise.all(calls);
    expect(new Set(used)).toEqual(new Set(['ann', 'bob']));
    expect(used).toHaveLength(2);
    expect(answers.map(({ shared }) => shared === true)).toEqual([false, false, true]);
    await router.close();
  });

  it('of thousands of customers are bounded in number', async () => {
    const { ask, snapshot, router } = setUp({ keyFor });
    for (let index = 0; index < defaults.keysPerTarget + sampled(2_000, 100); index++)
      await ask(`c${index}`);
    expect(snapshot()?.keysByTags?.known).toBe(defaults.keysPerTarget);
    await router.close();
  });

  it('do not count as failures of the target for strategies', async () => {
    const { router, failures, ask } = setUp({ keyFor, tier: { strategy: 'balanced' } });
    // Loads the prices: virtual time would go on while a module is read.
    await router.describe();
    for (let each = 0; each < 30; each++) failures.set(`bad${each}`, { code: 'auth' });
    for (const customer of failures.keys()) await ask(customer);
    for (let each = 0; each < 10; each++) expect((await ask('ann')).text).toBe('own');
    await router.close();
  });
});

describe('a key by tags that is looked up', () => {
  it('does not hold up a call that is aborted, and may never arrive', async () => {
    const { router, used, runtime } = setUp({
      keyFor: () => new Promise<CallKey>(() => undefined),
      time: 'manual',
    });
    const controller = new AbortController();
    const call = router.complete('t', 'hi', { signal: controller.signal, tags: { customer: 'a' } });
    const failure = call.catch((error: unknown) => error);
    await runtime.settle();
    controller.abort();
    expect(await failure).toMatchObject({
      code: 'aborted',
      message: expect.stringContaining('not sent, the function for its key had not returned'),
    });
    expect(used).toEqual([]);
    expect(router.snapshot().callsInFlight).toBe(0);
    expect(runtime.pending).toBe(0);
    await router.close();
  });

  it('is waited for up to connectMs', async () => {
    const { ask, used, router } = setUp({
      keyFor: () => new Promise<CallKey>(() => undefined),
      tier: { timeouts: { connectMs: 500 } },
    });
    const { text, trail, latency } = await ask('acme');
    expect(text).toBe('spare');
    expect(trail[0]?.error).toMatchObject({ code: 'timeout', phase: 'connect' });
    expect(latency.totalMs).toBe(500);
    expect(used).toEqual([]);
    await router.close();
  });

  it('is not looked up for targets that are not tried', async () => {
    const asked: Tags[] = [];
    const runtime = fakeRuntime({ time: 'auto' });
    const other: Provider = {
      ...fakeProvider('other', { runtime }),
      keyFor: async (tags) => {
        asked.push(tags);
        return { fingerprint: 'k' };
      },
    };
    const router = createRouter({
      runtime,
      providers: { first: fakeProvider('first', { runtime }), other },
      tiers: { t: ['first/m', 'other/m'] },
    });
    // The plan of the first call finds out that the key comes later.
    for (let each = 0; each < 5; each++) await router.complete('t', 'hi');
    expect(asked).toHaveLength(1);
    await router.close();
  });

  it('is looked up once for each attempt', async () => {
    let asked = 0;
    const { ask, router } = setUp({
      keyFor: async () => {
        asked += 1;
        return { fingerprint: 'k' };
      },
      script: [{ error: 'server_error' }, 'own'],
    });
    expect((await ask('acme', 'alone')).text).toBe('own');
    expect(asked).toBe(2);
    await router.close();
  });

  it('must have a fingerprint', async () => {
    const { ask, router } = setUp({ keyFor: () => 'secret' as never });
    const error = await ask('acme', 'alone').catch((each: unknown) => each);
    expect(error).toMatchObject({ code: 'config' });
    expect(String(error)).not.toContain('secret');
    await router.close();
  });
});
