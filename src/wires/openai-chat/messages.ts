import { SignalboxError } from '../../errors.ts';
import { own } from '../../internal/own.ts';
import type { Warning } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type {
  AudioPart,
  CacheHint,
  FilePart,
  ImagePart,
  NormalMessage,
  Part,
  TextPart,
  ToolCallPart,
  ToolResultPart,
} from '../../protocol/message.ts';
import type { ProviderRequest } from '../../protocol/request.ts';
import { isObject } from '../common/read.ts';
import {
  canReplay,
  joinText,
  outputParts,
  outputText,
  parseReplayData,
  type ToolIds,
  wireMedia,
} from '../common/request.ts';
import { cacheBreakpoint } from '../openai-shared/models.ts';
import type { ChatDialect } from './dialect.ts';
import { signatureFields } from './signatures.ts';

export const wire = 'openai-chat';

/** What is needed to convert the messages of one request. */
export type MessageContext = {
  readonly request: ProviderRequest;
  readonly ids: ToolIds;
  readonly dialect: ChatDialect;
  readonly warn: (warning: Warning) => void;
};

function unsupported(what: string): SignalboxError {
  return new SignalboxError('unsupported', `Chat Completions cannot take ${what}`);
}

function breakpoint(hint: CacheHint | undefined, context: MessageContext): JsonObject {
  return context.dialect.spec.cacheBreakpoints ? cacheBreakpoint(hint) : {};
}

/** The two formats of `input_audio`, by media type. */
const audioFormats: Readonly<Record<string, string>> = {
  'audio/wav': 'wav',
  'audio/mpeg': 'mp3',
};

function image(part: ImagePart, context: MessageContext): JsonObject {
  const media = wireMedia(part.source);
  if (media.kind === 'ref') throw unsupported('an uploaded image; pass its URL or its bytes');
  const url = media.kind === 'url' ? media.url : `data:${media.mediaType};base64,${media.data}`;
  return {
    type: 'image_url',
    image_url: { url, ...(part.detail !== undefined && { detail: part.detail }) },
    ...breakpoint(part.cache, context),
  };
}

function audio(part: AudioPart): JsonObject {
  const media = wireMedia(part.source);
  if (media.kind !== 'base64') throw unsupported('audio by URL; pass its bytes');
  const format = own(audioFormats, media.mediaType);
  if (format === undefined) throw unsupported('audio other than WAV and MP3');
  return { type: 'input_audio', input_audio: { data: media.data, format } };
}

function file(part: FilePart, context: MessageContext): JsonObject {
  const media = wireMedia(part.source);
  const extra = breakpoint(part.cache, context);
  if (media.kind === 'url') throw unsupported('a file by URL; pass its bytes');
  if (media.kind === 'base64') {
    const file_data = `data:${media.mediaType};base64,${media.data}`;
    return { type: 'file', file: { filename: part.filename ?? 'file', file_data }, ...extra };
  }
  if (media.provider !== context.request.provider) {
    throw unsupported(`a file that was uploaded to "${media.provider}"`);
  }
  return { type: 'file', file: { file_id: media.id }, ...extra };
}

function dropped(part: Part, role: string): Warning {
  return {
    code: 'dropped-part',
    message: `Chat Completions does not accept a part of type ${part.type} in a turn with role ${role}; it was dropped`,
  };
}

function contentOf(part: Part, role: string, context: MessageContext): readonly JsonObject[] {
  if (part.type === 'text') {
    return [{ type: 'text', text: part.text, ...breakpoint(part.cache, context) }];
  }
  if (part.type === 'image') return [image(part, context)];
  if (part.type === 'audio') return [audio(part)];
  if (part.type === 'file') return [file(part, context)];
  context.warn(dropped(part, role));
  return [];
}

