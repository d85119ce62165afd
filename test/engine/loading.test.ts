import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anthropic } from '../../src/anthropic.ts';
import { groq } from '../../src/compatible.ts';
import { SignalboxError } from '../../src/errors.ts';
import { google } from '../../src/google.ts';
import { azureOpenAI, openai } from '../../src/openai.ts';
import type { TierSettings } from '../../src/protocol/config.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import type { Runtime } from '../../src/protocol/runtime.ts';
import { createRouter } from '../../src/router.ts';
import { type FakeScript, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';
import {
  type SimulatedProviders,
  simulateProviders,
} from '../../src/testing/simulate-providers.ts';

const missing = new SignalboxError(
  'config',
  'the package "sdk" could not be loaded; install it: npm i sdk',
);

/** A provider whose SDK takes `ms` to load and fails to load the first `failures` times. */
function slowToLoad(runtime: Runtime, ms: number, failures = 0, script: FakeScript = 'hi') {
  const fake = fakeProvider(script, { runtime });
  let loads = 0;
  const provider: Provider = {
    ...fake,
    async preload() {
      loads += 1;
      const isMissing = loads <= failures;
      await runtime.sleep(ms);
      if (isMissing) throw missing;
    },
  };
  return { provider, calls: fake.calls, loads: () => loads };
}

function setUp(ms: number, failures = 0, tier: TierSettings = {}, script: FakeScript = 'hi') {
  const runtime = fakeRuntime({ time: 'auto' });
  const { provider, calls, loads } = slowToLoad(runtime, ms, failures, script);
  const spare = fakeProvider('spare', { runtime });
  const router = createRouter({
    runtime,
    providers: { slow: provider, spare },
    tiers: {
      t: { ...tier, targets: ['slow/m'] },
      both: { ...tier, targets: ['slow/m', 'spare/m'] },
    },
  });
  return { runtime, router, calls, loads, events: recordEvents(router) };
}

const healthy = { circuit: 'closed', failures: 0, unavailableUntil: {} };

describe('an SDK that is missing', () => {
  it('is one of the reasons when no target answers, with what to install', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const router = createRouter({
      runtime,
      providers: {
        first: slowToLoad(runtime, 1, 9).provider,
        second: slowToLoad(runtime, 1, 9).provider,
        third: fakeProvider({ error: 'server_error' }, { runtime }),
      },
      tiers: { two: ['first/m', 'second/m'], all: ['first/m', 'second/m', 'third/m'] },
    });
    const hint = 'the package "sdk" could not be loaded; install it: npm i sdk';
    const error = await router.complete('two', 'hi').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'all_targets_failed',
      errors: [{ code: 'config' }, { code: 'config' }],
      message: `all targets of tier "two" failed\n  first/m: ${hint}\n  second/m: ${hint}`,
    });
    await expect(router.complete('all', 'hi')).rejects.toMatchObject({
      code: 'all_targets_failed',
      message: expect.stringContaining(`first/m: ${hint}\n  second/m: ${hint}\n  third/m: `),
    });
  });
});

describe('an SDK that loads slowly', () => {
  it('does not count for the timeouts of the target or as a wait in the queue', async () => {
    const { router } = setUp(5_000, 0, { timeouts: { firstTokenMs: 100, connectMs: 50 } });
    const { text, trail, latency } = await router.complete('both', 'hi');
    expect(text).toBe('hi');
    expect(trail).toHaveLength(1);
    expect(trail[0]).toMatchObject({ target: 'slow/m', durationMs: 0, firstTokenMs: 0 });
    expect(trail[0]).not.toHaveProperty('queuedMs');
    expect(latency.totalMs).toBe(5_000);
    expect(router.snapshot().targets['slow/m']).toMatchObject({ ...healthy, p50FirstTokenMs: 0 });
  });

  it('is loaded once for all calls', async () => {
    const { router, loads } = setUp(5_000);
    await Promise.all([router.complete('t', 'a'), router.complete('t', 'b')]);
    for await (const _ of router.stream('t', 'c'));
    await router.preload();
    expect(loads()).toBe(1);
  });

  it('takes no slot of a limit while it loads', async () => {
    const { router } = setUp(5_000, 0, { limits: { concurrency: 1 } }, [
      { text: 'hi', firstTokenDelayMs: 70 },
    ]);
    const answers = await Promise.all([router.complete('t', 'a'), router.complete('t', 'b')]);
    expect(answers.map(({ trail }) => trail[0]?.queuedMs)).toEqual([undefined, 70]);
  });

  it('does not cause a hedge', async () => {
    const { router, events } = setUp(5_000, 0, { hedge: { afterMs: 100, maxExtra: 1 } });
    expect((await router.complete('both', 'hi')).target).toBe('slow/m');
    expect(events.names).not.toContain('hedge');
  });

  it.each(['complete', 'stream'] as const)('is not awaited after an abort: %s', async (mode) => {
    const { router, runtime, calls, events } = setUp(5_000);
    const controller = new AbortController();
    const startedAt = runtime.now();
    const options = { signal: controller.signal };
    const answer =
      mode === 'complete'
        ? router.complete('t', 'hi', options)
        : router.stream('t', 'hi', options).completion;
    void runtime.sleep(1_000).then(() => controller.abort());
    await expect(answer).rejects.toMatchObject({ code: 'aborted' });
    expect(runtime.now() - startedAt).toBe(1_000);
    await runtime.advance(10_000);
    expect(calls).toHaveLength(0);
    expect(events.names).not.toContain('attempt-start');
    expect(router.snapshot().targets['slow/m']).toMatchObject({ ...healthy, calls: 0 });
  });

  it('is awaited at most until the deadline', async () => {
    const { router, runtime } = setUp(5_000, 0, { timeouts: { totalMs: 2_000 } });
    const startedAt = runtime.now();
    await expect(router.complete('both', 'hi')).rejects.toMatchObject({
      code: 'timeout',
      phase: 'total',
      message: 'slow/m: not sent, its SDK was still loading; no answer within 2000 ms (totalMs)',
    });
    expect(runtime.now() - startedAt).toBe(2_000);
    expect(router.snapshot().targets['slow/m']).toMatchObject({ ...healthy, calls: 0 });
  });
});

