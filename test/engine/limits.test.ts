import { describe, expect, it } from 'vitest';
import { isSignalboxError, SignalboxError } from '../../src/errors.ts';
import type { CallOptions } from '../../src/protocol/call-options.ts';
import type { RoutingConfig, TierSettings } from '../../src/protocol/config.ts';
import type { Provider, RateLimit } from '../../src/protocol/provider.ts';
import { createRouter } from '../../src/router.ts';
import { type FakeScript, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';

type Limits = NonNullable<TierSettings['limits']>;

/** A router with fake providers on virtual time: one target `<name>/m` per script, with limits. */
function setUp(
  scripts: Record<string, FakeScript>,
  limits: Record<string, Limits> = {},
  tier: TierSettings = {},
  time: 'auto' | 'manual' = 'auto',
) {
  const runtime = fakeRuntime({ time });
  const names = Object.keys(scripts);
  const fakes = Object.fromEntries(
    names.map((name) => [name, fakeProvider(scripts[name] ?? '', { runtime })]),
  );
  const targets = names.map((name) => ({
    target: `${name}/m` as const,
    limits: limits[name] ?? {},
  }));
  const router = createRouter({ runtime, providers: fakes, tiers: { t: { ...tier, targets } } });
  const events = recordEvents(router);
  const complete = (options?: CallOptions) => router.complete('t', 'hi', options);
  const fails = async (options?: CallOptions): Promise<SignalboxError> => {
    const error: unknown = await complete(options).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (!isSignalboxError(error)) throw new Error('the call did not fail with a SignalboxError');
    return error;
  };
  const timesOf = (name: string): number[] => fakes[name]?.calls.map(({ at }) => at) ?? [];
  return { runtime, router, events, complete, fails, timesOf };
}

const many = <Each>(count: number, make: (index: number) => Each): Each[] =>
  Array.from({ length: count }, (_, index) => make(index));

describe('a target at its limit', () => {
  it('is skipped while another is available, with the limit and the time in the reason', async () => {
    const { complete, router, timesOf } = setUp({ a: 'one', b: 'two' }, { a: { rpm: 1 } });
    expect((await complete()).text).toBe('one');
    const { text, trail } = await complete();
    expect(text).toBe('two');
    expect(trail[0]).toMatchObject({ target: 'a/m', outcome: 'skipped' });
    expect(trail[0]?.reason).toMatch(/^its rpm limit of 1 is used up until 2026-01-01T00:01/);
    const { candidates, skipped } = await router.explain('t', 'hi');
    expect(candidates.map(({ target }) => target)).toEqual(['b/m', 'a/m']);
    expect(skipped).toMatchObject([{ target: 'a/m', until: expect.any(Number) }]);
    expect(timesOf('a')).toHaveLength(1);
  });

  it('is tried after the others failed', async () => {
    const { complete, runtime } = setUp({ a: 'one', b: { error: 'auth' } }, { a: { rpm: 1 } });
    await complete();
    const before = runtime.now();
    const { text, trail } = await complete();
    expect(text).toBe('one');
    expect(runtime.now() - before).toBeGreaterThan(55_000);
    expect(trail.map(({ target, outcome }) => `${target} ${outcome}`)).toEqual([
      'a/m skipped',
      'b/m error',
      'a/m ok',
    ]);
  });

  it('queues calls when no other is available, and reports the wait', async () => {
    const { complete, runtime, timesOf, router, events } = setUp(
      { a: { text: 'one', firstTokenDelayMs: 100 } },
      { a: { rpm: 1 } },
      { timeouts: { firstTokenMs: 1_000 } },
    );
    const started = runtime.now();
    const answers = await Promise.all(many(3, () => complete()));
    expect(timesOf('a').map((at) => Math.round((at - started) / 61_500))).toEqual([0, 1, 2]);
    const waited = answers[2]?.trail[0];
    expect(waited?.queuedMs).toBeGreaterThan(120_000);
    expect(waited?.durationMs).toBeLessThan(1_000);
    expect(events.of('attempt-end').at(-1)?.queuedMs).toBe(waited?.queuedMs);
    expect(router.snapshot().targets['a/m']?.p99TotalMs).toBeLessThan(1_000);
    expect(runtime.pending).toBe(0);
  });

  it('queues calls with fail-fast too, because it is healthy', async () => {
    const { complete, timesOf } = setUp(
      { a: 'one' },
      { a: { rpm: 1 } },
      { whenAllOpen: 'fail-fast' },
    );
    await Promise.all([complete(), complete()]);
    expect(timesOf('a')).toHaveLength(2);
  });

  it('is tried after the target with the shortest wait if none is available', async () => {
    const { complete } = setUp({ a: 'one', b: 'two' }, { a: { rpm: 1 }, b: { rpm: 30 } });
    const answers = await Promise.all(many(7, () => complete()));
    expect(answers.filter(({ text }) => text === 'one')).toHaveLength(1);
  });

  it('admits high priority before normal before low', async () => {
    const { runtime, router } = setUp(
      { a: { text: 'one', firstTokenDelayMs: 100 } },
      { a: { concurrency: 1 } },
    );
    const order: string[] = [];
    const start = (priority: 'high' | 'normal' | 'low', name: string): Promise<unknown> =>
      router.complete('t', 'hi', { priority }).then(() => order.push(name));
    const all = [
      start('normal', 'first'),
      start('low', 'low'),
      start('normal', 'normal'),
      start('high', 'high'),
    ];
    await Promise.all(all);
    expect(order).toEqual(['first', 'high', 'normal', 'low']);
    expect(runtime.pending).toBe(0);
  });

  it('applies the limit of a provider to all tiers', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const fake = fakeProvider({ text: 'one', firstTokenDelayMs: 1_000 }, { runtime });
    const routing = {
      providerLimits: { fake: { concurrency: 2 } },
      tiers: { t: { targets: ['fake/m', 'fake/n'] }, u: { targets: ['fake/o'] } },
    } as const;
    const router = createRouter({ runtime, providers: { fake }, ...routing });
    const started = runtime.now();
    await Promise.all(many(6, (index) => router.complete(index % 2 === 0 ? 't' : 'u', 'hi')));
    const at = fake.calls.map((call) => Math.round((call.at - started) / 1_000));
    expect(at).toEqual([0, 0, 1, 1, 2, 2]);
  });

  it('admits more when the limit is raised', async () => {
    const { router, runtime, timesOf } = setUp(
      { a: { hang: true } },
      {},
      { limits: { concurrency: 1 } },
      'manual',
    );
    const start = (): Promise<unknown> => router.complete('t', 'hi').catch(() => undefined);
    const calls = [start(), start()];
    await runtime.settle();
    expect(timesOf('a')).toHaveLength(1);
    const next: RoutingConfig<'a', 't'> = {
      tiers: { t: ['a/m'] },
      defaults: { limits: { concurrency: 3 } },
    };
    router.reconfigure(next as never);
    calls.push(start());
    await runtime.settle();
    expect(timesOf('a')).toHaveLength(3);
    await router.close();
    await Promise.all(calls);
    expect(runtime.pending).toBe(0);
  });
});

