import type { Warning } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { NormalMessage } from '../../protocol/message.ts';
import type { Effort, ProviderRequest, ToolChoice } from '../../protocol/request.ts';
import { hoistSystem, withoutBlanks } from '../shared/messages.ts';
import {
  type OpenAIModelFacts,
  openAIFactsOf,
  unknownModelFacts,
} from '../shared/openai-models.ts';
import {
  adaptEffort,
  adaptSampling,
  cacheTtl,
  droppedParam,
  nothingToSay,
} from '../shared/openai-params.ts';
import { adaptOutput, adaptTool } from '../shared/openai-schema.ts';
import { createToolIds } from '../shared/tool-ids.ts';
import { pairToolResults } from '../shared/tool-turns.ts';
import { wireMessages } from './messages.ts';

/** How a vendor's Chat Completions differs in what it takes. */
export type ChatDialect = {
  readonly maxTokensField: 'max_completion_tokens' | 'max_tokens';
  readonly systemRole: 'system' | 'developer';
  readonly userField: 'safety_identifier' | 'user';
  readonly factsOf: (model: string) => OpenAIModelFacts;
};

export const openAIDialect: ChatDialect = {
  maxTokensField: 'max_completion_tokens',
  systemRole: 'developer',
  userField: 'safety_identifier',
  factsOf: openAIFactsOf,
};

/** What nearly all imitators of the wire take. */
export const compatibleDialect: ChatDialect = {
  maxTokensField: 'max_tokens',
  systemRole: 'system',
  userField: 'user',
  factsOf: () => unknownModelFacts,
};

const toolIdRule = {
  accepts: (id: string) => /^[a-zA-Z0-9_-]{1,40}$/.test(id),
  mint: (n: number) => `call_${n}`,
};

function toolChoice(choice: ToolChoice): string | JsonObject {
  return typeof choice === 'string'
    ? choice
    : { type: 'function', function: { name: choice.name } };
}

/** The effort on this wire: `max` is for Responses only, and some models refuse tools beside reasoning. */
function chatEffort(
  request: Pick<ProviderRequest, 'reasoning' | 'tools'>,
  facts: OpenAIModelFacts,
): { readonly effort: Effort | undefined; readonly warnings: readonly Warning[] } {
  const known =
    facts.efforts === 'any' ? 'any' : facts.efforts.filter((effort) => effort !== 'max');
  const adapted = adaptEffort(request.reasoning, known);
  const hasTools = (request.tools?.length ?? 0) > 0;
  const asksForMore = adapted.effort !== undefined && adapted.effort !== 'none';
  const clashes =
    (facts.chatToolsClash === 'with-effort' && asksForMore) ||
    (facts.chatToolsClash === 'unless-none' && adapted.effort !== 'none');
  if (!hasTools || !clashes) return adapted;
  const message =
    'Chat Completions refuses tools beside reasoning for this model; reasoning was turned off. Use openai() for both';
  return {
    effort: 'none',
    warnings: [...adapted.warnings, { code: 'adjusted-param', param: 'reasoning.effort', message }],
  };
}

/** Leading system turns become one: some servers take no more. */
function withOneSystem(
  messages: readonly NormalMessage[],
  instruction: string | undefined,
): readonly NormalMessage[] {
  const { system, rest } = hoistSystem(messages);
  const parts =
    instruction === undefined ? system : [...system, { type: 'text' as const, text: instruction }];
  return parts.length === 0 ? rest : [{ role: 'system', content: parts }, ...rest];
}

/**
 * The request in the words of Chat Completions, all but `stream` and the caller's own fields.
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

  const facts = dialect.factsOf(model);
  const effort = chatEffort(request, facts);
  const sampling = adaptSampling(temperature, topP, facts, effort.effort);
  warn(...effort.warnings, ...sampling.warnings);
  if (topK !== undefined) warn(droppedParam('topK', 'Chat Completions does not have it'));
  if (stop !== undefined && !facts.stop) warn(droppedParam('stop', 'the model does not take it'));
  // OpenAI never tells the reasoning on this wire; others do so unasked.
  if (reasoning?.include === true && facts.efforts !== 'any') {
    warn(
      droppedParam('reasoning.include', 'Chat Completions does not show reasoning; use openai()'),
    );
  }

  const paired = pairToolResults(withoutBlanks(messages));
  const wireTools = (tools ?? []).map(adaptTool);
  const wireOutput = output === undefined ? undefined : adaptOutput(output);
  warn(...paired.warnings, ...wireTools.flatMap((tool) => tool.warnings));
  warn(...(wireOutput?.warnings ?? []));

  const wireInput = wireMessages(withOneSystem(paired.messages, wireOutput?.instruction), {
    request,
    ids: createToolIds(toolIdRule),
    systemRole: dialect.systemRole,
    cacheBreakpoints: facts.cacheBreakpoints,
    warn,
  });
  if (wireInput.length === 0) throw nothingToSay();

  const ttl = facts.cacheBreakpoints ? cacheTtl(cache) : undefined;
  const hasTools = wireTools.length > 0;
  const body: JsonObject = {
    model,
    messages: wireInput,
    ...(maxOutputTokens !== undefined && { [dialect.maxTokensField]: maxOutputTokens }),
    ...sampling.body,
    ...(frequencyPenalty !== undefined && { frequency_penalty: frequencyPenalty }),
    ...(presencePenalty !== undefined && { presence_penalty: presencePenalty }),
    ...(stop !== undefined && facts.stop && { stop }),
    ...(seed !== undefined && { seed }),
    ...(effort.effort !== undefined && { reasoning_effort: effort.effort }),
    ...(hasTools && {
      tools: wireTools.map(({ tool: { strict, ...tool } }) => ({
        type: 'function',
        // The default, and not every imitator of the wire knows the field.
        function: { ...tool, ...(strict && { strict }) },
      })),
    }),
    ...(hasTools && choice !== undefined && { tool_choice: toolChoice(choice) }),
    ...(hasTools && parallelToolCalls !== undefined && { parallel_tool_calls: parallelToolCalls }),
    ...(wireOutput?.format !== undefined && {
      response_format: { type: 'json_schema', json_schema: wireOutput.format },
    }),
    ...(ttl !== undefined && { prompt_cache_options: { ttl } }),
    ...(userId !== undefined && { [dialect.userField]: userId }),
  };
  return { body, warnings };
}
