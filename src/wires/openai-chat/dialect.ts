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
   * the start of the text. With `opened-tags`, the text may start inside the tags, and only has the closing one.
   */
  readonly reasoningOut: 'fields' | 'tags' | 'opened-tags';
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
  thinkingDefault: 'off',
  thinkingExcludes: [],
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

/** The quirks of models, by a pattern of the name. */
export type ModelQuirks = { readonly pattern: RegExp; readonly quirks: Partial<ChatQuirks> };

/** The quirks that models have at every vendor. A profile's own quirks override them. */
const quirksByModel: readonly ModelQuirks[] = [
  // https://ai.google.dev/gemini-api/docs/thought-signatures
  { pattern: /(?:^|\/)gemini-(?![12]\b)/i, quirks: { unsignedCalls: 'stand-in' } },
  // Their templates, which servers of open weights run too, reject a user turn right after tool results.
  {
    pattern: /(?:mis|mix|minis|magis|devs|codes|vox)tral|pixtral/i,
    quirks: { afterToolResults: 'assistant' },
  },
  {
    pattern: /kimi-k(?:2\.[5-9]|2-thinking|[3-9])|deepseek-v[4-9]/i,
    quirks: { echoReasoning: 'tool-turns' },
  },
  // Kimi's ids (`functions.name:0`) mean something to the model: it must get them back unchanged.
  {
    pattern: /kimi/i,
    quirks: { toolCallId: { pattern: /^[a-zA-Z0-9_.:-]+$/, maxLength: 128 } },
  },
];

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

/** Models whose templates put the opening tag into the prompt, for servers that do not separate the reasoning. */
export const modelsWithOpenedTags: readonly ModelQuirks[] = [
  { pattern: /thinking|qwq|deepseek-?r1/i, quirks: { reasoningOut: 'opened-tags' } },
];

/** The dialect of a model of a vendor other than OpenAI. It has no spec. */
export function compatibleDialect(quirks: Partial<ChatQuirks> = {}, model = ''): ChatDialect {
  const known = quirksByModel.filter(({ pattern }) => pattern.test(model));
  return Object.assign({}, compatibleQuirks, ...known.map((each) => each.quirks), quirks, {
    spec: unknownModelSpec,
  });
}

/** The dialect of a model on a server that nothing is known about. */
export function unknownDialect(model: string): ChatDialect {
  const opened = modelsWithOpenedTags.find(({ pattern }) => pattern.test(model));
  return compatibleDialect(opened?.quirks, model);
}
