import type { Warning } from '../../protocol/completion.ts';
import type { JsonObject, JsonSchema } from '../../protocol/json.ts';
import type { ProviderRequest } from '../../protocol/request.ts';
import { relaxSchema } from '../common/json-schema.ts';
import { mergeBody } from '../common/merge-body.ts';
import { limitBreakpoints } from './cache.ts';
import { hasFreeKeys } from './free-keys.ts';
import { cacheControl, toMessages, type WireConversation } from './messages.ts';
import { type ClaudeModelSpec, claudeModelSpec } from './models.ts';
import { planThinking } from './thinking.ts';
import { toTool, toToolChoice } from './tools.ts';
import { adjusted, dropped } from './warnings.ts';

export type WireRequest = {
  readonly body: JsonObject;
  readonly warnings: readonly Warning[];
};

/** Sent when the model is unknown and the caller sets no limit: the API requires one. */
const fallbackMaxTokens = 4096;

function limitTokens(
  wanted: number | undefined,
  spec: ClaudeModelSpec & { readonly known: boolean },
  warnings: Warning[],
): number {
  if (wanted === undefined) {
    if (spec.known) return spec.maxOutputTokens;
    warnings.push(
      adjusted(
        'maxOutputTokens',
        `the API requires maxOutputTokens and the model is unknown to signalbox; ${fallbackMaxTokens} was sent`,
      ),
    );
    return fallbackMaxTokens;
  }
  if (!spec.known || wanted <= spec.maxOutputTokens) return wanted;
  warnings.push(
    adjusted(
      'maxOutputTokens',
      `maxOutputTokens was lowered to ${spec.maxOutputTokens}, the limit of this model`,
    ),
  );
  return spec.maxOutputTokens;
}

const samplingParams = ['temperature', 'topP', 'topK'] as const;

/** Parameters that other vendors accept and this one does not. */
const unknownParams = ['frequencyPenalty', 'presencePenalty', 'seed'] as const;

function toSampling(
  request: ProviderRequest,
  sampling: ClaudeModelSpec['sampling'],
  thinks: boolean,
  warnings: Warning[],
): JsonObject {
  const { temperature, topP, topK } = request;
  if (sampling === 'none' || thinks) {
    const why =
      thinks && sampling !== 'none' ? 'the model is thinking' : 'this model does not accept it';
    for (const param of samplingParams) {
      if (request[param] !== undefined) warnings.push(dropped(param, why));
    }
    return {};
  }
  if (temperature !== undefined && temperature > 1) {
    warnings.push(adjusted('temperature', 'temperature was lowered to 1, the maximum of this API'));
  }
  const both = temperature !== undefined && topP !== undefined;
  const keepTopP = topP !== undefined && !(both && sampling === 'temperature-or-top-p');
  if (topP !== undefined && !keepTopP) {
    warnings.push(dropped('topP', 'this model accepts either temperature or topP'));
  }
  return {
    ...(temperature !== undefined && { temperature: Math.min(temperature, 1) }),
    ...(keepTopP && { top_p: topP }),
    ...(topK !== undefined && { top_k: topK }),
  };
}

/** Whether the turn before the tool results lacks the thinking block it must start with. */
function lostThinking({ messages }: WireConversation): boolean {
  const last = messages.at(-1);
  const before = messages.at(-2);
  if (last?.content.some((block) => block.type === 'tool_result') !== true) return false;
  return !/^(redacted_)?thinking$/.test(String(before?.content[0]?.type));
}

/**
 * Converts the request, without `stream`.
 * `takesSampling` is false from API version 2026-10-21 on, for every model.
 * @throws SignalboxError `unsupported` or `invalid_request` for a conversation that the API cannot represent.
 */
