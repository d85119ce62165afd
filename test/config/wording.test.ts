import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { callOptionsSchema } from '../../src/config/option-schemas.ts';
import { knownKeys } from '../../src/config/schema.ts';
import { createRouter, isSignalboxError } from '../../src/index.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';

const providers = { a: fakeProvider() };
const prices = { 'a/m': { input: 1, output: 1 } };
const router = createRouter({ providers, tiers: { t: ['a/m'] }, prices });

async function messageOf(run: () => unknown): Promise<string> {
  try {
    await run();
    return '';
  } catch (error) {
    if (!isSignalboxError(error, 'config')) throw error;
    return error.message;
  }
}

const create = (config: object): Promise<string> =>
  messageOf(() => createRouter({ providers, tiers: { t: ['a/m'] }, ...config } as never));
const call = (options: object): Promise<string> =>
  messageOf(() => router.complete('t', 'hi', options as never));

describe('an option with an old or foreign name', () => {
  it.each<[object, string]>([
    [{ maxTokens: 5 }, 'maxTokens: unknown option; did you mean "maxOutputTokens"?'],
    [{ max_tokens: 5 }, 'max_tokens: unknown option; did you mean "maxOutputTokens"?'],
    [{ timeout: 5 }, 'timeout: unknown option; did you mean "timeouts.totalMs"?'],
    [{ maxRetries: 5 }, 'maxRetries: unknown option; did you mean "retry.attempts"?'],
    [{ retry: { maxAttempts: 5 } }, 'retry.maxAttempts: unknown option; did you mean "attempts"?'],
    [{ retry: { maxRetries: 5 } }, 'retry.maxRetries: unknown option; did you mean "attempts"?'],
    [{ systemPrompt: 'x' }, 'systemPrompt: unknown option; did you mean "system"?'],
    [{ response_format: {} }, 'response_format: unknown option; did you mean "schema"?'],
    [{ abortSignal: 1 }, 'abortSignal: unknown option; did you mean "signal"?'],
    [
      { tools: [{ name: 'x', inputSchema: {}, parameters: {} }] },
      'tools[0].parameters: unknown option; did you mean "inputSchema"?',
    ],
    [{ temprature: 1 }, 'temprature: unknown option; did you mean "temperature"?'],
    [{ strategy: 'priority' }, 'strategy: unknown option; "strategy" is an option of a tier'],
    [{ model: 'gpt' }, 'model: unknown option; "target" is an option of a target'],
    [{ fallbacks: ['x'] }, 'fallbacks: unknown option; "fallbackTier" is an option of a tier'],
  ])('gets advice in a call: %j', async (options, message) => {
    expect(await call(options)).toContain(`\n  ${message}`);
  });

  it.each<[object, string]>([
    [{ max_tokens: 5 }, 'tiers.t.max_tokens: unknown option; did you mean "maxOutputTokens"?'],
    [{ timeout: 5 }, 'tiers.t.timeout: unknown option; did you mean "timeouts.totalMs"?'],
    [{ models: ['a/m'] }, 'tiers.t.models: unknown option; did you mean "targets"?'],
    [{ rpm: 5 }, 'tiers.t.rpm: unknown option; did you mean "limits.rpm"?'],
    [{ schema: {} }, 'tiers.t.schema: unknown option; "schema" is an option of a call'],
    [
      { circuit: { threshold: 5 } },
      'tiers.t.circuit.threshold: unknown option; did you mean "consecutiveFailures"?',
    ],
  ])('gets advice in a tier: %j', async (options, message) => {
    expect(await create({ tiers: { t: { targets: ['a/m'], ...options } } })).toContain(message);
    if ('schema' in options) return;
    expect(await create({ defaults: options })).toContain('unknown option; ');
  });

  it.each<[object, string]>([
    [
      { temperature: 1 },
      'temperature: unknown option; "temperature" is an option of a tier, a target, a call, or defaults',
    ],
    [{ fallbacks: ['x'] }, 'fallbacks: unknown option; "fallbackTier" is an option of a tier'],
    [
      { timeout: 5 },
      'timeout: unknown option; "timeouts.totalMs" is an option of a tier, a call, or defaults',
    ],
    [{ provider: {} }, 'provider: unknown option; did you mean "providers"?'],
  ])('gets advice in a router: %j', async (options, message) => {
    expect(await create(options)).toContain(message);
  });
});

describe('a problem inside an option with alternatives', () => {
  it.each<[object, string]>([
    [{ toolChoice: { name: 5 } }, 'toolChoice.name: must be a string'],
    [
      { toolChoice: 'always' },
      'toolChoice: must be one of "auto", "none", "required", or an object',
    ],
    [{ cache: { ttl: '2h' } }, 'cache.ttl: must be one of "5m", "30m", "1h", "12h"'],
    [{ cache: { tll: '1h' } }, 'cache.tll: unknown option; did you mean "ttl"?'],
    [{ cache: 5 }, 'cache: must be true or false, or an object'],
    [
      { providerOptions: { a: { b: [1, { c: () => 1 }] } } },
      'providerOptions.a.b[1].c: must be JSON',
    ],
  ])('has its whole path: %j', async (options, message) => {
    expect(await call(options)).toBe(`invalid options\n  ${message}`);
    const inTier = await create({ tiers: { t: { targets: ['a/m'], ...options } } });
    expect(inTier).toBe(`invalid configuration\n  tiers.t.${message}`);
  });
});

describe('the messages about invalid options', () => {
  const foreign =
    /Invalid (?:input|option|key|element)|\b(?:expected|received|Unrecognized)\b|Too (?:big|small)|>=|<=/;
  const anything = fc.oneof(
    fc.anything({ maxDepth: 2, withBigInt: true, withDate: true }),
    fc.constantFrom<unknown>(null, '', -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, () => 1),
  );
  const tierKeys = knownKeys(['tiers', 't']);
  const routerKeys = knownKeys([]);
  const callKeys = Object.keys(callOptionsSchema().shape);
  const groups = tierKeys.flatMap((key) =>
    knownKeys(['tiers', 't', key]).map((each) => [key, each]),
  );

  it('are in plain words for any value of any option', async () => {
    await fc.assert(
      fc.asyncProperty(
        anything,
        fc.constantFrom(...tierKeys),
        fc.constantFrom(...routerKeys),
        fc.constantFrom(...callKeys),
        fc.constantFrom(...groups),
        async (value, tierKey, routerKey, callKey, [group = '', field = '']) => {
          const tier = (options: object) => ({ tiers: { t: { targets: ['a/m'], ...options } } });
          const messages = await Promise.all([
            create(tier({ [tierKey]: value })),
            create(tier({ [group]: { [field]: value } })),
            create({ tiers: { t: [{ target: 'a/m', prices: value, limits: value }] } }),
            create({ [routerKey]: value }),
            call({ [callKey]: value }),
            messageOf(() => router.close({ drainMs: value, other: 1 } as never)),
            messageOf(() => router.drill({ tier: 't', fault: value, forMs: value } as never)),
          ]);
          for (const message of messages)
            expect(message.replaceAll(/"[^"]*"/g, '""')).not.toMatch(foreign);
        },
      ),
      { seed: 7, numRuns: 400 },
    );
  });
});
