import type { ResolvedTarget, ResolvedTier } from '../../config/resolve.ts';
import type { Requires } from '../../protocol/requires.ts';
import {
  complianceOf,
  missedRequirement,
  type RequiredFacts,
  unmetRequirement,
} from '../../routing/requirements.ts';
import { AttemptPlans } from '../core/attempt-plan.ts';
import { type Call, type Engine, providerOf } from '../core/engine.ts';
import { Estimates } from './estimates.ts';

/** Of fewer answers no share is slow. */
const samplesNeeded = 5;

/** After this time without an attempt, a slow target is tried again: it may have become faster. */
const forgottenMs = 60_000;

/** The 95th percentile, at the low end of its margin of error: a few slow answers may be chance. */
function p95(
  { registry, runtime }: Engine,
  { id }: ResolvedTarget,
  name: 'firstTokenMs' | 'totalMs',
): number | undefined {
  const { statistics, recent } = registry.target(id);
  const samples = statistics.samples(name);
  if (samples < samplesNeeded) return undefined;
  if ((recent.idleMs(runtime.now()) ?? 0) >= forgottenMs) return undefined;
  const quantile = 0.95;
  const error = 2 * Math.sqrt((quantile * (1 - quantile)) / samples);
  return statistics.percentile(name, quantile - error);
}

/** What the tiers require that the call's tier falls back to, by their names. */
function requirementsOfFallbacks(chain: readonly ResolvedTier[]): ReadonlyMap<string, Requires> {
  const entries = chain
    .slice(1)
    .flatMap(({ name, requires }) => (requires === undefined ? [] : [[name, requires] as const]));
  return new Map(entries);
}

/** Whether the price of a target decides if it may serve the call. */
export function limitsCost({ requires }: Call, chain: readonly ResolvedTier[]): boolean {
  const all = [...requires, ...chain.map((tier) => tier.requires)];
  return all.some((each) => each?.maxEstimatedUsd !== undefined);
}

/** What a call and its tiers require of targets. */
export class CallRequirements {
  readonly #engine: Engine;
  readonly #call: Call;
  readonly #estimates: Estimates;
  readonly #ofFallbacks: ReadonlyMap<string, Requires>;

  constructor(
    engine: Engine,
    call: Call,
    estimates: Estimates,
    /** The call's tier and those that it falls back to. */
    chain: readonly ResolvedTier[],
  ) {
    const { whole } = call;
    this.#engine = engine;
    this.#call = call;
    // What one batch costs says nothing about what the call costs.
    this.#estimates =
      whole === undefined
        ? estimates
        : new Estimates(engine, whole, new AttemptPlans(engine, whole));
    this.#ofFallbacks = requirementsOfFallbacks(chain);
  }

  /** Why the target must not serve the call; `undefined` when it may. */
  unmet(target: ResolvedTarget): string | undefined {
    const facts = this.#factsOf(target);
    for (const requires of this.#requiredOf(target)) {
      const reason = unmetRequirement(requires, facts);
      if (reason !== undefined) return reason;
    }
    return undefined;
  }

  /** Why the target is tried after the others; `undefined` when it is not. */
  missed(target: ResolvedTarget): string | undefined {
    const facts = this.#factsOf(target);
    for (const requires of this.#requiredOf(target)) {
      const reason = missedRequirement(requires, facts);
      if (reason !== undefined) return reason;
    }
    return undefined;
  }

  #requiredOf({ tier }: ResolvedTarget): readonly Requires[] {
    const own = this.#ofFallbacks.get(tier);
    return own === undefined ? this.#call.requires : [...this.#call.requires, own];
  }

  #factsOf(target: ResolvedTarget): RequiredFacts {
    const engine = this.#engine;
    const estimates = this.#estimates;
    const tier = this.#call.called.name;
    return {
      get compliance() {
        return complianceOf(providerOf(engine, target).compliance, target.compliance);
      },
      get usd() {
        return estimates.usd(target);
      },
      get p95FirstTokenMs() {
        return p95(engine, target, 'firstTokenMs');
      },
      get p95TotalMs() {
        return p95(engine, target, 'totalMs');
      },
      get quality() {
        const { registry, runtime } = engine;
        return registry.quality.score(target.id, tier, runtime.now());
      },
    };
  }
}
