import { createPricing, type PricedTarget, type Pricing } from '../../src/pricing/pricing.ts';
import type { Price, Usage } from '../../src/protocol/usage.ts';
import type { LiveAnswer } from './cases.ts';
import type { LiveVendor } from './vendors.ts';

/** More than any request has: the longest is the image, which some models count as 2,800 tokens. */
const maxInputTokens = 3_000;

/** For models without a known price: that of large ones. */
const cautiousPrice: Price = { input: 5, output: 25 };

/** The prices of one model, for requests before and after they are sent. */
export class Prices {
  readonly #pricing: Pricing = createPricing({ now: Date.now });
  readonly #target: PricedTarget;
  readonly #assumed: Price;

  constructor(
    { name, assumedPrice = cautiousPrice }: LiveVendor,
    model: string,
    priceList: string | undefined,
  ) {
    this.#target = { target: `${name}/${model}`, model, priceList };
    this.#assumed = assumedPrice;
  }

  async load(): Promise<void> {
    await this.#pricing.load(this.#target);
  }

  get isListed(): boolean {
    return this.#pricing.standardPrice(this.#target) !== undefined;
  }

  /** `null` if the price is unknown. */
  usd(
    usage: Usage,
    finish: Partial<Pick<LiveAnswer['finish'], 'servedModel' | 'serviceTier'>> = {},
  ) {
    const { servedModel, serviceTier } = finish;
    return this.#pricing.price(this.#target, { usage, servedModel, serviceTier }).usd;
  }

  /** The price for the cap, assumed if it is unknown. */
  countedUsd(usage: Usage): number {
    const { input, output } = this.#assumed;
    const assumed = (usage.inputTokens * input + usage.outputTokens * output) / 1_000_000;
    return this.usd(usage) ?? assumed;
  }

  boundUsd(maxOutputTokens: number): number {
    return this.countedUsd({
      inputTokens: maxInputTokens,
      outputTokens: maxOutputTokens,
      totalTokens: maxInputTokens + maxOutputTokens,
    });
  }
}
