import type { Price } from '../protocol/usage.ts';

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

/** Made once for each price of a configuration. */
const cards = new WeakMap<Price, RateCard>();

/** The card of a price set by the user: one rate for all input sizes, lifetimes and modalities. */
export function cardOfPrice(price: Price): RateCard {
  let card = cards.get(price);
  if (card === undefined) {
    card = makeCard(price);
    cards.set(price, card);
  }
  return card;
}

function makeCard(price: Price): RateCard {
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

/** A model as the list names it. */
type ListedModel = { readonly vendor: string; readonly model: string };

const nothing: ListedPrice = { input_mtok: 0, output_mtok: 0 };

/**
 * Whether the model is free of charge: a name of OpenRouter says so, and https://ai.google.dev/gemini-api/docs/pricing. The
 * list has no prices for these models, but none for some others either.
 */
function isFree({ vendor, model }: ListedModel): boolean {
  return model.endsWith(':free') || (vendor === 'google' && model.startsWith('gemma-'));
}

/** The card of a row in the list, or `undefined` when the row has no price for input, and the model is not free. */
export function cardOfListed(listed: ListedModel, prices: ListedPrice): RateCard | undefined {
  const row = Object.keys(prices).length === 0 && isFree(listed) ? nothing : prices;
  const { input_mtok } = row;
  if (input_mtok === undefined) return undefined;
  const stepAt = (above: number): PriceStep => ({
    above,
    rates: ratesAt({ ...row, input_mtok }, above, listed.model),
  });
  return {
    listed,
    isInputOnly: row.output_mtok === undefined,
    steps: [stepAt(0), ...thresholds(row).map(stepAt)],
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

function ratesAt(
  row: ListedPrice & { readonly input_mtok: ListedFigure },
  above: number,
  model: string,
): TokenRates {
  const rateOf = (key: string): Rate | undefined => {
    const figure = row[key];
    return figure === undefined ? undefined : ratePerMillion(usdAt(figure, above));
  };
  const input = ratePerMillion(usdAt(row.input_mtok, above));
  // Embedding models have no output and no price for it.
  const output = rateOf('output_mtok') ?? 0n;
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

function usdAt(figure: ListedFigure, above: number): number {
  if (typeof figure !== 'object') return figure;
  let usd = figure.base;
  for (const tier of figure.tiers) if (thresholdOf(tier.start) <= above) usd = tier.price;
  return usd;
}

function feeOf(figure: ListedFigure | undefined): Rate {
  return typeof figure === 'number' ? ratePerThousand(figure) : 0n;
}

/**
 * A price that the list does not have: a service tier, or a cache write. It is a multiple of the standard price, so
 * that it stays right when the price changes. Models are named as in the list, where dated snapshots have the name of
 * their family.
 */
type TierRule = {
  /** The models that the rule applies to. Absent: all models that no earlier rule names. */
  readonly models?: readonly string[];
  readonly ratio: Ratio;
  readonly exact: Exactness;
};

/** The requests for which the vendor has published the multiple. For all others it is an estimate. */
type Exactness = 'always' | 'short-context' | 'uncached' | 'never';

type TierRequest = {
  readonly vendor: string;
  readonly model: string;
  /** The vendor's name of the tier that served the request. */
  readonly serviceTier: string;
  /** Whether a long-context step applies. */
  readonly longContext: boolean;
  /** Whether the request read or wrote a prompt cache. */
  readonly cached: boolean;
};

/** The factor that a tier applies to the price of every token. `exact` is false when it is not published. */
export type TierPrice = { readonly ratio: Ratio; readonly exact: boolean };

const standardPrice: TierPrice = { ratio: [1, 1], exact: true };
const half: Ratio = [1, 2];

/** The names of standard tiers of OpenAI, Anthropic, Google and Groq. */
const standardTiers: ReadonlySet<string> = new Set([
  '',
  'auto',
  'default',
  'on_demand',
  'standard',
  'unspecified',
]);

/**
 * OpenAI's fast mode, named priority until 2026-07-30; both names are still in use. Each multiple is the fast price
 * divided by the standard price, from https://openai.com/api-fast-mode/, which has no prices for long context. Models
 * that are not listed there are estimated at double the price.
 */
const openaiFast: readonly TierRule[] = [
  {
    models: [
      'gpt-4.1-nano',
      'gpt-5',
      'gpt-5.1',
      'gpt-5.2',
      'gpt-5.4',
      'gpt-5.4-mini',
      'gpt-5.6-luna',
      'gpt-5.6-sol',
      'gpt-5.6-terra',
    ],
    ratio: [2, 1],
    exact: 'short-context',
  },
  { models: ['gpt-5.5'], ratio: [5, 2], exact: 'short-context' },
  { models: ['gpt-5-mini'], ratio: [9, 5], exact: 'short-context' },
  {
    models: ['gpt-4.1', 'gpt-4.1-mini', 'gpt-4o-2024-05-13', 'o3'],
    ratio: [7, 4],
    exact: 'short-context',
  },
  { models: ['gpt-4o'], ratio: [17, 10], exact: 'short-context' },
  { models: ['gpt-4o-mini'], ratio: [5, 3], exact: 'short-context' },
  { models: ['o4-mini'], ratio: [20, 11], exact: 'short-context' },
  { ratio: [2, 1], exact: 'never' },
];

/** By vendor and tier. A map, because both come from the vendor. */
const tierRules: ReadonlyMap<string, readonly TierRule[]> = new Map([
  // https://developers.openai.com/api/docs/pricing: half of standard, long context included.
  ['openai flex', [{ ratio: half, exact: 'always' }]],
  ['openai batch', [{ ratio: half, exact: 'always' }]],
  ['openai priority', openaiFast],
  ['openai fast', openaiFast],
  // https://platform.claude.com/docs/en/about-claude/pricing: half of every token price, caches included.
  ['anthropic batch', [{ ratio: half, exact: 'always' }]],
  // https://platform.claude.com/docs/en/build-with-claude/fast-mode, and the newer models' list prices.
  [
    'anthropic fast',
    [
      { models: ['claude-opus-4-6', 'claude-opus-4-7'], ratio: [6, 1], exact: 'always' },
      { models: ['claude-opus-4-8', 'claude-opus-5'], ratio: [2, 1], exact: 'always' },
    ],
  ],
  // https://ai.google.dev/gemini-api/docs/optimization: half of input and output; caches are not mentioned.
  // Priority is "75% to 100% more", published as 1.8 times for the two models named.
  ['google flex', [{ ratio: half, exact: 'uncached' }]],
  ['google batch', [{ ratio: half, exact: 'uncached' }]],
  [
    'google priority',
    [
      { models: ['gemini-3.7-flash', 'gemini-3.8-flash'], ratio: [9, 5], exact: 'uncached' },
      { ratio: [9, 5], exact: 'never' },
    ],
  ],
  // https://console.groq.com/docs/flex-processing: flex costs what on-demand does.
  ['groq flex', [{ ratio: [1, 1], exact: 'always' }]],
] satisfies readonly (readonly [string, readonly TierRule[]])[]);

const isExact = {
  always: () => true,
  'short-context': (request) => !request.longContext,
  uncached: (request) => !request.cached,
  never: () => false,
} as const satisfies Record<Exactness, (request: TierRequest) => boolean>;

/** The multiple of a service tier. An unknown tier gets the standard price, with `exact: false`. */
export function tierPrice(request: TierRequest): TierPrice {
  // Google also writes SERVICE_TIER_FLEX, and ON_DEMAND_FLEX on Vertex.
  const tier = request.serviceTier.toLowerCase().replace(/^(service_tier|on_demand)_/, '');
  if (standardTiers.has(tier)) return standardPrice;
  const rule = tierRules
    .get(`${request.vendor} ${tier}`)
    ?.find(({ models }) => models === undefined || models.includes(request.model));
  if (rule === undefined) return { ...standardPrice, exact: false };
  return { ratio: rule.ratio, exact: isExact[rule.exact](request) };
}

/**
 * Inference in the United States costs 10% more on Anthropic's API
 * (https://platform.claude.com/docs/en/build-with-claude/data-residency). The usage then has `inference_geo: 'us'`.
 */
const residencyRatios: ReadonlyMap<string, Ratio> = new Map([['anthropic us', [11, 10]]]);

/** The multiple for the region where inference ran, as reported by the vendor. */
export function residencyRatio(vendor: string, region: string): Ratio {
  return residencyRatios.get(`${vendor} ${region}`) ?? standardPrice.ratio;
}

/**
 * One-hour cache writes of Claude models cost twice the input price, also at resellers
 * (https://platform.claude.com/docs/en/build-with-claude/prompt-caching#pricing). The lists of resellers often have
 * only the five-minute price. `undefined` for other models, which do not have this lifetime.
 */
function hourWriteRatio(model: string): Ratio | undefined {
  return model.includes('claude') ? [2, 1] : undefined;
}

/**
 * The price of one unit (a token, a search) in atto-dollars: 1e-18 US dollars. A price per million tokens with twelve
 * decimals is a whole number, so nothing is rounded before the sum.
 */
export type Rate = bigint;

/** A factor such as 5/3. A fraction, because list prices are rarely round multiples of each other. */
export type Ratio = readonly [numerator: number, denominator: number];

const decimalsOfPrice = 12;
const attoPerNano = 10n ** 9n;
const nanoPerUsd = 1e9;

/** The rate of one token at `usd` per million. Drops the binary floating-point noise beyond 12 decimals. */
export function ratePerMillion(usd: number): Rate {
  return BigInt(usd.toFixed(decimalsOfPrice).replace('.', ''));
}

/** The rate of one search or request at `usd` per thousand. */
export function ratePerThousand(usd: number): Rate {
  return ratePerMillion(usd) * 1000n;
}

/** The inverse of {@link ratePerMillion}. */
export function usdPerMillion(rate: Rate): number {
  return Number(rate) / 10 ** decimalsOfPrice;
}

/** `amount` times `ratio`, rounded half up to an atto-dollar. */
export function scale(amount: bigint, [numerator, denominator]: Ratio): bigint {
  if (numerator === denominator) return amount;
  return divideHalfUp(amount * BigInt(numerator), BigInt(denominator));
}

/**
 * Converts atto-dollars to whole nano-dollars. Rounds the running total (half up) and gives each line the difference,
 * so the lines add up exactly to the rounded sum, whose error is at most half a nano-dollar for any number of lines.
 * Zero lines stay zero.
 */
export function toNano(lines: readonly bigint[]): number[] {
  let exact = 0n;
  let rounded = 0n;
  return lines.map((line) => {
    exact += line;
    const next = divideHalfUp(exact, attoPerNano);
    const share = next - rounded;
    rounded = next;
    return Number(share);
  });
}

/** The least whole number of nano-dollars that is no less. */
export function nanoAtLeast(amount: bigint): number {
  return Number((amount + attoPerNano - 1n) / attoPerNano);
}

/** Nano-dollars as US dollars: the double nearest to the decimal. */
export function usdOf(nano: number): number {
  return nano / nanoPerUsd;
}

/** Adds amounts of US dollars as whole nano-dollars, so that long sums do not drift. */
export function addUsd(amounts: Iterable<number>): number {
  let nano = 0;
  for (const usd of amounts) nano += Math.round(usd * nanoPerUsd);
  return usdOf(nano);
}

/** Both arguments must not be negative. */
function divideHalfUp(amount: bigint, divisor: bigint): bigint {
  return (amount * 2n + divisor) / (divisor * 2n);
}
