import type { Warning } from '../../protocol/completion.ts';
import type { JsonObject, JsonSchema } from '../../protocol/json.ts';
import type { NormalTool, ProviderRequest } from '../../protocol/request.ts';
import { relaxSchema } from '../common/json-schema.ts';
import { isObject } from '../common/read.ts';
import { adjustedParam, droppedParam, mergeBody } from '../common/request.ts';
import { isRecursive, withObjectRoot } from '../common/root-schema.ts';
import { cacheControl, toMessages, type WireConversation } from './messages.ts';
import { type ClaudeModelSpec, claudeModelSpec, planThinking } from './models.ts';

function dropped(param: string, why: string): Warning {
  return droppedParam(param, `${param} was dropped: ${why}`);
}

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
  if (wanted !== undefined) return wanted;
  if (spec.known) return spec.maxOutputTokens;
  warnings.push(
    adjustedParam(
      'maxOutputTokens',
      `the API requires maxOutputTokens and the model is unknown to signalbox; ${fallbackMaxTokens} was sent`,
    ),
  );
  return fallbackMaxTokens;
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
    warnings.push(
      adjustedParam('temperature', 'temperature was lowered to 1, the maximum of this API'),
    );
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

const recursive = 'the vendor does not enforce schemas that refer to themselves';

/** The API requires an object at the root, without a union. */
function toolSchema(tool: NormalTool, strict: boolean, warnings: Warning[]): JsonObject {
  const root = withObjectRoot(tool.inputSchema);
  const schema = { type: 'object', ...root.schema };
  const { schema: sent, relaxed: inside } = strict
    ? relaxSchema(schema, 'anthropic')
    : { schema, relaxed: [] };
  const relaxed = [...root.relaxed, ...inside];
  if (relaxed.length > 0) {
    warnings.push({
      code: 'schema-relaxed',
      param: `tools.${tool.name}`,
      message: `the vendor does not enforce ${relaxed.join(', ')} of tool "${tool.name}"`,
    });
  }
  return sent;
}

/** Converts a tool. Its schema is enforced only if it sets `strict`. */
function toTool(tool: NormalTool, spec: ClaudeModelSpec, warnings: Warning[]): JsonObject {
  const { name, description, inputSchema, strict, cache, destructive: _, ...rest } = tool;
  rest satisfies Record<string, never>;
  const enforced = strict === true && spec.structuredOutput && !isRecursive(inputSchema);
  if (strict === true && !enforced) {
    const why = spec.structuredOutput ? recursive : 'this model does not enforce schemas';
    warnings.push(dropped('tools.strict', why));
  }
  return {
    name,
    ...(description !== undefined && { description }),
    input_schema: toolSchema({ name, inputSchema }, enforced, warnings),
    ...(enforced && { strict: true }),
    ...cacheControl(cache),
  };
}

/** Converts the tool choice. Falls back to `auto` when the model cannot be forced to call a tool. */
function toToolChoice(
  request: ProviderRequest,
  spec: ClaudeModelSpec,
  thinks: boolean,
  warnings: Warning[],
): JsonObject | undefined {
  const { toolChoice, parallelToolCalls } = request;
  const noParallel = parallelToolCalls === false && { disable_parallel_tool_use: true };
  if (toolChoice === 'none') return { type: 'none' };
  if (toolChoice === undefined || toolChoice === 'auto') {
    return toolChoice === undefined && noParallel === false
      ? undefined
      : { type: 'auto', ...noParallel };
  }
  const mayThink = thinks || spec.minThinking === 'adaptive';
  const cannotForce =
    spec.forcedTools === 'never' || (spec.forcedTools === 'unless-thinking' && mayThink);
  if (cannotForce) {
    warnings.push(
      adjustedParam(
        'toolChoice',
        `${spec.forcedTools === 'never' ? 'this model' : 'a thinking model'} cannot be forced to call a tool; toolChoice was sent as "auto"`,
      ),
    );
    return { type: 'auto', ...noParallel };
  }
  if (toolChoice === 'required') return { type: 'any', ...noParallel };
  return { type: 'tool', name: toolChoice.name, ...noParallel };
}

type Format = { readonly native?: JsonObject; readonly instructions: readonly JsonObject[] };

function promptFormat(schema: JsonSchema): Format {
  const text = `Answer with nothing but one JSON value that this JSON Schema accepts:\n${JSON.stringify(schema)}`;
  return { instructions: [{ type: 'text', text }] };
}

/**
 * Whether an object of the schema allows keys that it does not list, such as a map from names to values. Anthropic
 * closes every object, so a map would always be empty. Such a schema is sent in the prompt instead.
 */
