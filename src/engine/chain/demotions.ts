import type { ResolvedTarget, ResolvedTier } from '../../config/resolve.ts';
import type { StrategyContext } from '../../protocol/strategy.ts';
import { goesByWeight, orderBy } from '../../routing/strategy.ts';
import type { Engine } from '../core/engine.ts';
import type { CallRequirements } from './requirements.ts';

/** The weight that a target has now. Only strategies that go by weights see the lower one of a demoted target. */
export function weightOf(
  { registry: { demoted } }: Engine,
  { strategy }: ResolvedTier,
  { id, weight }: ResolvedTarget,
): number {
  return goesByWeight(strategy) ? Math.min(weight, demoted.maxWeight(id) ?? weight) : weight;
}

/** The targets of a tier in the order of its strategy, which sees the lower weights of demoted ones. */
export function orderByLowerWeights(
  engine: Engine,
  tier: ResolvedTier,
  context: () => StrategyContext,
): readonly ResolvedTarget[] {
  const weighed = tier.targets.map((target) => ({
    ...target,
    weight: weightOf(engine, tier, target),
    target,
  }));
  return orderBy(tier.strategy, weighed, context).map(({ target }) => target);
}

type Demotion = { readonly reason: string; readonly isLast: boolean };

/** The targets of one call that are tried after the others, or less often. */
export class Demotions {
  readonly #engine: Engine;
  /** Of targets that have lower weights instead of standing behind the others: the names of their tiers. */
  readonly #weightedTiers: ReadonlySet<string>;
  readonly #requirements: CallRequirements | undefined;

  constructor(
    engine: Engine,
    tiers: readonly ResolvedTier[],
    requirements: CallRequirements | undefined,
  ) {
    this.#engine = engine;
    const weighted = tiers.filter(({ strategy }) => goesByWeight(strategy));
    this.#weightedTiers = new Set(weighted.map(({ name }) => name));
    this.#requirements = requirements;
  }

  /** By target; of a target that is listed twice, what applies to the first, which is the one that is tried. */
  of(targets: readonly ResolvedTarget[]): ReadonlyMap<string, Demotion> {
    const demotions = new Map<string, Demotion>();
    const seen = new Set<string>();
    for (const target of targets) {
      if (seen.has(target.id)) continue;
      seen.add(target.id);
      const demotion = this.#of(target);
      if (demotion !== undefined) demotions.set(target.id, demotion);
    }
    return demotions;
  }

  #of(target: ResolvedTarget): Demotion | undefined {
    const missed = this.#requirements?.missed(target);
    if (missed !== undefined) return { reason: missed, isLast: true };
    const maxWeight = this.#engine.registry.demoted.maxWeight(target.id);
    if (maxWeight === undefined) return undefined;
    const isWeighted = this.#weightedTiers.has(target.tier);
    const weight = Math.min(target.weight, maxWeight);
    return { reason: isWeighted ? `demoted to weight ${weight}` : 'demoted', isLast: !isWeighted };
  }
}

/**
 * The targets with the demoted ones after the others. With families, each stays in its place: vectors of another family do
 * not replace those of the first.
 */
export function withDemotedLast(
  targets: readonly ResolvedTarget[],
  demotions: ReadonlyMap<string, Demotion>,
  familyOf: ((target: ResolvedTarget) => string) | undefined,
): readonly ResolvedTarget[] {
  const isLast = ({ id }: ResolvedTarget): boolean => demotions.get(id)?.isLast === true;
  const families = familyOf === undefined ? [targets] : Map.groupBy(targets, familyOf).values();
  return [...families].flatMap((family) => [
    ...family.filter((target) => !isLast(target)),
    ...family.filter(isLast),
  ]);
}
