import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { checkCallOptions, drainMsOf, findTier, providerProblems } from '../../src/config/check.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { isSignalboxError } from '../../src/errors.ts';
import type { CallOptions } from '../../src/protocol/call-options.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import { createRouter } from '../../src/router.ts';
import { builtInStrategies } from '../../src/routing/strategy.ts';

const strategies = new Map(Object.entries(builtInStrategies));

const providers = new Map(['openai', 'google'].map((name) => [name, {}]));

function linesOf(run: () => unknown): readonly string[] {
  try {
    run();
  } catch (error) {
    if (!isSignalboxError(error, 'config')) throw error;
    return error.message
      .split('\n')
      .slice(1)
      .map((line) => line.trim());
  }
  return [];
}

const problemsOf = (options: object) =>
  linesOf(() => checkCallOptions(options as CallOptions, providers));

describe('the options of a call', () => {
  test('pass when nothing is wrong with them', () => {
    const options: CallOptions = {
      system: 'Be brief',
      maxOutputTokens: 5,
      temperature: 0,
      stop: ['\n'],
      tools: [{ name: 'get_time', inputSchema: z.object({ zone: z.string() }) }],
      toolChoice: { name: 'get_time' },
      schema: { type: 'object' },
      reasoning: { effort: 'high', include: true },
      cache: { ttl: '1h' },
      tags: { feature: 'search' },
      signal: new AbortController().signal,
      timeouts: { totalMs: 1 },
      retry: { attempts: 0 },
      route: { only: ['openai/x'], ignore: ['google'], order: ['openai'] },
      validate: () => true,
      providerOptions: { openai: { store: false } },
      raw: true,
      onUnsupported: 'error',
      transfer: 'unary',
      repairAttempts: 0,
    };
    expect(checkCallOptions(options, providers)).toBe(options);
    expect(checkCallOptions({}, providers)).toEqual({});
  });

  test('are checked all at once, each problem with its path and what may have been meant', () => {
    expect(
      problemsOf({
        temprature: 1,
        maxTokens: 5,
        timeouts: { totlMs: 1 },
        route: { onyl: [], only: ['opnai/gpt'], order: ['google', 'gogle'] },
        providerOptions: { opnai: {} },
        tools: [
          { name: 'has space', inputSchema: {} },
          { name: 'f', inputSchema: 'x' },
        ],
        signal: 'stop',
        validate: true,
      }),
    ).toEqual([
      'signal: must be an AbortSignal',
      'timeouts.totlMs: unknown option; did you mean "totalMs"?',
      'route.onyl: unknown option; did you mean "only"?',
      'tools[0].name: must be 1 to 64 letters, digits, "_" or "-"',
      "tools[1].inputSchema: must be a Standard Schema (such as zod's) or a JSON Schema object",
      'validate: must be a function',
      'temprature: unknown option; did you mean "temperature"?',
      'maxTokens: unknown option',
      'providerOptions.opnai: provider "opnai" is not configured; did you mean "openai"?',
      'route.only[0]: provider "opnai" is not configured; did you mean "openai"?',
      'route.order[1]: provider "gogle" is not configured; did you mean "google"?',
    ]);
  });

  test('of a wrong shape are a problem, not a crash', () => {
    expect(problemsOf({ route: { only: 'openai' } })).toEqual([
      'route.only: Invalid input: expected array, received string',
    ]);
    expect(problemsOf({ route: { only: [5] } })).toEqual([
      'route.only[0]: Invalid input: expected string, received number',
    ]);
    expect(problemsOf({ route: 'openai' })).toHaveLength(1);
    expect(problemsOf({ providerOptions: null })).toHaveLength(1);
  });
});

describe('findTier', () => {
  const config = resolveConfig(
    { tiers: { fast: ['openai/x'], smart: ['openai/y'] } },
    { providers: ['openai', 'google'], strategies },
  );

  test('finds it', () => {
    expect(findTier(config, 'smart').name).toBe('smart');
  });

  test.each([
    ['fats', 'tier: there is no tier "fats"; did you mean "fast"?'],
    ['reasoning', 'tier: there is no tier "reasoning"; there is "fast", "smart"'],
    ['constructor', 'tier: there is no tier "constructor"; there is "fast", "smart"'],
  ])('says which there are instead of %s', (name, line) => {
    expect(linesOf(() => findTier(config, name))).toEqual([line]);
  });

  test('does not crash without a name', () => {
    const name: unknown = undefined;
    expect(linesOf(() => findTier(config, name as string))).toHaveLength(1);
  });
});

describe('the providers', () => {
  const provider: Provider = {
    wire: 'mine',
    capabilities: () => new Set(),
    preload: async () => undefined,
    prepare: () => ({ warnings: [], send: async function* () {} }),
  };

  test('may be anything that has what a provider has', () => {
    expect(providerProblems({ openai: provider, mine: provider })).toEqual([]);
  });

  test('and the rest of the configuration are told of at once', () => {
    const config = { providers: { openai: 1 }, tiers: { fast: ['opnai/x'] } };
    expect(linesOf(() => createRouter(config as never))).toEqual([
      'providers.openai: must be a provider, such as openai(), called with parentheses',
      'tiers.fast.targets[0]: provider "opnai" is not configured; did you mean "openai"?',
    ]);
    expect(() => createRouter(undefined as never)).toThrow('must be an object with providers');
  });

  test.each<[string, unknown, readonly string[]]>([
    ['nothing', undefined, ['providers: at least one provider is needed, such as openai()']],
    ['none', {}, ['providers: at least one provider is needed, such as openai()']],
    [
      'a factory that was not called',
      { openai: () => provider },
      ['providers.openai: must be a provider, such as openai(), called with parentheses'],
    ],
    [
      'bad names and things that are no providers, all at once',
      { 'a/b': provider, '': provider, c: null, d: {} },
      [
        'providers.a/b: a name must not be empty or hold a slash',
        'providers.: a name must not be empty or hold a slash',
        'providers.c: must be a provider, such as openai(), called with parentheses',
        'providers.d: must be a provider, such as openai(), called with parentheses',
      ],
    ],
  ])('cannot be %s', (_, value, lines) => {
    const told = () =>
      resolveConfig(
        { tiers: { fast: ['openai/x'] } },
        { providers: ['openai'], strategies },
        providerProblems(value),
      );
    expect(linesOf(told)).toEqual(lines);
  });
});

describe('the options of close', () => {
  test('say how long to wait, and nothing else', () => {
    expect(drainMsOf()).toBe(0);
    expect(drainMsOf({})).toBe(0);
    expect(drainMsOf({ drainMs: 500 })).toBe(500);
    expect(linesOf(() => drainMsOf({ drainms: 500 }))).toEqual([
      'drainms: unknown option; did you mean "drainMs"?',
    ]);
    expect(() => drainMsOf({ drainMs: -1 })).toThrow('drainMs');
    expect(() => drainMsOf(500)).toThrow('close');
  });
});
