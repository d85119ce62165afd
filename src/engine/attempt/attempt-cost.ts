import type { ResolvedTarget } from '../../config/resolve.ts';
import type { Completion, Tags } from '../../protocol/completion.ts';
import type { Usage } from '../../protocol/usage.ts';
import { usageForEvents } from '../../telemetry/event-usage.ts';
import type { Collected } from '../core/collected.ts';
import { pricedTarget } from '../core/engine.ts';
import type { Run } from './run.ts';

/** What one attempt costs. */
export class Bill {
  readonly #run: Run;
  readonly #priced: ReturnType<typeof pricedTarget>;
  readonly #tags: Tags;
  /** Loaded while the vendor thinks. A list that cannot be loaded makes the price unknown, not the answer. */
  readonly #prices: Promise<void> | undefined;
  /** What was booked, if anything, with the usage as events have it; `usd` is `null` where nobody knows the price. */
  booked: { readonly usage: Usage; readonly usd: number | null } | undefined;

  /** `tags` are the attempt's. */
  constructor(run: Run, target: ResolvedTarget, tags: Tags) {
    const { engine } = run;
    this.#run = run;
    this.#priced = pricedTarget(engine, target);
    this.#tags = tags;
    this.#prices = engine.pricing.load(this.#priced)?.catch(() => undefined);
  }

  /** Books what the answer cost on the call, and tells it, as soon as there are prices. */
  book(usage: Usage, answer: Collected): Completion['cost'] | Promise<Completion['cost']> {
    return this.#prices === undefined
      ? this.#bookNow(usage, answer)
      : this.#prices.then(() => this.#bookNow(usage, answer));
  }

  #bookNow(usage: Usage, { servedModel, finish }: Collected): Completion['cost'] {
    const { engine, trail } = this.#run;
    const answer = { usage, servedModel, serviceTier: finish?.serviceTier };
    const cost = engine.pricing.price(this.#priced, answer);
    const told = usageForEvents(usage);
    this.booked = { usage: told, usd: cost.usd };
    trail.bill(cost.usd);
    trail.emit('cost', { ...cost, target: this.#priced.target, usage: told }, this.#tags);
    return { ...cost, attemptsUsd: trail.usd };
  }
}
