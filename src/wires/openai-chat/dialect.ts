import type { Effort } from '../../protocol/request.ts';
import {
  type OpenAIModelSpec,
  openAIModelSpec,
  unknownModelSpec,
} from '../openai-shared/models.ts';

/** Parameters that a vendor may reject or ignore. They are then dropped with a warning. */
export type DroppableParam =
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
  /** Where system turns are allowed. With `first`, later ones are sent as user turns. */
  readonly systemTurns: 'anywhere' | 'first';
  /** Whether adjacent turns may have the same role. With `alternate`, they are merged. */
  readonly turns: 'free' | 'alternate';
  readonly userField: 'safety_identifier' | 'user';
  readonly seedField: 'seed' | 'random_seed';
  /** How to get the usage of a stream: by setting `stream_options`, or always included. */
  readonly streamUsage: 'include_usage' | 'always';
  /** The `tool_choice` that forces a call of any tool; `auto` if the vendor has none. */
  readonly toolChoiceRequired: 'required' | 'any' | 'auto';
  /** Whether `tool_choice` can name one tool. */
  readonly toolChoiceNamed: boolean;
  /** Whether the vendor can enforce the schemas of tools (`strict`). */
  readonly strictTools: boolean;
  /** The format of tool call ids. */
  readonly toolCallId: { readonly pattern: RegExp; readonly maxLength: number };
  /** Whether tool results include the name of the tool. */
  readonly toolResultName: boolean;
  /** Whether `response_format` can be combined with tools. If not, the schema is sent in the prompt. */
  readonly toolsWithResponseFormat: boolean;
  /** How a schema is applied: enforced, any JSON object plus the schema in the prompt, or only the prompt. */
  readonly structuredOutput: 'json_schema' | 'json_object' | 'prompt';
  /**
   * How reasoning is requested: `reasoning_effort`, Qwen's `enable_thinking` and `thinking_budget`, DeepSeek's
   * `thinking: { type }` (with `reasoning_effort` if `efforts` is not empty), OpenRouter's `reasoning: {…}`.
   */
  readonly reasoningIn: 'effort' | 'enable_thinking' | 'thinking' | 'reasoning' | 'none';
  /** Whether the model thinks when the request does not ask for it; `always`: it cannot be turned off. */
  readonly thinkingDefault: 'off' | 'on' | 'always';
  /**
   * What the vendor rejects while the model thinks: a forced tool call, `response_format`, or an answer in one piece.
   * Thinking is then turned off if it was not requested. Otherwise the tool choice becomes `auto`, the schema is sent in
   * the prompt, and the answer is streamed.
   */
  readonly thinkingExcludes: readonly ('forced-tool' | 'schema' | 'unary')[];
  /** The supported efforts. The nearest one is sent. */
  readonly efforts: readonly Effort[] | 'any';
  /**
   * Where the answer contains reasoning: only in a separate field or content part, or also between `<think>` tags at
   * the start of the text.
   */
  readonly reasoningOut: 'fields' | 'tags';
  /** When reasoning is sent back to the vendor, in the field it was received in. */
  readonly echoReasoning: 'always' | 'tool-loop' | 'never';
  /** What a 400 or 413 without a body means: the usual meaning of its status, or that the prompt is too long. */
  readonly bareRefusal: 'status' | 'context_length';
  readonly unsupportedParams: readonly DroppableParam[];
  /** Fields added to every request. The caller's fields override them. */
  readonly extraBody: Readonly<Record<string, unknown>>;
};

/** The quirks for one model, and the spec of OpenAI's models. */
export type ChatDialect = ChatQuirks & { readonly spec: OpenAIModelSpec };

/** What nearly all vendors compatible with the wire accept. */
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
  thinkingDefault: 'off',
  thinkingExcludes: [],
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
    spec: openAIModelSpec(model),
  };
}

/** The dialect of a vendor other than OpenAI. Its models have no spec. */
export function compatibleDialect(quirks: Partial<ChatQuirks> = {}): ChatDialect {
  return { ...compatibleQuirks, ...quirks, spec: unknownModelSpec };
}
