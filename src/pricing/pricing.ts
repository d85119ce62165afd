import type { Price, Usage } from '../protocol/usage.ts';
import { type Catalogue, createCatalogue } from './catalogue.ts';
import { usdPerMillion } from './money.ts';
import { type PricedUsage, priceUsage, unknownCost } from './price-usage.ts';
import { cardOfPrice, type RateCard } from './rate-card.ts';

/** A target, as far as its price goes. */
export type PricedTarget = {
  /** `provider/model`: the key of `prices` in the configuration. */
  readonly target: string;
  /** The model as requested. */
  readonly model: string;
  /** The vendor's name in price lists; without one only the user's own price counts. */
  readonly priceList?: string | undefined;
  /** The price the user set on the target itself. */
  readonly price?: Price | undefined;
};

/** What an answer tells about its price. */
type PricedAnswer = {
  readonly usage: Usage;
  /** The model the vendor says answered. */
  readonly servedModel?: string | undefined;
  readonly serviceTier?: string | null | undefined;
};

export interface Pricing {
  /**
   * Loads the public price list if `target` needs it; without a target, in any case. Loads it once: `undefined` when
   * there is nothing to wait for.
   */
  load(target?: PricedTarget): Promise<void> | undefined;
  /**
   * What an answer cost. The price is the target's own, else the one in `prices`, else the public list's: for the
   * served model, or for the requested one when the list does not know the served, and on AWS, whose prices go
   * by the region in front of the name, which the served one leaves out.
   * `usd` is `null` when nobody knows, which is every listed model before `load`.
   */
  price(target: PricedTarget, answer: PricedAnswer): PricedUsage;
  /** The standard price of a short request, for comparing targets; `undefined` when nobody knows. */
  standardPrice(target: PricedTarget): Price | undefined;
  /** Tokens; `undefined` when the public list does not know the model, or is not loaded. */
  contextWindow(target: PricedTarget): number | undefined;
}

/** Prices for one configuration. `now` is in epoch milliseconds. Loads nothing by itself. */
export function createPricing(options: {
  readonly prices?: Readonly<Record<string, Price>> | undefined;
  readonly now: () => number;
  readonly catalogue?: Catalogue;
}): Pricing {
  const { now, catalogue = createCatalogue() } = options;
  const prices = new Map(Object.entries(options.prices ?? {}));

  const ownPrice = (target: PricedTarget): Price | undefined =>
    target.price ?? prices.get(target.target);

  const cardFor = (target: PricedTarget, servedModel?: string): RateCard | undefined => {
    const own = ownPrice(target);
    if (own !== undefined) return cardOfPrice(own);
    const { priceList, model } = target;
    if (priceList === undefined) return undefined;
    const at = now();
    const isTold =
      servedModel !== undefined && !(priceList === 'aws' && model.includes(servedModel));
    const served = isTold ? catalogue.card(priceList, servedModel, at) : undefined;
    return served ?? catalogue.card(priceList, model, at);
  };

  return {
    load(target) {
      const needless =
        target !== undefined && (ownPrice(target) !== undefined || target.priceList === undefined);
      return needless ? undefined : catalogue.load();
    },
    price(target, { usage, servedModel, serviceTier }) {
      const card = cardFor(target, servedModel);
      const isPriced = card !== undefined && !(card.isInputOnly && usage.outputTokens > 0);
      return isPriced ? priceUsage({ usage, card, serviceTier }) : unknownCost;
    },
    standardPrice(target) {
      const rates = cardFor(target)?.steps[0].rates;
      return (
        rates && {
          input: usdPerMillion(rates.input),
          cachedInput: usdPerMillion(rates.cachedInput),
          cacheWrite: usdPerMillion(rates.cacheWrite),
          output: usdPerMillion(rates.output),
        }
      );
    },
    contextWindow: ({ priceList, model }) =>
      priceList === undefined ? undefined : catalogue.contextWindow(priceList, model),
  };
}
