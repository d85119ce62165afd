import { describe, expect, it } from 'vitest';
import type { Plugin } from '../../src/index.ts';
import type { RoutingConfig, Rule } from '../../src/protocol/config.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import { createRouter } from '../../src/router.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';

type Name = 'a' | 'b' | 'c';
type Tier = 'fast' | 'smart' | 'last';

const saturdayNight = Date.UTC(2026, 10, 28, 23);

function setUp(
  rules: readonly Rule<Name, Tier>[],
  {
    routing = {},
    plugins = [],
  }: {
    readonly routing?: Partial<RoutingConfig<Name, Tier>>;
    readonly plugins?: readonly Plugin[];
  } = {},
) {
  const runtime = fakeRuntime({ time: 'auto', now: saturdayNight });
  const providers = {
    a: fakeProvider('a', { runtime, compliance: { region: 'eu' } }),
    b: fakeProvider('b', { runtime, compliance: { region: 'eu', noTraining: true } }),
    c: fakeProvider('c', { runtime }),
  };
  const config = {
    tiers: {
      fast: { targets: ['a/small'], fallbackTier: 'last', tags: { team: 'x' } },
      smart: { targets: ['b/large', 'a/large'], system: 'think', tags: { team: 'y' } },
      last: ['c/last'],
    },
    rules,
    ...routing,
  } as const;
  const router = createRouter({ runtime, providers, plugins, ...config });
  return { router, providers, events: recordEvents(router), config };
}

const image = {
  role: 'user',
  content: [{ type: 'image', source: { type: 'url', url: 'https://x.test/a.png' } }],
} as const;