/** Text alone is sent as a string, because not every vendor compatible with the wire accepts lists. */
function userContent(
  message: NormalMessage,
  context: MessageContext,
): string | readonly JsonObject[] {
  const [only, ...more] = message.content;
  const isMarked = context.dialect.spec.cacheBreakpoints && only?.type === 'text' && only.cache;
  if (only?.type === 'text' && more.length === 0 && !isMarked) return only.text;
  return message.content.flatMap((part) => contentOf(part, message.role, context));
}

/** The placeholder for the calls of other models: https://ai.google.dev/gemini-api/docs/thought-signatures */
const foreignSignature = {
  extra_content: { google: { thought_signature: 'skip_thought_signature_validator' } },
};

/** Gemini rejects a turn whose first call has no signature. */
function toolCalls(calls: readonly ToolCallPart[], context: MessageContext): readonly JsonObject[] {
  return calls.map((call, index) => {
    const { opaque } = call;
    const isOwn = opaque !== undefined && canReplay(opaque, context.request, wire);
    const signature = isOwn ? signatureFields(opaque) : undefined;
    const isRequired = index === 0 && context.dialect.unsignedCalls === 'stand-in';
    if (signature !== undefined || !isRequired) {
      return { ...toolCall(call, context), ...signature };
    }
    const message = 'tool calls of another model were sent without its thoughts';
    context.warn({ code: 'compat', param: 'thoughtSignature', message });
    return { ...toolCall(call, context), ...foreignSignature };
  });
}

function toolCall(part: ToolCallPart, context: MessageContext): JsonObject {
  // Invalid arguments are sent back inside valid JSON, because servers parse them.
  const input = part.invalid === true ? { invalid: part.rawInput ?? part.input } : part.input;
  // Servers read the fields of the arguments.
  const fields = isObject(input) ? input : { input };
  return {
    id: context.ids.call(part.id),
    type: 'function',
    function: { name: part.name, arguments: JSON.stringify(fields) },
  };
}

/**
 * Reasoning in the field it was received in. DeepSeek and Moonshot require it with tool calls. OpenRouter's details
 * include the model's signatures and replace the text.
 */
function echoedReasoning(message: NormalMessage, context: MessageContext): JsonObject {
  const fields: Record<string, string> = {};
  for (const part of message.content) {
    const opaque = part.type === 'reasoning' ? part.opaque : undefined;
    if (part.type !== 'reasoning' || opaque === undefined) continue;
    if (!canReplay(opaque, context.request, wire)) continue;
    if (opaque.kind === 'encrypted') return { reasoning_details: parseReplayData(opaque) };
    if (opaque.kind === 'reasoning-content') {
      fields[opaque.data] = (own(fields, opaque.data) ?? '') + part.text;
    }
  }
  return fields;
}

const plainAssistantParts: readonly Part['type'][] = ['text', 'refusal', 'reasoning', 'tool-call'];

/** For each turn, whether its reasoning is sent back. */
function echoedTurns(
  messages: readonly NormalMessage[],
  { echoReasoning }: ChatDialect,
): readonly boolean[] {
  if (echoReasoning === 'always' || echoReasoning === 'never') {
    return messages.map(() => echoReasoning === 'always');
  }
  let userTurns = 0;
  const groups = messages.map(({ role }) => (role === 'user' ? ++userTurns : userTurns));
  const withTools = new Set(groups.filter((_, index) => messages[index]?.role === 'tool'));
  const isLater = echoReasoning === 'tool-turns';
  return groups.map((group) => group === userTurns || (isLater && withTools.has(group)));
}

/** For turns whose reasoning is lost or another vendor's: the field must not be missing, nor be empty. */
const noReasoning = { reasoning_content: ' ' };

