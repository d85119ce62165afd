import { describe, expect, it } from 'vitest';
import type { Completion, RouterEvent, RoutingConfig } from '../../src/index.ts';
import type { ConfigSource, ConfigSourceContext } from '../../src/protocol/config-source.ts';
import { createRouter } from '../../src/router.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';

const first: RoutingConfig<'p', string> = { tiers: { t: ['p/m'], u: ['p/m'] } };

const cycle: Record<string, unknown> = {};
cycle.self = cycle;

/** A source whose documents the test delivers. The first one is delivered at once. */
function manualSource(document: unknown) {
  let context: ConfigSourceContext | undefined;
  let isOver = false;
  const source: ConfigSource = {
    name: 'manual',
    async run(given) {
      context = given;
      given.deliver(document);
      await given.runtime.sleep(Number.POSITIVE_INFINITY, given.signal).catch(() => undefined);
      isOver = true;
    },
  };
  const opened = (): ConfigSourceContext => {
    if (context === undefined) throw new Error('the source does not run');
    return context;
  };
  return {
    source,
    deliver: (next: unknown) => opened().deliver(next),
    fail: (error: unknown) => opened().fail(error),
    isOver: () => isOver,
  };
}

function setUp() {
  const runtime = fakeRuntime({ time: 'auto' });
  const p = fakeProvider('hi', { runtime });
  const router = createRouter({ runtime, providers: { p }, ...first });
  return { runtime, p, router, events: recordEvents(router) };
}

const targetsOf = (router: Pick<ReturnType<typeof setUp>['router'], 'snapshot'>) =>
  Object.keys(router.snapshot().targets);

