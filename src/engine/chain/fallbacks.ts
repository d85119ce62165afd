import type { ResolvedTarget } from '../../config/resolve.ts';
import { own } from '../../internal/own.ts';
import type { ErrorCode } from '../../protocol/error-code.ts';
import type { Plan } from '../../routing/plan.ts';
import type { AttemptPlans } from '../core/attempt-plan.ts';
import type { Call, Engine } from '../core/engine.ts';
import type { Scope } from '../core/scope.ts';
import { planCall, tiersOf } from './plan-call.ts';

type Steps = Plan['steps'];

/** The target of a step. */
export function idOf(step: Steps[number]): string {
  return step.try?.id ?? step.skip?.target ?? '';
}

/** The targets that a call's tier lists in `fallbacks`. For each failure, only those that the call has not tried. */
export class Fallbacks {
  readonly #engine: Engine;
  readonly #call: Call;
  readonly #scope: Scope;
  readonly #plans: AttemptPlans;
  /** Each is in the chain once: it is tried there, or passed over with a reason in the trail. */
  readonly #taken = new Set<string>();

  constructor(engine: Engine, call: Call, scope: Scope, plans: AttemptPlans) {
    this.#engine = engine;
    this.#call = call;
    this.#scope = scope;
    this.#plans = plans;
  }

  /** The steps after a failure of that code, planned as the chain is: who may not take the call is skipped. */
  after(failed: ResolvedTarget, code: ErrorCode): Steps {
    const { config, tier } = this.#call;
    const listed = own(tier.fallbacks ?? {}, code) ?? [];
    const untried = listed.filter((each) => each.id !== failed.id && !this.#plans.isTried(each));
    if (untried.length === 0) return [];
    // The chain's own entry has its settings.
    const chain = tiersOf(config, tier).flatMap(({ targets }) => targets);
    const targets = untried.map((each) => chain.find(({ id }) => id === each.id) ?? each);
    // Vectors must be comparable with those of the target that failed: it comes first.
    const all = [failed, ...targets];
    const { steps } = planCall(this.#engine, this.#call, this.#scope, this.#plans, all);
    return steps.filter((step) => idOf(step) !== failed.id);
  }

  /** The same without targets that were taken before, unless they are still to come. */
  take(failed: ResolvedTarget, code: ErrorCode, toCome: ReadonlySet<string>): Steps {
    const isNew = (step: Steps[number]): boolean =>
      toCome.has(idOf(step)) || !this.#taken.has(idOf(step));
    const steps = this.after(failed, code).filter(isNew);
    for (const step of steps) this.#taken.add(idOf(step));
    return steps;
  }
}
