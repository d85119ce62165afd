import type { Warning } from '../../protocol/completion.ts';
import type { JsonObject, JsonSchema } from '../../protocol/json.ts';
import type { NormalMessage } from '../../protocol/message.ts';
import type { Effort, NormalTool, ProviderRequest, ToolChoice } from '../../protocol/request.ts';
import {
  droppedParam,
  emptyConversation,
  hoistSystem,
  mergeNeighbours,
  pairToolResults,
  type ToolIdRule,
  ToolIds,
  withoutBlanks,
  withSoundToolNames,
} from '../common/request.ts';
import { adaptEffort, adaptSampling, cacheTtl } from '../openai-shared/models.ts';
import { adaptOutput, adaptTool } from '../openai-shared/schema.ts';
import type { ChatDialect, DroppableParam } from './dialect.ts';
import { wireMessages } from './messages.ts';
import { fitToThinking } from './thinking-exclusions.ts';

/** The schema of the answer: body fields if the vendor supports them, else an instruction for the prompt. */
type WireOutput = {
  readonly body: JsonObject;
  readonly instruction: string | undefined;
  readonly warnings: readonly Warning[];
};

function schemaInstruction(schema: JsonSchema): string {
  return `Answer with JSON alone, without any other text. It must fit this JSON Schema: ${JSON.stringify(schema)}`;
}

function sentInPrompt(why: string): Warning {
  const message = `${why}; the schema was sent in the prompt`;
  return { code: 'schema-relaxed', param: 'schema', message };
}

function wireOutput(
  output: { readonly name: string; readonly schema: JsonSchema } | undefined,
  { structuredOutput }: Pick<ChatDialect, 'structuredOutput'>,
  whyInPrompt: string | undefined,
): WireOutput {
  if (output === undefined) return { body: {}, instruction: undefined, warnings: [] };
  if (whyInPrompt !== undefined) {
    return {
      body: {},
      instruction: schemaInstruction(output.schema),
      warnings: [sentInPrompt(whyInPrompt)],
    };
  }
  if (structuredOutput !== 'json_schema') {
    const isObject = structuredOutput === 'json_object' && output.schema.type === 'object';
    return {
      body: isObject ? { response_format: { type: 'json_object' } } : {},
      instruction: schemaInstruction(output.schema),
      warnings: [sentInPrompt('the vendor does not enforce schemas')],
    };
  }
  const { format, instruction, warnings } = adaptOutput(output);
  return {
    body:
      format === undefined ? {} : { response_format: { type: 'json_schema', json_schema: format } },
    instruction,
    warnings,
  };
}

type WireReasoning = {
  readonly body: JsonObject;
  /** The effort of OpenAI's models, which determines what other parameters they accept. */
  readonly effort: Effort | undefined;
  readonly warnings: readonly Warning[];
};

type ReasoningRequest = {
  readonly reasoning: ProviderRequest['reasoning'] | undefined;
  readonly tools: ProviderRequest['tools'] | undefined;
};

/** OpenAI: `max` works only on Responses, and some models reject tools together with reasoning. */
function openAIEffort(
  { reasoning, tools }: ReasoningRequest,
  { spec, efforts }: ChatDialect,
): WireReasoning {
  const known =
    spec.efforts === 'any' ? efforts : spec.efforts.filter((effort) => effort !== 'max');
  const { effort, warnings } = adaptEffort(reasoning, known);
  const hasTools = (tools?.length ?? 0) > 0;
  const hasEffort = effort !== undefined && effort !== 'none';
  const clashes =
    (spec.chatToolsClash === 'with-effort' && hasEffort) ||
    (spec.chatToolsClash === 'unless-none' && effort !== 'none');
  if (!hasTools || !clashes) {
    return { body: effort === undefined ? {} : { reasoning_effort: effort }, effort, warnings };
  }
  const message =
    'Chat Completions rejects tools together with reasoning for this model; reasoning was turned off. Use openai() for both';
  return {
    body: { reasoning_effort: 'none' },
    effort: 'none',
    warnings: [...warnings, { code: 'adjusted-param', param: 'reasoning.effort', message }],
  };
}

