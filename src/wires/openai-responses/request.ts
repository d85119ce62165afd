import { SignalboxError } from '../../errors.ts';
import type { Warning } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type {
  CacheHint,
  FilePart,
  ImagePart,
  NormalMessage,
  Opaque,
  Part,
  ReasoningPart,
  TextPart,
  ToolCallPart,
  ToolResultPart,
} from '../../protocol/message.ts';
import type { ProviderRequest, ToolChoice } from '../../protocol/request.ts';
import { isObject, objectOf, textOf } from '../common/read.ts';
import type { AnswerOrigin } from '../common/read-answer.ts';
import {
  canReplay,
  droppedParam,
  emptyConversation,
  hoistSystem,
  joinText,
  outputParts,
  outputText,
  pairToolResults,
  parseReplayData,
  ToolIds,
  wireMedia,
  withoutBlanks,
  withSoundToolNames,
} from '../common/request.ts';
import {
  adaptEffort,
  adaptSampling,
  cacheBreakpoint,
  cacheTtl,
  openAIModelSpec,
} from '../openai-shared/models.ts';
import { adaptOutput, adaptTool } from '../openai-shared/schema.ts';

export const wire = 'openai-responses';

/** The replay data of a reasoning item: its id and its encrypted content, which must be sent back together. */
export function encryptedReasoning(item: JsonObject, origin: AnswerOrigin): Opaque | undefined {
  const encrypted = textOf(item.encrypted_content);
  if (encrypted === undefined) return undefined;
  const data = JSON.stringify({ id: item.id, encrypted_content: encrypted });
  return { wire, ...origin, kind: 'encrypted', data };
}

/** Items of tools that the vendor runs. Those that wait for the caller's output are not among them. */
const vendorItems: readonly unknown[] = [
  'web_search_call',
  'file_search_call',
  'code_interpreter_call',
  'image_generation_call',
  'mcp_call',
  'mcp_list_tools',
  'tool_search_call',
  'tool_search_output',
  'compaction',
];

/** The replay data of an item of the vendor's own tools. The reasoning before it must not be sent back without it. */
export function vendorItem(item: JsonObject, origin: AnswerOrigin): Opaque | undefined {
  if (!vendorItems.includes(item.type)) return undefined;
  return { wire, ...origin, kind: 'item', data: JSON.stringify(item) };
}

function readVendorItem(opaque: Opaque): JsonObject | undefined {
  const item = opaque.kind === 'item' ? parsed(opaque) : {};
  return vendorItems.includes(item.type) ? item : undefined;
}

function parsed(opaque: Opaque): JsonObject {
  try {
    return objectOf(parseReplayData(opaque));
  } catch {
    return {};
  }
}

/** The fields of the reasoning item, if `opaque` contains one. */
function readEncryptedReasoning(
  opaque: Opaque,
): { readonly id?: string; readonly encrypted_content: string } | undefined {
  if (opaque.kind !== 'encrypted') return undefined;
  const kept = parsed(opaque);
  const encrypted = textOf(kept.encrypted_content);
  const id = textOf(kept.id);
  if (encrypted === undefined) return undefined;
  return { ...(id !== undefined && { id }), encrypted_content: encrypted };
}

/** The replay data of a message's phase (`commentary` or `final_answer`), which newer models expect back. */
export function messagePhase(
  item: JsonObject,
  { provider, model }: AnswerOrigin,
): Opaque | undefined {
  const phase = textOf(item.phase);
  return phase === undefined ? undefined : { wire, provider, model, kind: 'item', data: phase };
}

/** What is needed to convert the messages of one request. */
type InputContext = {
  readonly request: ProviderRequest;
  readonly ids: ToolIds;
  /** Whether the model accepts `prompt_cache_breakpoint`. */
  readonly cacheBreakpoints: boolean;
  /** Whether the model can reason. Other models reject reasoning items, even those of the same provider. */
  readonly mayReason: boolean;
  readonly warn: (warning: Warning) => void;
};

function breakpoint(hint: CacheHint | undefined, context: InputContext): JsonObject {
  return context.cacheBreakpoints ? cacheBreakpoint(hint) : {};
}

function unsupported(what: string): SignalboxError {
  return new SignalboxError('unsupported', `openai cannot take ${what}`);
}

/** The id of an uploaded file, which is valid only for the provider it was uploaded to. */
function ownId(
  ref: { readonly provider: string; readonly id: string },
  context: InputContext,
): string {
  if (ref.provider === context.request.provider) return ref.id;
  throw unsupported(`a file that was uploaded to "${ref.provider}"`);
}

function image(part: ImagePart, context: InputContext): JsonObject {
  const media = wireMedia(part.source);
  const source =
    media.kind === 'ref'
      ? { file_id: ownId(media, context) }
      : {
          image_url:
            media.kind === 'url' ? media.url : `data:${media.mediaType};base64,${media.data}`,
        };
  return {
    type: 'input_image',
    detail: part.detail ?? 'auto',
    ...source,
    ...breakpoint(part.cache, context),
  };
}

