import { countedAmount } from '../../budgets/budget.ts';
import type { AnyCap } from '../../budgets/ledger.ts';
import { CallCap } from '../../budgets/spending.ts';
import { defaults } from '../../config/defaults.ts';
import { own } from '../../internal/own.ts';
import type { Pricing } from '../../pricing/pricing.ts';
import type { NormalMessage } from '../../protocol/message.ts';
import type { Usage } from '../../protocol/usage.ts';
import type { SpendingPlan } from '../core/engine.ts';
import { requestTokens } from '../core/expected-cost.ts';
import { inputTokensOf } from '../core/token-estimate.ts';

/** Tokens are estimated: vendors rarely count more than this many times as many, and some add a few for each message. */
const inputMargin = { times: 1.25, perMessage: 8, more: 32 } as const;

/** An answer whose length is limited by its budget must have room for so many times what the target usually answers. */
const roomForUsual = 2;

/** Nano-dollars of a token, for a price of one US dollar per million. */
const nanoPerToken = 1_000;

/** The most that one attempt may use of its caps. */
export class AttemptBound {
  /** Whether neither the call nor its target limits the length of the answer. */
  readonly isUnlimited: boolean;
  /** Tokens. */
  readonly outputTokens: number;
  readonly #pricing: Pricing;
  readonly #plan: SpendingPlan;
  readonly #turns: readonly NormalMessage[];
  #inputTokens: number | undefined;
  /** The latest one, for the next cap. */
  #priced: { readonly outputTokens: number; readonly nano: number | undefined } | undefined;

  constructor(pricing: Pricing, plan: SpendingPlan, turns: readonly NormalMessage[]) {
    const { call, options } = plan;
    this.#pricing = pricing;
    this.#plan = plan;
    this.#turns = turns;
    this.isUnlimited = call.kind === 'chat' && options.maxOutputTokens === undefined;
    this.outputTokens = mostOutputTokens(plan);
  }

  /** As the cap counts it, for an answer of that many tokens. */
  amountUnder(cap: AnyCap, outputTokens: number): number {
    if (cap.unit === 'requests') return 1;
    if (cap.unit === 'tokens') return this.#input + outputTokens;
    return this.#ceiling(outputTokens) ?? assumed(cap, this.#input + outputTokens) ?? 0;
  }

  /** Whether the cap counts US dollars, and the price is unknown. */
  isUnknownUnder(cap: AnyCap): boolean {
    if (cap.unit !== 'usd') return false;
    if (!(cap instanceof CallCap) && cap.budget.onExceeded === 'warn') return false;
    return assumed(cap, 0) === undefined && this.#ceiling(this.outputTokens) === undefined;
  }

  /** As the cap counts it, for what was used so far. */
  usedUnder(cap: AnyCap, usage: Usage): number {
    if (cap.unit !== 'usd') return cap.unit === 'requests' ? 1 : usage.totalTokens;
    const { usd } = this.#pricing.price(this.#plan.priced, { usage });
    return this.billedUnder(cap, { usage, usd }) ?? 0;
  }

  /** As the cap counts it, for what was billed; `undefined` when that is unknown. */
  billedUnder(
    cap: AnyCap,
    { usage, usd }: { readonly usage: Usage; readonly usd: number | null },
  ): number | undefined {
    if (cap.unit === 'requests') return 1;
    if (cap.unit === 'tokens') return usage.totalTokens;
    return usd === null ? assumed(cap, usage.totalTokens) : countedAmount('usd', usd);
  }

  /**
   * The most tokens of an answer that fit into `left`, if that is enough to begin with: room for twice what the target
   * usually answers where the vendor gets this limit, for the usual answer where a stream is cut at the cap.
   */
  fittingUnder(cap: AnyCap, left: number): number | undefined {
    const least = this.#leastOutput();
    if (least === undefined || cap.unit === 'requests') return undefined;
    if (this.amountUnder(cap, least) > left) return undefined;
    let most = least;
    let none = this.outputTokens + 1;
    while (none - most > 1) {
      const middle = Math.floor((most + none) / 2);
      if (this.amountUnder(cap, middle) <= left) most = middle;
      else none = middle;
    }
    return most;
  }

  /** The least that it can do with, as the cap counts it. */
  leastUnder(cap: AnyCap): number {
    return this.amountUnder(cap, this.#leastOutput() ?? this.outputTokens);
  }

  /** Tokens; `undefined` when it needs room for all of its answer. */
  #leastOutput(): number | undefined {
    const { call, state } = this.#plan;
    if (call.kind !== 'chat') return undefined;
    const usual = Math.ceil(state.usualOutputTokens ?? defaults.outputTokens);
    if (call.mode === 'stream') return Math.min(usual, this.outputTokens);
    return this.isUnlimited ? Math.min(roomForUsual * usual, this.outputTokens) : undefined;
  }

  get #input(): number {
    this.#inputTokens ??= this.#countInput();
    return this.#inputTokens;
  }

  #countInput(): number {
    const { call, options } = this.#plan;
    const turns = this.#turns.length === 0 ? 0 : inputTokensOf(this.#turns);
    const tokens = requestTokens(call.task, options.system) + turns;
    const { times, perMessage, more } = inputMargin;
    const messages = call.task.messages.length + this.#turns.length;
    return Math.ceil(tokens * times) + messages * perMessage + more;
  }

  #ceiling(outputTokens: number): number | undefined {
    if (this.#priced?.outputTokens === outputTokens) return this.#priced.nano;
    const nano = this.#price(outputTokens);
    this.#priced = { outputTokens, nano };
    return nano;
  }

  #price(outputTokens: number): number | undefined {
    const { call, options, target, priced } = this.#plan;
    const body = own(options.providerOptions ?? {}, target.provider) ?? {};
    const tier = body.service_tier ?? body.serviceTier;
    return this.#pricing.ceiling(priced, {
      inputTokens: this.#input,
      outputTokens,
      hasAudio: call.task.needs.capabilities.has('audio'),
      ...(typeof tier === 'string' && { serviceTier: tier }),
    });
  }
}

function mostOutputTokens({ call, options, outputLimit }: SpendingPlan): number {
  if (call.kind === 'embed') return 0;
  if (call.kind === 'chat') {
    return options.maxOutputTokens ?? outputLimit ?? defaults.mostOutputTokens;
  }
  const count = 'count' in call.options ? Number(call.options.count) : 1;
  return count * defaults.mostImageTokens;
}

/** Nano-dollars that the budget assumes where the price is unknown. */
function assumed(cap: AnyCap, tokens: number): number | undefined {
  if (cap instanceof CallCap) return undefined;
  const { unknownUsdPerMillion } = cap.budget;
  if (unknownUsdPerMillion === undefined) return undefined;
  return Math.ceil(tokens * unknownUsdPerMillion * nanoPerToken);
}
