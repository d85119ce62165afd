import type * as z from 'zod';
import { Budget } from '../budgets/budget.ts';
import type { CircuitPolicy } from '../health/circuit.ts';
import { dataFlaws } from '../internal/caller-data.ts';
import { positionsIn } from '../internal/document-positions.ts';
import { layered } from '../internal/own.ts';
import type { CallDefaults, RetrySettings, Timeouts } from '../protocol/call-options.ts';
import type { Tags } from '../protocol/completion.ts';
import type {
  Hedge,
  Limits,
  MidStream,
  Validators,
  Vectors,
  WhenAllOpen,
} from '../protocol/config.ts';
import type { AttemptErrorCode } from '../protocol/error-code.ts';
import type { Requires } from '../protocol/requires.ts';
import type { Price } from '../protocol/usage.ts';
import type { Candidate } from '../routing/candidate.ts';
import { conditionOf, type RuleFacts } from '../routing/rules.ts';
import {
  builtInStrategies,
  type NamedStrategy,
  type StrategySettings,
} from '../routing/strategy.ts';
import { issueMessage } from '../validation/wording.ts';
import { ruleProblems } from './check-rules.ts';
import { crossCheck, type KnownNames, splitTarget } from './cross-check.ts';
import { defaults } from './defaults.ts';
import { compilePattern } from './pattern.ts';
import { configError, describeIssue, flawProblems, type Problem } from './problems.ts';
import {
  homes,
  knownKeys,
  type PricesInput,
  pricesSchema,
  type RoutingInput,
  type RuleInput,
  routingSchema,
  type TargetInput,
  type TierInput,
} from './schema.ts';
import { type ResolvedValidators, resolveValidators } from './validators.ts';

/** One target of one tier, with all layers of the configuration merged. */
export type ResolvedTarget = Candidate;

export type ResolvedHedge = {
  readonly afterMs?: number;
  /** From 0 to 1. */
  readonly quantile?: number;
  readonly maxExtra: number;
};

type ResolvedFallbacks = { readonly [Code in AttemptErrorCode]?: readonly ResolvedTarget[] };

export type ResolvedTier = {
  readonly name: string;
  readonly targets: readonly ResolvedTarget[];
  readonly fallbackTier?: string;
  readonly strategy: NamedStrategy;
  readonly fallbackOn: readonly AttemptErrorCode[];
  /** By the code of a failure. They have the tier's options. */
  readonly fallbacks?: ResolvedFallbacks;
  readonly validators?: ResolvedValidators;
  readonly midStream: MidStream;
  /** Only the values that were set: the defaults depend on the call. */
  readonly timeouts: Timeouts;
  readonly retry: RetrySettings;
  readonly hedge?: ResolvedHedge;
  readonly singleFlight: boolean;
  readonly maxAttempts: number;
  readonly circuit: CircuitPolicy;
  readonly slowMs?: number;
  readonly minTokensPerSecond?: number;
  readonly whenAllOpen: WhenAllOpen;
  readonly vectors: Vectors;
  readonly limits: Limits;
  readonly tags: Tags;
  readonly requires?: Requires;
  /** By rule: the tier with the targets that the rule sends its calls to. */
  readonly byRule?: ReadonlyMap<string, ResolvedTier>;
};

type ResolvedRule = {
  readonly name: string;
  readonly matches: (facts: RuleFacts) => boolean;
  /** The tier that it sends calls to. Otherwise it has targets: see `byRule` of a tier. */
  readonly tier?: string;
};

export type ResolvedConfig = {
  readonly tiers: ReadonlyMap<string, ResolvedTier>;
  readonly providerLimits: Readonly<Record<string, Limits>>;
  readonly budgets: readonly Budget[];
  readonly tags: Tags;
  /** The validated data that it was made from. */
  readonly input: RoutingInput;
  readonly rules: readonly ResolvedRule[];
};

