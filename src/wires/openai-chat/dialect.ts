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
  /** The supported efforts. The nearest one is sent. */
  readonly efforts: readonly Effort[] | 'any';
  /**
   * Where the answer contains reasoning: only in a separate field or content part, or also between `<think>` tags at
   * the start of the text.
   */
  readonly reasoningOut: 'fields' | 'tags';
  /**
   * When reasoning is sent back to the vendor, in the field it was received in: `tool-loop` until the next user turn,
   * `tool-turns` also later, with all answers to a user turn that called tools.
   */
  readonly echoReasoning: 'always' | 'tool-turns' | 'tool-loop' | 'never';
  /** Whether turns with tool calls may lack `reasoning_content`. With `stand-in`, it is then sent blank. */
  readonly callsWithoutReasoning: 'accepted' | 'stand-in';
  /** Whether tool calls may lack a thought signature. With `stand-in`, Google's placeholder is then sent. */
  readonly unsignedCalls: 'accepted' | 'stand-in';
  /** Which turn may follow tool results. With `assistant`, a short one is added before any other. */
  readonly afterToolResults: 'any' | 'assistant';
  /** Where a refusal of an earlier turn is sent: in its own field, or as text. */
  readonly refusals: 'field' | 'text';
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
  efforts: 'any',
  reasoningOut: 'tags',
  echoReasoning: 'tool-loop',
  callsWithoutReasoning: 'accepted',
  unsignedCalls: 'accepted',
  afterToolResults: 'any',
  refusals: 'text',
  bareRefusal: 'status',
  unsupportedParams: ['topK'],
  extraBody: {},
};

/** What the models of a family require at any vendor. The first match wins; a profile's own quirks override it. */
const families: readonly (readonly [pattern: RegExp, quirks: Partial<ChatQuirks>])[] = [
  // https://ai.google.dev/gemini-api/docs/thought-signatures
  [/(?:^|\/)gemini-(?![12]\b)/i, { unsignedCalls: 'stand-in' }],
  // Their templates, which servers of open weights run too, reject a user turn right after tool results.
  [/(?:mis|mix|minis|magis|devs|codes|vox)tral|pixtral/i, { afterToolResults: 'assistant' }],
  [/kimi-k(?:2\.[5-9]|2-thinking|[3-9])|deepseek-v[4-9]/i, { echoReasoning: 'tool-turns' }],
];

function familyQuirks(model: string): Partial<ChatQuirks> {
  return families.find(([pattern]) => pattern.test(model))?.[1] ?? {};
}

export function openAIDialect(model: string): ChatDialect {
  return {
    ...compatibleQuirks,
    maxTokensField: 'max_completion_tokens',
    systemRole: 'developer',
    userField: 'safety_identifier',
    reasoningOut: 'fields',
    refusals: 'field',
    spec: openAIModelSpec(model),
  };
}

/** The dialect of a model of a vendor other than OpenAI. Its models have no spec. */
export function compatibleDialect(quirks: Partial<ChatQuirks> = {}, model = ''): ChatDialect {
  return { ...compatibleQuirks, ...familyQuirks(model), ...quirks, spec: unknownModelSpec };
}