describe('rules', () => {
  it('send a call to another tier, with its targets and options', async () => {
    const { router, providers, events } = setUp([
      { name: 'paid', when: { tags: { plan: 'paid' } }, use: 'smart' },
    ]);
    const paid = await router.complete('fast', 'hi', { tags: { plan: 'paid' } });
    expect(paid.target).toBe('b/large');
    // Names and tags stay those of the call.
    expect([paid.tier, paid.tags]).toEqual(['fast', { team: 'x', plan: 'paid' }]);
    expect(providers.b.calls[0]?.request.messages[0]).toMatchObject({ role: 'system' });
    expect((await router.complete('fast', 'hi')).target).toBe('a/small');
    const [first, second] = events.of('route-plan');
    const candidates = [{ target: 'b/large' }, { target: 'a/large' }];
    expect(first).toMatchObject({ tier: 'fast', rule: 'paid', candidates });
    expect(second).not.toHaveProperty('rule');
    const explained = await router.explain('fast', 'hi', { tags: { plan: 'paid' } });
    expect(explained).toMatchObject({ tier: 'fast', rule: 'paid' });
    expect(explained.candidates.map(({ target }) => target)).toEqual(['b/large', 'a/large']);
  });

  it('send a call to targets, and those of its tier do not follow', async () => {
    const { router } = setUp([
      {
        name: 'vision',
        when: { images: true },
        use: ['c/eyes', { target: 'a/small', maxOutputTokens: 5 }],
      },
    ]);
    const { candidates, rule } = await router.explain('fast', [image]);
    expect(rule).toBe('vision');
    expect(candidates.map(({ target }) => target)).toEqual(['c/eyes', 'a/small']);
    expect((await router.complete('fast', [image])).target).toBe('c/eyes');
    expect(Object.keys(router.snapshot().targets)).toContain('c/eyes');
  });

  it('apply in order, the first that matches', async () => {
    const { router } = setUp([
      { name: 'long', when: { inputTokens: { above: 100 } }, use: ['c/long'] },
      { name: 'code', when: { matches: '(?i)\\bstack trace\\b' }, use: ['b/code'] },
      { name: 'night', when: { hours: '22:00-06:00', weekdays: ['sat'] }, use: ['a/night'] },
      { name: 'smart', when: { tiers: ['smart'], hours: '06:00-22:00' }, use: 'fast' },
    ]);
    const ruleOf = async (text: string) => (await router.explain('fast', text)).rule;
    expect(await ruleOf('word '.repeat(101))).toBe('long');
    expect(await ruleOf('see the Stack Trace')).toBe('code');
    expect(await ruleOf('hi')).toBe('night');
    const tools = [{ name: 'find', description: 'word '.repeat(100), inputSchema: {} }];
    expect((await router.explain('fast', 'hi', { tools })).rule).toBe('long');
  });

  it('search patterns in the first 8,000 characters', async () => {
    const { router } = setUp([{ name: 'code', when: { matches: 'needle' }, use: ['b/code'] }]);
    const at = async (length: number) =>
      (await router.explain('fast', `${'x'.repeat(length)}needle`)).rule;
    expect(await at(7_994)).toBe('code');
    expect(await at(7_995)).toBeUndefined();
  });

  it('keep the requirements of both tiers, and those of the call', async () => {
    const { router, config } = setUp([{ name: 'up', when: { tiers: ['fast'] }, use: 'smart' }], {
      routing: {
        tiers: {
          fast: { targets: ['a/small'], requires: { noTraining: true } },
          smart: {
            targets: ['a/large', 'b/large'],
            requires: { regions: ['eu'] },
            fallbackTier: 'last',
          },
          last: ['c/last', { target: 'b/last', compliance: { region: 'us' } }],
        },
      },
    });
    const { candidates, skipped } = await router.explain('fast', 'hi');
    expect(candidates.map(({ target }) => target)).toEqual(['b/large']);
    expect(skipped.map(({ target }) => target)).toEqual(['a/large', 'c/last', 'b/last']);
    const direct = await router.explain('smart', 'hi');
    expect(direct.candidates.map(({ target }) => target)).toEqual(['a/large', 'b/large']);
    router.reconfigure({ ...config, rules: [{ name: 'x', when: {}, use: ['a/m', 'c/m', 'b/m'] }] });
    const listed = await router.explain('fast', 'hi');
    expect(listed.candidates.map(({ target }) => target)).toEqual(['b/m']);
  });

  it('name the rule in the error when none of its targets may serve the call', async () => {
    const { router } = setUp([{ name: 'night', when: {}, use: ['c/m'] }]);
    const failing = router.complete('fast', 'hi', { requires: { regions: ['eu'] } });
    await expect(failing).rejects.toThrow(
      'all targets of rule "night" for tier "fast" failed\n  c/m: passed over, it declares no region',
    );
  });

  it('do not switch off a plugin that the tier of the call has', async () => {
    const seen: string[] = [];
    const plugin: Plugin = {
      name: 'policy',
      exceptTiers: ['smart'],
      onRequest(request, { tier }) {
        seen.push(tier);
        return request;
      },
    };
    const rule = { name: 'up', when: { tiers: ['fast', 'smart'] }, use: 'smart' } as const;
    const { router } = setUp([rule], { plugins: [plugin] });
    await router.complete('fast', 'hi');
    await router.complete('smart', 'hi');
    expect(seen).toEqual(['fast']);
  });

  it('keep calls apart that a rule sends elsewhere by their tags', async () => {
    const { router } = setUp([{ name: 'paid', when: { tags: { plan: 'paid' } }, use: 'smart' }]);
    const options = { singleFlight: true };
    const [free, paid] = await Promise.all([
      router.complete('fast', 'hi', options),
      router.complete('fast', 'hi', { ...options, tags: { plan: 'paid' } }),
    ]);
    expect([free.target, paid.target]).toEqual(['a/small', 'b/large']);
  });

  it('use what a tier says of the target that they name', async () => {
    const { router } = setUp(
      [{ name: 'x', when: { tiers: ['fast'] }, use: ['c/known', 'a/large'] }],
      {
        routing: {
          tiers: {
            fast: ['a/small'],
            smart: [{ target: 'c/known', compliance: { region: 'eu' }, system: 'only here' }],
            last: ['c/last'],
          },
        },
      },
    );
    const { target } = await router.complete('fast', 'hi', { requires: { regions: ['eu'] } });
    expect(target).toBe('c/known');
  });

  it('send all batches of embed to one tier, by what they have together', async () => {
    const requests: string[] = [];
    const embedder = (name: string): Provider => ({
      ...fakeProvider(),
      maxEmbeddingBatch: 1,
      prepareEmbedding: ({ values }) => ({
        warnings: [],
        async *send() {
          requests.push(name);
          const usage = { inputTokens: 1, outputTokens: 0, totalTokens: 1 };
          yield [{ type: 'vectors', vectors: values.map(() => [1]) }];
          yield [{ type: 'finish', finishReason: 'stop', usage }];
        },
      }),
    });
    const router = createRouter({
      providers: { a: embedder('a'), b: embedder('b') },
      tiers: { small: ['a/m'], large: ['b/m'] },
      rules: [{ name: 'many', when: { inputTokens: { above: 1_500 } }, use: 'large' }],
    });
    const value = 'word '.repeat(1_000);
    await router.embed('small', value);
    const { tier, target } = await router.embed('small', [value, value]);
    expect([tier, target]).toEqual(['small', 'b/m']);
    expect(requests).toEqual(['a', 'b', 'b']);
  });

  it('are replaced with the configuration', async () => {
    const { router, config } = setUp([{ name: 'all', when: {}, use: 'last' }]);
    expect((await router.complete('fast', 'hi')).target).toBe('c/last');
    router.reconfigure({ ...config, rules: [] });
    expect((await router.complete('fast', 'hi')).target).toBe('a/small');
  });
});