/** Whether reasoning is requested; `undefined` leaves it to the vendor. */
function isWanted({ reasoning }: ReasoningRequest): boolean | undefined {
  const { effort, budgetTokens } = reasoning ?? {};
  if (effort !== undefined) return effort !== 'none';
  return budgetTokens === undefined ? undefined : budgetTokens > 0;
}

/** Qwen: on or off, with a budget. */
function enableThinking(request: ReasoningRequest): WireReasoning {
  const { effort, budgetTokens } = request.reasoning ?? {};
  const wanted = isWanted(request);
  const warnings =
    effort !== undefined && effort !== 'none' && budgetTokens === undefined
      ? [
          {
            code: 'adjusted-param' as const,
            param: 'reasoning.effort',
            message: 'the target can only turn reasoning on or off; it was turned on',
          },
        ]
      : [];
  return {
    body: {
      ...(wanted !== undefined && { enable_thinking: wanted }),
      ...(wanted === true && budgetTokens !== undefined && { thinking_budget: budgetTokens }),
    },
    effort: undefined,
    warnings,
  };
}

/** DeepSeek and Moonshot: on or off, with an effort if the vendor has any. */
function thinking(request: ReasoningRequest, { efforts }: ChatDialect): WireReasoning {
  const wanted = isWanted(request);
  if (wanted === undefined) return { body: {}, effort: undefined, warnings: [] };
  const type = wanted ? 'enabled' : 'disabled';
  const body = { thinking: { type } };
  const hasEfforts = efforts === 'any' || efforts.length > 0;
  if (wanted && hasEfforts) {
    const { effort, warnings } = adaptEffort(request.reasoning, efforts);
    return {
      body: { ...body, ...(effort !== undefined && { reasoning_effort: effort }) },
      effort: undefined,
      warnings,
    };
  }
  const { body: _switch, ...rest } = enableThinking(request);
  return { body, ...rest };
}

/** OpenRouter: an effort or a budget. Answers include reasoning unless `exclude` is set. */
function reasoningObject({ reasoning }: ReasoningRequest): WireReasoning {
  const { effort, budgetTokens, include } = reasoning ?? {};
  const amount: JsonObject = {
    ...(effort !== undefined && budgetTokens === undefined && { effort }),
    ...(budgetTokens !== undefined && { max_tokens: budgetTokens }),
  };
  const fields = {
    ...amount,
    ...(include === false && { exclude: true }),
    ...(include === true && Object.keys(amount).length === 0 && { enabled: true }),
  };
  return {
    body: Object.keys(fields).length === 0 ? {} : { reasoning: fields },
    effort: undefined,
    warnings:
      effort !== undefined && budgetTokens !== undefined
        ? [droppedParam('reasoning.effort', 'the target takes an effort or a budget, not both')]
        : [],
  };
}

function none({ reasoning }: ReasoningRequest): WireReasoning {
  const { effort, budgetTokens } = reasoning ?? {};
  const why = 'the vendor has no parameter for it';
  return {
    body: {},
    effort: undefined,
    warnings: [
      ...(effort === undefined ? [] : [droppedParam('reasoning.effort', why)]),
      ...(budgetTokens === undefined ? [] : [droppedParam('reasoning.budgetTokens', why)]),
    ],
  };
}

const converters = {
  effort: openAIEffort,
  enable_thinking: enableThinking,
  thinking,
  reasoning: reasoningObject,
  none,
} as const satisfies Record<
  ChatDialect['reasoningIn'],
  (request: ReasoningRequest, dialect: ChatDialect) => WireReasoning
>;

/** Converts the requested reasoning to the vendor's parameters. */
function wireReasoning(request: ReasoningRequest, dialect: ChatDialect): WireReasoning {
  return converters[dialect.reasoningIn](request, dialect);
}

