import type { Effort } from '../../protocol/request.ts';

/** What the API takes and refuses for one family of models. */
export type ModelFacts = {
  /** Largest `max_tokens`: the default when the caller sets none, since the API requires it. */
  readonly maxOutputTokens: number;
  /** Effort levels, weakest first; empty where `output_config.effort` is refused. */
  readonly efforts: readonly Exclude<Effort, 'none' | 'minimal'>[];
  /** How thinking is asked for: the model decides, or a budget of tokens, or not at all. */
  readonly thinking: 'adaptive' | 'adaptive-or-budget' | 'budget' | 'none';
  /** The least thinking the model takes; `adaptive` where it cannot be turned off. */
  readonly leastThinking: 'disabled' | 'between_tools' | 'adaptive';
  /** Whether `thinking.display` is understood. */
  readonly thinkingDisplay: boolean;
  /** Which sampling parameters it takes, where the API version has them at all. */
  readonly sampling: 'any' | 'temperature-or-top-p' | 'none';
  /** Whether a tool may be forced; older models refuse it only while they think. */
  readonly forcedTools: 'always' | 'unless-thinking' | 'never';
  readonly structuredOutput: boolean;
  /** Whether the answer may be begun for the model, by a trailing assistant turn. */
  readonly prefill: boolean;
  /** Whether system turns may stand inside the conversation, after a user's. */
  readonly systemTurns: boolean;
};

const allEfforts = ['low', 'medium', 'high', 'xhigh', 'max'] as const;

/** Claude 5 and what an unknown `claude-*` is taken for: later models rarely take back what these refuse. */
const current: ModelFacts = {
  maxOutputTokens: 128_000,
  efforts: allEfforts,
  thinking: 'adaptive',
  leastThinking: 'disabled',
  thinkingDisplay: true,
  sampling: 'none',
  forcedTools: 'unless-thinking',
  structuredOutput: true,
  prefill: false,
  systemTurns: true,
};

const claude46: ModelFacts = {
  ...current,
  efforts: ['low', 'medium', 'high', 'max'],
  thinking: 'adaptive-or-budget',
  sampling: 'temperature-or-top-p',
  systemTurns: false,
};

const claude45: ModelFacts = {
  ...current,
  maxOutputTokens: 64_000,
  efforts: [],
  thinking: 'budget',
  thinkingDisplay: false,
  sampling: 'temperature-or-top-p',
  prefill: true,
  systemTurns: false,
};

const claude4: ModelFacts = { ...claude45, sampling: 'any', structuredOutput: false };

const claude3: ModelFacts = {
  ...claude4,
  maxOutputTokens: 4096,
  thinking: 'none',
  forcedTools: 'always',
};

/** Not a Claude at all (a compatible server), or too old to know: only what every server takes. */
const unknownModel: ModelFacts = claude3;

/**
 * Facts by the start of the model's name, the first match counting, so longer names stand first.
 * Sources: the model catalogue of @ai-sdk/anthropic 4.0.105 and Anthropic's "What's new" pages, November 2026.
 */
const factsByPrefix: readonly (readonly [prefix: string, facts: ModelFacts])[] = [
  ['claude-opus-5-5', { ...current, leastThinking: 'adaptive', forcedTools: 'never' }],
  ['claude-sonnet-5-5', { ...current, leastThinking: 'between_tools', forcedTools: 'never' }],
  ['claude-fable-5-1', { ...current, leastThinking: 'adaptive', forcedTools: 'never' }],
  ['claude-fable-5-2', { ...current, leastThinking: 'adaptive', forcedTools: 'never' }],
  ['claude-mythos-5-1', { ...current, leastThinking: 'adaptive', forcedTools: 'never' }],
  ['claude-mythos-5-2', { ...current, leastThinking: 'adaptive', forcedTools: 'never' }],
  ['claude-fable', { ...current, leastThinking: 'adaptive' }],
  ['claude-mythos', { ...current, leastThinking: 'adaptive' }],
  ['claude-opus-4-6', claude46],
  ['claude-sonnet-4-6', claude46],
  ['claude-opus-4-5', { ...claude45, efforts: ['low', 'medium', 'high'] }],
  ['claude-sonnet-4-5', claude45],
  ['claude-haiku-4-5', claude45],
  ['claude-opus-4-1', { ...claude45, maxOutputTokens: 32_000 }],
  ['claude-opus-4-7', { ...current, systemTurns: false }],
  ['claude-opus-4-8', current],
  ['claude-opus-4', { ...claude4, maxOutputTokens: 32_000 }],
  ['claude-sonnet-4', claude4],
  ['claude-3-7-sonnet', claude4],
  ['claude-3-5', { ...claude3, maxOutputTokens: 8192 }],
  ['claude-3', claude3],
  ['claude-2', claude3],
  ['claude-instant', claude3],
  ['claude-', current],
];

/**
 * Clouds put their own name before the model's: `us.anthropic.claude-…`, a whole ARN of AWS that ends with that,
 * `anthropic/claude-…`, `publishers/anthropic/models/claude-…`.
 */
const cloudPrefix = /^(?:.*[./:])?anthropic(?:[./]|\/models\/)(?=claude)/;

/** What is known of `model`; `known` is false when only the safest facts could be assumed. */
export function factsOf(model: string): ModelFacts & { readonly known: boolean } {
  const name = model.replace(cloudPrefix, '');
  const row = factsByPrefix.find(([prefix]) => name.startsWith(prefix));
  return { ...(row?.[1] ?? unknownModel), known: row !== undefined };
}
