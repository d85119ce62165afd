import type { FinishReason } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Opaque } from '../../protocol/message.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import type { AnswerHeaders } from '../../transport/answer.ts';
import { createPartAssembler } from '../common/part-assembler.ts';
import { countOf, isObject, listOf, objectOf, textOf } from '../common/read.ts';
import { inBandError, isErrorBody } from './errors.ts';
import { toUsage } from './usage.ts';

const finishReasons: Readonly<Record<string, FinishReason>> = {
  STOP: 'stop',
  MAX_TOKENS: 'length',
  CONTINUATION: 'length',
  SAFETY: 'content_filter',
  RECITATION: 'content_filter',
  BLOCKLIST: 'content_filter',
  PROHIBITED_CONTENT: 'content_filter',
  SPII: 'content_filter',
  LANGUAGE: 'content_filter',
  IMAGE_SAFETY: 'content_filter',
  IMAGE_PROHIBITED_CONTENT: 'content_filter',
  IMAGE_RECITATION: 'content_filter',
  IMAGE_OTHER: 'content_filter',
  MALFORMED_FUNCTION_CALL: 'error',
  UNEXPECTED_TOOL_CALL: 'error',
  TOO_MANY_TOOL_CALLS: 'error',
  MALFORMED_RESPONSE: 'error',
  NO_IMAGE: 'error',
};

/** Who made the answer, for the replay data in it. */
export type Issuer = { readonly provider: string; readonly model: string };

export type AnswerFacts = {
  readonly issuer: Issuer;
  readonly headers: AnswerHeaders;
  readonly requestId: string | undefined;
};

/** Reads one answer, chunk by chunk; a whole answer is one chunk. */
export interface AnswerReader {
  read(chunk: unknown): Generator<ProviderPart>;
  /** Whether the vendor has said why it stopped; only then is the answer whole. */
  isEnded(): boolean;
  /** Whether anything that this wire says has been seen. */
  isBegun(): boolean;
  /** The closing parts, with the vendor's own response if it is to be kept. */
  finish(raw: { readonly raw?: unknown }): Generator<ProviderPart>;
}

/** Members of a part that do not make it another kind of part. */
const partFacts = [
  'thought',
  'thoughtSignature',
  'videoMetadata',
  'partMetadata',
  'mediaResolution',
];

