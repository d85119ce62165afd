import type { Completion } from '../../protocol/completion.ts';
import type { Usage } from '../../protocol/usage.ts';
import { usageForEvents } from '../../telemetry/emitter.ts';
import type { AttemptPlan } from '../core/attempt-plan.ts';
import type { Collected } from '../core/collected.ts';
import type { Engine } from '../core/engine.ts';
import type { Trail } from '../core/trail.ts';

/** What one attempt costs. */
export class AttemptCost {
  readonly #engine: Engine;
  readonly #plan: AttemptPlan;
  readonly #trail: Trail;
  /** Loaded while the vendor answers. A list that cannot be loaded makes the price unknown; the answer stands. */
  readonly #prices: Promise<void> | undefined;
  /** What was billed, with the usage as events have it; `usd` is `null` when the price is unknown. */
  billed: { readonly usage: Usage; readonly usd: number | null } | undefined;

  constructor(engine: Engine, plan: AttemptPlan, trail: Trail) {
    this.#engine = engine;
    this.#plan = plan;
    this.#trail = trail;
    this.#prices = engine.pricing.load(plan.priced)?.catch(() => undefined);
  }

  /** Bills the answer to the call, and emits its `cost`, as soon as prices are loaded. */
  bill(usage: Usage, answer: Collected): Completion['cost'] | Promise<Completion['cost']> {
    return this.#prices === undefined
      ? this.#billNow(usage, answer)
      : this.#prices.then(() => this.#billNow(usage, answer));
  }

  #billNow(usage: Usage, { servedModel, finish }: Collected): Completion['cost'] {
    const { priced, tags } = this.#plan;
    const answer = { usage, servedModel, serviceTier: finish?.serviceTier };
    const cost = this.#engine.pricing.price(priced, answer);
    const shown = usageForEvents(usage);
    this.billed = { usage: shown, usd: cost.usd };
    this.#trail.bill(cost.usd);
    this.#trail.emit('cost', { ...cost, target: priced.target, usage: shown }, tags);
    return { ...cost, attemptsUsd: this.#trail.usd };
  }
}
