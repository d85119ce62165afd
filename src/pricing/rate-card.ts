import type { Price } from '../protocol/usage.ts';
import { type Rate, ratePerMillion, ratePerThousand, scale } from './money.ts';
import { hourWriteRatio } from './supplement.ts';

/** The rates of every kind of token for a given size of the request. */
export type TokenRates = {
  readonly input: Rate;
  readonly cachedInput: Rate;
  /** For cache writes without a reported lifetime. */
  readonly cacheWrite: Rate;
  /** For cache writes by lifetime (`5m`, `1h`), if the list has them. */
  readonly cacheWriteByTtl: ReadonlyMap<string, Rate>;
  readonly output: Rate;
  readonly reasoning: Rate;
  readonly audioInput: Rate;
  readonly cachedAudioInput: Rate;
  readonly audioOutput: Rate;
};

/** All rates of one model, enough to price a usage without further lookups. */
export type RateCard = {
  /** The vendor and model in the public list. Absent for a price set by the user. */
  readonly listed?: { readonly vendor: string; readonly model: string };
  /** In ascending order. The last step whose `above` is below the total input applies to every token. */
  readonly steps: readonly [PriceStep, ...PriceStep[]];
  /** Whether the list has no price for output. Then an answer with output cannot be priced. */
  readonly isInputOnly: boolean;
  readonly perRequest: Rate;
  readonly perWebSearch: Rate;
};

type PriceStep = { readonly above: number; readonly rates: TokenRates };

/** A model's row in the price list: prices by key, some with long-context steps. */
export type ListedPrice = Readonly<Record<string, ListedFigure | undefined>>;

type ListedFigure =
  | number
  | { readonly base: number; readonly tiers: readonly { start: number; price: number }[] };

/** The card of a price set by the user: one rate for all input sizes, lifetimes and modalities. */
export function cardOfPrice(price: Price): RateCard {
  const input = ratePerMillion(price.input);
  const cachedInput = ratePerMillion(price.cachedInput ?? price.input);
  const output = ratePerMillion(price.output);
  const rates: TokenRates = {
    input,
    cachedInput,
    cacheWrite: ratePerMillion(price.cacheWrite ?? price.input),
    cacheWriteByTtl: new Map(),
    output,
    reasoning: output,
    audioInput: input,
    cachedAudioInput: cachedInput,
    audioOutput: output,
  };
  return { steps: [{ above: 0, rates }], isInputOnly: false, perRequest: 0n, perWebSearch: 0n };
}

/** The card of a row in the list, or `undefined` when the row has no price for input. */
export function cardOfListed(
  listed: { readonly vendor: string; readonly model: string },
  row: ListedPrice,
): RateCard | undefined {
  const first = ratesAt(row, 0, listed.model);
  if (first === undefined) return undefined;
  const later = thresholds(row).flatMap((above) => {
    const rates = ratesAt(row, above, listed.model);
    return rates === undefined ? [] : [{ above, rates }];
  });
  return {
    listed,
    isInputOnly: row.output_mtok === undefined,
    steps: [{ above: 0, rates: first }, ...later],
    perRequest: feeOf(row.requests_kcount),
    perWebSearch: feeOf(row.web_searches_kcount),
  };
}

/**
 * The rates for a total input of `inputTokens`. A step applies when its threshold is exceeded, not when it is reached.
 */
export function stepOf(card: RateCard, inputTokens: number): PriceStep {
  return card.steps.findLast((step) => inputTokens > step.above) ?? card.steps[0];
}

function thresholds(row: ListedPrice): number[] {
  const starts = Object.values(row).flatMap((figure) =>
    typeof figure === 'object' ? figure.tiers.map((tier) => thresholdOf(tier.start)) : [],
  );
  return [...new Set(starts)].sort((left, right) => left - right);
}

/**
 * For some steps the list has one token less than a round thousand, because it reads the vendor's "<272K" as "from 272K
 * on". The vendor's model pages and other price lists have ">272K". Here every step starts above the round number.
 */
function thresholdOf(start: number): number {
  return start % 1000 === 999 ? start + 1 : start;
}

function ratesAt(row: ListedPrice, above: number, model: string): TokenRates | undefined {
  const rateOf = (key: string): Rate | undefined => {
    const usd = usdAt(row[key], above);
    return usd === undefined ? undefined : ratePerMillion(usd);
  };
  const input = rateOf('input_mtok');
  // Embedding models have no output and no price for it.
  const output = rateOf('output_mtok') ?? 0n;
  if (input === undefined) return undefined;
  const cachedInput = rateOf('cache_read_mtok') ?? input;
  const audioInput = rateOf('input_audio_mtok') ?? input;
  const cacheWrite = rateOf('cache_write_mtok') ?? input;
  const hourRatio = hourWriteRatio(model);
  const hourWrite =
    rateOf('cache_write_1h_mtok') ?? (hourRatio ? scale(input, hourRatio) : undefined);
  return {
    input,
    cachedInput,
    cacheWrite,
    // The default lifetimes, 5 minutes at Anthropic and 30 minutes at OpenAI, are what the list calls a cache write.
    cacheWriteByTtl: new Map([
      ['5m', cacheWrite],
      ['30m', cacheWrite],
      ...(hourWrite === undefined ? [] : [['1h', hourWrite] as const]),
    ]),
    output,
    reasoning: rateOf('output_reasoning_mtok') ?? output,
    audioInput,
    cachedAudioInput: rateOf('cache_audio_read_mtok') ?? cachedInput,
    audioOutput: rateOf('output_audio_mtok') ?? output,
  };
}

function usdAt(figure: ListedFigure | undefined, above: number): number | undefined {
  if (typeof figure !== 'object') return figure;
  let usd = figure.base;
  for (const tier of figure.tiers) if (thresholdOf(tier.start) <= above) usd = tier.price;
  return usd;
}

function feeOf(figure: ListedFigure | undefined): Rate {
  return typeof figure === 'number' ? ratePerThousand(figure) : 0n;
}
