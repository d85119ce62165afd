import { SignalboxError } from '../../errors.ts';
import { own } from '../../internal/own.ts';
import type { Warning } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type {
  Media,
  NormalMessage,
  Opaque,
  Part,
  ReasoningPart,
  ToolCallPart,
  ToolResultPart,
} from '../../protocol/message.ts';
import type { ProviderRequest } from '../../protocol/request.ts';
import { isObject } from '../common/read.ts';
import {
  canReplay,
  hoistSystem,
  joinText,
  mergeNeighbours,
  outputParts,
  pairToolResults,
  parseReplayData,
  wireMedia,
  withoutBlanks,
  withSoundToolNames,
} from '../common/request.ts';
import type { GeminiModelSpec } from './models.ts';

type WirePart = JsonObject;

/** URLs for which the API knows the media type: its files, Cloud Storage and YouTube. */
const googleUrl =
  /^(?:gs:\/\/|https:\/\/generativelanguage\.googleapis\.com\/|https:\/\/(?:www\.)?youtube\.com\/|https:\/\/youtu\.be\/)/;

/** The signature for calls made by another model. Gemini 3 rejects calls without a signature. */
const foreignCallSignature = 'skip_thought_signature_validator';

/** The format of a function's name: https://ai.google.dev/api/caching#FunctionDeclaration */
const toolName = /^[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}$/;

/** Ids that signalbox generated for calls without one. The API matches such calls to results by their order. */
const generatedId = /^call_\d+$/;

function unsupported(what: string): SignalboxError {
  return new SignalboxError('unsupported', `Gemini does not accept ${what}`);
}

/** For all other URLs the API requires a media type: https://ai.google.dev/gemini-api/docs/file-input-methods */
const mediaTypeByExtension: Readonly<Record<string, string>> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  webp: 'image/webp',
  gif: 'image/gif',
  heic: 'image/heic',
  pdf: 'application/pdf',
  txt: 'text/plain',
  csv: 'text/csv',
  html: 'text/html',
  mp3: 'audio/mpeg',
  wav: 'audio/wav',
  mp4: 'video/mp4',
};

