import { describe, expect, test } from 'vitest';
import { defaults } from '../../src/config/defaults.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { isSignalboxError } from '../../src/errors.ts';
import { builtInStrategies } from '../../src/routing/strategy.ts';

const known = {
  providers: ['openai', 'anthropic', 'google'],
  strategies: new Map(Object.entries(builtInStrategies)),
};

function resolve(routing: unknown) {
  return resolveConfig(routing, known);
}

/** The lines of the error, without its title. */
function problemsOf(routing: unknown): readonly string[] {
  try {
    resolve(routing);
  } catch (error) {
    if (!isSignalboxError(error, 'config')) throw error;
    return error.message
      .split('\n')
      .slice(1)
      .map((line) => line.trim());
  }
  throw new Error('the configuration was taken');
}

const fast = ['openai/gpt'];

describe('problems', () => {
  test.each<[string, unknown, readonly string[]]>([
    ['no tiers', {}, ['tiers: must be an object with a tier under each name']],
    ['an empty table of tiers', { tiers: {} }, ['tiers: at least one tier is needed']],
    [
      'a tier without targets',
      { tiers: { fast: [] } },
      ['tiers.fast.targets: a tier needs at least one target'],
    ],
    [
      'a target that is no target',
      { tiers: { fast: ['gpt'] } },
      ['tiers.fast.targets[0]: must be "<provider>/<model>", such as "openai/gpt-5.4-mini"'],
    ],
    [
      'a provider that is not configured',
      { tiers: { fast: ['openai/gpt', 'opnai/gpt'] } },
      ['tiers.fast.targets[1]: provider "opnai" is not configured; did you mean "openai"?'],
    ],
    [
      'a provider nothing is near to',
      { tiers: { fast: ['mistral-eu/x'] } },
      [
        'tiers.fast.targets[0]: provider "mistral-eu" is not configured; there is "openai", "anthropic", "google"',
      ],
    ],
    [
      'a tier to fall back to that is not there',
      { tiers: { fast, smart: { targets: fast, fallbackTier: 'fats' } } },
      ['tiers.smart.fallbackTier: there is no tier "fats"; did you mean "fast"?'],
    ],
    [
      'a tier that falls back to itself',
      { tiers: { fast: { targets: fast, fallbackTier: 'fast' } } },
      ['tiers.fast.fallbackTier: the fallback tiers lead in a circle; end the chain somewhere'],
    ],
    [
      'a circle of tiers, told where it closes and not where it is entered',
      {
        tiers: {
          a: { targets: fast, fallbackTier: 'b' },
          b: { targets: fast, fallbackTier: 'c' },
          c: { targets: fast, fallbackTier: 'b' },
        },
      },
      [
        'tiers.b.fallbackTier: the fallback tiers lead in a circle; end the chain somewhere',
        'tiers.c.fallbackTier: the fallback tiers lead in a circle; end the chain somewhere',
      ],
    ],
    [
      'a misspelt option at the top',
      { tiers: { fast }, tagz: {} },
      ['tagz: unknown option; did you mean "tags"?'],
    ],
    [
      'a misspelt option of a tier',
      { tiers: { fast: { targets: fast, stratgy: 'cheapest' } } },
      ['tiers.fast.stratgy: unknown option; did you mean "strategy"?'],
    ],
    [
      'a misspelt option of a target',
      { tiers: { fast: [{ target: 'openai/gpt', maxTokens: 5, temprature: 1 }] } },
      [
        'tiers.fast.targets[0].maxTokens: unknown option',
        'tiers.fast.targets[0].temprature: unknown option; did you mean "temperature"?',
      ],
    ],
    [
      'a misspelt clock',
      { tiers: { fast }, defaults: { timeouts: { totlMs: 5 } } },
      ['defaults.timeouts.totlMs: unknown option; did you mean "totalMs"?'],
    ],
    [
      'a strategy that does not exist',
      { tiers: { fast: { targets: fast, strategy: 'random' } } },
      ['tiers.fast.strategy: strategy "random" is not defined; there is "priority", "cheapest"'],
    ],
    [
      'a price for no target, and one for a provider that is not configured',
      {
        tiers: { fast },
        prices: { gpt: { input: 1, output: 1 }, 'opnai/x': { input: 1, output: 1 } },
      },
      [
        'prices.gpt: must be "<provider>/<model>"',
        'prices.opnai/x: provider "opnai" is not configured; did you mean "openai"?',
      ],
    ],
    [
      'limits and options for providers that are not configured',
      {
        tiers: {
          fast: {
            targets: [{ target: 'openai/x', providerOptions: { z1: {} } }],
            providerOptions: { z2: {} },
          },
        },
        defaults: { providerOptions: { z3: {} } },
        providerLimits: { gogle: { concurrency: 1 } },
      },
      [
        expect.stringContaining('tiers.fast.targets[0].providerOptions.z1: provider "z1"'),
        expect.stringContaining('tiers.fast.providerOptions.z2: provider "z2"'),
        expect.stringContaining('defaults.providerOptions.z3: provider "z3"'),
        'providerLimits.gogle: provider "gogle" is not configured; did you mean "google"?',
      ],
    ],
    [
      'a configuration that is none',
      null,
      ['configuration: Invalid input: expected object, received null'],
    ],
  ])('%s', (_, routing, expected) => {
    expect(problemsOf(routing)).toEqual(expected);
  });

  test('are listed all at once, those of names even where the shape is wrong too', () => {
    const problems = problemsOf({
      tiers: {
        fast: { targets: ['opnai/gpt', 7], temperature: 'hot', maxAttempts: 0 },
        slow: { targets: fast, fallbackTier: 'nowhere', timeouts: { idleMs: -1 } },
      },
      defaults: { repairAttempts: 1.5 },
      extra: true,
    });
    expect(problems.map((line) => line.split(':')[0])).toEqual([
      'tiers.fast.temperature',
      'tiers.fast.maxAttempts',
      'tiers.fast.targets[1]',
      'tiers.slow.timeouts.idleMs',
      'defaults.repairAttempts',
      'extra',
      'tiers.fast.targets[0]',
      'tiers.slow.fallbackTier',
    ]);
  });

  test('are counted in the title', () => {
    expect(() => resolve({ tiers: {}, extra: 1 })).toThrow('invalid configuration (2 problems)\n');
    expect(() => resolve({ tiers: {} })).toThrow(/^invalid configuration\n/);
  });
});