export function hasFreeKeys(schema: unknown): boolean {
  if (Array.isArray(schema)) return schema.some(hasFreeKeys);
  if (!isObject(schema)) return false;
  const { type, properties, additionalProperties, patternProperties } = schema;
  const isMap =
    (type === 'object' && properties === undefined && additionalProperties !== false) ||
    isObject(additionalProperties) ||
    isObject(patternProperties);
  if (isMap && !('$ref' in schema)) return true;
  // The keys of `properties` are names, not keywords.
  const inner = isObject(properties) ? Object.values(properties) : [];
  const { properties: _named, enum: _enum, const: _const, default: _default, ...keywords } = schema;
  return [...inner, ...Object.values(keywords)].some(hasFreeKeys);
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
      adjustedParam(
        'schema',
        'this model does not enforce schemas; the schema was sent in the prompt',
      ),
    );
    return promptFormat(output.schema);
  }
  if (hasFreeKeys(output.schema)) {
    const message =
      'the vendor does not support objects with arbitrary keys; the schema was sent in the prompt';
    warnings.push({ code: 'schema-relaxed', param: 'schema', message });
    return promptFormat(output.schema);
  }
  if (isRecursive(output.schema)) {
    const message = `${recursive}; the schema was sent in the prompt`;
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

/** Whether the turn before the tool results lacks the thinking block it must start with. */
function lostThinking({ messages }: WireConversation): boolean {
  const last = messages.at(-1);
  const before = messages.at(-2);
  if (last?.content.some((block) => block.type === 'tool_result') !== true) return false;
  return !/^(redacted_)?thinking$/.test(String(before?.content[0]?.type));
}

/** The API rejects a fifth breakpoint. */
const maxBreakpoints = 4;

/** Adapts the breakpoints of a body, from its last block to its first. */
class Breakpoints {
  dropped = 0;
  extended = 0;
  #left = maxBreakpoints;
  #isLong = false;

  /** A block without its breakpoint if later ones use up the maximum, else with a lifetime that later ones allow. */
  mark(block: JsonObject): JsonObject {
    const { cache_control: mark, ...rest } = block;
    if (!isObject(mark)) return block;
    if (this.#left === 0) {
      this.dropped += 1;
      return rest;
    }
    this.#left -= 1;
    if (mark.ttl === '1h') this.#isLong = true;
    else if (this.#isLong) {
      this.extended += 1;
      return { ...block, cache_control: { ...mark, ttl: '1h' } };
    }
    return block;
  }

  /** The blocks of a prompt's section, messages and tool results included, which contain blocks. */
  in(blocks: unknown): unknown {
    if (!Array.isArray(blocks)) return blocks;
    return blocks
      .toReversed()
      .map((block: unknown) => {
        if (!isObject(block)) return block;
        const marked = this.mark(block);
        return Array.isArray(marked.content)
          ? { ...marked, content: this.in(marked.content) }
          : marked;
      })
      .reverse();
  }
}

/**
 * Keeps the last breakpoints of a body, which cover the longest prefixes. The API rejects more than four, and one of an
 * hour after a shorter one.
 */
function adaptBreakpoints(body: JsonObject, warnings: Warning[]): JsonObject {
  const breakpoints = new Breakpoints();
  // The mark of the body itself stands for one at its last block.
  breakpoints.mark(body);
  const messages = breakpoints.in(body.messages);
  const system = breakpoints.in(body.system);
  const tools = breakpoints.in(body.tools);
  const { dropped, extended } = breakpoints;
  if (dropped > 0) {
    const message = `${dropped} cache hints were dropped: the API accepts ${maxBreakpoints}`;
    warnings.push(adjustedParam('cache', message));
  }
  if (extended > 0) {
    const message = `${extended} cache hints were extended to an hour, because one of an hour follows`;
    warnings.push(adjustedParam('cache', message));
  }
  if (dropped + extended === 0) return body;
  return {
    ...body,
    messages,
    ...(system !== undefined && { system }),
    ...(tools !== undefined && { tools }),
  };
}

/**
 * Converts the request, without `stream`.
 * `takesSampling` is false from API version 2026-10-21 on, for every model.
 * @throws SignalboxError `unsupported` or `invalid_request` for a conversation that the API cannot represent.
 */
export function toWireRequest(request: ProviderRequest, takesSampling: boolean): WireRequest {
  const {
    provider: _provider,
    key: _key,
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
  return { body: adaptBreakpoints(mergeBody(body, extraBody), warnings), warnings };
}
