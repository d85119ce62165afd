import type { ResolvedTarget } from '../../config/resolve.ts';
import { own } from '../../internal/own.ts';
import type { PlannedFallbacks } from '../../protocol/decision.ts';
import type { ErrorCode } from '../../protocol/error-code.ts';
import type { Plan } from '../../routing/plan.ts';
import type { AttemptPlans } from '../core/attempt-plan.ts';
import { type Call, type Engine, keyLabel } from '../core/engine.ts';
import type { Scope } from '../core/scope.ts';
import { planCall, tiersOf } from './plan-call.ts';

type Steps = Plan['steps'];

/** The target of a step. */
export function idOf(step: Steps[number]): string {
  return step.try?.id ?? step.skip?.target ?? '';
}

/** The targets that the tier lists for the code. One that is in the chain too has its settings there. */
function listedFor({ config, tier }: Call, code: string): readonly ResolvedTarget[] {
  const listed = own<readonly ResolvedTarget[]>(tier.fallbacks ?? {}, code) ?? [];
  if (listed.length === 0) return [];
  const chain = tiersOf(config, tier).flatMap(({ targets }) => targets);
  return listed.map((each) => chain.find(({ id }) => id === each.id) ?? each);
}

/** What would follow after each failure that the tier lists; `undefined` when it lists none. `first` is tried first. */
export function plannedFallbacks(
  engine: Engine,
  call: Call,
  plans: AttemptPlans,
  first: ResolvedTarget | undefined,
): PlannedFallbacks | undefined {
  const { fallbacks } = call.tier;
  if (fallbacks === undefined) return undefined;
  const entries = Object.keys(fallbacks).map((code) => {
    const targets = listedFor(call, code);
    const ids = new Set(targets.map(({ id }) => id));
    // As after a failure of the first one: vectors must be comparable with its.
    const listed = call.task.familyOf === undefined || !first ? targets : [first, ...targets];
    const { candidates, skipped } = planCall(engine, call, { plans, listed });
    const tried = candidates.map((each) => ({ target: each.id, ...keyLabel(each) }));
    const waits = new Set(tried.map(({ target, key }) => `${target} ${key}`));
    const rest = skipped
      .filter(({ target, key }) => !waits.has(`${target} ${key}`))
      .map(({ until: _until, ...skip }) => skip);
    return [code, [...tried, ...rest].filter(({ target }) => ids.has(target))] as const;
  });
  return Object.fromEntries(entries);
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
    const listed = listedFor(this.#call, code);
    const untried = listed.filter((each) => each.id !== failed.id && !this.#plans.isTried(each));
    if (untried.length === 0) return [];
    const { steps } = planCall(this.#engine, this.#call, {
      scope: this.#scope,
      plans: this.#plans,
      // Vectors must be comparable with those of the target that failed: it comes first.
      listed: [failed, ...untried],
    });
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
