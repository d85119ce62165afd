import type { ResolvedConfig, ResolvedTarget, ResolvedTier } from '../../config/resolve.ts';
import { SignalboxError } from '../../errors.ts';
import { quoted } from '../../internal/quoted.ts';
import type { Capability, Provider } from '../../protocol/provider.ts';
import type {
  StrategyCandidate,
  StrategyContext,
  TargetKnowledge,
} from '../../protocol/strategy.ts';
import type { Knowledge, Unavailable } from '../../routing/candidate.ts';
import { type Plan, plan } from '../../routing/plan.ts';
import { orderBy } from '../../routing/strategy.ts';
import { type AttemptPlan, AttemptPlans } from '../core/attempt-plan.ts';
import { type Call, type Engine, keyedTargets, pricedTarget, providerOf } from '../core/engine.ts';
import type { Scope } from '../core/scope.ts';
import { inputTokensOf } from '../core/token-estimate.ts';

/** Why the target cannot be tried now, or would have to wait. */
export function unavailabilityOf(engine: Engine, attempt: AttemptPlan): Unavailable | undefined {
  return engine.registry.unavailability(attempt.target) ?? engine.limits.busy(attempt);
}

/** @throws SignalboxError `config` when the provider, which may be the user's own, returns something else */
function listedBy(provider: Provider, model: string): Iterable<Capability> {
  let listed: unknown;
  let cause: unknown;
  try {
    listed = provider.capabilities(model);
  } catch (error) {
    cause = error;
  }
  if (typeof listed === 'object' && listed !== null && Symbol.iterator in listed) {
    return listed as Iterable<Capability>;
  }
  const message = `capabilities(${quoted(model)}) of a provider with the wire ${quoted(provider.wire)} must return a list or a Set`;
  throw new SignalboxError('config', message, { cause });
}

/** What the provider lists for the model, and the tasks it implements. */
function capabilitiesOf(provider: Provider, model: string): ReadonlySet<Capability> {
  const capabilities = new Set(listedBy(provider, model));
  if (provider.prepareEmbedding !== undefined) capabilities.add('embeddings');
  if (provider.prepareImage !== undefined) capabilities.add('image-output');
  return capabilities;
}

/** Tokens; `undefined` when unknown. */
function contextWindowOf(engine: Engine, target: ResolvedTarget): number | undefined {
  return target.contextWindow ?? engine.pricing.contextWindow(pricedTarget(engine, target));
}

/** A tier and the tiers it falls back to. The configuration is checked for cycles. */
export function tiersOf(config: ResolvedConfig, first: ResolvedTier): readonly ResolvedTier[] {
  const tiers = [first];
  let next = first.fallbackTier;
  while (next !== undefined) {
    const tier = config.tiers.get(next);
    if (tier === undefined) break;
    tiers.push(tier);
    next = tier.fallbackTier;
  }
  return tiers;
}