function toolIdRule({ pattern, maxLength }: ChatDialect['toolCallId']): ToolIdRule {
  const accepts = (id: string): boolean => id.length <= maxLength && id.search(pattern) >= 0;
  return {
    accepts,
    generate: (n) => (accepts(`call_${n}`) ? `call_${n}` : String(n).padStart(maxLength, '0')),
  };
}

function toolChoice(
  choice: ToolChoice,
  { toolChoiceRequired, toolChoiceNamed }: ChatDialect,
): { readonly choice: string | JsonObject; readonly warnings: readonly Warning[] } {
  const isNamed = typeof choice !== 'string';
  if (isNamed && toolChoiceNamed) {
    return { choice: { type: 'function', function: { name: choice.name } }, warnings: [] };
  }
  if (choice === 'auto' || choice === 'none') return { choice, warnings: [] };
  const message = isNamed
    ? `the vendor cannot force a named tool; toolChoice was sent as "${toolChoiceRequired}"`
    : 'the vendor cannot force a tool call; toolChoice was sent as "auto"';
  const isLess = isNamed || toolChoiceRequired === 'auto';
  return {
    choice: toolChoiceRequired,
    warnings: isLess ? [{ code: 'adjusted-param', param: 'toolChoice', message }] : [],
  };
}

function chatTool(tool: NormalTool, { strictTools }: ChatDialect): ReturnType<typeof adaptTool> {
  if (strictTools || tool.strict !== true) return adaptTool(tool);
  const adapted = adaptTool({ ...tool, strict: false });
  const message = `the vendor does not enforce the schema of tool "${tool.name}"`;
  const warning = { code: 'schema-relaxed' as const, param: `tools.${tool.name}`, message };
  return { ...adapted, warnings: [...adapted.warnings, warning] };
}

/** Merges leading system turns, because some servers accept only one. */
function withOneSystem(
  messages: readonly NormalMessage[],
  instruction: string | undefined,
): readonly NormalMessage[] {
  if (messages[0]?.role !== 'system' && instruction === undefined) return messages;
  const { system, rest } = hoistSystem(messages);
  const parts =
    instruction === undefined ? system : [...system, { type: 'text' as const, text: instruction }];
  return parts.length === 0 ? rest : [{ role: 'system', content: parts }, ...rest];
}

/** Arranges turns for the vendor: alternating, or with a system turn only at the start. */
function arranged(
  messages: readonly NormalMessage[],
  { turns, systemTurns }: ChatDialect,
  warn: (warning: Warning) => void,
): readonly NormalMessage[] {
  const turnsToSend = messages.map((message, index) => {
    if (message.role !== 'system' || index === 0 || systemTurns === 'anywhere') return message;
    const note =
      'the vendor accepts a system message only at the start; a later one was sent as a user message';
    warn({ code: 'compat', message: note });
    return { ...message, role: 'user' as const };
  });
  return turns === 'free' ? turnsToSend : mergeNeighbours(turnsToSend, (message) => message.role);
}

/** A request in the vendor's dialect. */
type ChatRequest = {
  readonly body: JsonObject;
  readonly warnings: readonly Warning[];
  /** The vendor answers only with a stream. */
  readonly needsStream?: true;
};

/**
 * The body of a Chat Completions request, without `stream` and the caller's extra fields.
 * @throws SignalboxError `unsupported` for content that the wire cannot carry.
 */
