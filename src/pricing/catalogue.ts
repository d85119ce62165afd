import type { ModelInfo, ModelPrice, PriceCalculation, Provider } from '@pydantic/genai-prices';
import { cardOfListed, type RateCard } from './rate-card.ts';

/** The public price list. Empty until loaded. */
export interface Catalogue {
  /** Loads the list, once; `undefined` when it is there. */
  load(): Promise<void> | undefined;
  /**
   * What `model` costs at a moment (epoch milliseconds: prices change by date, and some by the hour).
   * `undefined` when the list is not loaded or does not know.
   */
  card(priceList: string, model: string, at: number): RateCard | undefined;
  /** The model's context window in tokens, as far as the list knows. */
  contextWindow(priceList: string, model: string): number | undefined;
}

type List = Pick<typeof import('@pydantic/genai-prices'), 'calcPrice'>;

/** A model found in the list. `provider` holds that model only, so that it need not be searched again. */
type Entry = {
  readonly provider: Provider;
  readonly model: ModelInfo;
  /** By row. Kept here and not for all, because vendors may share a row and still differ in their tiers. */
  readonly cards: WeakMap<ModelPrice, RateCard>;
};

/** Of each list. Far more than one process has targets: only a vendor that names a new model in every answer gets there. */
const maxEntries = 1000;

/** A catalogue over `@pydantic/genai-prices`, which is imported by `load` and not before: it is large. */
export function createCatalogue(
  importList: () => Promise<List> = () => import('@pydantic/genai-prices'),
): Catalogue {
  let list: List | undefined;
  let loading: Promise<void> | undefined;
  /** By list and model: the two put together into one key would cost more than to look twice. */
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
    const found = ask(list, model, { providerId: priceList });
    const entry = found && {
      provider: { ...found.provider, models: [found.model] },
      model: found.model,
      cards: new WeakMap(),
    };
    models.set(model, entry);
    return entry;
  };

  const rowOf = ({ provider, model }: Entry, asked: string, at: number): ModelPrice | undefined => {
    if (!Array.isArray(model.prices)) return model.prices;
    return list && ask(list, asked, { provider, timestamp: new Date(at) })?.model_price;
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
 * The list's own matching of names, without a price: no usage is asked about.
 * The list throws on a row that contradicts itself. An answer must not fail for that: its price is unknown.
 */
function ask(
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
