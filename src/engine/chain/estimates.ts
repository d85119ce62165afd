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
  /** By tier, then by target, which may have other settings in another tier. All its keys cost the same. */
  readonly #usd = new Map<string, Map<string, number | undefined>>();

  constructor(engine: Engine, call: Call, plans: AttemptPlans) {
    this.#engine = engine;
    this.#call = call;
    this.#plans = plans;
  }

  /** US dollars; `undefined` when the price is unknown. */
  usd(target: ResolvedTarget): number | undefined {
    let ofTier = this.#usd.get(target.tier);
    if (ofTier === undefined) {
      ofTier = new Map();
      this.#usd.set(target.tier, ofTier);
    }
    const known = ofTier.get(target.id);
    if (known !== undefined || ofTier.has(target.id)) return known;
    const usd = expectedUsd(this.#engine, this.#plans.of(target), this.#like);
    ofTier.set(target.id, usd);
    return usd;
  }

  /** The same, if something has asked for it. */
  knownUsd({ tier, id }: ResolvedTarget): number | undefined {
    return this.#usd.get(tier)?.get(id);
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
