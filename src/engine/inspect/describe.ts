import type { ResolvedConfig, ResolvedTarget, ResolvedTier } from '../../config/resolve.ts';
import { closest } from '../../internal/closest.ts';
import type {
  Description,
  PriceList,
  RuleDescription,
  TargetDescription,
  TierDescription,
} from '../../protocol/description.ts';
import type { Requires } from '../../protocol/requires.ts';
import { complianceOf, unmetRequirement } from '../../routing/requirements.ts';
import { tiersOf } from '../chain/plan-call.ts';
import { type Engine, pricedTarget, providerOf } from '../core/engine.ts';
import { modelFactsOf } from './inspect.ts';

/** Most comparisons of names, because each takes time. */
const maxCompared = 50_000;

/** A requirement that the target never meets. The smallest request costs next to nothing, if its price is known. */
function exclusionOf(
  requires: readonly (Requires | undefined)[],
  { compliance, price }: Pick<TargetDescription, 'compliance' | 'price'>,
): string | undefined {
  const facts = {
    compliance,
    usd: price === undefined ? undefined : 0,
    p95FirstTokenMs: undefined,
    p95TotalMs: undefined,
    quality: undefined,
  };
  for (const each of requires) {
    const reason = each === undefined ? undefined : unmetRequirement(each, facts);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

class Describer {
  readonly #engine: Engine;
  readonly #config: ResolvedConfig;
  /** What does not depend on the requirements: a target may be described for many rules. */
  readonly #facts = new Map<ResolvedTarget, TargetDescription>();
  #compared = 0;

  constructor(engine: Engine, config: ResolvedConfig) {
    this.#engine = engine;
    this.#config = config;
  }

  tier(tier: ResolvedTier): TierDescription {
    const { name, strategy, requires, fallbackTier, fallbacks = {} } = tier;
    const own = (target: ResolvedTarget) => this.#target(target, [requires]);
    const [, ...others] = tiersOf(this.#config, tier);
    return {
      name,
      strategy: strategy.name,
      ...(requires !== undefined && { requires }),
      targets: tier.targets.map(own),
      fallbacks: Object.fromEntries(
        Object.entries(fallbacks).map(([code, targets]) => [code, targets.map(own)]),
      ),
      ...(fallbackTier !== undefined && { fallbackTier }),
      fallbackTargets: others.flatMap((other) =>
        other.targets.map((target) => this.#target(target, [requires, other.requires])),
      ),
    };
  }

  rule({ name, tier: to }: ResolvedConfig['rules'][number], index: number): RuleDescription {
    const { input, tiers } = this.#config;
    const from = input.rules?.[index]?.when.tiers ?? [...tiers.keys()];
    const targets: TargetDescription[] = [];
    for (const called of from) {
      const tier = tiers.get(called);
      const used = to === undefined ? tier?.byRule?.get(name) : tiers.get(to);
      for (const [at, target] of (used?.targets ?? []).entries()) {
        // The same targets for the calls to each tier: one of them is enough to reach a target.
        if (targets[at] !== undefined && targets[at].excluded === undefined) continue;
        targets[at] = this.#target(target, [tier?.requires, used?.requires]);
      }
    }
    return { name, ...(to !== undefined && { tier: to }), targets };
  }

  #target(target: ResolvedTarget, requires: readonly (Requires | undefined)[]): TargetDescription {
    let facts = this.#facts.get(target);
    if (facts === undefined) {
      facts = this.#factsOf(target);
      this.#facts.set(target, facts);
    }
    const excluded = exclusionOf(requires, facts);
    return excluded === undefined ? facts : { ...facts, excluded };
  }

  #factsOf(target: ResolvedTarget): TargetDescription {
    const provider = providerOf(this.#engine, target);
    const price = this.#engine.pricing.standardPrice(pricedTarget(this.#engine, target));
    return {
      target: target.id,
      provider: target.provider,
      model: target.model,
      vendor: provider.priceList ?? target.provider,
      ...(price === undefined
        ? this.#unknownModel(target)
        : { price, priceFrom: target.price === undefined ? 'list' : 'config' }),
      ...modelFactsOf(this.#engine, target),
      compliance: complianceOf(provider.compliance, target.compliance),
    };
  }

  #unknownModel(target: ResolvedTarget) {
    const models = this.#engine.pricing.modelsInstead(pricedTarget(this.#engine, target));
    if (models === undefined) return {};
    this.#compared += models.length;
    const similarModel = this.#compared > maxCompared ? undefined : closest(target.model, models);
    return { unknownModel: true, ...(similarModel !== undefined && { similarModel }) } as const;
  }
}

/** The configuration, and what is known of its targets. Loads the price list. */
export async function describeConfig(
  engine: Engine,
  config: ResolvedConfig,
  ownLists: () => readonly PriceList[],
): Promise<Description> {
  // Without the list, its prices are unknown.
  await engine.pricing.load()?.catch(() => undefined);
  const describer = new Describer(engine, config);
  return {
    at: engine.runtime.now(),
    priceLists: [...ownLists(), ...engine.pricing.lists()],
    tiers: [...config.tiers.values()].map((tier) => describer.tier(tier)),
    rules: config.rules.map((rule, index) => describer.rule(rule, index)),
  };
}
