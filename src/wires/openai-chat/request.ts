import type { Warning } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { NormalMessage } from '../../protocol/message.ts';
import type { NormalTool, ProviderRequest, ToolChoice } from '../../protocol/request.ts';
import { hoistSystem, mergeNeighbours, withoutBlanks } from '../common/messages.ts';
import { createToolIds, type ToolIdRule } from '../common/tool-ids.ts';
import { pairToolResults } from '../common/tool-turns.ts';
import {
  adaptSampling,
  cacheTtl,
  droppedParam,
  emptyConversation,
} from '../openai-shared/params.ts';
import { adaptTool } from '../openai-shared/schema.ts';
import type { ChatDialect, DroppableParam } from './dialect.ts';
import { wireMessages } from './messages.ts';
import { wireOutput } from './output.ts';
import { wireReasoning } from './reasoning.ts';

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

/**
 * The body of a Chat Completions request, without `stream` and the caller's extra fields.
 * @throws SignalboxError `unsupported` for content that the wire cannot carry.
 */
export function chatBody(
  request: ProviderRequest,
  dialect: ChatDialect,
): { readonly body: JsonObject; readonly warnings: readonly Warning[] } {
  const {
    provider: _provider,
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
  const thinking = wireReasoning({ reasoning, tools }, dialect);
  const sampling = adaptSampling(temperature, topP, spec, thinking.effort);
  warn(...thinking.warnings, ...sampling.warnings);
  if (stop !== undefined && !spec.stop) warn(droppedParam('stop', 'the model does not accept it'));
  // OpenAI never returns reasoning on this wire. Other vendors always do.
  if (reasoning?.include === true && spec.efforts !== 'any') {
    warn(
      droppedParam('reasoning.include', 'Chat Completions does not return reasoning; use openai()'),
    );
  }
  const hasTools = (tools?.length ?? 0) > 0;
  const paired = pairToolResults(withoutBlanks(messages));
  const wireTools = (tools ?? []).map((tool) => chatTool(tool, dialect));
  const structured = wireOutput(output, dialect, hasTools);
  const chosen = choice === undefined || !hasTools ? undefined : toolChoice(choice, dialect);
  warn(...paired.warnings, ...wireTools.flatMap((tool) => tool.warnings));
  warn(...structured.warnings, ...(chosen?.warnings ?? []));

  const conversation = withOneSystem(paired.messages, structured.instruction);
  const wireInput = wireMessages(arranged(conversation, dialect, warn), {
    request,
    ids: createToolIds(toolIdRule(dialect.toolCallId)),
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
  return { body, warnings };
}