/** The most of a figure over all keys of a target's pool. */
function most(figures: readonly (number | undefined)[]): number | undefined {
  const known = figures.filter((figure) => figure !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

function knowledgeOf(engine: Engine, plans: AttemptPlans, target: ResolvedTarget): TargetKnowledge {
  const state = engine.registry.target(target.id);
  const { failures, aborted: _, ...statistics } = state.statistics.snapshot();
  const price = engine.pricing.standardPrice(pricedTarget(engine, target));
  const keyed = keyedTargets(engine, target);
  const limits = keyed.map((each) => engine.limits.snapshot(each));
  const requestsLeft = most(limits.map((each) => each.requestsLeft));
  const tokensLeft = most(limits.map((each) => each.tokensLeft));
  return {
    ...(price !== undefined && { price: { input: price.input, output: price.output } }),
    ...statistics,
    ...(statistics.calls > 0 && { failureRate: failures / statistics.calls }),
    inFlight: state.inFlight,
    queued: limits.reduce((sum, { queued }) => sum + queued, 0),
    ...(requestsLeft !== undefined && { requestsLeft }),
    ...(tokensLeft !== undefined && { tokensLeft }),
    isAvailable: keyed.some((each) => unavailabilityOf(engine, plans.of(each)) === undefined),
  };
}

function contextOf(
  engine: Engine,
  call: Call,
  plans: AttemptPlans,
  tier: ResolvedTier,
  remainingMs: number,
): StrategyContext {
  const { maxOutputTokens } = call.options;
  return {
    call: {
      kind: call.kind,
      tier: call.tier.name,
      tags: call.tags,
      mode: call.mode,
      get inputTokens() {
        return inputTokensOf(call.task.messages);
      },
      ...(maxOutputTokens !== undefined && { maxOutputTokens }),
      remainingMs,
    },
    knowledge({ id }: StrategyCandidate) {
      const target = tier.targets.find((each) => each.id === id);
      if (target === undefined) throw new Error(`"${id}" is not a target of tier "${tier.name}"`);
      return knowledgeOf(engine, plans, target);
    },
    now: () => engine.runtime.now(),
    random: () => engine.runtime.random(),
  };
}

/** Loads what the strategies of the call's tiers need; `undefined` when it is loaded. Never rejects. */
export function loadForStrategies(
  engine: Engine,
  { config, tier }: Call,
): Promise<unknown> | undefined {
  const strategies = tiersOf(config, tier).map((each) => each.strategy.strategy);
  if (!strategies.some(({ needs }) => needs?.includes('prices') === true)) return undefined;
  return engine.pricing.load()?.catch(() => undefined);
}

/** The targets that this call would try, and why not the others. */
export function planCall(
  engine: Engine,
  call: Call,
  scope?: Scope,
  plans: AttemptPlans = new AttemptPlans(engine, call),
): Plan {
  const { config, tier, task, layers, options } = call;
  const remainingMs = scope?.remainingMs() ?? Number.POSITIVE_INFINITY;
  const targets = tiersOf(config, tier).flatMap((each) => {
    const context = contextOf(engine, call, plans, each, remainingMs);
    return orderBy(each.strategy, each.targets, context);
  });
  const knowledge: Knowledge = {
    capabilities: (target) => capabilitiesOf(providerOf(engine, target), target.model),
    contextWindow: (target) => contextWindowOf(engine, target),
    keyed: (target) => keyedTargets(engine, target, task.messages),
    unavailable: (target) => unavailabilityOf(engine, plans.of(target)),
    excluded: (target) => layers?.exclusion(target),
  };
  const { needs, familyOf } = task;
  return plan(
    targets,
    needs,
    {
      route: options.route,
      whenAllOpen: tier.whenAllOpen,
      ...(familyOf !== undefined && { familyOf }),
    },
    knowledge,
  );
}

/** The context windows that were too small for a call's prompt. */
export class RefusedWindows {
  readonly #engine: Engine;
  readonly #call: Call;
  /** Tokens: the largest window that was too small. */
  #largest: number | undefined;
  /** A target of unknown window was too small too. */
  #hasUnknown = false;

  constructor(engine: Engine, call: Call) {
    this.#engine = engine;
    this.#call = call;
  }

  /** The prompt was too long for the target. */
  add(target: ResolvedTarget): void {
    const window = contextWindowOf(this.#engine, target);
    if (window === undefined) this.#hasUnknown = true;
    else this.#largest = Math.max(window, this.#largest ?? 0);
  }

  /**
   * Why the target would fail too; `undefined` when it may not. An unknown window counts as the largest. After a target of
   * unknown window failed, one whose window holds the estimated prompt is tried. The answer is not counted: some vendors
   * need no room for it.
   */
  tooSmall(target: ResolvedTarget): string | undefined {
    const window = contextWindowOf(this.#engine, target);
    if (window === undefined) return undefined;
    if (this.#largest !== undefined && window <= this.#largest) {
      return 'its context window is no larger';
    }
    return this.#hasUnknown && window < inputTokensOf(this.#call.task.messages)
      ? `its context window of ${window} tokens is too small`
      : undefined;
  }
}
