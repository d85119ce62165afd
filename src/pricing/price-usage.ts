import type { Cost, Usage } from '../protocol/usage.ts';
import {
  nanoAtLeast,
  type RateCard,
  residencyRatio,
  scale,
  stepOf,
  type TokenRates,
  tierPrice,
  toNano,
  usdOf,
} from './rate-card.ts';

/** The cost of one attempt, without the other attempts of its call. */
export type PricedUsage = Omit<Cost, 'attemptsUsd'>;

/** The cost when the price is unknown. */
export const unknownCost: PricedUsage = {
  usd: null,
  breakdown: { input: 0, cachedInput: 0, cacheWrite: 0, output: 0 },
  priced: 'unknown',
};

/**
 * Prices one usage. `usd` is exact to the nano-dollar and is the sum of the breakdown. Fees per request or web search
 * are part of `breakdown.input`.
 *
 * The cost is `estimated` when the usage is, or when the service tier or the lifetime of a cache write has no published
 * price. A price set by the user applies to every tier, without fees.
 * Not included is what the vendor's usage does not count: file searches, code execution, cache storage per hour.
 */
export function priceUsage(options: {
  readonly usage: Usage;
  readonly card: RateCard;
  readonly serviceTier?: string | null | undefined;
}): PricedUsage {
  const { usage, card } = options;
  const extras = readExtras(usage.raw);
  const cached = countOf(usage.cachedInputTokens);
  const writes = writesOf(usage);
  const written = writes.reduce((sum, write) => sum + write.tokens, 0);
  const allInput = Math.max(countOf(usage.inputTokens), cached + written);
  const { above, rates } = stepOf(card, allInput);

  const tokens = {
    input: inputCost(allInput - cached - written, extras, rates),
    cachedInput: cachedCost(cached, extras, rates),
    cacheWrite: writes.reduce(
      (sum, write) => sum + BigInt(write.tokens) * rateOfWrite(write, rates),
      0n,
    ),
    output: outputCost(usage, extras, rates),
  };
  const { listed } = card;
  const tier = listed && {
    ...tierPrice({
      ...listed,
      serviceTier: extras.speed === 'fast' ? extras.speed : (options.serviceTier ?? ''),
      longContext: above > 0,
      cached: cached + written > 0,
    }),
    residency: residencyRatio(listed.vendor, extras.region),
  };
  const charge = (amount: bigint): bigint =>
    tier === undefined ? amount : scale(scale(amount, tier.ratio), tier.residency);
  const fees = card.perRequest + BigInt(extras.webSearches) * card.perWebSearch;

  const lines = [
    charge(tokens.input) + fees,
    charge(tokens.cachedInput),
    charge(tokens.cacheWrite),
    charge(tokens.output),
  ];
  const [input = 0, cachedInput = 0, cacheWrite = 0, output = 0] = toNano(lines);
  const exact =
    usage.estimated !== true &&
    (tier === undefined || (tier.exact && writes.every((write) => isListed(write, rates))));
  return {
    usd: usdOf(input + cachedInput + cacheWrite + output),
    breakdown: {
      input: usdOf(input),
      cachedInput: usdOf(cachedInput),
      cacheWrite: usdOf(cacheWrite),
      output: usdOf(output),
    },
    priced: exact ? 'exact' : 'estimated',
  };
}

/**
 * The most nano-dollars that a request may cost: all of its input at the most expensive rate for input, such as that of
 * cache writes. Without web searches, which are not known before.
 */
export function ceilingOf(options: {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly hasAudio: boolean;
  readonly card: RateCard;
  readonly serviceTier?: string | undefined;
}): number {
  const { card, serviceTier, inputTokens, outputTokens, hasAudio } = options;
  const { above, rates } = stepOf(card, inputTokens);
  const most = highestRates(rates);
  const tokens =
    BigInt(inputTokens) * (hasAudio ? most.inputOrAudio : most.input) +
    BigInt(outputTokens) * most.output;
  const { listed } = card;
  if (listed === undefined || serviceTier === undefined) {
    return nanoAtLeast(tokens + card.perRequest);
  }
  const { ratio } = tierPrice({ ...listed, serviceTier, longContext: above > 0, cached: true });
  // A vendor may answer a request for a cheaper tier in the standard one.
  return nanoAtLeast(highest([tokens, scale(tokens, ratio)]) + card.perRequest);
}

type HighestRates = Readonly<Record<'input' | 'inputOrAudio' | 'output', bigint>>;

const knownRates = new WeakMap<TokenRates, HighestRates>();