function file(part: FilePart, context: InputContext): JsonObject {
  const media = wireMedia(part.source);
  const extra = breakpoint(part.cache, context);
  if (media.kind === 'ref') return { type: 'input_file', file_id: ownId(media, context), ...extra };
  if (media.kind === 'url') return { type: 'input_file', file_url: media.url, ...extra };
  const file_data = `data:${media.mediaType};base64,${media.data}`;
  // The API rejects file data without a name.
  return { type: 'input_file', filename: part.filename ?? 'file', file_data, ...extra };
}

function text(part: TextPart, context: InputContext): JsonObject {
  return { type: 'input_text', text: part.text, ...breakpoint(part.cache, context) };
}

function content(part: TextPart | ImagePart | FilePart, context: InputContext): JsonObject {
  if (part.type === 'image') return image(part, context);
  return part.type === 'file' ? file(part, context) : text(part, context);
}

function dropped(part: Part, role: string): Warning {
  return {
    code: 'dropped-part',
    message: `openai does not accept a part of type ${part.type} in a turn with role ${role}; it was dropped`,
  };
}

function userItem(message: NormalMessage, context: InputContext): readonly JsonObject[] {
  const parts = message.content.flatMap((part) => {
    if (part.type === 'text' || part.type === 'image' || part.type === 'file') {
      return [content(part, context)];
    }
    if (part.type === 'audio') throw unsupported('audio on the Responses wire; use openaiChat()');
    context.warn(dropped(part, message.role));
    return [];
  });
  return parts.length === 0 ? [] : [{ role: 'user', content: parts }];
}

function toolCall(part: ToolCallPart, context: InputContext): JsonObject {
  // Invalid arguments are sent back inside valid JSON, because servers parse them.
  const input = part.invalid === true ? { invalid: part.rawInput ?? part.input } : part.input;
  // Servers read the fields of the arguments.
  const fields = isObject(input) ? input : { input };
  return {
    type: 'function_call',
    call_id: context.ids.call(part.id),
    name: part.name,
    arguments: JSON.stringify(fields),
  };
}

function toolResult(part: ToolResultPart, context: InputContext): JsonObject {
  const parts = outputParts(part.output);
  const output = parts?.map((each) => content(each, context)) ?? outputText(part.output);
  return {
    type: 'function_call_output',
    call_id: context.ids.result(part.id),
    // The wire has no flag for failed tool calls.
    output: part.isError === true && typeof output === 'string' ? `Error: ${output}` : output,
  };
}

const ofOtherKey: Warning = {
  code: 'compat',
  message:
    'reasoning and tool steps were left out: only the key of the pool that received them can send them back',
};

/** Replay data is encrypted for the organisation of the key; another one's is rejected as `invalid_encrypted_content`. */
function isOfOtherKey({ key }: Opaque, { request }: InputContext): boolean {
  return key !== undefined && request.key !== undefined && key !== request.key;
}

function reasoning(part: ReasoningPart, context: InputContext): readonly JsonObject[] {
  const { opaque } = part;
  if (opaque === undefined || !canReplay(opaque, context.request, wire)) return [];
  if (isOfOtherKey(opaque, context)) {
    context.warn(ofOtherKey);
    return [];
  }
  const item = readVendorItem(opaque);
  if (item !== undefined) return [item];
  if (!context.mayReason) return [];
  const encrypted = readEncryptedReasoning(opaque);
  if (encrypted === undefined) return [];
  const summary = part.text === '' ? [] : [{ type: 'summary_text', text: part.text }];
  return [{ type: 'reasoning', ...encrypted, summary }];
}

function ownPhase({ opaque }: TextPart, context: InputContext): JsonObject {
  const matches = opaque?.kind === 'item' && canReplay(opaque, context.request, wire);
  return matches ? { phase: opaque.data } : {};
}

function assistantItems(message: NormalMessage, context: InputContext): readonly JsonObject[] {
  const items: JsonObject[] = [];
  for (const part of message.content) {
    if (part.type === 'text') {
      const content = [{ type: 'output_text', text: part.text }];
      items.push({ role: 'assistant', ...ownPhase(part, context), content });
    } else if (part.type === 'refusal') {
      items.push({ role: 'assistant', content: [{ type: 'refusal', refusal: part.text }] });
    } else if (part.type === 'reasoning') {
      items.push(...reasoning(part, context));
    } else if (part.type === 'tool-call') {
      items.push(toolCall(part, context));
    } else {
      context.warn(dropped(part, message.role));
    }
  }
  // The API rejects a reasoning item without the item that follows it.
  const last = items.findLastIndex((item) => item.type !== 'reasoning');
  return items.slice(0, last + 1);
}

/** Converts one turn to input items. Tool calls must already be paired with their results. */
function inputItems(message: NormalMessage, context: InputContext): readonly JsonObject[] {
  if (message.role === 'assistant') return assistantItems(message, context);
  if (message.role === 'tool') {
    return message.content
      .filter((part) => part.type === 'tool-result')
      .map((part) => toolResult(part, context));
  }
  if (message.role === 'user') return userItem(message, context);
  const parts = message.content
    .filter((part) => part.type === 'text')
    .map((part) => text(part, context));
  return parts.length === 0 ? [] : [{ role: 'developer', content: parts }];
}

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
  const warn = (...more: readonly Warning[]): void =>
    void warnings.push(...more.filter((warning) => !warnings.includes(warning)));

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

  const paired = pairToolResults(withSoundToolNames(withoutBlanks(messages)));
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
    ids: new ToolIds(toolIdRule),
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
