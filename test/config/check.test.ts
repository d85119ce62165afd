import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { checkCallOptions, drainMsOf, findTier, providerProblems } from '../../src/config/check.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { isSignalboxError } from '../../src/errors.ts';
import type { CallOptions } from '../../src/protocol/call-options.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import { createRouter } from '../../src/router.ts';

const strategies = new Map();

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

describe('checkCallOptions', () => {
  test('returns valid options unchanged', () => {
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

  test('reports every problem with its path and a suggestion', () => {
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
      'maxTokens: unknown option; did you mean "maxOutputTokens"?',
      'providerOptions.opnai: provider "opnai" is not configured; did you mean "openai"?',
      'route.only[0]: provider "opnai" is not configured; did you mean "openai"?',
      'route.order[1]: provider "gogle" is not configured; did you mean "google"?',
    ]);
  });

  test('reports values of the wrong type without throwing a TypeError', () => {
    expect(problemsOf({ route: { only: 'openai' } })).toEqual(['route.only: must be a list']);
    expect(problemsOf({ route: { only: [5] } })).toEqual(['route.only[0]: must be a string']);
    expect(problemsOf({ route: 'openai' })).toHaveLength(1);
    expect(problemsOf({ providerOptions: null })).toHaveLength(1);
  });
});

describe('findTier', () => {
  const config = resolveConfig(
    { tiers: { fast: ['openai/x'], smart: ['openai/y'] } },
    { providers: ['openai', 'google'], strategies },
  );

  test('returns the tier with the given name', () => {
    expect(findTier(config, 'smart').name).toBe('smart');
  });

  test.each([
    ['fats', 'tier: there is no tier "fats"; did you mean "fast"?'],
    ['reasoning', 'tier: there is no tier "reasoning"; there is "fast", "smart"'],
    ['constructor', 'tier: there is no tier "constructor"; there is "fast", "smart"'],
  ])('lists the configured tiers for %s', (name, line) => {
    expect(linesOf(() => findTier(config, name))).toEqual([line]);
  });

  test('reports a problem when the name is undefined', () => {
    const name: unknown = undefined;
    expect(linesOf(() => findTier(config, name as string))).toHaveLength(1);
  });
});

describe('providerProblems', () => {
  const provider: Provider = {
    wire: 'mine',
    capabilities: () => new Set(),
    preload: async () => undefined,
    prepare: () => ({ warnings: [], send: async function* () {} }),
  };

  test('accepts any object with the members of a provider', () => {
    expect(providerProblems({ openai: provider, mine: provider })).toEqual([]);
  });

  test('are reported together with the problems of the routing data', () => {
    const config = { providers: { openai: 1 }, tiers: { fast: ['opnai/x'] } };
    expect(linesOf(() => createRouter(config as never))).toEqual([
      'providers.openai: must be a provider: call its function, such as openai()',
      'tiers.fast.targets[0]: provider "opnai" is not configured; did you mean "openai"?',
    ]);
    expect(() => createRouter(undefined as never)).toThrow('must be an object with providers');
  });

  test.each<[string, unknown, readonly string[]]>([
    ['undefined', undefined, ['providers: must contain at least one provider, such as openai()']],
    ['an empty object', {}, ['providers: must contain at least one provider, such as openai()']],
    [
      'a provider function that was not called',
      { openai: () => provider },
      ['providers.openai: must be a provider: call its function, such as openai()'],
    ],
    [
      'invalid names and values that are not providers',
      { 'a/b': provider, '': provider, c: null, d: {} },
      [
        'providers.a/b: a provider name must not be empty or contain a slash',
        'providers.: a provider name must not be empty or contain a slash',
        'providers.c: must be a provider: call its function, such as openai()',
        'providers.d: must be a provider: call its function, such as openai()',
      ],
    ],
  ])('rejects %s', (_, value, lines) => {
    const resolve = () =>
      resolveConfig(
        { tiers: { fast: ['openai/x'] } },
        { providers: ['openai'], strategies },
        providerProblems(value),
      );
    expect(linesOf(resolve)).toEqual(lines);
  });
});

describe('drainMsOf', () => {
  test('returns drainMs and rejects other options', () => {
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