describe('a tier', () => {
  test('that says nothing gets the defaults', () => {
    const { tiers, tags, providerLimits } = resolve({ tiers: { fast } });
    expect(tiers.get('fast')).toEqual({
      name: 'fast',
      targets: [
        {
          id: 'openai/gpt',
          provider: 'openai',
          model: 'gpt',
          tier: 'fast',
          limits: {},
          tags: {},
          options: {},
        },
      ],
      strategy: { name: 'priority', strategy: builtInStrategies.priority },
      fallbackOn: [],
      midStream: 'fail',
      singleFlight: false,
      timeouts: {},
      retry: {},
      maxAttempts: 6,
      circuit: defaults.circuit,
      vectors: 'same-model',
      whenAllOpen: 'try-least-bad',
      limits: {},
      tags: {},
    });
    expect(tags).toEqual({});
    expect(providerLimits).toEqual({});
  });

  test('gets what stands in the defaults for all, and its own over it', () => {
    const { tiers } = resolve({
      tiers: {
        fast: {
          targets: fast,
          maxAttempts: 2,
          timeouts: { totalMs: 1_000 },
          retry: { attempts: 0 },
          circuit: { openMs: 100 },
          tags: { a: 'tier' },
        },
        slow: fast,
      },
      defaults: {
        strategy: 'cheapest',
        fallbackOn: ['refusal'],
        midStream: 'restart',
        maxAttempts: 9,
        whenAllOpen: 'fail-fast',
        timeouts: { totalMs: 5_000, idleMs: 50 },
        retry: { attempts: 4, minMs: 1 },
        circuit: { openMs: 7, window: 3 },
        limits: { concurrency: 5 },
        tags: { a: 'all', b: 'all' },
      },
    });
    const all = {
      strategy: { name: 'cheapest' },
      fallbackOn: ['refusal'],
      midStream: 'restart',
      whenAllOpen: 'fail-fast',
      limits: { concurrency: 5 },
    };
    expect(tiers.get('fast')).toMatchObject({
      ...all,
      maxAttempts: 2,
      timeouts: { totalMs: 1_000, idleMs: 50 },
      retry: { attempts: 0, minMs: 1 },
      circuit: { ...defaults.circuit, openMs: 100, window: 3, minimumCalls: 3 },
      tags: { a: 'tier', b: 'all' },
    });
    expect(tiers.get('slow')).toMatchObject({ ...all, maxAttempts: 9, tags: { a: 'all' } });
  });

  test('may be a list or an object, and keeps its order', () => {
    const { tiers } = resolve({
      tiers: { fast: ['google/a', { target: 'openai/b/c', contextWindow: 5 }] },
    });
    expect(tiers.get('fast')?.targets).toMatchObject([
      { id: 'google/a', provider: 'google', model: 'a' },
      { id: 'openai/b/c', provider: 'openai', model: 'b/c', contextWindow: 5 },
    ]);
  });
});

