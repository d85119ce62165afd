import type { SignalboxError } from '../../errors.ts';
import { after } from '../../internal/eventually.ts';
import type { Completion } from '../../protocol/completion.ts';
import type { NormalMessage } from '../../protocol/message.ts';
import type { Eventually } from '../../protocol/store.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import type { Usage } from '../../protocol/usage.ts';
import { usageForEvents } from '../../telemetry/emitter.ts';
import type { AttemptPlan } from '../core/attempt-plan.ts';
import type { Collected } from '../core/collected.ts';
import type { Admission, Reserved, SpendingAttempt } from '../core/engine.ts';
import type { Payload } from '../core/trail.ts';
import type { Run } from './run.ts';

/** What one attempt costs, and what is reserved for it meanwhile. */
export class AttemptCost {
  readonly #run: Run;
  readonly #plan: AttemptPlan;
  /** Loaded while the vendor answers. A list that cannot be loaded makes the price unknown; the answer stands. */
  readonly #prices: Promise<void> | undefined;
  /** What was billed, with the usage as events have it; `usd` is `null` when the price is unknown. */
  billed: { readonly usage: Usage; readonly usd: number | null } | undefined;
  /** Until it is settled. */
  #reserved: Reserved | undefined;
  /** Characters of the answer so far. Only counted while something is reserved. */
  #characters = 0;

  constructor(run: Run, plan: AttemptPlan) {
    this.#run = run;
    this.#plan = plan;
    this.#prices = run.engine.pricing.load(plan.priced)?.catch(() => undefined);
  }

  /** Reserves the most that the attempt may cost. `turns` are sent besides the call's messages. */
  reserve(turns: readonly NormalMessage[], hasWaited: boolean): Eventually<Admission> {
    const { engine, scope, trail, isHedge = false } = this.#run;
    const plan = this.#plan;
    const attempt: SpendingAttempt = {
      plan,
      turns,
      scope,
      emit: (type, payload) => trail.emit(type, payload as Payload<typeof type>, plan.tags),
      isHedge,
      hasWaited,
    };
    return after(engine.budgets.reserve(attempt), (admission) => {
      if (admission.type === 'reserved') this.#reserved = admission.reserved;
      return admission;
    });
  }

  /** A part has arrived. Calls `cut` with the error when there is no room for more. */
  see(part: ProviderPart, usage: () => Usage, cut: (error: SignalboxError) => void): void {
    const reserved = this.#reserved;
    if (reserved === undefined) return;
    if ('delta' in part) {
      this.#characters += part.delta.length;
      if (this.#characters < reserved.nextCheck) return;
    } else if (part.type !== 'usage') return;
    const used = part.type === 'usage' ? part.usage : usage();
    void after(reserved.progress(used, this.#characters), (verdict) => {
      if (verdict === 'cut' && this.#reserved !== undefined) cut(reserved.cutError());
    });
  }

  /** Bills the answer to the call, and emits its `cost`, as soon as prices are loaded. */
  bill(usage: Usage, answer: Collected): Completion['cost'] | Promise<Completion['cost']> {
    return this.#prices === undefined
      ? this.#billNow(usage, answer)
      : this.#prices.then(() => this.#billNow(usage, answer));
  }

  /** Ends the reservation if nothing was billed. */
  release(): Eventually<void> {
    const reserved = this.#reserved;
    this.#reserved = undefined;
    return reserved?.settle();
  }

  #billNow(
    usage: Usage,
    { servedModel, finish }: Collected,
  ): Completion['cost'] | Promise<Completion['cost']> {
    const { priced, tags } = this.#plan;
    const { engine, trail } = this.#run;
    const answer = { usage, servedModel, serviceTier: finish?.serviceTier };
    const cost = engine.pricing.price(priced, answer);
    const shown = usageForEvents(usage);
    this.billed = { usage: shown, usd: cost.usd };
    trail.bill(cost.usd);
    // Before the event: a listener finds it spent.
    const reserved = this.#reserved;
    this.#reserved = undefined;
    const settled = reserved?.settle({ usage, usd: cost.usd });
    trail.emit('cost', { ...cost, target: priced.target, usage: shown }, tags);
    const result = { ...cost, attemptsUsd: trail.usd };
    return settled === undefined ? result : Promise.resolve(settled).then(() => result);
  }
}