describe('a call that is rejected by the queue', () => {
  it('fails when the queue is full, without a failure of the target', async () => {
    const { complete, fails, router, events, runtime } = setUp(
      { a: { text: 'one', firstTokenDelayMs: 100 } },
      { a: { concurrency: 1, maxQueue: 1 } },
    );
    const first = complete();
    const second = complete({ priority: 'high' });
    const error = await fails();
    expect(error.code).toBe('all_targets_failed');
    expect(error.message).toContain('rejected: the queue for a/m is full (maxQueue 1)');
    expect(error.errors).toMatchObject([{ code: 'rate_limited' }]);
    expect(error.trail).toMatchObject([{ target: 'a/m', outcome: 'skipped', verdict: 'next' }]);
    await Promise.all([first, second]);
    expect(router.snapshot().targets['a/m']).toMatchObject({
      calls: 2,
      failures: 0,
      circuit: 'closed',
    });
    expect(events.of('attempt-start')).toHaveLength(2);
    expect(events.of('rate-limited')).toHaveLength(0);
    expect(runtime.pending).toBe(0);
  });

  it('is the newest of the lowest priority', async () => {
    const { complete } = setUp(
      { a: { text: 'one', firstTokenDelayMs: 100 } },
      { a: { concurrency: 1, maxQueue: 2 } },
    );
    const calls = (['normal', 'low', 'low', 'normal', 'high'] as const).map((priority) =>
      complete({ priority }).then(
        () => 'ok',
        () => 'rejected',
      ),
    );
    expect(await Promise.all(calls)).toEqual(['ok', 'rejected', 'rejected', 'ok', 'ok']);
  });

  it('goes to the next target', async () => {
    const { complete, timesOf, runtime } = setUp(
      { a: { text: 'one', firstTokenDelayMs: 100 }, b: { text: 'two', firstTokenDelayMs: 5_000 } },
      { a: { concurrency: 1, maxQueue: 1 }, b: { concurrency: 1 } },
    );
    const calls: ReturnType<typeof complete>[] = [];
    for (let call = 0; call < 4; call += 1) {
      calls.push(complete());
      await runtime.sleep(1);
    }
    const answers = await Promise.all(calls);
    expect(answers.map(({ text }) => text)).toEqual(['one', 'two', 'one', 'two']);
    expect(answers[3]?.trail.map(({ outcome }) => outcome)).toEqual(['skipped', 'ok']);
    expect(timesOf('b')).toHaveLength(2);
  });

  it('fails immediately when its turn would come after its deadline', async () => {
    const { complete, fails, runtime } = setUp({ a: 'one' }, { a: { rpm: 1 } });
    await complete();
    const before = runtime.now();
    const error = await fails({ timeouts: { totalMs: 10_000 } });
    expect(runtime.now()).toBe(before);
    expect(error.message).toMatch(/a\/m: not sent: its rpm limit of 1 is used up/);
    expect(error.retryAfterMs).toBeGreaterThan(55_000);
  });

  it('fails after maxQueueMs', async () => {
    const { complete, fails, runtime } = setUp(
      { a: { text: 'one', firstTokenDelayMs: 60_000 } },
      { a: { concurrency: 1, maxQueueMs: 5_000 } },
    );
    const first = complete();
    const before = runtime.now();
    const error = await fails();
    expect(runtime.now() - before).toBe(5_000);
    expect(error.message).toContain('used up for longer than maxQueueMs');
    await first;
  });

  it('reports its wait when the deadline passes, without a failure of the target', async () => {
    const { complete, fails, router, runtime } = setUp(
      { a: { text: 'one', firstTokenDelayMs: 30_000 } },
      { a: { concurrency: 1 } },
    );
    const first = complete();
    const error = await fails({ timeouts: { totalMs: 4_000 } });
    expect(error).toMatchObject({ code: 'timeout', phase: 'total' });
    expect(error.message).toContain('a/m: not sent, waited 4000 ms in the queue');
    expect(error.target).toBeUndefined();
    await first;
    expect(router.snapshot().targets['a/m']).toMatchObject({ calls: 1, failures: 0 });
    expect(runtime.pending).toBe(0);
  });

  it('leaves the queue when its caller aborts', async () => {
    const { complete, fails, router, runtime } = setUp(
      { a: { text: 'one', firstTokenDelayMs: 30_000 } },
      { a: { concurrency: 1 } },
    );
    const first = complete();
    const controller = new AbortController();
    const failing = fails({ signal: controller.signal });
    await Promise.resolve();
    controller.abort();
    const error = await failing;
    expect(error.code).toBe('aborted');
    expect(error.trail).toMatchObject([{ outcome: 'aborted' }]);
    await first;
    expect(router.snapshot().targets['a/m']?.limits?.queued).toBe(0);
    expect(runtime.pending).toBe(0);
  });
});