describe('options of a call', () => {
  test('are layered: those of the target over the tier’s over those for all', () => {
    const { tiers } = resolve({
      tiers: {
        fast: {
          targets: [
            {
              target: 'openai/a',
              temperature: 0.3,
              providerOptions: { openai: { layer: 'target' } },
            },
            'openai/b',
          ],
          temperature: 0.2,
          topP: 0.2,
          providerOptions: { google: { layer: 'tier' } },
        },
      },
      defaults: {
        temperature: 0.1,
        topP: 0.1,
        seed: 1,
        providerOptions: { openai: { layer: 'all' }, google: { layer: 'all' } },
      },
    });
    const [a, b] = tiers.get('fast')?.targets ?? [];
    expect(a?.options).toEqual({
      temperature: 0.3,
      topP: 0.2,
      seed: 1,
      providerOptions: { openai: { layer: 'target' }, google: { layer: 'tier' } },
    });
    expect(b?.options).toEqual({
      temperature: 0.2,
      topP: 0.2,
      seed: 1,
      providerOptions: { openai: { layer: 'all' }, google: { layer: 'tier' } },
    });
  });

  test('hold no settings of the router', () => {
    const { tiers } = resolve({
      tiers: {
        fast: {
          targets: [
            {
              target: 'openai/a',
              contextWindow: 1,
              prices: { input: 1, output: 1 },
              limits: {},
              tags: {},
              transfer: 'unary',
            },
          ],
          fallbackTier: 'slow',
          timeouts: {},
          retry: {},
          circuit: {},
          limits: {},
          tags: {},
          maxAttempts: 1,
        },
        slow: fast,
      },
    });
    expect(tiers.get('fast')?.targets[0]?.options).toEqual({ transfer: 'unary' });
  });

  test('that are undefined hide nothing', () => {
    const { tiers } = resolve({
      tiers: {
        fast: {
          targets: [{ target: 'openai/a', temperature: undefined }],
          temperature: undefined,
          timeouts: { totalMs: undefined },
          circuit: { openMs: undefined },
          retry: { attempts: undefined },
          maxAttempts: undefined,
        },
      },
      defaults: { temperature: 0.1, timeouts: { totalMs: 5 }, retry: { attempts: 2 } },
    });
    const tier = tiers.get('fast');
    expect(tier?.targets[0]?.options).toEqual({ temperature: 0.1 });
    expect(tier).toMatchObject({
      timeouts: { totalMs: 5 },
      retry: { attempts: 2 },
      circuit: defaults.circuit,
      maxAttempts: 6,
    });
  });
});

test('the price of a target wins over the list of prices', () => {
  const { tiers } = resolve({
    tiers: {
      fast: [{ target: 'openai/a', prices: { input: 1, output: 2 } }, 'openai/b', 'openai/c'],
    },
    prices: { 'openai/a': { input: 9, output: 9 }, 'openai/b': { input: 3, output: 4 } },
  });
  expect(tiers.get('fast')?.targets.map(({ price }) => price)).toEqual([
    { input: 1, output: 2 },
    { input: 3, output: 4 },
    undefined,
  ]);
});

test('every default is valid in a configuration', () => {
  const { strategy, transfer, midStream, whenAllOpen, onUnsupported, circuit } = defaults;
  const { maxAttempts, repairAttempts, connectMs, firstTokenMs, idleMs, totalMs } = defaults;
  const timeouts = { connectMs, firstTokenMs, idleMs, totalMs };
  const all = { strategy, transfer, midStream, whenAllOpen, onUnsupported, circuit, timeouts };
  const { tiers } = resolve({ tiers: { fast }, defaults: { ...all, maxAttempts, repairAttempts } });
  expect(tiers.get('fast')).toMatchObject({
    strategy: { name: strategy },
    midStream,
    circuit,
    timeouts,
  });
});