describe('an SDK that fails to load', () => {
  it('fails the call with an install hint when there is no other target', async () => {
    const { router } = setUp(10, 5);
    for (let call = 0; call < 4; call++) {
      await expect(router.complete('t', 'hi')).rejects.toMatchObject({
        code: 'config',
        target: 'slow/m',
        message: 'slow/m: the package "sdk" could not be loaded; install it: npm i sdk',
      });
    }
    expect(router.snapshot().targets['slow/m']).toMatchObject({ ...healthy, calls: 0 });
  });

  it('lets the next target answer', async () => {
    const { router } = setUp(10, 5);
    const { target, trail } = await router.complete('both', 'hi');
    expect(target).toBe('spare/m');
    expect(trail[0]).toMatchObject({
      outcome: 'error',
      error: { code: 'config' },
      verdict: 'next',
    });
    expect(router.snapshot().targets['slow/m']).toMatchObject({ ...healthy, calls: 0 });
  });

  it('is loaded again by the next call', async () => {
    const { router, loads } = setUp(10, 1);
    await expect(router.complete('t', 'hi')).rejects.toMatchObject({ code: 'config' });
    expect((await router.complete('t', 'hi')).text).toBe('hi');
    expect(loads()).toBe(2);
  });
});

it('reports no queuedMs without a wait, even if the clock advances with each read', async () => {
  let now = 1_800_000_000_000;
  const runtime: Runtime = { ...fakeRuntime(), now: () => (now += 0.01) };
  const fake = fakeProvider('hi');
  const router = createRouter({ runtime, providers: { fake }, tiers: { t: ['fake/m'] } });
  const events = recordEvents(router);
  const { trail } = await router.complete('t', 'hi');
  expect(trail[0]).not.toHaveProperty('queuedMs');
  expect(events.of('attempt-end')[0]).not.toHaveProperty('queuedMs');
});

describe('the SDK', () => {
  let simulators: SimulatedProviders;
  beforeAll(async () => {
    simulators = await simulateProviders();
  });
  afterAll(() => simulators.close());

  it.each([
    [
      'google',
      'gemini-3-flash-preview',
      () => google({ baseURL: simulators.google.baseURL, apiKey: 'k' }),
    ],
    [
      'anthropic',
      'claude-haiku-4-5',
      () => anthropic({ baseURL: simulators.anthropic.baseURL, apiKey: 'k' }),
    ],
    ['openai', 'gpt-5.4-mini', () => openai({ baseURL: simulators.openai.baseURL, apiKey: 'k' })],
    [
      'azure',
      'gpt-5.4-mini',
      () => azureOpenAI({ baseURL: simulators.openai.baseURL, apiKey: 'k' }),
    ],
    ['groq', 'm', () => groq({ baseURL: simulators.compatible.baseURL, apiKey: 'k' })],
  ] as const)('of %s is loaded when its first attempt starts', async (_, model, make) => {
    const provider = make();
    const router = createRouter({ providers: { p: provider }, tiers: { t: [`p/${model}`] } });
    const started = Promise.withResolvers<boolean>();
    router.on('attempt-start', async () => {
      let isLoaded = false;
      void provider.preload().then(() => {
        isLoaded = true;
      });
      await turn();
      started.resolve(isLoaded);
    });
    router.complete('t', 'hi').catch(() => undefined);
    expect(await started.promise).toBe(true);
    await router.close();
  });
});