describe('follow', () => {
  it('applies the first document before it resolves, and later ones', async () => {
    const { router, events } = setUp();
    const { source, deliver } = manualSource({ tiers: { t: ['p/n'], u: ['p/m'] } });
    await router.follow(source);
    expect(targetsOf(router)).toEqual(['p/n', 'p/m']);
    deliver({ tiers: { t: ['p/n', 'p/o'], u: ['p/m'] }, tags: { team: 'x' } });
    expect(targetsOf(router)).toEqual(['p/n', 'p/o', 'p/m']);
    expect(events.of('config-change')).toMatchObject([
      { source: 'manual', version: 2, changes: [{ path: 'tiers.t.targets[0]', kind: 'changed' }] },
      {
        version: 3,
        tiers: ['t', 'u'],
        changes: [
          { path: 'tiers.t.targets[1]', kind: 'added' },
          { path: 'tags', kind: 'added' },
        ],
      },
    ]);
    await router.close();
  });

  it('changes nothing for a document that says the same', async () => {
    const { router, events } = setUp();
    const { source, deliver } = manualSource(first);
    await router.follow(source);
    deliver({ tiers: { t: { targets: [{ target: 'p/m' }] }, u: ['p/m'] } });
    expect(events.of('config-change')).toEqual([]);
    await router.close();
  });

  it.each([
    [
      'has an invalid first document',
      manualSource({ tiers: { t: ['q/m'] } }).source,
      /not configured/,
    ],
    [
      'fails first',
      { name: 's', run: async ({ fail }: ConfigSourceContext) => fail(new Error('ECONNREFUSED')) },
      /s could not be read; see cause/,
    ],
    ['throws', { name: 's', run: () => Promise.reject(new Error('no')) }, /s could not be read/],
    ['delivers nothing', { name: 's', run: async () => {} }, /s delivered no configuration/],
  ])('rejects if the source %s, and can follow another one', async (_, source, message) => {
    const { router } = setUp();
    await expect(router.follow(source)).rejects.toThrow(message);
    expect(targetsOf(router)).toEqual(['p/m']);
    await router.follow(manualSource(first).source);
    await router.close();
  });

  it('keeps the configuration when a later document is invalid, and reports it once', async () => {
    const { router, events } = setUp();
    const { source, deliver, fail } = manualSource(first);
    await router.follow(source);
    for (let each = 0; each < 3; each++) deliver({ tiers: { t: ['q/m'], u: ['p/n'] } });
    fail(new Error('secret'));
    expect(targetsOf(router)).toEqual(['p/m']);
    expect(events.of('config-rejected')).toMatchObject([
      {
        source: 'manual',
        error: { code: 'config' },
        problems: [{ path: 'tiers.t.targets[0]', message: expect.stringContaining('"q"') }],
      },
      { source: 'manual', problems: [] },
    ]);
    expect(JSON.stringify(events.of('config-rejected'))).not.toContain('secret');
    deliver({ tiers: { t: ['p/n'], u: ['p/n'] } });
    expect(targetsOf(router)).toEqual(['p/n']);
    await router.close();
  });

  it.each([
    ['providers', { ...first, providers: {} }, ['providers']],
    ['a tier less', { tiers: { t: ['p/m'] } }, ['tiers.u']],
    ['more than 1 MB', { ...first, tags: { a: 'x'.repeat(1_000_000) } }, ['configuration']],
    ['a cycle', { ...first, tags: cycle }, ['tags.self']],
    ['no data', 'text', ['configuration']],
    ['nothing', null, ['configuration']],
  ])('refuses a document with %s', async (_, document, paths) => {
    const { router, events } = setUp();
    const { source, deliver } = manualSource(first);
    await router.follow(source);
    deliver(document);
    const [{ problems = [] } = {}] = events.of('config-rejected');
    expect(problems.map(({ path }) => path)).toEqual(paths);
    await router.close();
  });

  it('refuses a document that loosens what a tier requires or what targets declare', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const p = fakeProvider('hi', { runtime, compliance: { region: 'us', noTraining: true } });
    const requires = { regions: ['eu'], noTraining: true, minQuality: 0.7 };
    const target = { target: 'p/m', compliance: { region: 'eu' } } as const;
    const strict = { tiers: { t: { targets: [target], requires } } } as const;
    const router = createRouter({ runtime, providers: { p }, ...strict });
    const events = recordEvents(router);
    const { source, deliver } = manualSource(strict);
    const following = await router.follow(source);
    deliver({ tiers: { t: { targets: [target], requires: { regions: ['eu', 'us'] } } } });
    deliver({ tiers: { t: { targets: ['p/m'], requires } } });
    deliver({
      tiers: {
        t: { targets: [target, { target: 'p/n', compliance: { region: 'eu' } }], requires },
      },
    });
    expect(
      events.of('config-rejected').map(({ problems }) => problems.map(({ path }) => path)),
    ).toEqual([
      ['tiers.t.requires.regions', 'tiers.t.requires.noTraining', 'tiers.t.requires.minQuality'],
      ['tiers.t.targets[0].compliance.region'],
      ['tiers.t.targets[1].compliance.region'],
    ]);
    expect(events.of('config-change')).toEqual([]);
    deliver({
      tiers: {
        t: { targets: [target, { target: 'p/n', compliance: { noTraining: true } }], requires },
      },
    });
    expect(targetsOf(router)).toEqual(['p/m', 'p/n']);
    await following.stop();
    await router.follow(manualSource({ tiers: { t: ['p/m'] } }).source, { allowLoosening: true });
    expect((await router.complete('t', 'hi')).text).toBe('hi');
    await router.close();
  });

  it('lets a document remove tiers with allowRemoval', async () => {
    const { router } = setUp();
    await router.follow(manualSource({ tiers: { v: ['p/n'] } }).source, { allowRemoval: true });
    expect(targetsOf(router)).toEqual(['p/n']);
    await router.close();
  });

  it('keeps health, statistics and learned limits of targets that stay', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const p = fakeProvider({ error: 'server_error' }, { runtime });
    const q = fakeProvider('hi', { runtime });
    const router = createRouter({
      runtime,
      providers: { p, q },
      tiers: {
        t: { targets: ['p/m', 'q/m'], circuit: { consecutiveFailures: 1, openMs: 60_000 } },
      },
    });
    const tiers = (target: string) => ({
      t: { targets: ['p/m', target], circuit: { consecutiveFailures: 1, openMs: 60_000 } },
    });
    const { source, deliver } = manualSource({ tiers: tiers('q/m') });
    await router.follow(source);
    await router.complete('t', 'hi', { retry: { attempts: 0 } });
    const before = router.snapshot().targets['p/m'];
    expect(before).toMatchObject({ circuit: 'open', calls: 1 });
    deliver({ tiers: tiers('q/n') });
    expect(router.snapshot().targets['p/m']).toEqual(before);
    expect((await router.complete('t', 'hi')).trail[0]).toMatchObject({
      target: 'p/m',
      outcome: 'skipped',
    });
    await router.close();
  });

  it('stops: nothing is applied or reported any more', async () => {
    const { router, events } = setUp();
    const { source, deliver, fail, isOver } = manualSource(first);
    const following = await router.follow(source);
    await following.stop();
    expect(isOver()).toBe(true);
    deliver({ tiers: { t: ['p/n'], u: ['p/n'] } });
    fail(new Error('late'));
    expect(targetsOf(router)).toEqual(['p/m']);
    expect(events.of('config-rejected')).toEqual([]);
    await following.stop();
    await router.close();
  });

  it('ends with close()', async () => {
    const { router, runtime } = setUp();
    const { source, isOver } = manualSource(first);
    await router.follow(source);
    await router.close();
    expect(isOver()).toBe(true);
    expect(runtime.pending).toBe(0);
    await expect(router.follow(source)).rejects.toMatchObject({ code: 'closed' });
  });

  it('ends with close() while it waits for the first document', async () => {
    const { router } = setUp();
    const source: ConfigSource = {
      name: 'slow',
      run: ({ runtime, signal }) =>
        runtime.sleep(Number.POSITIVE_INFINITY, signal).catch(() => undefined),
    };
    const following = router.follow(source);
    const closing = router.close();
    await expect(following).rejects.toMatchObject({ code: 'closed' });
    await closing;
  });

  it('follows one source at a time', async () => {
    const { router } = setUp();
    const { stop } = await router.follow(manualSource(first).source);
    await expect(router.follow(manualSource(first).source)).rejects.toThrow(/stop that first/);
    await stop();
    await router.follow(manualSource(first).source);
    await router.close();
  });

  it.each([
    ['no source', undefined, undefined, /must be a source/],
    [
      'an unknown option',
      manualSource(first).source,
      { allowRemovals: true },
      /did you mean "allowRemoval"/,
    ],
  ])('rejects %s', async (_, source, options, message) => {
    const { router } = setUp();
    await expect(router.follow(source as ConfigSource, options as object)).rejects.toThrow(message);
    await router.close();
  });
});

