import type { Price, Usage } from '../protocol/usage.ts';
import { type Catalogue, createCatalogue } from './catalogue.ts';
import { usdPerMillion } from './money.ts';
import { type PricedUsage, priceUsage, unknownCost } from './price-usage.ts';
import { cardOfPrice, type RateCard } from './rate-card.ts';

/** The fields of a target that determine its price. */
export type PricedTarget = {
  /** `provider/model`: the key of `prices` in the configuration. */
  readonly target: string;
  /** The model as requested. */
  readonly model: string;
  /** The vendor's name in price lists. Without it, only a price set by the user applies. */
  readonly priceList?: string | undefined;
  /** The price set on the target. */
  readonly price?: Price | undefined;
};

/** The fields of an answer that determine its price. */
type PricedAnswer = {
  readonly usage: Usage;
  /** The model that answered, as reported by the vendor. */
  readonly servedModel?: string | undefined;
  readonly serviceTier?: string | null | undefined;
};

export interface Pricing {
  /**
   * Loads the public price list once, if `target` needs it; without a target, always. Returns `undefined` when there is
   * nothing to wait for.
   */
  load(target?: PricedTarget): Promise<void> | undefined;
  /**
   * The cost of an answer. Uses the price of the target, else that in `prices`, else the public list. The list is
   * searched for the served model, then for the requested model. On AWS the requested model is used, because AWS prices
   * depend on the region prefix, which the name of the served model lacks.
   * `usd` is `null` when the price is unknown. Before `load`, all prices of the public list are unknown.
   */
  price(target: PricedTarget, answer: PricedAnswer): PricedUsage;
  /** The standard price of a short request, for comparing targets. `undefined` when it is unknown. */
  standardPrice(target: PricedTarget): Price | undefined;
  /** In tokens. `undefined` when the public list is not loaded or does not contain the model. */
  contextWindow(target: PricedTarget): number | undefined;
}

/** Creates the pricing of one configuration. `now` returns epoch milliseconds. Loads nothing until `load` is called. */
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
    const usesServed =
      servedModel !== undefined && !(priceList === 'aws' && model.includes(servedModel));
    const served = usesServed ? catalogue.card(priceList, servedModel, at) : undefined;
    return served ?? catalogue.card(priceList, model, at);
  };

  return {
    load(target) {
      const isUnneeded =
        target !== undefined && (ownPrice(target) !== undefined || target.priceList === undefined);
      return isUnneeded ? undefined : catalogue.load();
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
