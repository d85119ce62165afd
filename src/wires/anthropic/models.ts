import type { Effort } from '../../protocol/request.ts';

/** What Anthropic's API accepts for one family of models. */
export type ClaudeModelSpec = {
  /** Largest `max_tokens`. The API requires the field, so this is also the default. */
  readonly maxOutputTokens: number;
  /** The effort levels, lowest first. Empty if the API rejects `output_config.effort`. */
  readonly efforts: readonly Exclude<Effort, 'none' | 'minimal'>[];
  /** How thinking is configured: the model decides, by a token budget, or not at all. */
  readonly thinking: 'adaptive' | 'adaptive-or-budget' | 'budget' | 'none';
  /** The least thinking that can be set. `adaptive` if it cannot be turned off. */
  readonly minThinking: 'disabled' | 'between_tools' | 'adaptive';
  /** Whether the API accepts `thinking.display`. */
  readonly thinkingDisplay: boolean;
  /** The accepted sampling parameters, in API versions that have them. */
  readonly sampling: 'any' | 'temperature-or-top-p' | 'none';
  /** Whether a tool call can be forced. Older models reject it only while thinking. */
  readonly forcedTools: 'always' | 'unless-thinking' | 'never';
  readonly structuredOutput: boolean;
  /** Whether a trailing assistant turn may prefill the answer. */
  readonly prefill: boolean;
  /** Whether system turns are allowed inside the conversation, after a user turn. */
  readonly systemTurns: boolean;
};

const allEfforts = ['low', 'medium', 'high', 'xhigh', 'max'] as const;

/** Claude 5, and the default for an unknown `claude-*`: what these models reject, later ones usually reject too. */
const current: ClaudeModelSpec = {
  maxOutputTokens: 128_000,
  efforts: allEfforts,
  thinking: 'adaptive',
  minThinking: 'disabled',
  thinkingDisplay: true,
  sampling: 'none',
  forcedTools: 'unless-thinking',
  structuredOutput: true,
  prefill: false,
  systemTurns: true,
};

const claude46: ClaudeModelSpec = {
  ...current,
  efforts: ['low', 'medium', 'high', 'max'],
  thinking: 'adaptive-or-budget',
  sampling: 'temperature-or-top-p',
  systemTurns: false,
};

const claude45: ClaudeModelSpec = {
  ...current,
  maxOutputTokens: 64_000,
  efforts: [],
  thinking: 'budget',
  thinkingDisplay: false,
  sampling: 'temperature-or-top-p',
  prefill: true,
  systemTurns: false,
};

const claude4: ClaudeModelSpec = { ...claude45, sampling: 'any', structuredOutput: false };

const claude3: ClaudeModelSpec = {
  ...claude4,
  maxOutputTokens: 4096,
  thinking: 'none',
  forcedTools: 'always',
};

/** For models other than Claude (a compatible server): only what every server accepts. */
const unknownModel: ClaudeModelSpec = claude3;

/**
 * Specs by the start of the model's name. The first match wins, so longer names come first.
 * Sources: the model catalogue of @ai-sdk/anthropic 4.0.105 and Anthropic's "What's new" pages, November 2026.
 */
const specByPrefix: readonly (readonly [prefix: string, spec: ClaudeModelSpec])[] = [
  ['claude-opus-5-5', { ...current, minThinking: 'adaptive', forcedTools: 'never' }],
  ['claude-sonnet-5-5', { ...current, minThinking: 'between_tools', forcedTools: 'never' }],
  ['claude-fable-5-1', { ...current, minThinking: 'adaptive', forcedTools: 'never' }],
  ['claude-fable-5-2', { ...current, minThinking: 'adaptive', forcedTools: 'never' }],
  ['claude-mythos-5-1', { ...current, minThinking: 'adaptive', forcedTools: 'never' }],
  ['claude-mythos-5-2', { ...current, minThinking: 'adaptive', forcedTools: 'never' }],
  ['claude-fable', { ...current, minThinking: 'adaptive' }],
  ['claude-mythos', { ...current, minThinking: 'adaptive' }],
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
 * The prefix that clouds add to the model's name: `us.anthropic.claude-…`, an AWS ARN that ends with that,
 * `anthropic/claude-…`, `publishers/anthropic/models/claude-…`.
 */
const cloudPrefix = /^(?:.*[./:])?anthropic(?:[./]|\/models\/)(?=claude)/;

/** The spec of `model`. `known` is false when it is the default for unknown models. */
export function claudeModelSpec(model: string): ClaudeModelSpec & { readonly known: boolean } {
  const name = model.replace(cloudPrefix, '');
  const row = specByPrefix.find(([prefix]) => name.startsWith(prefix));
  return { ...(row?.[1] ?? unknownModel), known: row !== undefined };
}
