import { describe, expect, expectTypeOf, test } from 'vitest';
import type { z } from 'zod';
import { callOptionsSchema } from '../../src/config/option-schemas.ts';
import {
  attemptErrorCodes,
  knownCallKeys,
  knownKeys,
  type RoutingInput,
  routingSchema,
  type TargetInput,
  type TierInput,
} from '../../src/config/schema.ts';
import { failureTable } from '../../src/engine/failures/decide.ts';
import type { CallOptions } from '../../src/protocol/call-options.ts';
import type {
  RoutingConfig,
  TargetObject,
  TierObject,
  TierSettings,
} from '../../src/protocol/config.ts';
import type { AttemptErrorCode } from '../../src/protocol/error-code.ts';

describe('the schema and the types', () => {
  test('have the same error codes', () => {
    expectTypeOf<(typeof attemptErrorCodes)[number]>().toEqualTypeOf<AttemptErrorCode>();
    expect(new Set(attemptErrorCodes)).toEqual(new Set(Object.keys(failureTable)));
    expect(new Set(attemptErrorCodes).size).toBe(attemptErrorCodes.length);
  });

  test('have the same options', () => {
    expectTypeOf<keyof z.output<ReturnType<typeof callOptionsSchema>>>().toEqualTypeOf<
      keyof CallOptions
    >();
    expectTypeOf<keyof TierInput>().toEqualTypeOf<keyof TierObject>();
    expectTypeOf<keyof TargetInput>().toEqualTypeOf<keyof TargetObject>();
    expectTypeOf<keyof RoutingInput>().toEqualTypeOf<keyof RoutingConfig>();
    expectTypeOf<keyof NonNullable<RoutingInput['defaults']>>().toEqualTypeOf<keyof TierSettings>();
    expect(Object.keys(routingSchema.shape)).toContain('tiers');
  });
});

describe('suggestions for an unknown option', () => {
  test.each<[readonly PropertyKey[], string]>([
    [[], 'tiers'],
    [[], 'providers'],
    [[], 'runtime'],
    [['defaults'], 'strategy'],
    [['defaults', 'timeouts'], 'totalMs'],
    [['tiers', 'fast'], 'fallbackTier'],
    [['tiers', 'fast'], 'temperature'],
    [['tiers', 'fast', 'retry'], 'attempts'],
    [['tiers', 'fast', 'circuit'], 'openMs'],
    [['tiers', 'fast', 'targets', 0], 'contextWindow'],
    [['tiers', 'fast', 'targets', 0, 'limits'], 'concurrency'],
    [['tiers', 'fast', 'targets', 0, 'prices'], 'cachedInput'],
    [['prices', 'openai/x'], 'output'],
    [['providerLimits', 'openai'], 'concurrency'],
  ])('at %j include %s', (path, option) => {
    expect(knownKeys(path)).toContain(option);
  });

  test('in a call are call options only', () => {
    expect(knownCallKeys(callOptionsSchema().shape, [])).toContain('signal');
    expect(knownCallKeys(callOptionsSchema().shape, ['route'])).toEqual([
      'only',
      'ignore',
      'order',
    ]);
    expect(knownCallKeys(callOptionsSchema().shape, ['reasoning'])).toContain('budgetTokens');
    expect(knownCallKeys(callOptionsSchema().shape, ['tools', 0])).toContain('inputSchema');
    expect(knownCallKeys(callOptionsSchema().shape, ['tools'])).toEqual([]);
  });
});