/** The targets of a tier, and the others that its calls may be sent to. A target may be there twice. */
export function targetsOf({
  targets,
  byRule,
  fallbacks = {},
}: ResolvedTier): readonly ResolvedTarget[] {
  const ofRules = byRule === undefined ? [] : [...byRule.values()].flatMap((tier) => tier.targets);
  return [...targets, ...ofRules, ...Object.values(fallbacks).flat()];
}

/** Returns the call options of a tier or target, without its other settings. */
function callDefaultsOf(settings: Partial<TierInput & TargetInput>): CallDefaults {
  const {
    targets: _targets,
    fallbackTier: _fallbackTier,
    fallbacks: _fallbacks,
    strategy: _strategy,
    fallbackOn: _fallbackOn,
    validators: _validators,
    midStream: _midStream,
    hedge: _hedge,
    singleFlight: _singleFlight,
    timeouts: _timeouts,
    retry: _retry,
    maxAttempts: _maxAttempts,
    circuit: _circuit,
    slowMs: _slowMs,
    minTokensPerSecond: _minTokensPerSecond,
    whenAllOpen: _whenAllOpen,
    requires: _requires,
    compliance: _compliance,
    vectors: _vectors,
    family: _family,
    weight: _weight,
    limits: _limits,
    tags: _tags,
    target: _target,
    contextWindow: _contextWindow,
    outputLimit: _outputLimit,
    capabilities: _capabilities,
    retirementDate: _retirementDate,
    prices: _prices,
    ...options
  } = settings;
  return options as CallDefaults;
}

/** What the target says of its model. */
function factsOf({ contextWindow, outputLimit, capabilities, retirementDate }: TargetInput) {
  return {
    ...(contextWindow !== undefined && { contextWindow }),
    ...(outputLimit !== undefined && { outputLimit }),
    ...(capabilities !== undefined && { capabilities }),
    ...(retirementDate !== undefined && { retirementDate }),
  };
}

function resolveTarget(
  name: string,
  tier: TierInput,
  target: TargetInput,
  input: RoutingInput,
): ResolvedTarget {
  const price = target.prices ?? input.prices?.[target.target];
  const providerOptions = layered(
    input.defaults?.providerOptions,
    tier.providerOptions,
    target.providerOptions,
  );
  return {
    id: target.target,
    ...splitTarget(target.target),
    tier: name,
    ...factsOf(target),
    ...(target.family !== undefined && { family: target.family }),
    weight: target.weight ?? 1,
    ...(price !== undefined && { price: price as Price }),
    ...(target.compliance !== undefined && { compliance: target.compliance }),
    limits: layered(target.limits) as Limits,
    tags: layered(target.tags) as Tags,
    options: {
      ...layered(
        callDefaultsOf(input.defaults ?? {}),
        callDefaultsOf(tier),
        callDefaultsOf(target),
      ),
      ...(Object.keys(providerOptions).length > 0 && { providerOptions }),
    },
  };
}

/** A target that the tier lists has its settings; another one has the tier's call defaults. */
function resolveFallbacks(
  name: string,
  tier: TierInput,
  fallbacks: NonNullable<TierInput['fallbacks']>,
  input: RoutingInput,
): ResolvedFallbacks {
  return Object.fromEntries(
    Object.entries(fallbacks).map(([code, targets = []]) => [
      code,
      targets.map((target) =>
        resolveTarget(name, tier, namedTarget({ target }, tier, input), input),
      ),
    ]),
  );
}

/** Caps `minimumCalls` at `window`. Otherwise `failureRate` would never apply. */
function circuitOf(settings: Partial<CircuitPolicy>): CircuitPolicy {
  const circuit = { ...defaults.circuit, ...settings };
  return { ...circuit, minimumCalls: Math.min(circuit.minimumCalls, circuit.window) };
}

function resolveHedge({ afterMs, percentile, maxExtra }: Hedge): ResolvedHedge {
  return {
    maxExtra: maxExtra ?? defaults.hedgeMaxExtra,
    ...(afterMs !== undefined && { afterMs }),
    ...(percentile !== undefined && { quantile: percentile < 1 ? percentile : percentile / 100 }),
  };
}