describe('after a limit with Retry-After', () => {
  it('sends queued calls after the limit ends, and loses none', async () => {
    let limited = true;
    const script: FakeScript = () =>
      limited
        ? { error: 'rate_limited', retryAfterMs: 5_000, firstTokenDelayMs: 50 }
        : { text: 'one', firstTokenDelayMs: 1_000 };
    const { complete, runtime, timesOf } = setUp({ a: script });
    const started = runtime.now();
    const calls = many(16, () => complete());
    await runtime.sleep(1_000);
    limited = false;
    calls.push(...many(20, () => complete()));
    await Promise.all(calls);
    const later = timesOf('a').filter((at) => at > started + 1_000);
    expect(Math.min(...later)).toBeGreaterThanOrEqual(started + 5_000);
    expect(later).toHaveLength(36);
  });
});

describe('tokens per minute', () => {
  it('are estimated before the request and corrected after it', async () => {
    const usage = { inputTokens: 10, outputTokens: 10 };
    const { complete, router, runtime } = setUp(
      { a: { text: 'one', usage } },
      { a: { tpm: 1_000 } },
    );
    await complete({ maxOutputTokens: 900 });
    expect(router.snapshot().targets['a/m']?.limits?.tokensLeft).toBe(980);
    const before = runtime.now();
    await complete({ maxOutputTokens: 900 });
    expect(runtime.now() - before).toBeLessThan(3_000);
  });
});

describe('the estimated tokens of an answer', () => {
  const usage = { inputTokens: 10, outputTokens: 10 };

  it.each([
    ['valid', {}],
    ['unusable', { validate: () => false }],
  ])('are those of earlier answers: %s', async (_, options) => {
    const { complete, router, runtime } = setUp(
      {
        a: [
          { text: 'one', usage },
          { text: 'two', usage, firstTokenDelayMs: 1_000 },
        ],
      },
      { a: { tpm: 1_000 } },
      { repairAttempts: 0 },
    );
    const left = (): number => router.snapshot().targets['a/m']?.limits?.tokensLeft ?? 0;
    await complete(options).catch(() => undefined);
    await runtime.sleep(70_000);
    const before = left();
    const running = complete();
    await runtime.sleep(500);
    expect(before - left()).toBe(1 + usage.outputTokens);
    await running;
  });

  it('are returned when the vendor rejected the request', async () => {
    const { fails, router } = setUp(
      { a: { error: 'rate_limited', retryAfterMs: 1_000 } },
      { a: { tpm: 1_000 } },
      { retry: { attempts: 0 } },
    );
    await fails();
    expect(router.snapshot().targets['a/m']?.limits?.tokensLeft).toBe(1_000);
  });
});

