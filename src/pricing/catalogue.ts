import type { ModelInfo, ModelPrice, PriceCalculation, Provider } from '@pydantic/genai-prices';
import { cardOfListed, type RateCard } from './rate-card.ts';

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
}

type List = Pick<typeof import('@pydantic/genai-prices'), 'calcPrice'>;

/** A model found in the list. `provider` contains only this model, so that later lookups do not search all models. */
type Entry = {
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
    const found = lookUp(list, model, { providerId: priceList });
    const entry = found && {
      provider: { ...found.provider, models: [found.model] },
      model: found.model,
      cards: new WeakMap(),
    };
    models.set(model, entry);
    return entry;
  };

  const rowOf = ({ provider, model }: Entry, name: string, at: number): ModelPrice | undefined => {
    if (!Array.isArray(model.prices)) return model.prices;
    return list && lookUp(list, name, { provider, timestamp: new Date(at) })?.model_price;
  };

  async function load(): Promise<void> {
    try {
      list = await importList();
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
      const row = entry && rowOf(entry, model, at);
      if (entry === undefined || row === undefined) return undefined;
      const known = entry.cards.get(row);
      if (known !== undefined) return known;
      const card = cardOfListed({ vendor: entry.provider.id, model: entry.model.id }, row);
      if (card !== undefined) entry.cards.set(row, card);
      return card;
    },
    contextWindow: (priceList, model) => find(priceList, model)?.model.context_window,
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