export function chatBody(request: ProviderRequest, dialect: ChatDialect): ChatRequest {
  const {
    provider: _provider,
    key: _key,
    model,
    messages,
    tools,
    toolChoice: choice,
    parallelToolCalls,
    output,
    reasoning,
    cache,
    userId,
    extraBody: _extraBody,
    maxOutputTokens,
    temperature,
    topP,
    topK,
    frequencyPenalty,
    presencePenalty,
    stop,
    seed,
    ...rest
  } = request;
  rest satisfies Record<string, never>;
  const warnings: Warning[] = [];
  const warn = (...more: readonly Warning[]): void => void warnings.push(...more);

  const { spec } = dialect;
  const hasTools = (tools?.length ?? 0) > 0;
  const wanted = choice === undefined || !hasTools ? undefined : toolChoice(choice, dialect);
  const isForced = wanted !== undefined && wanted.choice !== 'auto' && wanted.choice !== 'none';
  const excludesFormat = hasTools && !dialect.toolsWithResponseFormat;
  const hasFormat =
    output !== undefined && dialect.structuredOutput !== 'prompt' && !excludesFormat;
  const fitted = fitToThinking({ reasoning, isForced, hasFormat }, dialect);
  warn(...fitted.warnings);
  const thinking = wireReasoning({ reasoning: fitted.reasoning, tools }, dialect);
  const sampling = adaptSampling(temperature, topP, spec, thinking.effort);
  warn(...thinking.warnings, ...sampling.warnings);
  if (stop !== undefined && !spec.stop) warn(droppedParam('stop', 'the model does not accept it'));
  // OpenAI never returns reasoning on this wire. Other vendors always do.
  if (reasoning?.include === true && spec.efforts !== 'any') {
    warn(
      droppedParam('reasoning.include', 'Chat Completions does not return reasoning; use openai()'),
    );
  }
  const paired = pairToolResults(withSoundToolNames(withoutBlanks(messages)));
  const wireTools = (tools ?? []).map((tool) => chatTool(tool, dialect));
  const alongside = excludesFormat ? 'together with tools' : 'while the model thinks';
  const isInPrompt = excludesFormat || hasFormat !== fitted.hasFormat;
  const structured = wireOutput(
    output,
    dialect,
    isInPrompt ? `the vendor does not enforce a schema ${alongside}` : undefined,
  );
  const chosen = isForced && !fitted.isForced ? { choice: 'auto', warnings: [] } : wanted;
  warn(...paired.warnings, ...wireTools.flatMap((tool) => tool.warnings));
  warn(...structured.warnings, ...(chosen?.warnings ?? []));

  const conversation = withOneSystem(paired.messages, structured.instruction);
  const wireInput = wireMessages(arranged(conversation, dialect, warn), {
    request,
    ids: new ToolIds(toolIdRule(dialect.toolCallId)),
    dialect,
    warn,
  });
  if (wireInput.length === 0) throw emptyConversation();

  const ttl = spec.cacheBreakpoints ? cacheTtl(cache) : undefined;
  const body: Record<string, unknown> = { ...dialect.extraBody, model, messages: wireInput };
  /** Sets the field if it has a value and the vendor accepts it. */
  const put = (name: DroppableParam, field: string, value: unknown): void => {
    if (value === undefined) return;
    if (!dialect.unsupportedParams.includes(name)) body[field] = value;
    else warn(droppedParam(name, 'the vendor does not accept it'));
  };
  if (maxOutputTokens !== undefined) body[dialect.maxTokensField] = maxOutputTokens;
  put('temperature', 'temperature', sampling.body.temperature);
  put('topP', 'top_p', sampling.body.top_p);
  put('topK', 'top_k', topK);
  put('frequencyPenalty', 'frequency_penalty', frequencyPenalty);
  put('presencePenalty', 'presence_penalty', presencePenalty);
  put('stop', 'stop', spec.stop ? stop : undefined);
  put('seed', dialect.seedField, seed);
  Object.assign(body, thinking.body);
  if (hasTools) {
    body.tools = wireTools.map(({ tool: { strict, ...tool } }) => ({
      type: 'function',
      // `false` is the default. Not every vendor compatible with the wire accepts the field.
      function: { ...tool, ...(strict && { strict }) },
    }));
  }
  if (chosen !== undefined) body.tool_choice = chosen.choice;
  put('parallelToolCalls', 'parallel_tool_calls', hasTools ? parallelToolCalls : undefined);
  Object.assign(body, structured.body);
  if (ttl !== undefined) body.prompt_cache_options = { ttl };
  put('userId', dialect.userField, userId);
  return { body, warnings, ...(fitted.needsStream && { needsStream: true }) };
}