export function createAnswerReader({ issuer, headers, requestId }: AnswerFacts): AnswerReader {
  const assembler = createPartAssembler();
  let places = 0;
  /** The kind of text that is being added to; its place is the current one. */
  let current: 'text' | 'reasoning' | undefined;
  let calls = 0;
  let opened = false;
  let begun = false;
  let id: string | undefined;
  let servedModel: string | undefined;
  let usage: JsonObject | undefined;
  let finishReason: string | undefined;
  let finishDetail: string | undefined;
  let blockReason: string | undefined;

  const opaque = (kind: Opaque['kind'], data: string): Opaque => ({
    wire: 'gemini',
    ...issuer,
    kind,
    data,
  });

  function* closeText(): Generator<ProviderPart> {
    if (current !== undefined) yield* assembler.close(String(places));
    current = undefined;
  }

  function* readText(part: JsonObject): Generator<ProviderPart> {
    const text = textOf(part.text);
    const signature = textOf(part.thoughtSignature);
    const type = part.thought === true ? 'reasoning' : 'text';
    // A stream's last chunk brings the signature of what came before, beside an empty text.
    const goesOn = current !== undefined && (type === current || text === undefined);
    if (text === undefined && signature === undefined) return;
    if (!goesOn) {
      yield* closeText();
      places++;
      current = type;
    }
    yield* assembler.text(String(places), current ?? type, text ?? '');
    if (signature === undefined) return;
    // What follows a signature is not covered by it, so it is another part.
    assembler.opaque(String(places), opaque('thought-signature', signature));
    yield* closeText();
  }

  function* readCall(part: JsonObject): Generator<ProviderPart> {
    const call = objectOf(part.functionCall);
    const signature = textOf(part.thoughtSignature);
    yield* closeText();
    const place = String(++places);
    calls++;
    yield* assembler.toolCall(place, textOf(call.id) ?? `call_${calls}`, textOf(call.name) ?? '');
    yield* assembler.toolInput(place, JSON.stringify(call.args ?? {}));
    if (signature !== undefined) assembler.opaque(place, opaque('thought-signature', signature));
    yield* assembler.close(place);
  }

  function* readMedia(data: JsonObject): Generator<ProviderPart> {
    const mediaType = textOf(data.mimeType) ?? 'application/octet-stream';
    const source = { data: textOf(data.data) ?? '', mediaType };
    yield* closeText();
    if (mediaType.startsWith('image/')) yield { type: 'part-end', part: { type: 'image', source } };
    else if (mediaType.startsWith('audio/'))
      yield { type: 'part-end', part: { type: 'audio', source } };
    else yield { type: 'part-end', part: { type: 'file', source } };
  }

  function* readPart(part: JsonObject): Generator<ProviderPart> {
    if (isObject(part.functionCall)) yield* readCall(part);
    else if (isObject(part.inlineData)) yield* readMedia(part.inlineData);
    else if ('text' in part || Object.keys(part).every((key) => partFacts.includes(key))) {
      yield* readText(part);
    } else {
      // Steps of the vendor's own tools: not shown, but kept for the next turn.
      yield* closeText();
      const place = String(++places);
      yield* assembler.text(place, 'reasoning', '');
      assembler.opaque(place, opaque('item', JSON.stringify(part)));
      yield* assembler.close(place);
    }
  }

  function* open(chunk: JsonObject): Generator<ProviderPart> {
    if (opened) return;
    opened = true;
    const request = requestId ?? id;
    yield {
      type: 'open',
      ...(id !== undefined && { id }),
      ...(servedModel !== undefined && { servedModel }),
      ...(request !== undefined && { requestId: request }),
    };
    if (isObject(chunk.usageMetadata)) yield { type: 'usage', usage: toUsage(chunk.usageMetadata) };
  }

  function reason(): FinishReason {
    if (blockReason !== undefined) return 'content_filter';
    const known = finishReasons[finishReason ?? ''];
    // The vendor has no word for calls; what imitators make up for one says nothing else.
    const isPlain = known === 'stop' || known === undefined;
    return isPlain && calls > 0 ? 'tool_calls' : (known ?? 'other');
  }

  return {
    *read(event) {
      if (isErrorBody(event)) throw inBandError(event, headers);
      const chunk = objectOf(event);
      const candidate = listOf(chunk.candidates)
        .map(objectOf)
        .find(({ index }) => (countOf(index) ?? 0) === 0);
      const blocked = textOf(objectOf(chunk.promptFeedback).blockReason);
      begun ||= candidate !== undefined || blocked !== undefined;
      id ??= textOf(chunk.responseId);
      servedModel = textOf(chunk.modelVersion) ?? servedModel;
      if (isObject(chunk.usageMetadata)) usage = { ...usage, ...chunk.usageMetadata };
      yield* open(chunk);
      blockReason ??= blocked;
      for (const part of listOf(objectOf(candidate?.content).parts)) {
        if (isObject(part)) yield* readPart(part);
      }
      finishReason = textOf(candidate?.finishReason) ?? finishReason;
      finishDetail = textOf(candidate?.finishMessage) ?? finishDetail;
    },
    isEnded: () => finishReason !== undefined || blockReason !== undefined,
    isBegun: () => begun,
    *finish(raw) {
      yield* assembler.closeAll();
      const unified = reason();
      const rawReason = blockReason ?? finishReason;
      const isExplained = unified !== 'stop' && unified !== 'tool_calls' && unified !== 'length';
      const serviceTier = textOf(usage?.serviceTier);
      yield {
        type: 'finish',
        finishReason: unified,
        ...(rawReason !== undefined && { rawFinishReason: rawReason }),
        ...(isExplained && finishDetail !== undefined && { finishDetail }),
        ...(id !== undefined && { id }),
        ...(servedModel !== undefined && { servedModel }),
        ...(serviceTier !== undefined && { serviceTier }),
        ...(usage !== undefined && { usage: toUsage(usage) }),
        ...raw,
      };
    },
  };
}