function urlPart(url: string, mediaType: string | undefined, spec: GeminiModelSpec): WirePart {
  if (googleUrl.test(url)) {
    return { fileData: { fileUri: url, ...(mediaType !== undefined && { mimeType: mediaType }) } };
  }
  if (!spec.fetchesUrls) throw unsupported('a public URL for this model; pass the bytes');
  const extension = /\.([a-z0-9]+)(?:[?#]|$)/i.exec(url)?.[1]?.toLowerCase() ?? '';
  const mimeType = mediaType ?? own(mediaTypeByExtension, extension);
  if (mimeType === undefined) throw unsupported('a URL of unknown media type; set mediaType');
  return { fileData: { fileUri: url, mimeType } };
}

function mediaPart(source: Media, provider: string, spec: GeminiModelSpec): WirePart {
  const media = wireMedia(source);
  if (media.kind === 'base64') {
    return { inlineData: { mimeType: media.mediaType, data: media.data } };
  }
  if (media.kind === 'ref' && media.provider !== provider) {
    throw unsupported('a file that was uploaded to another provider');
  }
  if (media.kind === 'url') return urlPart(media.url, media.mediaType, spec);
  const mimeType = media.mediaType === undefined ? {} : { mimeType: media.mediaType };
  return { fileData: { fileUri: media.id, ...mimeType } };
}

function signature(opaque: Opaque | undefined, request: ProviderRequest): JsonObject {
  const own = opaque?.kind === 'thought-signature' && canReplay(opaque, request, 'gemini');
  return own ? { thoughtSignature: opaque.data } : {};
}

/** Thoughts are sent back only with their signature, and only to the provider that issued them. */
function reasoningPart(part: ReasoningPart, request: ProviderRequest): WirePart | undefined {
  const { opaque } = part;
  if (opaque === undefined || !canReplay(opaque, request, 'gemini')) return undefined;
  if (opaque.kind === 'item') {
    const item: unknown = parseReplayData(opaque);
    return isObject(item) ? item : undefined;
  }
  if (opaque.kind !== 'thought-signature') return undefined;
  return { text: part.text, thought: true, thoughtSignature: opaque.data };
}

function wireId(id: string): JsonObject {
  return generatedId.test(id) ? {} : { id };
}

function callPart(part: ToolCallPart, request: ProviderRequest): WirePart {
  const args = isObject(part.input) ? part.input : { input: part.rawInput ?? part.input };
  return {
    functionCall: { ...wireId(part.id), name: part.name, args },
    ...signature(part.opaque, request),
  };
}

function resultParts(
  part: ToolResultPart,
  request: ProviderRequest,
  spec: GeminiModelSpec,
): readonly WirePart[] {
  const parts = outputParts(part.output);
  const output = parts === undefined ? part.output : joinText(parts);
  const media = (parts ?? []).flatMap((each) =>
    each.type === 'text' ? [] : [mediaPart(each.source, request.provider, spec)],
  );
  const functionResponse = {
    ...wireId(part.id),
    name: part.name,
    response: part.isError === true ? { error: output } : { output },
    ...(spec.mediaInResults && media.length > 0 && { parts: media }),
  };
  return [{ functionResponse }, ...(spec.mediaInResults ? [] : media)];
}

function wireParts(
  part: Part,
  request: ProviderRequest,
  spec: GeminiModelSpec,
): readonly WirePart[] {
  switch (part.type) {
    case 'text':
      return [{ text: part.text, ...signature(part.opaque, request) }];
    case 'refusal':
      return [{ text: part.text }];
    case 'image':
    case 'audio':
    case 'file':
      return [mediaPart(part.source, request.provider, spec)];
    case 'reasoning':
      return [reasoningPart(part, request)].filter((each) => each !== undefined);
    case 'tool-call':
      return [callPart(part, request)];
    case 'tool-result':
      return resultParts(part, request, spec);
    default:
      return part satisfies never;
  }
}

/** Adds a placeholder signature to the first call of a turn. The API checks only the first call. */
function signFirstCall(parts: readonly WirePart[], warnings: Warning[]): readonly WirePart[] {
  const first = parts.findIndex((part) => 'functionCall' in part);
  if (first < 0 || 'thoughtSignature' in (parts[first] ?? {})) return parts;
  if (!warnings.some((warning) => warning.param === 'thoughtSignature')) {
    warnings.push({
      code: 'compat',
      param: 'thoughtSignature',
      message: 'tool calls of another model were sent without its thoughts',
    });
  }
  return parts.map((part, index) =>
    index === first ? { ...part, thoughtSignature: foreignCallSignature } : part,
  );
}

function withoutInnerSystem(
  messages: readonly NormalMessage[],
  warnings: Warning[],
): readonly NormalMessage[] {
  return messages.map((message) => {
    if (message.role !== 'system') return message;
    warnings.push({
      code: 'compat',
      message: 'a system message inside the conversation was sent as a user message',
    });
    return { ...message, role: 'user' };
  });
}

type Content = { readonly role: string; readonly parts: readonly WirePart[] };

export type WireConversation = {
  readonly system: readonly WirePart[];
  readonly contents: readonly Content[];
  readonly warnings: readonly Warning[];
};

/**
 * Converts the conversation: system turns separate, alternating turns that start with the user, and the results of each
 * turn's calls together and in order.
 * @throws SignalboxError `unsupported` for media the API cannot fetch and for a prefilled answer; `invalid_request`
 * when there is nothing to send.
 */
export function toContents(request: ProviderRequest, spec: GeminiModelSpec): WireConversation {
  const warnings: Warning[] = [];
  const hoisted = hoistSystem(withoutBlanks(request.messages));
  const paired = pairToolResults(withSoundToolNames(hoisted.rest, toolName));
  warnings.push(...paired.warnings);
  const turns = mergeNeighbours(withoutInnerSystem(paired.messages, warnings), (message) =>
    message.role === 'assistant' ? 'assistant' : 'user',
  );
  const contents = turns
    .map(({ role, content }): Content => {
      const parts = content.flatMap((part) => wireParts(part, request, spec));
      if (role !== 'assistant') return { role: 'user', parts };
      return {
        role: 'model',
        parts: spec.wantsSignatures ? signFirstCall(parts, warnings) : parts,
      };
    })
    .filter(({ parts }) => parts.length > 0);
  const system = hoisted.system.map(({ text }) => ({ text }));

  if (contents.length === 0) {
    if (system.length === 0) {
      throw new SignalboxError('invalid_request', 'the conversation is empty: add a user message');
    }
    warnings.push({ code: 'compat', message: 'the system message was sent as a user message' });
    return { system: [], contents: [{ role: 'user', parts: system }], warnings };
  }
  if (contents[0]?.role === 'model') {
    warnings.push({
      code: 'compat',
      message: 'the conversation starts with the assistant; a user message was added before it',
    });
    contents.unshift({ role: 'user', parts: [{ text: '(continued)' }] });
  }
  if (contents.at(-1)?.role === 'model') throw unsupported('a prefilled answer');
  if (spec.systemInstruction || system.length === 0) return { system, contents, warnings };
  const [first, ...others] = contents;
  warnings.push({
    code: 'compat',
    message: 'the system message was sent as part of the first message',
  });
  const opening = { role: 'user', parts: [...system, ...(first?.parts ?? [])] };
  return { system: [], contents: [opening, ...others], warnings };
}
