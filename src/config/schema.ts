import * as z from 'zod';
import type { ModelCapability } from '../protocol/config.ts';
import type { Tool } from '../protocol/request.ts';
import { isHours, isTimeZone } from '../routing/rules.ts';
import { budgetKeys, budgets } from './budget-schema.ts';
import type { Home } from './habits.ts';
import { jsonSchemaProblem, patternProblem } from './validators.ts';

/** Error codes that a tier may list in `fallbackOn`. A test compares them with the type. */
export const attemptErrorCodes = [
  'connection',
  'server_error',
  'overloaded',
  'conflict',
  'rate_limited',
  'quota_exhausted',
  'auth',
  'permission',
  'model_not_found',
  'timeout',
  'context_length',
  'request_too_large',
  'content_filter',
  'refusal',
  'unsupported',
  'invalid_request',
  'invalid_response',
  'stream_interrupted',
  'invalid_output',
  'aborted',
] as const;

const count = z.int().nonnegative();
export const positive = z.int().positive();
const milliseconds = z.number().positive();
const dollars = z.number().nonnegative();
export const tags = z.record(z.string(), z.string().optional());
const jsonObject = z.record(z.string(), z.json());

const price = z.strictObject({
  input: dollars,
  cachedInput: dollars.optional(),
  cacheWrite: dollars.optional(),
  output: dollars,
});

const limits = z.strictObject({
  concurrency: positive.optional(),
  rpm: positive.optional(),
  tpm: positive.optional(),
  maxQueue: count.optional(),
  maxQueueMs: milliseconds.optional(),
});

export const timeouts = z.strictObject({
  connectMs: milliseconds.optional(),
  firstTokenMs: milliseconds.optional(),
  idleMs: milliseconds.optional(),
  totalMs: milliseconds.optional(),
});

export const retry = z.strictObject({
  attempts: count.optional(),
  minMs: milliseconds.optional(),
  maxMs: milliseconds.optional(),
});

const reasoning = z.strictObject({
  effort: z.enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']).optional(),
  budgetTokens: positive.optional(),
  include: z.boolean().optional(),
});

const circuit = z.strictObject({
  consecutiveFailures: positive.optional(),
  failureRate: z.number().gt(0).max(1).optional(),
  window: positive.optional(),
  minimumCalls: positive.optional(),
  openMs: milliseconds.optional(),
  maxOpenMs: milliseconds.optional(),
  successesToClose: positive.optional(),
});

const hedge = z
  .strictObject({
    afterMs: milliseconds.optional(),
    percentile: z.number().gt(0).lt(100).optional(),
    maxExtra: z.number().positive().optional(),
  })
  .refine(
    ({ afterMs, percentile }) => (afterMs === undefined) !== (percentile === undefined),
    'must set either afterMs or percentile',
  );

export const cacheHint = z.union([
  z.boolean(),
  z.strictObject({ ttl: z.enum(['5m', '30m', '1h', '12h']).optional() }),
]);

const transfer = z.enum(['stream', 'unary']).optional();

export const callDefaults = {
  system: z.string().optional(),
  maxOutputTokens: positive.optional(),
  temperature: z.number().min(0).optional(),
  topP: z.number().min(0).max(1).optional(),
  topK: positive.optional(),
  frequencyPenalty: z.number().optional(),
  presencePenalty: z.number().optional(),
  stop: z.array(z.string().min(1)).optional(),
  seed: z.int().optional(),
  toolChoice: z
    .union([z.enum(['auto', 'none', 'required']), z.strictObject({ name: z.string() })])
    .optional(),
  parallelToolCalls: z.boolean().optional(),
  reasoning: reasoning.optional(),
  cache: cacheHint.optional(),
  userId: z.string().optional(),
  onUnsupported: z.enum(['warn', 'error', 'skip-target']).optional(),
  providerOptions: z.record(z.string(), jsonObject.optional()).optional(),
  priority: z.enum(['high', 'normal', 'low']).optional(),
  transfer,
  wire: transfer,
  repairAttempts: count.optional(),
};

export const requires = z.strictObject({
  maxEstimatedUsd: dollars.optional(),
  regions: z.array(z.string().min(1)).min(1).optional(),
  zeroRetention: z.boolean().optional(),
  noTraining: z.boolean().optional(),
  p95FirstTokenMs: milliseconds.optional(),
  p95TotalMs: milliseconds.optional(),
  minQuality: z.number().min(0).max(1).optional(),
});

const compliance = z.strictObject({
  region: z.string().optional(),
  zeroRetention: z.boolean().optional(),
  noTraining: z.boolean().optional(),
});

const share = z.number().nonnegative();

/** Refines a value by what `problem` says of it. */
function without<Value>(problem: (value: Value) => string | undefined) {
  return (value: Value, context: z.RefinementCtx): void => {
    const message = problem(value);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  };
}