/** The most expensive rate of each kind; worked out once for each row of a price list. */
function highestRates(rates: TokenRates): HighestRates {
  let known = knownRates.get(rates);
  if (known === undefined) {
    const { cachedInput, cacheWrite, cacheWriteByTtl, audioInput, output, reasoning } = rates;
    const input = highest([rates.input, cachedInput, cacheWrite, ...cacheWriteByTtl.values()]);
    known = {
      input,
      inputOrAudio: highest([input, audioInput]),
      output: highest([output, reasoning]),
    };
    knownRates.set(rates, known);
  }
  return known;
}

function highest(rates: readonly bigint[]): bigint {
  return rates.reduce((most, rate) => (rate > most ? rate : most), 0n);
}

type CacheWrite = { readonly ttl?: string; readonly tokens: number };

/** Cache writes by lifetime, and the rest without a reported lifetime. */
function writesOf(usage: Usage): readonly CacheWrite[] {
  const byTtl = Object.entries(usage.cacheWriteTokensByTtl ?? {})
    .map(([ttl, tokens]) => ({ ttl, tokens: countOf(tokens) }))
    .filter(({ tokens }) => tokens > 0);
  const rest = byTtl.reduce((left, write) => left - write.tokens, countOf(usage.cacheWriteTokens));
  return rest > 0 ? [...byTtl, { tokens: rest }] : byTtl;
}

function rateOfWrite({ ttl }: CacheWrite, rates: TokenRates): bigint {
  return (ttl === undefined ? undefined : rates.cacheWriteByTtl.get(ttl)) ?? rates.cacheWrite;
}

function isListed({ ttl }: CacheWrite, rates: TokenRates): boolean {
  return ttl === undefined || rates.cacheWriteByTtl.has(ttl);
}

function inputCost(uncached: number, extras: UsageExtras, rates: TokenRates): bigint {
  const uncachedAudio = Math.max(0, extras.audioInputTokens - extras.cachedAudioTokens);
  const audio = Math.min(uncached, uncachedAudio);
  return BigInt(uncached - audio) * rates.input + BigInt(audio) * rates.audioInput;
}

function cachedCost(cached: number, extras: UsageExtras, rates: TokenRates): bigint {
  const audio = Math.min(cached, extras.cachedAudioTokens);
  return BigInt(cached - audio) * rates.cachedInput + BigInt(audio) * rates.cachedAudioInput;
}

function outputCost(usage: Usage, extras: UsageExtras, rates: TokenRates): bigint {
  const all = countOf(usage.outputTokens);
  const reasoning = Math.min(all, countOf(usage.reasoningTokens));
  const audio = Math.min(all - reasoning, extras.audioOutputTokens);
  return (
    BigInt(all - reasoning - audio) * rates.output +
    BigInt(reasoning) * rates.reasoning +
    BigInt(audio) * rates.audioOutput
  );
}

/** Values in the vendor's usage that affect the price and are not part of `Usage`. */
type UsageExtras = {
  readonly webSearches: number;
  /** Audio tokens in the input, including cached audio. */
  readonly audioInputTokens: number;
  readonly cachedAudioTokens: number;
  readonly audioOutputTokens: number;
  /** Anthropic's `speed`, which works like a service tier. */
  readonly speed: string;
  /** Anthropic's `inference_geo`. */
  readonly region: string;
};

/** Reads `usage.raw`, which comes from the vendor and may have any shape. */
function readExtras(raw: unknown): UsageExtras {
  return {
    webSearches:
      countOf(at(raw, 'server_tool_use', 'web_search_requests')) ||
      countOf(at(raw, 'num_search_queries')),
    audioInputTokens:
      countOf(at(raw, 'prompt_tokens_details', 'audio_tokens')) ||
      audioIn(at(raw, 'promptTokensDetails')),
    cachedAudioTokens: audioIn(at(raw, 'cacheTokensDetails')),
    audioOutputTokens:
      countOf(at(raw, 'completion_tokens_details', 'audio_tokens')) ||
      audioIn(at(raw, 'candidatesTokensDetails')),
    speed: wordOf(at(raw, 'speed')),
    region: wordOf(at(raw, 'inference_geo')),
  };
}

/** Larger counts are not plausible and could overflow the sums. */
const maxCount = 1e12;

/** The count as a finite whole number, at least 0. Anything else counts as 0. */
function countOf(value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) return 0;
  return Math.round(Math.min(value, maxCount));
}

function wordOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Gemini lists tokens by modality: `[{ modality: 'AUDIO', tokenCount: 12 }]`. */
function audioIn(details: unknown): number {
  if (!Array.isArray(details)) return 0;
  const audio: unknown = details.find((detail: unknown) => at(detail, 'modality') === 'AUDIO');
  return countOf(at(audio, 'tokenCount'));
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}

function at(value: unknown, key: string, below?: string): unknown {
  const found = field(value, key);
  return below === undefined ? found : field(found, below);
}
