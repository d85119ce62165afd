import type { Warning } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { ProviderRequest, ToolChoice } from '../../protocol/request.ts';
import { hoistSystem, joinText, withoutBlanks } from '../common/messages.ts';
import { createToolIds } from '../common/tool-ids.ts';
import { pairToolResults } from '../common/tool-turns.ts';
import { openAIModelSpec } from '../openai-shared/models.ts';
import {
  adaptEffort,
  adaptSampling,
  cacheTtl,
  droppedParam,
  emptyConversation,
} from '../openai-shared/params.ts';
import { adaptOutput, adaptTool } from '../openai-shared/schema.ts';
import { inputItems } from './input.ts';

/** The format of `call_id`. */
const toolIdRule = {
  accepts: (id: string) => /^[a-zA-Z0-9_-]{1,64}$/.test(id),
  generate: (n: number) => `call_${n}`,
};

/** The API's minimum for `max_output_tokens`. */
const minOutputTokens = 16;

function toolChoice(choice: ToolChoice): string | JsonObject {
  return typeof choice === 'string' ? choice : { type: 'function', name: choice.name };
}

/** Parameters that Chat Completions has and the Responses API does not. */
const absentParams = ['topK', 'frequencyPenalty', 'presencePenalty', 'stop', 'seed'] as const;

/**
 * The body of a Responses request, without `stream` and the caller's extra fields.
 * @throws SignalboxError `unsupported` for content that the wire cannot carry.
 */
export function responsesBody(request: ProviderRequest): {
  readonly body: JsonObject;
  readonly warnings: readonly Warning[];
} {
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

  const spec = openAIModelSpec(model);
  const absent = { topK, frequencyPenalty, presencePenalty, stop, seed };
  for (const param of absentParams) {
    if (absent[param] !== undefined)
      warn(droppedParam(param, 'the Responses API does not have it'));
  }
  const effort = adaptEffort(reasoning, spec.efforts);
  const sampling = adaptSampling(temperature, topP, spec, effort.effort);
  warn(...effort.warnings, ...sampling.warnings);
  if (maxOutputTokens !== undefined && maxOutputTokens < minOutputTokens) {
    const message = `maxOutputTokens was raised to ${minOutputTokens}, the API's minimum`;
    warn({ code: 'adjusted-param', param: 'maxOutputTokens', message });
  }

  const paired = pairToolResults(withoutBlanks(messages));
  const wireTools = (tools ?? []).map(adaptTool);
  const wireOutput = output === undefined ? undefined : adaptOutput(output);
  warn(...paired.warnings, ...wireTools.flatMap((tool) => tool.warnings));
  warn(...(wireOutput?.warnings ?? []));

  const { system, rest: turns } = hoistSystem(paired.messages);
  // Sent as an item when it has a cache hint (`instructions` cannot), or when the conversation has no other items.
  const systemAsItem =
    turns.length === 0 || (spec.cacheBreakpoints && system.some((part) => part.cache));
  const instructions = [systemAsItem ? '' : joinText(system), wireOutput?.instruction ?? '']
    .filter((each) => each !== '')
    .join('\n\n');
  const mayReason = spec.efforts === 'any' || spec.efforts.length > 0;
  const context = {
    request,
    mayReason,
    ids: createToolIds(toolIdRule),
    cacheBreakpoints: spec.cacheBreakpoints,
    warn,
  };
  const items = [
    ...(systemAsItem && system.length > 0 ? [{ role: 'system' as const, content: system }] : []),
    ...turns,
  ].flatMap((message) => inputItems(message, context));

  if (items.length === 0) throw emptyConversation();

  const summary = reasoning?.include === true && mayReason;
  const ttl = spec.cacheBreakpoints ? cacheTtl(cache) : undefined;
  const hasTools = wireTools.length > 0;
  const body: JsonObject = {
    model,
    input: items,
    // The caller keeps the conversation, so the vendor need not store it.
    store: false,
    ...(instructions !== '' && { instructions }),
    ...(maxOutputTokens !== undefined && {
      max_output_tokens: Math.max(maxOutputTokens, minOutputTokens),
    }),
    ...sampling.body,
    ...(hasTools && { tools: wireTools.map(({ tool }) => ({ type: 'function', ...tool })) }),
    ...(hasTools && choice !== undefined && { tool_choice: toolChoice(choice) }),
    ...(hasTools && parallelToolCalls !== undefined && { parallel_tool_calls: parallelToolCalls }),
    ...(wireOutput?.format !== undefined && {
      text: { format: { type: 'json_schema', ...wireOutput.format } },
    }),
    ...((effort.effort !== undefined || summary) && {
      reasoning: {
        ...(effort.effort !== undefined && { effort: effort.effort }),
        ...(summary && { summary: 'auto' }),
      },
    }),
    // Without it a stateless conversation loses its reasoning. Models without reasoning reject it.
    ...(mayReason && spec.efforts !== 'any' && { include: ['reasoning.encrypted_content'] }),
    ...(ttl !== undefined && { prompt_cache_options: { ttl } }),
    ...(userId !== undefined && { safety_identifier: userId }),
  };
  return { body, warnings };
}