/** Longer ones take long for each character of a text. */
const maxPatternLength = 1_000;

const validators = z.strictObject({
  minLength: positive.optional(),
  pattern: z.string().min(1).max(maxPatternLength).superRefine(without(patternProblem)).optional(),
  jsonSchema: jsonObject.superRefine(without(jsonSchemaProblem)).optional(),
});

const targetName = z
  .string()
  .regex(/^[^/]+\/.+$/, 'must be "<provider>/<model>", such as "openai/gpt-5.4-mini"');

const targetNames = z.array(targetName).min(1, 'must contain at least one target').optional();

/** An aborted call tries no other target. */
const fallbackCodes = attemptErrorCodes.filter((code) => code !== 'aborted');

const fallbacks = z.strictObject(
  Object.fromEntries(fallbackCodes.map((code) => [code, targetNames])) as Record<
    (typeof fallbackCodes)[number],
    typeof targetNames
  >,
);

const strategyObject = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.enum(['priority', 'weighted', 'round-robin', 'least-busy', 'cheapest']),
  }),
  z.strictObject({ type: z.literal('fastest'), by: z.enum(['first-token', 'total']).optional() }),
  z.strictObject({
    type: z.literal('balanced'),
    cost: share.optional(),
    latency: share.optional(),
    failure: share.optional(),
  }),
]);

const tierSettings = {
  ...callDefaults,
  strategy: z.union([z.string(), strategyObject]).optional(),
  fallbackOn: z.array(z.enum(attemptErrorCodes)).optional(),
  validators: validators.optional(),
  midStream: z.enum(['fail', 'restart', 'continue']).optional(),
  hedge: hedge.optional(),
  singleFlight: z.boolean().optional(),
  timeouts: timeouts.optional(),
  retry: retry.optional(),
  maxAttempts: positive.optional(),
  circuit: circuit.optional(),
  slowMs: milliseconds.optional(),
  minTokensPerSecond: z.number().positive().optional(),
  vectors: z.enum(['same-model', 'any']).optional(),
  whenAllOpen: z.enum(['try-least-bad', 'fail-fast']).optional(),
  requires: requires.optional(),
  limits: limits.optional(),
  tags: tags.optional(),
};

const date = z.iso.date('must be a date, such as "2026-11-30"');

const modelCapabilities = [
  'vision',
  'audio',
  'files',
  'tools',
  'structured-output',
  'prefill',
] as const satisfies readonly ModelCapability[];

/** What a target can say of its model. It wins over what providers and lists say, field by field. */
const modelFacts = {
  contextWindow: positive.optional(),
  outputLimit: positive.optional(),
  capabilities: z.array(z.enum(modelCapabilities)).optional(),
  retirementDate: date.optional(),
};

const targetObject = z.strictObject({
  ...callDefaults,
  target: targetName,
  ...modelFacts,
  family: z.string().min(1).optional(),
  weight: share.optional(),
  prices: price.optional(),
  compliance: compliance.optional(),
  limits: limits.optional(),
  tags: tags.optional(),
});

/** `provider/model` as a string, or an object with settings; always parsed to an object. */
export const target = z.preprocess(
  (value) => (typeof value === 'string' ? { target: value } : value),
  targetObject,
);

export const tier = z.preprocess(
  (value) => (Array.isArray(value) ? { targets: value } : value),
  z.strictObject(
    {
      ...tierSettings,
      targets: z.array(target).min(1, 'must contain at least one target'),
      fallbackTier: z.string().optional(),
      fallbacks: fallbacks.optional(),
    },
    'must be a list of targets, or an object with "targets"',
  ),
);

const prices = z.record(z.string(), price);