describe('prices of a separate source', () => {
  const price = (input: number) => ({ input, output: 0 });
  const usdOf = async (router: ReturnType<typeof setUp>['router'], tier: string) =>
    (await router.complete(tier, 'hi')).cost.usd;

  it('are added to those of the configuration, which win', async () => {
    const { router } = setUp();
    const prices = manualSource({ prices: { 'p/m': price(1), 'p/n': price(1) } });
    await router.follow(prices.source, { only: 'prices' });
    const routing = manualSource({
      tiers: { t: ['p/m'], u: ['p/n'] },
      prices: { 'p/n': price(0) },
    });
    await router.follow(routing.source);
    expect(await usdOf(router, 't')).toBeGreaterThan(0);
    expect(await usdOf(router, 'u')).toBe(0);
    prices.deliver({ prices: { 'p/m': price(0) }, pricesDate: '2026-11-30' });
    expect(await usdOf(router, 't')).toBe(0);
    expect(router.snapshot().pricesDate).toBe('2026-11-30');
    expect(router.snapshot().priceLists).toEqual([
      { source: 'prices' },
      { source: 'manual', date: '2026-11-30' },
    ]);
    router.reconfigure({ tiers: { t: ['p/m'], u: ['p/m'] } });
    expect(await usdOf(router, 't')).toBe(0);
    expect(router.snapshot().priceLists).toEqual([{ source: 'manual', date: '2026-11-30' }]);
    await router.close();
  });

  it('are refused with anything else', async () => {
    const { router, events } = setUp();
    const prices = manualSource({ prices: {} });
    await router.follow(prices.source, { only: 'prices' });
    prices.deliver({ prices: { 'q/m': price(1) }, tiers: { t: ['p/n'] }, pricesDate: 'today' });
    const [{ problems = [] } = {}] = events.of('config-rejected');
    const paths = new Set(problems.map(({ path }) => path));
    expect(paths).toEqual(new Set(['prices.q/m', 'pricesDate', 'tiers']));
    await router.close();
  });
});

