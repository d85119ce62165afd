import { describe, expect, it } from 'vitest';
import { functionSource } from '../../src/config.ts';
import { createRouter } from '../../src/router.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';

function setUp() {
  const runtime = fakeRuntime({ time: 'manual' });
  const router = createRouter({
    providers: { p: fakeProvider() },
    tiers: { t: ['p/m0'] },
    runtime,
  });
  const target = () => Object.keys(router.snapshot().targets)[0];
  return { runtime, router, target, events: recordEvents(router) };
}

describe('functionSource', () => {
  it('calls the function again after about everyMs', async () => {
    const { runtime, router, target, events } = setUp();
    let calls = 0;
    const read = () => {
      calls += 1;
      return { tiers: { t: [`p/m${calls}`] } };
    };
    await router.follow(functionSource(read, { everyMs: 1_000, name: 'db' }));
    expect(target()).toBe('p/m1');
    await runtime.advance(800);
    expect(calls).toBeLessThanOrEqual(2);
    await runtime.advance(10_000);
    expect(calls).toBeGreaterThanOrEqual(9);
    expect(calls).toBeLessThanOrEqual(15);
    expect(target()).toBe(`p/m${calls}`);
    expect(events.of('config-change')[0]?.source).toBe('db');
    await router.close();
    expect(runtime.pending).toBe(0);
  });

  it('keeps the configuration when the function fails or returns nothing new', async () => {
    const { runtime, router, target, events } = setUp();
    const results: (() => unknown)[] = [
      () => ({ tiers: { t: ['p/m1'] } }),
      () => undefined,
      () => Promise.reject(new Error('down')),
      () => ({ env: [], tiers: { t: ['p/m2'] } }),
      () => ({ tiers: { t: ['p/m3'] } }),
    ];
    await router.follow(functionSource(() => results.shift()?.(), { everyMs: 1_000 }));
    await runtime.advance(60_000);
    expect(target()).toBe('p/m3');
    expect(events.of('config-change')).toHaveLength(2);
    expect(events.of('config-rejected').map(({ problems }) => problems[0]?.path)).toEqual([
      undefined,
      'env',
    ]);
    await router.close();
  });

  it('takes a copy of what the function returns', async () => {
    const { router, target } = setUp();
    const data = { tiers: { t: ['p/m1'] } };
    await router.follow(functionSource(() => data));
    data.tiers.t = ['p/m2'];
    expect(target()).toBe('p/m1');
    await router.close();
  });

  it('does not wait for a function that never returns when it is stopped', async () => {
    const { runtime, router } = setUp();
    let signal: AbortSignal | undefined;
    let calls = 0;
    const source = functionSource((context) => {
      signal = context.signal;
      calls += 1;
      return calls === 1 ? { tiers: { t: ['p/m1'] } } : new Promise(() => undefined);
    });
    const { stop } = await router.follow(source);
    await runtime.advance(60_000);
    expect(calls).toBe(2);
    await stop();
    expect(signal?.aborted).toBe(true);
    await router.close();
    expect(runtime.pending).toBe(0);
  });

  it('rejects what is no function', () => {
    expect(() => functionSource('x' as unknown as () => object)).toThrow(/takes a function/);
  });
});
