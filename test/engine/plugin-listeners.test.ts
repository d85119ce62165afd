import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it } from 'vitest';
import type { Plugin, RouterEvent } from '../../src/index.ts';
import type { PluginAttempt } from '../../src/protocol/plugin.ts';
import { createRouter } from '../../src/router.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';

function setUp(plugin: Plugin) {
  const runtime = fakeRuntime({ time: 'auto' });
  const router = createRouter({
    runtime,
    providers: { a: fakeProvider(undefined, { runtime, priceList: 'x-ai' }) },
    tiers: {
      t: { targets: [{ target: 'a/m', maxOutputTokens: 7 }] },
      exempt: ['a/m'],
    },
    plugins: [plugin],
  });
  return { router, runtime };
}

describe('the listeners of a plugin', () => {
  it('receive the events they name', async () => {
    const seen: RouterEvent[] = [];
    const { router } = setUp({ name: 'p', on: { 'call-start': (event) => void seen.push(event) } });
    await router.stream('t', 'hi').completion;
    expect(seen).toMatchObject([{ type: 'call-start', kind: 'chat', mode: 'stream', tier: 't' }]);
  });

  it('do not receive the events of calls to exempt tiers', async () => {
    const seen: unknown[] = [];
    const note = ({ type, tier }: RouterEvent) => void seen.push(`${type} ${tier}`);
    const on = { 'call-end': note, 'config-change': note };
    const { router } = setUp({ name: 'p', exceptTiers: ['exempt'], on });
    await router.complete('exempt', 'hi');
    await router.complete('t', 'hi');
    router.reconfigure({ tiers: { t: ['a/m'], exempt: ['a/m'] } });
    expect(seen).toEqual(['call-end t', 'config-change null']);
  });

  it('affect no call when they throw, and are reported', async () => {
    const failures: string[] = [];
    const { router, runtime } = setUp({
      name: 'p',
      on: {
        'call-start': () => {
          throw new Error('thrown');
        },
        'call-end': async () => Promise.reject(new Error('rejected')),
      },
    });
    router.on('listener-error', ({ event, error }) => failures.push(`${event}: ${error}`));
    await router.complete('t', 'hi');
    await runtime.settle();
    expect(failures).toEqual(['call-start: Error: thrown', 'call-end: Error: rejected']);
  });

  it('are gone when the router is closed', async () => {
    const seen: RouterEvent[] = [];
    const { router } = setUp({ name: 'p', on: { '*': (event) => void seen.push(event) } });
    await router.close();
    await router.complete('t', 'hi').catch(() => undefined);
    expect(seen).toEqual([]);
  });
});

it('tells a plugin the vendor, the wire and the options of an attempt', async () => {
  const seen: PluginAttempt[] = [];
  const { router } = setUp({
    name: 'p',
    wrapAttempt(attempt, next) {
      seen.push(attempt);
      return next();
    },
  });
  await router.complete('t', 'hi', { seed: 1, transfer: 'unary' });
  expect(seen[0]).toMatchObject({
    vendor: 'x-ai',
    wire: 'fake',
    transfer: 'unary',
    options: { maxOutputTokens: 7, seed: 1 },
  });
});

it('runs the hooks of a stream in the async context that made it, whoever reads it', async () => {
  const storage = new AsyncLocalStorage<string>();
  const seen: (string | undefined)[] = [];
  const note = () => void seen.push(storage.getStore());
  const { router } = setUp({
    name: 'p',
    on: { 'call-start': note, 'call-end': note },
    onRequest(request) {
      note();
      return request;
    },
    accept() {
      note();
      return true;
    },
  });
  const stream = storage.run('made', () => router.stream('t', 'hi'));
  await storage.run('read', async () => {
    for await (const _ of stream) expect(storage.getStore()).toBe('read');
  });
  expect(new Set(seen)).toEqual(new Set(['made']));
  expect(seen).toHaveLength(4);
});
