import type { ResolvedTarget } from '../../config/resolve.ts';
import type { LimitsSnapshot } from '../../protocol/router.ts';
import type { TargetKnowledge } from '../../protocol/strategy.ts';
import type { AttemptPlans } from '../core/attempt-plan.ts';
import { type Engine, keyedTargets, pricedTarget, unavailabilityOf } from '../core/engine.ts';
import type { TargetState } from '../core/target-registry.ts';
import type { Estimates } from './estimates.ts';

/** The most of a figure over all keys of a target's pool. */
function most(figures: readonly (number | undefined)[]): number | undefined {
  const known = figures.filter((figure) => figure !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

/** What the router knows of a target. Looked up when it is read, because a strategy reads little of it. */
export class KnownTarget implements TargetKnowledge {
  readonly #engine: Engine;
  readonly #plans: AttemptPlans;
  readonly #target: ResolvedTarget;
  readonly #state: TargetState;
  readonly #estimates: Estimates;
  #keys: readonly ResolvedTarget[] | undefined;
  #limits: readonly LimitsSnapshot[] | undefined;

  constructor(engine: Engine, plans: AttemptPlans, target: ResolvedTarget, estimates: Estimates) {
    this.#engine = engine;
    this.#plans = plans;
    this.#target = target;
    this.#state = engine.registry.target(target.id);
    this.#estimates = estimates;
  }

  get price() {
    const price = this.#engine.pricing.standardPrice(pricedTarget(this.#engine, this.#target));
    return price && { input: price.input, output: price.output };
  }

  get usd() {
    return this.#estimates.usd(this.#target);
  }

  get calls() {
    return this.#state.statistics.snapshot().calls;
  }

  get failureRate() {
    const { calls, failures } = this.#state.statistics.snapshot();
    return calls > 0 ? failures / calls : undefined;
  }

  get recentFailureRate() {
    return this.#state.recent.failureRate(this.#now);
  }

  get recentFirstTokenMs() {
    return this.#state.recent.firstToken.value(this.#now);
  }

  get totalMs() {
    return this.#estimates.totalMs(this.#target);
  }

  get idleMs() {
    return this.#state.recent.idleMs(this.#now);
  }

  get p50FirstTokenMs() {
    return this.#state.statistics.percentile('firstTokenMs', 0.5);
  }

  get p95FirstTokenMs() {
    return this.#state.statistics.percentile('firstTokenMs', 0.95);
  }

  get p50TotalMs() {
    return this.#state.statistics.percentile('totalMs', 0.5);
  }

  get p95TotalMs() {
    return this.#state.statistics.percentile('totalMs', 0.95);
  }

  get inFlight() {
    return this.#state.inFlight;
  }

  get queued() {
    return this.#limitsNow.reduce((sum, { queued }) => sum + queued, 0);
  }

  get requestsLeft() {
    return most(this.#limitsNow.map((each) => each.requestsLeft));
  }

  get tokensLeft() {
    return most(this.#limitsNow.map((each) => each.tokensLeft));
  }

  get isAvailable() {
    return this.#keysNow.some(
      (each) => unavailabilityOf(this.#engine, this.#plans.of(each)) === undefined,
    );
  }

  get #keysNow() {
    this.#keys ??= keyedTargets(this.#engine, this.#target);
    return this.#keys;
  }

  get #limitsNow() {
    this.#limits ??= this.#keysNow.map((each) => this.#engine.limits.snapshot(each));
    return this.#limits;
  }

  get #now() {
    return this.#engine.runtime.now();
  }
}