/** The document of a separate source of prices. */
export const pricesSchema = z.strictObject({ prices, pricesDate: date.optional() });
const conditions = z.strictObject({
  tiers: z.array(z.string()).min(1).optional(),
  tags: tags.optional(),
  inputTokens: z
    .strictObject({ above: count.optional(), below: positive.optional() })
    .refine(
      ({ above = -1, below = Number.POSITIVE_INFINITY }) => below > above + 1,
      'can never match: there is no number above the one and below the other',
    )
    .optional(),
  tools: z.boolean().optional(),
  images: z.boolean().optional(),
  files: z.boolean().optional(),
  schema: z.boolean().optional(),
  matches: z.string().min(1).max(1_000).optional(),
  hours: z
    .string()
    .refine(isHours, 'must be two different times, such as "08:00-18:00" or "22:00-06:00"')
    .optional(),
  weekdays: z
    .array(z.enum(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']))
    .min(1)
    .optional(),
  timeZone: z
    .string()
    .refine(isTimeZone, 'must be an IANA time zone, such as "Europe/Berlin"')
    .optional(),
});

/** Each call goes through them, and each is compared with those before it. */
export const maxRules = 200;

export const ruleSchema = z.strictObject({
  name: z.string().min(1),
  when: conditions,
  use: z.union([z.string(), z.array(target).min(1, 'must contain at least one target')]),
});

/** The configuration without `providers`: plain JSON data. */
export const routingSchema = z.strictObject({
  tiers: z
    .record(z.string(), tier, 'must be an object of tiers by name')
    .refine((tiers) => Object.keys(tiers).length > 0, 'must contain at least one tier'),
  defaults: z.strictObject(tierSettings).optional(),
  rules: z.array(ruleSchema).max(maxRules, `must contain at most ${maxRules} rules`).optional(),
  prices: prices.optional(),
  pricesDate: date.optional(),
  providerLimits: z.record(z.string(), limits.optional()).optional(),
  budgets: budgets.optional(),
  tags: tags.optional(),
});

export const route = z.strictObject({
  only: z.array(z.string()).optional(),
  ignore: z.array(z.string()).optional(),
  order: z.array(z.string()).optional(),
});

/** Options that are objects of options, by name. */
const groups = new Map<PropertyKey | undefined, object>([
  ['timeouts', timeouts.shape],
  ['retry', retry.shape],
  ['circuit', circuit.shape],
  ['validators', validators.shape],
  ['fallbacks', fallbacks.shape],
  ['hedge', hedge.shape],
  ['limits', limits.shape],
  ['reasoning', reasoning.shape],
  ['route', route.shape],
  ['prices', price.shape],
  ['cache', { ttl: true }],
  ['toolChoice', { name: true }],
  ['requires', requires.shape],
  ['compliance', compliance.shape],
  ['when', conditions.shape],
  ['unknownPrice', { usdPerMillion: true }],
  ['inputTokens', conditions.shape.inputTokens.unwrap().shape],
]);

const toolKeys = [
  'name',
  'description',
  'inputSchema',
  'strict',
  'destructive',
  'cache',
] as const satisfies readonly (keyof Tool)[];

/** The option names of the group at the end of the path. */
function groupKeys(path: readonly PropertyKey[]): readonly string[] {
  return Object.keys(groups.get(path.at(-1)) ?? {});
}

/** The call options to suggest for an unknown one at the path. */
export function knownCallKeys(shape: object, path: readonly PropertyKey[]): readonly string[] {
  if (path.length === 0) return Object.keys(shape);
  return path[0] === 'tools' && path.length === 2 ? toolKeys : groupKeys(path);
}

/** The options of a router that `reconfigure` cannot replace. */
const routerKeys = ['providers', 'runtime', 'strategies', 'plugins', 'store'];

/** Options that only a call has. */
const callKeys = [
  ...['tools', 'schema', 'signal', 'validate', 'route', 'raw', 'maxUsd'],
  'cacheResponse',
];

/** Where each option belongs. */
export const homes: readonly Home[] = [
  { what: 'a tier, a target, a call, or defaults', keys: Object.keys(callDefaults) },
  { what: 'a tier, a call, or defaults', keys: ['timeouts', 'retry', 'singleFlight'] },
  { what: 'a call', keys: callKeys },
  { what: 'a target', keys: ['target', ...Object.keys(modelFacts), 'family', 'prices'] },
  { what: 'a tier', keys: [...Object.keys(tierSettings), 'targets', 'fallbackTier'] },
  {
    what: 'the router',
    keys: [...routerKeys, 'providerLimits', 'prices', 'budgets', 'defaults', 'tiers'],
  },
];

/** The configuration options to suggest for an unknown one at the path. */
export function knownKeys(path: readonly PropertyKey[]): readonly string[] {
  const [root, , part] = path;
  if (path.length === 0) return [...routerKeys, ...Object.keys(routingSchema.shape)];
  if (root === 'defaults' && path.length === 1) return Object.keys(tierSettings);
  if (root === 'tiers' && path.length === 2) {
    return [...Object.keys(tierSettings), 'targets', 'fallbackTier', 'fallbacks'];
  }
  if (part === 'targets' && path.length === 4) return Object.keys(targetObject.shape);
  if (root === 'rules' && path.length === 2) return Object.keys(ruleSchema.shape);
  if (root === 'prices') return Object.keys(price.shape);
  if (root === 'budgets' && path.length === 2) return budgetKeys;
  if (root === 'providerLimits') return Object.keys(limits.shape);
  return groupKeys(path);
}

export type RoutingInput = z.output<typeof routingSchema>;
export type PricesInput = z.output<typeof pricesSchema>;
export type TierInput = z.output<typeof tier>;
export type RuleInput = z.output<typeof ruleSchema>;
export type TargetInput = z.output<typeof target>;
