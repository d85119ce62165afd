import { SignalboxError } from '../../errors.ts';
import type { FinishReason } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Opaque } from '../../protocol/message.ts';
import { createPartAssembler } from '../common/part-assembler.ts';
import { countOf, isObject, listOf, objectOf, textOf } from '../common/read.ts';
import type { AnswerFacts, AnswerReader } from '../common/read-answer.ts';
import { citationsOf, groundingOf } from './citations.ts';
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

/** Members of a part that do not make it another kind of part. */
const partFacts = [
  'thought',
  'thoughtSignature',
  'videoMetadata',
  'partMetadata',
  'mediaResolution',
];

function isAnswer(chunk: unknown): boolean {
  const { candidates, promptFeedback } = objectOf(chunk);
  return listOf(candidates).some(isObject) || objectOf(promptFeedback).blockReason !== undefined;
}

export function notAnAnswer(): SignalboxError {
  return new SignalboxError(
    'invalid_response',
    'the answer holds no candidates: check baseURL and any proxy in between',
  );
}

export function createAnswerReader(
  issuer: Issuer,
  { headers, requestId, tell }: AnswerFacts,
): AnswerReader {
  const assembler = createPartAssembler(tell);
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
  let grounding: JsonObject = {};

  const opaque = (kind: Opaque['kind'], data: string): Opaque => ({
    wire: 'gemini',
    ...issuer,
    kind,
    data,
  });

  function closeText(): void {
    if (current === 'text') {
      for (const cite of citationsOf(grounding)) assembler.cite(String(places), cite);
    }
    if (current !== undefined) assembler.close(String(places));
    current = undefined;
  }

  function readText(part: JsonObject): void {
    const text = textOf(part.text);
    const signature = textOf(part.thoughtSignature);
    const type = part.thought === true ? 'reasoning' : 'text';
    // A stream's last chunk brings the signature of what came before, beside an empty text.
    const goesOn = current !== undefined && (type === current || text === undefined);
    if (text === undefined && signature === undefined) return;
    if (!goesOn) {
      closeText();
      places++;
      current = type;
    }
    assembler.text(String(places), current ?? type, text ?? '');
    if (signature === undefined) return;
    // What follows a signature is not covered by it, so it is another part.
    assembler.opaque(String(places), opaque('thought-signature', signature));
    closeText();
  }

  function readCall(part: JsonObject): void {
    const call = objectOf(part.functionCall);
    const signature = textOf(part.thoughtSignature);
    closeText();
    const place = String(++places);
    calls++;
    assembler.toolCall(place, textOf(call.id) ?? `call_${calls}`, textOf(call.name) ?? '');
    assembler.toolInput(place, JSON.stringify(call.args ?? {}));
    if (signature !== undefined) assembler.opaque(place, opaque('thought-signature', signature));
    assembler.close(place);
  }

  function readMedia(data: JsonObject): void {
    const mediaType = textOf(data.mimeType) ?? 'application/octet-stream';
    const source = { data: textOf(data.data) ?? '', mediaType };
    closeText();
    if (mediaType.startsWith('image/')) tell({ type: 'part-end', part: { type: 'image', source } });
    else if (mediaType.startsWith('audio/'))
      tell({ type: 'part-end', part: { type: 'audio', source } });
    else tell({ type: 'part-end', part: { type: 'file', source } });
  }

  function readPart(part: JsonObject): void {
    if (isObject(part.functionCall)) readCall(part);
    else if (isObject(part.inlineData)) readMedia(part.inlineData);
    else if ('text' in part || Object.keys(part).every((key) => partFacts.includes(key))) {
      readText(part);
    } else {
      // Steps of the vendor's own tools: not shown, but kept for the next turn.
      closeText();
      const place = String(++places);
      assembler.text(place, 'reasoning', '');
      assembler.opaque(place, opaque('item', JSON.stringify(part)));
      assembler.close(place);
    }
  }

  function open(chunk: JsonObject): void {
    if (opened) return;
    opened = true;
    const request = requestId ?? id;
    tell({
      type: 'open',
      id,
      servedModel,
      requestId: request,
    });
    if (isObject(chunk.usageMetadata)) tell({ type: 'usage', usage: toUsage(chunk.usageMetadata) });
  }

  function reason(): FinishReason {
    if (blockReason !== undefined) return 'content_filter';
    const known = finishReasons[finishReason ?? ''];
    // The vendor has no word for calls; what imitators make up for one says nothing else.
    const isPlain = known === 'stop' || known === undefined;
    return isPlain && calls > 0 ? 'tool_calls' : (known ?? 'other');
  }

  function read(event: unknown): void {
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
    open(chunk);
    blockReason ??= blocked;
    // Told once, with the last of the text: before the parts, as these may close it.
    if (candidate !== undefined) grounding = { ...grounding, ...groundingOf(candidate) };
    for (const part of listOf(objectOf(candidate?.content).parts)) {
      if (isObject(part)) readPart(part);
    }
    finishReason = textOf(candidate?.finishReason) ?? finishReason;
    finishDetail = textOf(candidate?.finishMessage) ?? finishDetail;
  }

  const isEnded = (): boolean => finishReason !== undefined || blockReason !== undefined;

  return {
    readEvent: read,
    readBody(body) {
      if (isErrorBody(body)) throw inBandError(body, headers);
      // A stream that was not asked for events is a list of chunks.
      const chunks = Array.isArray(body) ? listOf(body) : [body];
      if (!chunks.some(isAnswer)) throw notAnAnswer();
      for (const chunk of chunks) read(chunk);
    },
    // The wire has no last event: some models give a finish reason with every chunk.
    isComplete: () => false,
    isEnded,
    forgives: isEnded,
    isBegun: () => begun,
    finish(raw) {
      closeText();
      assembler.closeAll();
      const unified = reason();
      const rawReason = blockReason ?? finishReason;
      const isExplained = unified !== 'stop' && unified !== 'tool_calls' && unified !== 'length';
      const serviceTier = textOf(usage?.serviceTier);
      tell({
        type: 'finish',
        finishReason: unified,
        rawFinishReason: rawReason,
        finishDetail: isExplained ? finishDetail : undefined,
        id,
        servedModel,
        serviceTier,
        usage: usage && toUsage(usage),
        raw,
      });
    },
  };
}
