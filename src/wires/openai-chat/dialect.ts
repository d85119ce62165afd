import type { Effort } from '../../protocol/request.ts';
import {
  type OpenAIModelFacts,
  openAIFactsOf,
  unknownModelFacts,
} from '../openai-shared/models.ts';

/** Parameters that a vendor may refuse or ignore; they are then left out, with a warning. */
export type RefusableParam =
  | 'temperature'
  | 'topP'
  | 'topK'
  | 'frequencyPenalty'
  | 'presencePenalty'
  | 'stop'
  | 'seed'
  | 'parallelToolCalls'
  | 'userId';

/** How a vendor's Chat Completions differs from OpenAI's. */
export type ChatQuirks = {
  readonly maxTokensField: 'max_completion_tokens' | 'max_tokens';
  readonly systemRole: 'system' | 'developer';
  /** Where a system turn may stand; if first only, later ones are told as the user's. */
  readonly systemTurns: 'anywhere' | 'first';
  /** Whether two turns of the same role may follow each other; if not, they become one. */
  readonly turns: 'free' | 'alternate';
  readonly userField: 'safety_identifier' | 'user';
  readonly seedField: 'seed' | 'random_seed';
  /** How the usage of a stream is had: by `stream_options`, or unasked. */
  readonly streamUsage: 'include_usage' | 'always';
  /** The vendor's word for "some tool must be called"; `auto` where it has none. */
  readonly toolChoiceRequired: 'required' | 'any' | 'auto';
  /** Whether one tool can be demanded by its name. */
  readonly toolChoiceNamed: boolean;
  /** Whether the schemas of tools can be enforced (`strict`). */
  readonly strictTools: boolean;
  /** What ids of tool calls must look like. */
  readonly toolCallId: { readonly pattern: RegExp; readonly maxLength: number };
  /** Whether results of tools carry the tool's name. */
  readonly toolResultName: boolean;
  /** Whether `response_format` goes together with tools; if not, the prompt tells the schema instead. */
  readonly toolsWithResponseFormat: boolean;
  /** How an answer is held to a schema: enforced, JSON of any shape with the schema in the prompt, or prompt alone. */
  readonly structuredOutput: 'json_schema' | 'json_object' | 'prompt';
  /**
   * How reasoning is asked for: `reasoning_effort`, Qwen's `enable_thinking` and `thinking_budget`, DeepSeek's
   * `thinking: { type }` (with `reasoning_effort`, where `efforts` names any), OpenRouter's `reasoning: {…}`.
   */
  readonly reasoningIn: 'effort' | 'enable_thinking' | 'thinking' | 'reasoning' | 'none';
  /** The words it has for an effort; the nearest is asked for. */
  readonly efforts: readonly Effort[] | 'any';
  /**
   * Where reasoning is told: in a field or a content part of its own, or else also between `<think>` tags with
   * which the text begins.
   */
  readonly reasoningOut: 'fields' | 'tags';
  /** When reasoning that the vendor told goes back to it, in the field it came in. */
  readonly echoReasoning: 'always' | 'tool-loop' | 'never';
  /** What a 400 or 413 without a body says: as much as its status, or that the prompt is too long. */
  readonly bareRefusal: 'status' | 'context_length';
  readonly unsupportedParams: readonly RefusableParam[];
  /** Fields that every request carries, below those of the caller. */
  readonly extraBody: Readonly<Record<string, unknown>>;
};

/** The quirks for one model, and what OpenAI's own models refuse besides. */
export type ChatDialect = ChatQuirks & { readonly facts: OpenAIModelFacts };

/** What nearly all imitators of the wire take. */
const compatibleQuirks: ChatQuirks = {
  maxTokensField: 'max_tokens',
  systemRole: 'system',
  systemTurns: 'anywhere',
  turns: 'free',
  userField: 'user',
  seedField: 'seed',
  streamUsage: 'include_usage',
  toolChoiceRequired: 'required',
  toolChoiceNamed: true,
  strictTools: true,
  toolCallId: { pattern: /^[a-zA-Z0-9_-]+$/, maxLength: 40 },
  toolResultName: false,
  toolsWithResponseFormat: true,
  structuredOutput: 'json_schema',
  reasoningIn: 'effort',
  efforts: 'any',
  reasoningOut: 'tags',
  echoReasoning: 'tool-loop',
  bareRefusal: 'status',
  unsupportedParams: ['topK'],
  extraBody: {},
};

export function openAIDialect(model: string): ChatDialect {
  return {
    ...compatibleQuirks,
    maxTokensField: 'max_completion_tokens',
    systemRole: 'developer',
    userField: 'safety_identifier',
    reasoningOut: 'fields',
    facts: openAIFactsOf(model),
  };
}

/** Quirks of a vendor's that is not OpenAI, and of whose models nothing more is known. */
export function compatibleDialect(quirks: Partial<ChatQuirks> = {}): ChatDialect {
  return { ...compatibleQuirks, ...quirks, facts: unknownModelFacts };
}