describe('a configuration that changes 100 times a second', () => {
  /** Two targets, a prompt and a tag, which no other version has. The first target fails. */
  const version = (number: number) => ({
    tiers: {
      t: {
        targets: [`a/m${number}`, `b/m${number}`],
        system: `version ${number}`,
        retry: { attempts: 0 },
        circuit: { consecutiveFailures: 1_000, failureRate: 1, window: 1_000, minimumCalls: 1_000 },
      },
    },
    tags: { version: `${number}` },
  });

  it('loses none of 500 calls in flight, and serves none by a mixture', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const settings = { runtime } as const;
    const a = fakeProvider({ error: 'server_error', firstTokenDelayMs: 700 }, settings);
    const b = fakeProvider(
      ({ messages, model }) => ({
        text: `${/version \d+/.exec(JSON.stringify(messages))?.[0]} by ${model}`,
        firstTokenDelayMs: 1_300,
      }),
      settings,
    );
    const created = { tiers: { t: ['a/m0' as const] } };
    const router = createRouter({ runtime, providers: { a, b }, ...created });
    const byCall = new Map<string, RouterEvent[]>();
    router.on('*', (event) => {
      if (event.callId === null) return;
      byCall.set(event.callId, [...(byCall.get(event.callId) ?? []), event]);
    });
    let changes = 0;
    router.on('config-change', () => {
      changes += 1;
    });
    const swaps = 340;
    await router.follow({
      name: 'fast',
      async run({ deliver, signal, runtime: { sleep } }) {
        for (let number = 1; number <= swaps && !signal.aborted; number++) {
          deliver(version(number));
          await sleep(10, signal).catch(() => undefined);
        }
      },
    });
    let peak = 0;
    const calls: Promise<Completion>[] = [];
    while (calls.length < 700) {
      for (let each = 0; each < 5; each++) calls.push(router.complete('t', 'hi'));
      peak = Math.max(peak, router.snapshot().callsInFlight);
      await runtime.sleep(10);
    }
    const answers = await Promise.all(calls);
    expect(peak).toBeGreaterThanOrEqual(500);
    expect(changes).toBeGreaterThanOrEqual(300);
    const versions = new Set<string>();
    for (const { text, target } of answers) {
      const [, used = ''] = /^version (\d+)/.exec(text) ?? [];
      expect(text).toBe(`version ${used} by m${used}`);
      expect(target).toBe(`b/m${used}`);
      versions.add(used);
    }
    expect(versions.size).toBeGreaterThan(100);
    for (const events of byCall.values()) {
      const [used] = new Set(events.map(({ tags }) => tags.version));
      for (const event of events) {
        expect(event.tags.version).toBe(used);
        if ('target' in event && event.target !== undefined) {
          expect(event.target).toMatch(new RegExp(`/m${used}$`));
        }
      }
    }
    await router.close();
    expect(runtime.pending).toBe(0);
  });
});
