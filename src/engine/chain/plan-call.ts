import type { ResolvedConfig, ResolvedTarget, ResolvedTier } from '../../config/resolve.ts';
import type { StrategyCandidate, StrategyContext } from '../../protocol/strategy.ts';
import type { Knowledge } from '../../routing/candidate.ts';
import { type Plan, plan } from '../../routing/plan.ts';
import { goesByWeight, orderBy } from '../../routing/strategy.ts';
import { AttemptPlans } from '../core/attempt-plan.ts';
import {
  type Call,
  capabilitiesOf,
  contextWindowOf,
  type Engine,
  keyedTargets,
  needs,
  pricedTarget,
  providerOf,
  unavailabilityOf,
} from '../core/engine.ts';
import type { Scope } from '../core/scope.ts';
import { inputTokensOf } from '../core/token-estimate.ts';
import { Demotions, orderByLowerWeights, withDemotedLast } from './demotions.ts';
import { Estimates } from './estimates.ts';
import { KnownTarget } from './known-target.ts';
import { CallRequirements, limitsCost } from './requirements.ts';

const chains = new WeakMap<ResolvedTier, readonly ResolvedTier[]>();

/** A tier and the tiers it falls back to, worked out once. The configuration is checked for cycles. */
export function tiersOf(config: ResolvedConfig, first: ResolvedTier): readonly ResolvedTier[] {
  let tiers = chains.get(first);
  if (tiers === undefined) {
    const { fallbackTier } = first;
    const next = fallbackTier === undefined ? undefined : config.tiers.get(fallbackTier);
    tiers = next === undefined ? [first] : [first, ...tiersOf(config, next)];
    chains.set(first, tiers);
  }
  return tiers;
}

/** What the plan of a call is made with. */
type Planning = {
  readonly engine: Engine;
  readonly call: Call;
  readonly plans: AttemptPlans;
  readonly estimates: () => Estimates;
  /** Milliseconds until the call's deadline. */
  readonly remainingMs: number;
};

function contextOf(
  { engine, call, plans, estimates, remainingMs }: Planning,
  tier: ResolvedTier,
): StrategyContext {
  const { maxOutputTokens } = call.options;
  let targets: ReadonlyMap<string, ResolvedTarget> | undefined;
  return {
    call: {
      kind: call.kind,
      tier: call.called.name,
      tags: call.tags,
      mode: call.mode,
      get inputTokens() {
        return inputTokensOf(call.task.messages);
      },
      ...(maxOutputTokens !== undefined && { maxOutputTokens }),
      remainingMs,
    },
    knowledge({ id }: StrategyCandidate) {
      targets ??= new Map(tier.targets.map((each) => [each.id, each]));
      const target = targets.get(id);
      if (target === undefined) throw new Error(`"${id}" is not a target of tier "${tier.name}"`);
      return new KnownTarget(engine, plans, target, estimates());
    },
    turn: engine.registry.tier(tier.name).turn,
    now: () => engine.runtime.now(),
    random: () => engine.runtime.random(),
    score: () => undefined,
  };
}

/** Whether the call or one of its tiers requires something of targets. */
function hasRequirements({ requires }: Call, chain: readonly ResolvedTier[]): boolean {
  return requires.length > 0 || chain.some((tier) => tier.requires !== undefined);
}

/** Loads what the strategies and requirements of the call need; `undefined` when it is loaded. Never rejects. */
export function loadForPlan(engine: Engine, call: Call): Promise<unknown> | undefined {
  const chain = tiersOf(call.config, call.tier);
  if (chain.some((each) => needs(each, 'prices')))
    return engine.pricing.load()?.catch(() => undefined);
  if (!hasRequirements(call, chain) || !limitsCost(call, chain)) return undefined;
  const listed = Object.values(call.tier.fallbacks ?? {}).flat();
  const loading = [...chain.flatMap(({ targets }) => targets), ...listed]
    .map((target) => engine.pricing.load(pricedTarget(engine, target)))
    .find((each) => each !== undefined);
  return loading?.catch(() => undefined);
}

/** The plan of a call. */
export type PlannedCall = Plan & {
  /** The targets to try that come after the others, or less often, and why. */
  readonly demoted: readonly { readonly target: string; readonly reason: string }[];
  /** The tiers whose targets are in it. */
  readonly tiers: readonly ResolvedTier[];
  /** What its strategies and requirements asked for. */
  readonly estimates: () => Estimates;
};

type Recorder = { recorded(tier: ResolvedTier, context: StrategyContext): StrategyContext };

/** What a plan is made with, where there is something already. */
type PlanOptions = {
  /** Without it, there is no deadline. */
  readonly scope?: Scope;
  readonly plans?: AttemptPlans;
  /** Plan these instead of the targets of its tiers. */
  readonly listed?: readonly ResolvedTarget[];
  /** Records what the strategies ask for. */
  readonly record?: Recorder | undefined;
};

/** The targets that this call would try, and why not the others: those of its tiers, or those `listed`. */
export function planCall(engine: Engine, call: Call, options: PlanOptions = {}): PlannedCall {
  const { scope, listed, record, plans = new AttemptPlans(engine, call) } = options;
  const { config, tier, task, layers } = call;
  const { demoted } = engine.registry;
  const remainingMs = scope?.remainingMs() ?? Number.POSITIVE_INFINITY;
  const tiers = tiersOf(config, tier);
  let made: Estimates | undefined;
  const estimates = () => {
    made ??= new Estimates(engine, call, plans);
    return made;
  };
  const requirements = hasRequirements(call, tiers)
    ? new CallRequirements(engine, call, estimates(), tiers)
    : undefined;
  const planning = { engine, call, plans, estimates, remainingMs };
  const inOrder = (each: ResolvedTier): readonly ResolvedTarget[] => {
    const context = () => {
      const made = contextOf(planning, each);
      return record?.recorded(each, made) ?? made;
    };
    return demoted.isEmpty || !goesByWeight(each.strategy)
      ? orderBy(each.strategy, each.targets, context)
      : orderByLowerWeights(engine, each, context);
  };
  const targets = listed ?? tiers.flatMap(inOrder);
  const knowledge: Knowledge = {
    capabilities: (target) => capabilitiesOf(providerOf(engine, target), target),
    contextWindow: (target) => contextWindowOf(engine, target),
    keyed: (target) => keyedTargets(engine, target, task.messages),
    unavailable: (target) => unavailabilityOf(engine, plans.of(target)),
    excluded: (target) => requirements?.unmet(target) ?? layers?.exclusion(target),
  };
  const { familyOf } = task;
  const planned = (ordered: readonly ResolvedTarget[]): Plan =>
    plan(
      ordered,
      task.needs,
      {
        route: call.options.route,
        whenAllOpen: tier.whenAllOpen,
        ...(familyOf !== undefined && { familyOf }),
      },
      knowledge,
    );
  if (requirements === undefined && demoted.isEmpty) {
    return { ...planned(targets), tiers, estimates, demoted: [] };
  }
  const weighted = listed === undefined ? tiers : [];
  const demotions = new Demotions(engine, weighted, requirements).of(targets);
  const steps = planned(withDemotedLast(targets, demotions, familyOf));
  const tried = new Set(steps.candidates.map(({ id }) => id));
  return {
    ...steps,
    tiers,
    estimates,
    demoted: [...demotions].flatMap(([target, { reason }]) =>
      tried.has(target) ? [{ target, reason }] : [],
    ),
  };
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
