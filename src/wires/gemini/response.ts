import { SignalboxError } from '../../errors.ts';
import { own } from '../../internal/own.ts';
import type { FinishReason } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Opaque } from '../../protocol/message.ts';
import type { Usage } from '../../protocol/usage.ts';
import { checkedRequestId } from '../../transport/answer.ts';
import {
  checkUsage,
  countOf,
  isObject,
  listOf,
  mergeCounts,
  objectOf,
  TokenCounts,
  textOf,
} from '../common/read.ts';
import {
  type AnswerContext,
  type AnswerOrigin,
  type AnswerReader,
  finishWithCalls,
  PartAssembler,
} from '../common/read-answer.ts';
import { citationsOf, groundingOf, SegmentFinder } from './citations.ts';
import { inBandError, isErrorBody } from './errors.ts';

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

/** Members that do not determine the kind of a part. */
const annotationKeys = [
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
    'the answer has no candidates: check baseURL and any proxy in between',
  );
}

/** The first candidate. With `candidateCount` in the extra options there are more, which are ignored. */
function firstCandidate(candidates: unknown): JsonObject | undefined {
  for (const each of listOf(candidates)) {
    const candidate = objectOf(each);
    if ((countOf(candidate.index) ?? 0) === 0) return candidate;
  }
  return undefined;
}

/**
 * Converts the usage. The API counts thoughts separately from candidates, and the input of server tools separately from
 * the prompt. Returns `undefined` when one of these counts is implausible.
 */
export function toUsage(raw: JsonObject): Usage | undefined {
  const counts = new TokenCounts();
  const thoughts = counts.of(raw.thoughtsTokenCount);
  const inputTokens =
    (counts.of(raw.promptTokenCount) ?? 0) + (counts.of(raw.toolUsePromptTokenCount) ?? 0);
  const outputTokens = (counts.of(raw.candidatesTokenCount) ?? 0) + (thoughts ?? 0);
  if (counts.isDoubtful) return undefined;
  const cached = counts.of(raw.cachedContentTokenCount);
  return {
    inputTokens,
    outputTokens,
    totalTokens: inputTokens + outputTokens,
    ...(cached !== undefined && { cachedInputTokens: cached }),
    ...(thoughts !== undefined && { reasoningTokens: thoughts }),
    ...counts.certainty,
    raw,
  };
}

/** Reads an answer of `generateContent`. A class, because closures would be created again for each call. */
export class GeminiReader implements AnswerReader {
  readonly #origin: AnswerOrigin;
  readonly #context: AnswerContext;
  readonly #assembler: PartAssembler;
  #slots = 0;
  /** The type of the open text, which is in the latest slot. */
  #current: 'text' | 'reasoning' | undefined;
  #calls = 0;
  /** The calls that have an id, as JSON. */
  readonly #callsById = new Set<string>();
  #opened = false;
  #started = false;
  #id: string | undefined;
  #servedModel: string | undefined;
  #usage: JsonObject | undefined;
  #finishReason: string | undefined;
  #finishDetail: string | undefined;
  #blockReason: string | undefined;
  #grounding: JsonObject = {};
  readonly #segments = new SegmentFinder();

  constructor(origin: AnswerOrigin, context: AnswerContext) {
    this.#origin = origin;
    this.#context = context;
    this.#assembler = new PartAssembler(context.addPart);
  }

