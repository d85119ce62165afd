import type { ListedPrice } from './rate-card.ts';

/** A model that the public list lacks. */
type SupplementRow = {
  readonly pattern: RegExp;
  /** The name of the family. */
  readonly model: string;
  /** US dollars per million tokens, by the list's keys. */
  readonly prices: ListedPrice;
  /** Tokens. */
  readonly contextWindow: number;
};

const museWindow = 1_048_576;

/**
 * By price list. Meta: https://dev.meta.ai/docs/pricing-rate-limits; all generations of Muse Spark have the same prices.
 * Contributors allow Meta to train on what they send.
 */
const rows: Readonly<Record<string, readonly SupplementRow[]>> = {
  meta: [
    {
      pattern: /^muse-spark-[\d.]+-contributor$/,
      model: 'muse-spark-contributor',
      prices: { input_mtok: 0.1, cache_read_mtok: 0.002, output_mtok: 0.2 },
      contextWindow: museWindow,
    },
    {
      pattern: /^muse-spark-[\d.]+$/,
      model: 'muse-spark',
      prices: { input_mtok: 1.25, cache_read_mtok: 0.15, output_mtok: 4.25 },
      contextWindow: museWindow,
    },
  ],
};

export function supplementRow(priceList: string, model: string): SupplementRow | undefined {
  const list = Object.hasOwn(rows, priceList) ? rows[priceList] : undefined;
  return list?.find(({ pattern }) => pattern.test(model));
}

/** Other ways to write the names of a list, and what to look up instead. */
const spellings: Readonly<Record<string, readonly [pattern: RegExp, listed: string]>> = {
  google: [/^(?:(?:publishers\/google\/)?models\/|google\/)(?=.)/, ''],
  fireworks: [
    /^(?!accounts\/)(?:fireworks\/)?(?:models\/)?(?=[^/]+$)/,
    'accounts/fireworks/models/',
  ],
  meta: [/^meta\/(?=.)/, ''],
  'x-ai': [/^x-?ai\/(?=.)/, ''],
  mistral: [/^mistral(?:ai)?\/(?=.)/, ''],
};

/** The name under which a list has the model, where hosts or users write it in another way. */
export function listedName(priceList: string, model: string): string {
  const rule = Object.hasOwn(spellings, priceList) ? spellings[priceList] : undefined;
  return rule === undefined ? model : model.replace(...rule);
}