/** The strategy of a name, or of settings with the name of a built-in one. */
function namedStrategy(
  setting: NonNullable<TierInput['strategy']>,
  own: KnownNames['strategies'],
): NamedStrategy {
  const all = typeof setting === 'string' ? { type: setting } : setting;
  const { type: name, ...settings } = all;
  const make = Object.hasOwn(builtInStrategies, name)
    ? builtInStrategies[name as keyof typeof builtInStrategies]
    : undefined;
  const strategy = make?.(all as StrategySettings) ?? own.get(name);
  if (strategy === undefined) throw new Error(`strategy "${name}" is not defined`);
  return { name, strategy, ...(Object.keys(settings).length > 0 && { settings }) };
}

function resolveTier(
  name: string,
  tier: TierInput,
  input: RoutingInput,
  strategies: KnownNames['strategies'],
): ResolvedTier {
  const all = input.defaults ?? {};
  const strategy = tier.strategy ?? all.strategy ?? defaults.strategy;
  const hedge = tier.hedge ?? all.hedge;
  const validators = tier.validators ?? all.validators;
  const slowMs = tier.slowMs ?? all.slowMs;
  const minTokensPerSecond = tier.minTokensPerSecond ?? all.minTokensPerSecond;
  return {
    name,
    targets: tier.targets.map((target) => resolveTarget(name, tier, target, input)),
    ...(tier.fallbackTier !== undefined && { fallbackTier: tier.fallbackTier }),
    strategy: namedStrategy(strategy, strategies),
    fallbackOn: tier.fallbackOn ?? all.fallbackOn ?? [],
    ...(tier.fallbacks !== undefined && {
      fallbacks: resolveFallbacks(name, tier, tier.fallbacks, input),
    }),
    ...(validators !== undefined && { validators: resolveValidators(validators as Validators) }),
    midStream: tier.midStream ?? all.midStream ?? defaults.midStream,
    ...(hedge !== undefined && { hedge: resolveHedge(hedge as Hedge) }),
    singleFlight: tier.singleFlight ?? all.singleFlight ?? defaults.singleFlight,
    timeouts: layered(all.timeouts, tier.timeouts) as Timeouts,
    retry: layered(all.retry, tier.retry) as RetrySettings,
    maxAttempts: tier.maxAttempts ?? all.maxAttempts ?? defaults.maxAttempts,
    circuit: circuitOf(layered(all.circuit, tier.circuit) as Partial<CircuitPolicy>),
    ...(slowMs !== undefined && { slowMs }),
    ...(minTokensPerSecond !== undefined && { minTokensPerSecond }),
    vectors: tier.vectors ?? all.vectors ?? defaults.vectors,
    whenAllOpen: tier.whenAllOpen ?? all.whenAllOpen ?? defaults.whenAllOpen,
    limits: layered(all.limits, tier.limits) as Limits,
    tags: layered(all.tags, tier.tags) as Tags,
    ...(all.requires !== undefined || tier.requires !== undefined
      ? { requires: layered(all.requires, tier.requires) }
      : {}),
  };
}

/** A target that a rule or `fallbacks` names: as the tier has it, or with what another tier says of it. */
function namedTarget(named: TargetInput, tier: TierInput, input: RoutingInput): TargetInput {
  if (Object.keys(named).length > 1) return named;
  const isSame = ({ target }: TargetInput): boolean => target === named.target;
  const own = tier.targets.find(isSame);
  if (own !== undefined) return own;
  const other = Object.values(input.tiers)
    .flatMap(({ targets }) => targets)
    .find(isSame);
  if (other === undefined) return named;
  const { target, family, prices, limits, compliance } = other;
  return { target, ...factsOf(other), family, prices, limits, compliance };
}