export function toWireRequest(request: ProviderRequest, takesSampling: boolean): WireRequest {
  const {
    provider: _provider,
    model,
    messages: _messages,
    tools,
    toolChoice,
    parallelToolCalls: _parallelToolCalls,
    output,
    reasoning,
    cache,
    userId,
    maxOutputTokens,
    temperature: _temperature,
    topP: _topP,
    topK: _topK,
    frequencyPenalty: _frequencyPenalty,
    presencePenalty: _presencePenalty,
    stop,
    seed: _seed,
    extraBody,
    ...rest
  } = request;
  rest satisfies Record<string, never>;
  const spec = claudeModelSpec(model);
  const warnings: Warning[] = [];

  for (const param of unknownParams) {
    if (request[param] === undefined) continue;
    warnings.push(dropped(param, 'Anthropic Messages has no such parameter'));
  }
  const stops = stop?.filter((sequence) => sequence.trim() !== '') ?? [];
  if (stops.length < (stop?.length ?? 0)) {
    warnings.push(dropped('stop', 'the API rejects stop sequences that are only white space'));
  }
  const conversation = toMessages(request, spec);
  warnings.push(...conversation.warnings);
  const maxTokens = limitTokens(maxOutputTokens, spec, warnings);
  const plan = planThinking(reasoning, spec, maxTokens, lostThinking(conversation));
  warnings.push(...plan.warnings);

  const hasTools = tools !== undefined && tools.length > 0;
  if (!hasTools && (toolChoice === 'required' || typeof toolChoice === 'object')) {
    warnings.push(dropped('toolChoice', 'there are no tools'));
  }
  const choice = hasTools ? toToolChoice(request, spec, plan.on, warnings) : undefined;
  const format = toFormat(output, spec, warnings);
  const outputConfig = {
    ...(plan.effort !== undefined && { effort: plan.effort }),
    ...(format.native !== undefined && { format: format.native }),
  };
  const system = [...conversation.system, ...format.instructions];

  const body = {
    model,
    max_tokens: maxTokens,
    ...(system.length > 0 && { system }),
    messages: conversation.messages,
    ...(hasTools && { tools: tools.map((tool) => toTool(tool, spec, warnings)) }),
    ...(choice !== undefined && { tool_choice: choice }),
    ...(plan.thinking !== undefined && { thinking: plan.thinking }),
    ...(Object.keys(outputConfig).length > 0 && { output_config: outputConfig }),
    ...toSampling(request, takesSampling ? spec.sampling : 'none', plan.on, warnings),
    ...(stops.length > 0 && { stop_sequences: stops }),
    ...(userId !== undefined && { metadata: { user_id: userId } }),
    ...cacheControl(cache),
  };
  return { body: mergeBody(limitBreakpoints(body, warnings), extraBody), warnings };
}

type Format = { readonly native?: JsonObject; readonly instructions: readonly JsonObject[] };

function promptFormat(schema: JsonSchema): Format {
  const text = `Answer with nothing but one JSON value that this JSON Schema accepts:\n${JSON.stringify(schema)}`;
  return { instructions: [{ type: 'text', text }] };
}

/** Structured output: enforced if the model supports it, else requested in the prompt. */
function toFormat(
  output: ProviderRequest['output'],
  spec: ClaudeModelSpec,
  warnings: Warning[],
): Format {
  if (output === undefined) return { instructions: [] };
  if (!spec.structuredOutput) {
    warnings.push(
      adjusted('schema', 'this model does not enforce schemas; the schema was sent in the prompt'),
    );
    return promptFormat(output.schema);
  }
  if (hasFreeKeys(output.schema)) {
    const message =
      'the vendor does not support objects with arbitrary keys; the schema was sent in the prompt';
    warnings.push({ code: 'schema-relaxed', param: 'schema', message });
    return promptFormat(output.schema);
  }
  const { schema, relaxed } = relaxSchema(output.schema, 'anthropic');
  if (relaxed.length > 0) {
    warnings.push({
      code: 'schema-relaxed',
      param: 'schema',
      message: `the vendor does not enforce ${relaxed.join(', ')}; signalbox checks the answer against them`,
    });
  }
  return { native: { type: 'json_schema', schema }, instructions: [] };
}
