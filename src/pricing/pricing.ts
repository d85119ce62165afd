import type { ModelInfo, ModelPrice, PriceCalculation, Provider } from '@pydantic/genai-prices';
import type { PriceList } from '../protocol/description.ts';
import type { Price, Usage } from '../protocol/usage.ts';
import { ceilingOf, type PricedUsage, priceUsage, unknownCost } from './price-usage.ts';
import { cardOfListed, cardOfPrice, type RateCard, usdPerMillion } from './rate-card.ts';
import { listedName, publicLists, supplementRow } from './supplement.ts';

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

/** The most that a request and its answer may have. */
type RequestSize = {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly hasAudio: boolean;
  readonly serviceTier?: string | undefined;
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
  /**
   * The most nano-dollars that a request with these tokens may cost, its cache writes included. `undefined` when the price
   * is unknown.
   */
  ceiling(target: PricedTarget, request: RequestSize): number | undefined;
  /** The standard price of a short request, for comparing targets. `undefined` when it is unknown. */
  standardPrice(target: PricedTarget): Price | undefined;
  /** In tokens. `undefined` when the public list is not loaded or does not contain the model. */
  contextWindow(target: PricedTarget): number | undefined;
  /** When the vendor retires the model, in ISO 8601. `undefined` when no date is known or the lists are not loaded. */
  retirementDate(target: PricedTarget): string | undefined;
  /** The lists that are loaded, with their dates. */
  lists(): readonly PriceList[];
  /**
   * The models of the vendor, if the model is not one of them. `undefined` when it is, when it has a price of its own, and
   * when the public list is not loaded or does not contain the vendor.
   */
  modelsInstead(target: PricedTarget): readonly string[] | undefined;
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
    ceiling(target, request) {
      const card = cardFor(target);
      const isPriced = card !== undefined && !(card.isInputOnly && request.outputTokens > 0);
      return isPriced ? ceilingOf({ ...request, card }) : undefined;
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
    retirementDate: ({ priceList, model }) =>
      priceList === undefined ? undefined : catalogue.retirementDate(priceList, model),
    lists: () => catalogue.lists(),
    modelsInstead(target) {
      const { priceList, model } = target;
      if (priceList === undefined || ownPrice(target) !== undefined) return undefined;
      const models = catalogue.models(priceList);
      return models.length === 0 || catalogue.has(priceList, model) ? undefined : models;
    },
  };
}

/** The public price list. Empty until it is loaded. */
export interface Catalogue {
  /** Loads the list once. Returns `undefined` when it is already loaded. */
  load(): Promise<void> | undefined;
  /**
   * The rates of `model` at a time in epoch milliseconds. Prices change by date, some by the hour.
   * `undefined` when the list is not loaded or does not contain the model.
   */
  card(priceList: string, model: string, at: number): RateCard | undefined;
  /** The model's context window in tokens, if the list has it. */
  contextWindow(priceList: string, model: string): number | undefined;
  /** When the vendor retires the model, in ISO 8601, if that is known. */
  retirementDate(priceList: string, model: string): string | undefined;
  /** The lists that are loaded, with their dates. */
  lists(): readonly PriceList[];
  /** Whether the list has the model, with or without a price. */
  has(priceList: string, model: string): boolean;
  /** The names of a vendor's models. Empty when the list is not loaded or does not contain the vendor. */
  models(priceList: string): readonly string[];
}

type List = Pick<typeof import('@pydantic/genai-prices'), 'calcPrice' | 'findProvider'>;

/** A model found in the list. `provider` contains only this model, so that later lookups do not search all models. */
type Entry = {
  /** The name that it was found by. */
  readonly name: string;
  readonly provider: Provider;
  readonly model: ModelInfo;
  /** By row. Cached per model, because vendors may share a row and differ in their tiers. */
  readonly cards: WeakMap<ModelPrice, RateCard>;
};

/**
 * Per list. Far more than the targets of one process. Only a vendor that sends a new model name in every answer reaches
 * it.
 */
