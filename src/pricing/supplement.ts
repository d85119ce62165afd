import type { Ratio } from './money.ts';

/**
 * What the vendors charge beside the list: service tiers, and cache writes that the list leaves out.
 * Multiples of the standard price rather than prices, so that they stay right when a price is cut.
 * Models are named as in the list, where dated snapshots share the name of their family.
 */
type TierRule = {
  /** The models it is for; absent for all that no rule before it names. */
  readonly models?: readonly string[];
  readonly ratio: Ratio;
  readonly exact: Exactness;
};

/** For which requests the vendor has published the multiple; for others it is our best guess. */
type Exactness = 'always' | 'short-context' | 'uncached' | 'never';

type TierQuestion = {
  readonly vendor: string;
  readonly model: string;
  /** The vendor's word for the tier that served the request. */
  readonly serviceTier: string;
  /** Whether a long-context step was crossed. */
  readonly longContext: boolean;
  /** Whether the request read or wrote a prompt cache. */
  readonly cached: boolean;
};

/** How a tier changes the price of every token. `exact` is false when that is not published. */
export type TierPrice = { readonly ratio: Ratio; readonly exact: boolean };

const standardPrice: TierPrice = { ratio: [1, 1], exact: true };
const half: Ratio = [1, 2];

/** The words that mean "standard price": OpenAI's, Anthropic's, Google's and Groq's. */
const standardTiers: ReadonlySet<string> = new Set([
  '',
  'auto',
  'default',
  'on_demand',
  'standard',
  'unspecified',
]);

/**
 * OpenAI's fast mode, called priority until 2026-07-30; both words are still in use. Each multiple is the
 * fast price over the standard price, from https://openai.com/api-fast-mode/, which has no prices for
 * long context. A model it does not name is taken at the usual double.
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

/** By vendor and tier. A map, because both words come from outside. */
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
  // https://ai.google.dev/gemini-api/docs/optimization: half of input and output, with no word about caches;
  // priority is "75% to 100% more", published as 1.8 times for the two models named.
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
  'short-context': (question) => !question.longContext,
  uncached: (question) => !question.cached,
  never: () => false,
} as const satisfies Record<Exactness, (question: TierQuestion) => boolean>;

/** The multiple of a service tier. A tier that no rule knows is the standard price, inexact. */
export function tierPrice(question: TierQuestion): TierPrice {
  if (standardTiers.has(question.serviceTier)) return standardPrice;
  // Google's word is also spelt SERVICE_TIER_FLEX, and ON_DEMAND_FLEX on Vertex.
  const tier = question.serviceTier.toLowerCase().replace(/^(service_tier|on_demand)_/, '');
  if (standardTiers.has(tier)) return standardPrice;
  const rule = tierRules
    .get(`${question.vendor} ${tier}`)
    ?.find(({ models }) => models === undefined || models.includes(question.model));
  if (rule === undefined) return { ...standardPrice, exact: false };
  return { ratio: rule.ratio, exact: isExact[rule.exact](question) };
}

/**
 * Inference kept in the United States costs a tenth more on Anthropic's own API
 * (https://platform.claude.com/docs/en/build-with-claude/data-residency); usage then says `inference_geo: 'us'`.
 */
const residencyRatios: ReadonlyMap<string, Ratio> = new Map([['anthropic us', [11, 10]]]);

/** The multiple for where the vendor says inference ran. */
export function residencyRatio(vendor: string, region: string): Ratio {
  if (region === '') return standardPrice.ratio;
  return residencyRatios.get(`${vendor} ${region}`) ?? standardPrice.ratio;
}

/**
 * Claude's one-hour cache writes cost twice the input, whoever resells it
 * (https://platform.claude.com/docs/en/build-with-claude/prompt-caching#pricing). Lists of resellers often
 * have only the five-minute price. `undefined` for other models: nobody sells them that lifetime.
 */
export function hourWriteRatio(model: string): Ratio | undefined {
  return model.includes('claude') ? [2, 1] : undefined;
}
