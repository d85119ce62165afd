import type { ResolvedTarget } from '../../config/resolve.ts';
import type { ForecastCall } from '../../pricing/forecast.ts';
import type { AttemptPlans } from '../core/attempt-plan.ts';
import type { Call, Engine } from '../core/engine.ts';
import { expectedMs, expectedUsd, forecastCallOf } from '../core/expected-cost.ts';

/** What a call is expected to need at its targets. A cost is worked out once, when something first asks for it. */
export class Estimates {
  readonly #engine: Engine;
  readonly #call: Call;
  readonly #plans: AttemptPlans;
  #forecastCall: ForecastCall | undefined;
  /** By target and tier: a target may have other settings in another tier. All its keys cost the same. */
  readonly #usd = new Map<string, number | undefined>();

  constructor(engine: Engine, call: Call, plans: AttemptPlans) {
    this.#engine = engine;
    this.#call = call;
    this.#plans = plans;
  }

  /** US dollars; `undefined` when the price is unknown. */
  usd(target: ResolvedTarget): number | undefined {
    const key = keyOf(target);
    const known = this.#usd.get(key);
    if (known !== undefined || this.#usd.has(key)) return known;
    const usd = expectedUsd(this.#engine, this.#plans.of(target), this.#like);
    this.#usd.set(key, usd);
    return usd;
  }

  /** The same, if something has asked for it. */
  knownUsd(target: ResolvedTarget): number | undefined {
    return this.#usd.get(keyOf(target));
  }

  /** Milliseconds that the whole answer takes; `undefined` before the target's first answer. */
  totalMs(target: ResolvedTarget): number | undefined {
    return expectedMs(this.#engine, this.#plans.of(target), this.#like);
  }

  get #like(): ForecastCall {
    this.#forecastCall ??= forecastCallOf(this.#call);
    return this.#forecastCall;
  }
}

function keyOf({ tier, id }: ResolvedTarget): string {
  return `${tier} ${id}`;
}
