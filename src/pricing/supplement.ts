import type { PriceList } from '../protocol/description.ts';
import type { ListedPrice } from './rate-card.ts';

/** The version of `@pydantic/genai-prices` whose date is known: the oldest that may be installed. */
export const publicListVersion = '0.1.8';

/** The public list, which has no date in it and was published on that day, and the rows below. */
export const publicLists: readonly PriceList[] = [
  { source: '@pydantic/genai-prices', date: '2026-09-23' },
  { source: 'signalbox', date: '2026-11-30' },
];

/** A model that the public list lacks, or one without its context window. */
type SupplementRow = {
  readonly pattern: RegExp;
  /** The name of the family. */
  readonly model: string;
  /** US dollars per million tokens, by the list's keys. Absent if the public list has them. */
  readonly prices?: ListedPrice;
  /** Tokens. */
  readonly contextWindow: number;
};

const museWindow = 1_048_576;

/**
 * By price list. Meta: https://dev.meta.ai/docs/pricing-rate-limits; all generations of Muse Spark have the same prices.
 * Contributors allow Meta to train on what they send. Google: https://ai.google.dev/gemini-api/docs/models.
 */
const rows: Readonly<Record<string, readonly SupplementRow[]>> = {
  google: [
    {
      pattern: /^gemini-(?:2\.5-pro$|3\.1-pro-preview)/,
      model: 'gemini-pro',
      contextWindow: 1_048_576,
    },
    { pattern: /^gemma-3-(?:4|12|27)b/, model: 'gemma-3', contextWindow: 131_072 },
  ],
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

type Spelling = readonly [pattern: RegExp, listed: string];

/** Other ways to write the names of a list, and what to look up instead. All that match are applied, in this order. */
const spellings: Readonly<Record<string, readonly Spelling[]>> = {
  google: [[/^(?:(?:publishers\/google\/)?models\/|google\/)(?=.)/, '']],
  fireworks: [
    [/^(?!accounts\/)(?:fireworks\/)?(?:models\/)?(?=[^/]+$)/, 'accounts/fireworks/models/'],
  ],
  meta: [[/^meta\/(?=.)/, '']],
  'x-ai': [
    [/^x-?ai\/(?=.)/, ''],
    // https://docs.x.ai/developers/models: its variants with and without reasoning have one price.
    [/^grok-4\.20(?:-beta|-0309|-(?:non-)?reasoning|-latest)*$/, 'grok-4.20'],
  ],
  mistral: [
    [/^mistral(?:ai)?\/(?=.)/, ''],
    // The public list has these names for the generation before, or not at all.
    [/^(mistral-large|ministral-(?:3b|14b))-latest$/, '$1-2512'],
    [/^devstral-(?:medium-)?latest$/, 'devstral-2512'],
  ],
};

/** The name under which a list has the model, where hosts or users write it in another way. */
export function listedName(priceList: string, model: string): string {
  const rules = Object.hasOwn(spellings, priceList) ? spellings[priceList] : undefined;
  return (rules ?? []).reduce((name, [pattern, listed]) => name.replace(pattern, listed), model);
}