/** The tier with the targets of each rule that has targets and may apply to its calls. */
function tiersByRule(
  resolved: ResolvedTier,
  tier: TierInput,
  input: RoutingInput,
): ReadonlyMap<string, ResolvedTier> {
  const { fallbackTier: _, ...alone } = resolved;
  const { name } = resolved;
  const rules = (input.rules ?? []).filter(({ when }) => when.tiers?.includes(name) !== false);
  return new Map(
    rules.flatMap(({ name: rule, use }) => {
      if (typeof use === 'string') return [];
      const targets = use.map((each) =>
        resolveTarget(name, tier, namedTarget(each, tier, input), input),
      );
      return [[rule, { ...alone, targets }] as const];
    }),
  );
}

function resolveRule({ name, when, use }: RuleInput): ResolvedRule {
  const { pattern } = when.matches === undefined ? {} : compilePattern(when.matches);
  return {
    name,
    matches: conditionOf(when, pattern),
    ...(typeof use === 'string' && { tier: use }),
  };
}

/** @throws SignalboxError `config` that lists every problem with its path, and its position in the text it is from. */
function checkData<Data>(
  schema: z.ZodType<Data>,
  data: unknown,
  known: KnownNames | undefined,
  keysAt: (path: readonly PropertyKey[]) => readonly string[],
  found: readonly Problem[] = [],
): Data {
  const flaws = dataFlaws(data);
  const fail = (problems: readonly Problem[]): never => {
    throw configError(problems, undefined, positionsIn(data));
  };
  // The code below could not traverse cyclic data.
  if (flaws.some(({ kind }) => kind === 'nesting')) {
    return fail([...found, ...flawProblems(flaws)]);
  }
  const parsed = schema.safeParse(data, { error: issueMessage });
  const malformed = parsed.error?.issues ?? [];
  const problems = [
    ...found,
    // The schema reports the other kinds of flaws.
    ...flawProblems(flaws.filter(({ kind }) => kind === 'name')),
    ...malformed.flatMap((issue) => describeIssue(issue, keysAt, homes)),
    ...crossCheck(data, known),
    ...(known === undefined ? [] : ruleProblems(data, known.providers)),
  ];
  return parsed.success && problems.length === 0 ? parsed.data : fail(problems);
}

/**
 * Validates the routing data. `found` are earlier problems, to be reported in the same error. Without `known`, providers
 * and strategies may have any name.
 * @throws SignalboxError `config` that lists every problem
 */
export function checkRouting(
  routing: unknown,
  known?: KnownNames,
  found: readonly Problem[] = [],
): RoutingInput {
  return checkData(routingSchema, routing, known, knownKeys, found);
}

/** Validates the document of a separate source of prices. @throws SignalboxError `config` that lists every problem */
export function checkPrices(document: unknown, known: KnownNames): PricesInput {
  const keysAt = (path: readonly PropertyKey[]) =>
    path.length === 0 ? Object.keys(pricesSchema.shape) : knownKeys(path);
  return checkData(pricesSchema, document, known, keysAt);
}

/**
 * Validates the routing data and merges its layers.
 * @throws SignalboxError `config`, like {@link checkRouting}
 */
export function resolveConfig(
  routing: unknown,
  known: KnownNames,
  found: readonly Problem[] = [],
): ResolvedConfig {
  const input = checkRouting(routing, known, found);
  const tiers = Object.entries(input.tiers).map(([name, tier]) => {
    const resolved = resolveTier(name, tier, input, known.strategies);
    if (input.rules === undefined) return [name, resolved] as const;
    return [name, { ...resolved, byRule: tiersByRule(resolved, tier, input) }] as const;
  });
  return {
    tiers: new Map(tiers),
    providerLimits: layered(input.providerLimits) as Readonly<Record<string, Limits>>,
    budgets: Object.entries(input.budgets ?? {}).map(([name, each]) => new Budget(name, each)),
    tags: layered(input.tags) as Tags,
    input,
    rules: (input.rules ?? []).map(resolveRule),
  };
}