const maxEntries = 1000;

/** A catalogue of `@pydantic/genai-prices`. The package is large, so it is imported only by `load`. */
export function createCatalogue(
  importList: () => Promise<List> = () => import('@pydantic/genai-prices'),
): Catalogue {
  let list: List | undefined;
  let retirements: typeof import('./retirements.ts') | undefined;
  let loading: Promise<void> | undefined;
  /** By list, then by model. Two lookups are faster than building a combined key. */
  const entries = new Map<string, Map<string, Entry | undefined>>();

  const find = (priceList: string, model: string): Entry | undefined => {
    if (list === undefined) return undefined;
    let models = entries.get(priceList);
    if (models === undefined) {
      models = new Map();
      entries.set(priceList, models);
    }
    const known = models.get(model);
    if (known !== undefined || models.has(model)) return known;
    if (models.size >= maxEntries) models.clear();
    const options = { providerId: priceList };
    const listed = listedName(priceList, model);
    const inList = lookUp(list, listed, options);
    const found = inList ?? (listed === model ? undefined : lookUp(list, model, options));
    const entry = found && {
      name: inList === undefined ? model : listed,
      provider: { ...found.provider, models: [found.model] },
      model: found.model,
      cards: new WeakMap(),
    };
    models.set(model, entry);
    return entry;
  };

  /** Made once for each row, as those of the list. */
  const supplementCards = new Map<string, RateCard | undefined>();

  const supplementCard = (priceList: string, model: string): RateCard | undefined => {
    const row = list && supplementRow(priceList, model);
    if (row?.prices === undefined) return undefined;
    const key = `${priceList} ${row.model}`;
    if (!supplementCards.has(key)) {
      supplementCards.set(key, cardOfListed({ vendor: priceList, model: row.model }, row.prices));
    }
    return supplementCards.get(key);
  };

  const rowOf = ({ name, provider, model }: Entry, at: number): ModelPrice | undefined => {
    if (!Array.isArray(model.prices)) return model.prices;
    return list && lookUp(list, name, { provider, timestamp: new Date(at) })?.model_price;
  };

  async function load(): Promise<void> {
    try {
      // Both are needed only with prices.
      [list, retirements] = await Promise.all([importList(), import('./retirements.ts')]);
    } catch (error) {
      loading = undefined;
      throw error;
    }
  }

  return {
    load() {
      if (list !== undefined) return undefined;
      loading ??= load();
      return loading;
    },
    card(priceList, model, at) {
      const entry = find(priceList, model);
      if (entry === undefined) return supplementCard(priceList, listedName(priceList, model));
      const row = rowOf(entry, at);
      if (row === undefined) return undefined;
      const known = entry.cards.get(row);
      if (known !== undefined) return known;
      const card = cardOfListed({ vendor: entry.provider.id, model: entry.model.id }, row);
      if (card !== undefined) entry.cards.set(row, card);
      return card;
    },
    contextWindow: (priceList, model) =>
      find(priceList, model)?.model.context_window ??
      supplementRow(priceList, listedName(priceList, model))?.contextWindow,
    retirementDate: (priceList, model) =>
      retirements?.retirementDate(priceList, listedName(priceList, model)),
    lists: () => (list === undefined ? [] : publicLists),
    has: (priceList, model) =>
      find(priceList, model) !== undefined ||
      supplementRow(priceList, listedName(priceList, model)) !== undefined,
    models: (priceList) =>
      list?.findProvider({ providerId: priceList })?.models.map(({ id }) => id) ?? [],
  };
}

/**
 * Finds a model by the list's name matching. Passes an empty usage, because only the match is needed.
 * The list throws for an inconsistent row. An answer must not fail because of that, so its price is unknown.
 */
function lookUp(
  list: List,
  model: string,
  options: NonNullable<Parameters<List['calcPrice']>[2]>,
): PriceCalculation | undefined {
  try {
    return list.calcPrice({}, model, options) ?? undefined;
  } catch {
    return undefined;
  }
}