function assistant(
  message: NormalMessage,
  echoes: boolean,
  context: MessageContext,
): readonly JsonObject[] {
  for (const part of message.content) {
    if (!plainAssistantParts.includes(part.type)) context.warn(dropped(part, message.role));
  }
  const { callsWithoutReasoning, refusals } = context.dialect;
  const calls = message.content.filter((part) => part.type === 'tool-call');
  const refusal = message.content.find((part) => part.type === 'refusal')?.text;
  const inField = refusal !== undefined && refusals === 'field';
  const text = [joinText(message.content), inField ? '' : (refusal ?? '')]
    .filter((each) => each !== '')
    .join('\n\n');
  if (text === '' && !inField && calls.length === 0) return [];
  const reasoning = echoes ? echoedReasoning(message, context) : {};
  const lacksReasoning = calls.length > 0 && Object.keys(reasoning).length === 0;
  return [
    {
      role: 'assistant',
      content: text === '' ? null : text,
      ...(inField && { refusal }),
      ...(calls.length > 0 && { tool_calls: toolCalls(calls, context) }),
      ...(lacksReasoning && callsWithoutReasoning === 'stand-in' ? noReasoning : reasoning),
    },
  ];
}

function toolResult(part: ToolResultPart, context: MessageContext): JsonObject {
  const parts = outputParts(part.output);
  const output =
    parts === undefined ? outputText(part.output) : joinText(parts) || 'The output follows.';
  return {
    role: 'tool',
    tool_call_id: context.ids.result(part.id),
    ...(context.dialect.toolResultName && { name: part.name }),
    // The wire has no flag for failed tool calls.
    content: part.isError === true ? `Error: ${output}` : output,
  };
}

/** Tool results can contain only text. Other output of the tools follows in a user turn. */
function toolAttachments(message: NormalMessage, context: MessageContext): readonly JsonObject[] {
  const content = message.content.flatMap((part) => {
    const parts = part.type === 'tool-result' ? outputParts(part.output) : undefined;
    const media = parts?.filter((each) => each.type !== 'text') ?? [];
    if (part.type !== 'tool-result' || media.length === 0) return [];
    return [
      { type: 'text', text: `Returned by the tool "${part.name}":` },
      ...media.flatMap((each) => contentOf(each, 'user', context)),
    ];
  });
  return content.length === 0 ? [] : [{ role: 'user', content }];
}

/** Adds the assistant turn that some templates require between tool results and other turns. */
function withTurnsAfterResults(
  turns: readonly JsonObject[],
  { dialect, warn }: MessageContext,
): readonly JsonObject[] {
  if (dialect.afterToolResults === 'any') return turns;
  return turns.flatMap((turn, index) => {
    const follows = turns[index - 1]?.role === 'tool';
    if (!follows || turn.role === 'tool' || turn.role === 'assistant') return [turn];
    const message =
      'the vendor requires an assistant turn after tool results; a short one was added';
    warn({ code: 'compat', message });
    return [{ role: 'assistant', content: 'OK.' }, turn];
  });
}

/** Converts the conversation. Tool calls must already be paired with their results. */
export function wireMessages(
  messages: readonly NormalMessage[],
  context: MessageContext,
): readonly JsonObject[] {
  const echoed = echoedTurns(messages, context.dialect);
  const turns = messages.flatMap((message, index) => {
    if (message.role === 'assistant') return assistant(message, echoed[index] === true, context);
    if (message.role === 'tool') {
      const results = message.content.filter((part) => part.type === 'tool-result');
      return [
        ...results.map((part) => toolResult(part, context)),
        ...toolAttachments(message, context),
      ];
    }
    if (message.role === 'user') {
      const content = userContent(message, context);
      return content.length === 0 ? [] : [{ role: 'user', content }];
    }
    return [{ role: context.dialect.systemRole, content: systemContent(message, context) }];
  });
  return withTurnsAfterResults(turns, context);
}

function systemContent(
  message: NormalMessage,
  context: MessageContext,
): string | readonly JsonObject[] {
  const texts = message.content.filter((part): part is TextPart => part.type === 'text');
  const isMarked = context.dialect.spec.cacheBreakpoints && texts.some((part) => part.cache);
  if (!isMarked) return joinText(texts);
  return texts.flatMap((part) => contentOf(part, message.role, context));
}