  readEvent(event: unknown): void {
    if (isErrorBody(event)) throw inBandError(event, this.#context.headers);
    const chunk = objectOf(event);
    const candidate = firstCandidate(chunk.candidates);
    const blocked = textOf(objectOf(chunk.promptFeedback).blockReason);
    // Proxies send keep-alives as events.
    if (!isAnswer(chunk) && !isObject(chunk.usageMetadata)) return;
    this.#started ||= candidate !== undefined || blocked !== undefined;
    this.#id ??= textOf(chunk.responseId);
    this.#servedModel = textOf(chunk.modelVersion) ?? this.#servedModel;
    if (isObject(chunk.usageMetadata)) this.#usage = mergeCounts(this.#usage, chunk.usageMetadata);
    checkUsage(this.#usage);
    this.#open(chunk);
    this.#blockReason ??= blocked;
    if (candidate === undefined) return;
    // Sent once, with the end of the text. Read before the parts, which may close the text.
    this.#grounding = { ...this.#grounding, ...groundingOf(candidate) };
    for (const part of listOf(objectOf(candidate.content).parts)) {
      if (isObject(part)) this.#readPart(part);
    }
    this.#finishReason = textOf(candidate.finishReason) ?? this.#finishReason;
    this.#finishDetail = textOf(candidate.finishMessage) ?? this.#finishDetail;
  }

  readBody(body: unknown): void {
    if (isErrorBody(body)) throw inBandError(body, this.#context.headers);
    // A stream without `alt=sse` is a list of chunks.
    const chunks = Array.isArray(body) ? listOf(body) : [body];
    if (!chunks.some(isAnswer)) throw notAnAnswer();
    for (const chunk of chunks) this.readEvent(chunk);
  }

  // The wire has no terminal event, and some models send a finish reason with every chunk.
  isComplete(): boolean {
    return false;
  }

  isEnded(): boolean {
    return this.#finishReason !== undefined || this.#blockReason !== undefined;
  }

  isCompleteDespite(): boolean {
    return this.isEnded();
  }

  hasStarted(): boolean {
    return this.#started;
  }

  finish(raw: unknown): void {
    this.#closeText();
    this.#assembler.closeAll();
    const finishReason = this.#reason();
    const isExplained =
      finishReason !== 'stop' && finishReason !== 'tool_calls' && finishReason !== 'length';
    this.#context.addPart({
      type: 'finish',
      finishReason,
      rawFinishReason: this.#blockReason ?? this.#finishReason,
      finishDetail: isExplained ? this.#finishDetail : undefined,
      id: this.#id,
      servedModel: this.#servedModel,
      serviceTier: textOf(this.#usage?.serviceTier),
      usage: this.#usage && toUsage(this.#usage),
      raw,
    });
  }

  #opaque(kind: Opaque['kind'], data: string): Opaque {
    return { wire: 'gemini', ...this.#origin, kind, data };
  }

  #closeText(): void {
    const slot = String(this.#slots);
    if (this.#current === 'text') {
      for (const cite of citationsOf(this.#grounding, this.#segments))
        this.#assembler.cite(slot, cite);
    }
    if (this.#current !== undefined) this.#assembler.close(slot);
    this.#current = undefined;
  }

  #readText(part: JsonObject): void {
    const text = textOf(part.text);
    const signature = textOf(part.thoughtSignature);
    const type = part.thought === true ? 'reasoning' : 'text';
    // The last chunk of a stream has an empty text and the signature of the preceding text.
    const continues = this.#current !== undefined && (type === this.#current || text === undefined);
    if (text === undefined && signature === undefined) return;
    if (!continues) {
      this.#closeText();
      this.#slots++;
      this.#current = type;
    }
    const slot = String(this.#slots);
    this.#assembler.text(slot, this.#current ?? type, text ?? '');
    if (signature === undefined) return;
    // Text after a signature is not covered by it, so it starts a new part.
    this.#assembler.opaque(slot, this.#opaque('thought-signature', signature));
    this.#closeText();
  }

  #readCall(part: JsonObject): void {
    const assembler = this.#assembler;
    const call = objectOf(part.functionCall);
    if (this.#isRepeated(call)) return;
    const signature = textOf(part.thoughtSignature);
    this.#closeText();
    const slot = String(++this.#slots);
    this.#calls++;
    assembler.toolCall(slot, textOf(call.id) ?? `call_${this.#calls}`, textOf(call.name) ?? '');
    assembler.toolInput(slot, JSON.stringify(call.args ?? {}));
    if (signature !== undefined) {
      assembler.opaque(slot, this.#opaque('thought-signature', signature));
    }
    assembler.close(slot);
  }

  /** Whether the call has come before. Some servers send all parts again in each event. */
  #isRepeated({ id, name, args }: JsonObject): boolean {
    if (textOf(id) === undefined) return false;
    const key = JSON.stringify([id, name, args]);
    if (this.#callsById.has(key)) return true;
    this.#callsById.add(key);
    return false;
  }

  #readMedia(data: JsonObject): void {
    const { addPart } = this.#context;
    const mediaType = textOf(data.mimeType) ?? 'application/octet-stream';
    const source = { data: textOf(data.data) ?? '', mediaType };
    this.#closeText();
    if (mediaType.startsWith('image/'))
      addPart({ type: 'part-end', part: { type: 'image', source } });
    else if (mediaType.startsWith('audio/'))
      addPart({ type: 'part-end', part: { type: 'audio', source } });
    else addPart({ type: 'part-end', part: { type: 'file', source } });
  }

  #readPart(part: JsonObject): void {
    if (isObject(part.functionCall)) this.#readCall(part);
    else if (isObject(part.inlineData)) this.#readMedia(part.inlineData);
    else if ('text' in part || Object.keys(part).every((key) => annotationKeys.includes(key))) {
      this.#readText(part);
    } else {
      // Steps of the vendor's server tools: kept as replay data for the next turn.
      this.#closeText();
      const slot = String(++this.#slots);
      this.#assembler.text(slot, 'reasoning', '');
      this.#assembler.opaque(slot, this.#opaque('item', JSON.stringify(part)));
      this.#assembler.close(slot);
    }
  }

  #open(chunk: JsonObject): void {
    if (this.#opened) return;
    this.#opened = true;
    const { headers, requestId = checkedRequestId(this.#id, headers), addPart } = this.#context;
    addPart({ type: 'open', id: this.#id, servedModel: this.#servedModel, requestId });
    const usage = isObject(chunk.usageMetadata) ? toUsage(chunk.usageMetadata) : undefined;
    if (usage !== undefined) addPart({ type: 'usage', usage });
  }

  #reason(): FinishReason {
    if (this.#blockReason !== undefined) return 'content_filter';
    // The vendor has no finish reason for tool calls. Compatible vendors use unknown reasons for them.
    const known = own(finishReasons, (this.#finishReason ?? '').toUpperCase());
    return finishWithCalls(known ?? 'other', this.#calls);
  }
}