/** A provider that reports its limits with each answer, by key. */
function reporting(
  limitsOf: (key: number | undefined, call: number) => readonly RateLimit[],
  keyCount = 1,
): Provider & { readonly used: (number | undefined)[] } {
  const used: (number | undefined)[] = [];
  return {
    used,
    keyCount,
    wire: 'fake',
    capabilities: () => new Set(),
    preload: async () => undefined,
    prepare: () => ({
      warnings: [],
      async *send({ watch, key }) {
        used.push(key);
        watch.connected();
        watch.limits(limitsOf(key, used.length));
        yield [{ type: 'part-end', part: { type: 'text', text: `key ${key}` } }];
        yield [{ type: 'finish', finishReason: 'stop' }];
      },
    }),
  };
}

const requests = (remaining: number): RateLimit => ({
  name: 'requests',
  unit: 'requests',
  limit: 10,
  remaining,
  resetMs: 30_000,
});

describe('a limit that the vendor reports', () => {
  it('skips the target before the vendor rejects requests', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const a = reporting((_, call) => [requests(2 - call)]);
    const b = fakeProvider('spare', { runtime });
    const router = createRouter({ runtime, providers: { a, b }, tiers: { t: ['a/m', 'b/m'] } });
    await router.complete('t', 'hi');
    expect(router.snapshot().targets['a/m']?.limits).toEqual({ queued: 0, requestsLeft: 1 });
    await router.complete('t', 'hi');
    const { text, trail } = await router.complete('t', 'hi');
    expect(text).toBe('spare');
    expect(trail[0]?.reason).toMatch(/^the vendor's own limit is used up until 2026-/);
    await runtime.sleep(30_000);
    expect((await router.complete('t', 'hi')).target).toBe('a/m');
  });

  it('applies per key, like a configured limit', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const a = reporting((key) => (key === 0 ? [requests(0)] : []), 2);
    const router = createRouter({
      runtime,
      providers: { a },
      tiers: { t: [{ target: 'a/m', limits: { rpm: 3 } }] },
    });
    const before = runtime.now();
    for (let call = 0; call < 4; call += 1) await router.complete('t', 'hi');
    expect(a.used.filter((key) => key === 0)).toHaveLength(1);
    expect(a.used.filter((key) => key === 1)).toHaveLength(3);
    expect(runtime.now()).toBe(before);
    const limits = router.snapshot().targets['a/m']?.keys?.map((key) => key.limits.requestsLeft);
    expect(limits).toEqual([0, 0]);
  });
});

it('sends one probe of the calls that were queued when the circuit opened', async () => {
  const { fails, complete, timesOf, runtime } = setUp(
    {
      a: [
        { error: 'server_error' },
        { error: 'server_error' },
        { text: 'back', firstTokenDelayMs: 500 },
      ],
    },
    { a: { rpm: 2 } },
    {
      circuit: { consecutiveFailures: 2, openMs: 1_000 },
      retry: { attempts: 0 },
      whenAllOpen: 'fail-fast',
    },
  );
  await Promise.all([fails(), fails()]);
  await runtime.sleep(2_000);
  const [probe, other] = await Promise.all([complete(), fails()]);
  expect(probe.text).toBe('back');
  expect(other.trail.at(-1)).toMatchObject({ outcome: 'skipped' });
  expect(other.message).toContain('not sent after its wait, circuit half-open');
  expect(timesOf('a')).toHaveLength(3);
});

it('causes no rejections and loses no call at twice the configured limit', async () => {
  const runtime = fakeRuntime({ time: 'auto' });
  const startedAt = runtime.now();
  let inMinute = 0;
  let minute = 0;
  let rejections = 0;
  const script: FakeScript = () => {
    const current = Math.floor((runtime.now() - startedAt + 23_000) / 60_000);
    if (current !== minute) inMinute = 0;
    minute = current;
    inMinute += 1;
    if (inMinute <= 60) return { text: 'one', firstTokenDelayMs: 300 };
    rejections += 1;
    return { error: new SignalboxError('rate_limited', 'no') };
  };
  const a = fakeProvider(script, { runtime });
  const router = createRouter({
    runtime,
    providers: { a },
    tiers: { t: [{ target: 'a/m', limits: { rpm: 60 } }] },
  });
  const calls: Promise<unknown>[] = [];
  for (let call = 0; call < 120; call += 1) {
    await runtime.sleep(500);
    calls.push(router.complete('t', 'hi'));
  }
  await Promise.all(calls);
  expect(rejections).toBe(0);
});
