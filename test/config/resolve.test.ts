import { describe, expect, test } from 'vitest';
import { defaults } from '../../src/config/defaults.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { isSignalboxError } from '../../src/errors.ts';
import { builtInStrategies } from '../../src/routing/strategy.ts';

const known = {
  providers: ['openai', 'anthropic', 'google'],
  strategies: new Map(),
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
  throw new Error('the configuration was accepted');
}

const fast = ['openai/gpt'];

describe('resolveConfig reports', () => {
  test.each<[string, unknown, readonly string[]]>([
    ['no tiers', {}, ['tiers: must be an object of tiers by name']],
    ['an empty object of tiers', { tiers: {} }, ['tiers: must contain at least one tier']],
    [
      'a tier without targets',
      { tiers: { fast: [] } },
      ['tiers.fast.targets: must contain at least one target'],
    ],
    [
      'a target without a slash',
      { tiers: { fast: ['gpt'] } },
      ['tiers.fast.targets[0]: must be "<provider>/<model>", such as "openai/gpt-5.4-mini"'],
    ],
    [
      'a provider that is not configured',
      { tiers: { fast: ['openai/gpt', 'opnai/gpt'] } },
      ['tiers.fast.targets[1]: provider "opnai" is not configured; did you mean "openai"?'],
    ],
    [
      'an unknown provider without a similar name',
      { tiers: { fast: ['mistral-eu/x'] } },
      [
        'tiers.fast.targets[0]: provider "mistral-eu" is not configured; there is "openai", "anthropic", "google"',
      ],
    ],
    [
      'validators that cannot be used',
      {
        tiers: {
          fast: { targets: fast, validators: { minLenght: 3, pattern: '(?<=a)b' } },
          smart: { targets: fast, validators: { jsonSchema: { type: 'strin' } } },
        },
        defaults: { validators: { minLength: 0, pattern: '(' } },
      },
      [
        'tiers.fast.validators.pattern: not a regular expression in RE2 syntax: invalid named capture: `(?<=a)b`',
        'tiers.fast.validators.minLenght: unknown option; did you mean "minLength"?',
        'tiers.smart.validators.jsonSchema: not a JSON Schema that can be checked: Unsupported type: strin',
        'defaults.validators.minLength: must be more than 0',
        'defaults.validators.pattern: not a regular expression in RE2 syntax: missing closing ): `(`',
      ],
    ],
    [
      'fallbacks with unknown codes, providers and names',
      {
        tiers: {
          fast: {
            targets: fast,
            fallbacks: {
              contextlength: ['openai/x'],
              context_length: ['gpt', 'opnai/x'],
              refusal: [],
              aborted: ['openai/x'],
            },
          },
        },
      },
      [
        'tiers.fast.fallbacks.context_length[0]: must be "<provider>/<model>", such as "openai/gpt-5.4-mini"',
        'tiers.fast.fallbacks.refusal: must contain at least one target',
        'tiers.fast.fallbacks.contextlength: unknown option; did you mean "context_length"?',
        'tiers.fast.fallbacks.aborted: unknown option',
        'tiers.fast.fallbacks.context_length[1]: provider "opnai" is not configured; did you mean "openai"?',
      ],
    ],
    [
      'limits of slow answers that are no limits',
      { tiers: { fast: { targets: fast, slowMs: 0, minTokensPerSecond: -1, slowMS: 5 } } },
      [
        'tiers.fast.slowMs: must be more than 0',
        'tiers.fast.minTokensPerSecond: must be more than 0',
        'tiers.fast.slowMS: unknown option; did you mean "slowMs"?',
      ],
    ],
    [
      'a fallbackTier that does not exist',
      { tiers: { fast, smart: { targets: fast, fallbackTier: 'fats' } } },
      ['tiers.smart.fallbackTier: there is no tier "fats"; did you mean "fast"?'],
    ],
    [
      'a fallbackTier that is the tier itself',
      { tiers: { fast: { targets: fast, fallbackTier: 'fast' } } },
      [
        'tiers.fast.fallbackTier: fallbackTier must not form a cycle; remove it from one of these tiers',
      ],
    ],
    [
      'a fallbackTier cycle, but not the tier that leads into it',
      {
        tiers: {
          a: { targets: fast, fallbackTier: 'b' },
          b: { targets: fast, fallbackTier: 'c' },
          c: { targets: fast, fallbackTier: 'b' },
        },
      },
      [
        'tiers.b.fallbackTier: fallbackTier must not form a cycle; remove it from one of these tiers',
        'tiers.c.fallbackTier: fallbackTier must not form a cycle; remove it from one of these tiers',
      ],
    ],
    [
      'a misspelled top-level option',
      { tiers: { fast }, tagz: {} },
      ['tagz: unknown option; did you mean "tags"?'],
    ],
    [
      'a misspelled option of a tier',
      { tiers: { fast: { targets: fast, stratgy: 'cheapest' } } },
      ['tiers.fast.stratgy: unknown option; did you mean "strategy"?'],
    ],
    [
      'a misspelled option of a target',
      { tiers: { fast: [{ target: 'openai/gpt', maxTokens: 5, temprature: 1 }] } },
      [
        'tiers.fast.targets[0].maxTokens: unknown option; did you mean "maxOutputTokens"?',
        'tiers.fast.targets[0].temprature: unknown option; did you mean "temperature"?',
      ],
    ],
    [
      'a misspelled timeout',
      { tiers: { fast }, defaults: { timeouts: { totlMs: 5 } } },
      ['defaults.timeouts.totlMs: unknown option; did you mean "totalMs"?'],
    ],
    [
      'a strategy that does not exist',
      { tiers: { fast: { targets: fast, strategy: 'random' } } },
      [
        'tiers.fast.strategy: strategy "random" is not defined; there is "priority", "weighted", "round-robin", "least-busy", "cheapest", "fastest", "balanced"',
      ],
    ],
    [
      'a price without a provider, and one for a provider that is not configured',
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
    ['a configuration that is null', null, ['configuration: must be an object']],
  ])('%s', (_, routing, expected) => {
    expect(problemsOf(routing)).toEqual(expected);
  });

  test('unknown names and wrong types in one error', () => {
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

  test('the number of problems in the title', () => {
    expect(() => resolve({ tiers: {}, extra: 1 })).toThrow('invalid configuration (2 problems)\n');
    expect(() => resolve({ tiers: {} })).toThrow(/^invalid configuration\n/);
  });
});

describe('a resolved tier', () => {
  test('has the defaults when nothing is set', () => {
    const { tiers, tags, providerLimits } = resolve({ tiers: { fast } });
    expect(tiers.get('fast')).toEqual({
      name: 'fast',
      targets: [
        {
          id: 'openai/gpt',
          provider: 'openai',
          model: 'gpt',
          tier: 'fast',
          weight: 1,
          limits: {},
          tags: {},
          options: {},
        },
      ],
      strategy: { name: 'priority', strategy: builtInStrategies.priority() },
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

  test('merges its options over `defaults`', () => {
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

  test('resolves fallbacks with the call defaults of the tier, and keeps them out of its options', () => {
    const { tiers } = resolve({
      tiers: {
        fast: {
          targets: fast,
          temperature: 0.5,
          slowMs: 5_000,
          fallbacks: { context_length: ['google/large'], refusal: ['openai/gpt'] },
          validators: { minLength: 3 },
        },
        slow: fast,
      },
      defaults: { slowMs: 9_000, minTokensPerSecond: 5, validators: { pattern: 'a' } },
    });
    expect(tiers.get('fast')).toMatchObject({
      slowMs: 5_000,
      minTokensPerSecond: 5,
      validators: { minLength: 3 },
      fallbacks: {
        context_length: [
          { id: 'google/large', tier: 'fast', limits: {}, options: { temperature: 0.5 } },
        ],
        refusal: [{ id: 'openai/gpt' }],
      },
    });
    expect(tiers.get('fast')?.targets[0]?.options).toEqual({ temperature: 0.5 });
    const pattern = tiers.get('slow')?.validators?.pattern;
    expect(pattern?.compiled.test('cab')).toBe(true);
    expect(tiers.get('slow')).toMatchObject({ slowMs: 9_000 });
    expect(tiers.get('slow')).not.toHaveProperty('fallbacks');
  });

  test('keeps the order of targets given as strings and objects', () => {
    const { tiers } = resolve({
      tiers: { fast: ['google/a', { target: 'openai/b/c', contextWindow: 5 }] },
    });
    expect(tiers.get('fast')?.targets).toMatchObject([
      { id: 'google/a', provider: 'google', model: 'a' },
      { id: 'openai/b/c', provider: 'openai', model: 'b/c', contextWindow: 5 },
    ]);
  });
});

describe('call options of a target', () => {
  test('merge the target over the tier over `defaults`', () => {
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

  test('contain no tier or target settings', () => {
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

  test('ignore undefined values', () => {
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

test('a price of a target overrides `prices`', () => {
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

test('every default is a valid configuration value', () => {
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
