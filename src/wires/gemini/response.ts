import { SignalboxError } from '../../errors.ts';
import { own } from '../../internal/own.ts';
import type { FinishReason } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Opaque } from '../../protocol/message.ts';
import { checkedRequestId } from '../../transport/body/response-metadata.ts';
import { checkUsage } from '../common/check-usage.ts';
import { createPartAssembler, type PartAssembler } from '../common/part-assembler.ts';
import { countOf, isObject, listOf, objectOf, textOf } from '../common/read.ts';
import type { AnswerFacts, AnswerReader } from '../common/read-answer.ts';
import { citationsOf, groundingOf } from './citations.ts';
import { inBandError, isErrorBody } from './errors.ts';
import { SegmentFinder } from './segment-finder.ts';
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

/** The first of them: with `candidateCount` among the extra options there are more, which nobody asked us for. */
function firstCandidate(candidates: unknown): JsonObject | undefined {
  for (const told of listOf(candidates)) {
    const candidate = objectOf(told);
    if ((countOf(candidate.index) ?? 0) === 0) return candidate;
  }
  return undefined;
}

/** See {@link createAnswerReader}. A class, as is all that each call has: closures would be one set for each. */
class GeminiReader implements AnswerReader {
  readonly #issuer: Issuer;
  readonly #facts: AnswerFacts;
  readonly #assembler: PartAssembler;
  #places = 0;
  /** The kind of text that is being added to; its place is the current one. */
  #current: 'text' | 'reasoning' | undefined;
  #calls = 0;
  #opened = false;
  #begun = false;
  #id: string | undefined;
  #servedModel: string | undefined;
  #usage: JsonObject | undefined;
  #finishReason: string | undefined;
  #finishDetail: string | undefined;
  #blockReason: string | undefined;
  #grounding: JsonObject = {};
  readonly #segments = new SegmentFinder();

  constructor(issuer: Issuer, facts: AnswerFacts) {
    this.#issuer = issuer;
    this.#facts = facts;
    this.#assembler = createPartAssembler(facts.tell);
  }

  readEvent(event: unknown): void {
    if (isErrorBody(event)) throw inBandError(event, this.#facts.headers);
    const chunk = objectOf(event);
    const candidate = firstCandidate(chunk.candidates);
    const blocked = textOf(objectOf(chunk.promptFeedback).blockReason);
    this.#begun ||= candidate !== undefined || blocked !== undefined;
    this.#id ??= textOf(chunk.responseId);
    this.#servedModel = textOf(chunk.modelVersion) ?? this.#servedModel;
    if (isObject(chunk.usageMetadata)) this.#usage = { ...this.#usage, ...chunk.usageMetadata };
    checkUsage(this.#usage);
    this.#open(chunk);
    this.#blockReason ??= blocked;
    if (candidate === undefined) return;
    // Told once, with the last of the text: before the parts, as these may close it.
    this.#grounding = { ...this.#grounding, ...groundingOf(candidate) };
    for (const part of listOf(objectOf(candidate.content).parts)) {
      if (isObject(part)) this.#readPart(part);
    }
    this.#finishReason = textOf(candidate.finishReason) ?? this.#finishReason;
    this.#finishDetail = textOf(candidate.finishMessage) ?? this.#finishDetail;
  }

  readBody(body: unknown): void {
    if (isErrorBody(body)) throw inBandError(body, this.#facts.headers);
    // A stream that was not asked for events is a list of chunks.
    const chunks = Array.isArray(body) ? listOf(body) : [body];
    if (!chunks.some(isAnswer)) throw notAnAnswer();
    for (const chunk of chunks) this.readEvent(chunk);
  }

  // The wire has no last event: some models give a finish reason with every chunk.
  isComplete(): boolean {
    return false;
  }

  isEnded(): boolean {
    return this.#finishReason !== undefined || this.#blockReason !== undefined;
  }

  forgives(): boolean {
    return this.isEnded();
  }

  isBegun(): boolean {
    return this.#begun;
  }

  finish(raw: unknown): void {
    this.#closeText();
    this.#assembler.closeAll();
    const finishReason = this.#reason();
    const isExplained =
      finishReason !== 'stop' && finishReason !== 'tool_calls' && finishReason !== 'length';
    this.#facts.tell({
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
    return { wire: 'gemini', ...this.#issuer, kind, data };
  }

  #closeText(): void {
    const place = String(this.#places);
    if (this.#current === 'text') {
      for (const cite of citationsOf(this.#grounding, this.#segments))
        this.#assembler.cite(place, cite);
    }
    if (this.#current !== undefined) this.#assembler.close(place);
    this.#current = undefined;
  }

  #readText(part: JsonObject): void {
    const text = textOf(part.text);
    const signature = textOf(part.thoughtSignature);
    const type = part.thought === true ? 'reasoning' : 'text';
    // A stream's last chunk brings the signature of what came before, beside an empty text.
    const goesOn = this.#current !== undefined && (type === this.#current || text === undefined);
    if (text === undefined && signature === undefined) return;
    if (!goesOn) {
      this.#closeText();
      this.#places++;
      this.#current = type;
    }
    const place = String(this.#places);
    this.#assembler.text(place, this.#current ?? type, text ?? '');
    if (signature === undefined) return;
    // What follows a signature is not covered by it, so it is another part.
    this.#assembler.opaque(place, this.#opaque('thought-signature', signature));
    this.#closeText();
  }

  #readCall(part: JsonObject): void {
    const assembler = this.#assembler;
    const call = objectOf(part.functionCall);
    const signature = textOf(part.thoughtSignature);
    this.#closeText();
    const place = String(++this.#places);
    this.#calls++;
    assembler.toolCall(place, textOf(call.id) ?? `call_${this.#calls}`, textOf(call.name) ?? '');
    assembler.toolInput(place, JSON.stringify(call.args ?? {}));
    if (signature !== undefined) {
      assembler.opaque(place, this.#opaque('thought-signature', signature));
    }
    assembler.close(place);
  }

  #readMedia(data: JsonObject): void {
    const { tell } = this.#facts;
    const mediaType = textOf(data.mimeType) ?? 'application/octet-stream';
    const source = { data: textOf(data.data) ?? '', mediaType };
    this.#closeText();
    if (mediaType.startsWith('image/')) tell({ type: 'part-end', part: { type: 'image', source } });
    else if (mediaType.startsWith('audio/'))
      tell({ type: 'part-end', part: { type: 'audio', source } });
    else tell({ type: 'part-end', part: { type: 'file', source } });
  }

  #readPart(part: JsonObject): void {
    if (isObject(part.functionCall)) this.#readCall(part);
    else if (isObject(part.inlineData)) this.#readMedia(part.inlineData);
    else if ('text' in part || Object.keys(part).every((key) => partFacts.includes(key))) {
      this.#readText(part);
    } else {
      // Steps of the vendor's own tools: not shown, but kept for the next turn.
      this.#closeText();
      const place = String(++this.#places);
      this.#assembler.text(place, 'reasoning', '');
      this.#assembler.opaque(place, this.#opaque('item', JSON.stringify(part)));
      this.#assembler.close(place);
    }
  }

  #open(chunk: JsonObject): void {
    if (this.#opened) return;
    this.#opened = true;
    const { headers, requestId = checkedRequestId(this.#id, headers), tell } = this.#facts;
    tell({ type: 'open', id: this.#id, servedModel: this.#servedModel, requestId });
    const usage = isObject(chunk.usageMetadata) ? toUsage(chunk.usageMetadata) : undefined;
    if (usage !== undefined) tell({ type: 'usage', usage });
  }

  #reason(): FinishReason {
    if (this.#blockReason !== undefined) return 'content_filter';
    const known = own(finishReasons, this.#finishReason ?? '');
    // The vendor has no word for calls; what imitators make up for one says nothing else.
    const isPlain = known === 'stop' || known === undefined;
    return isPlain && this.#calls > 0 ? 'tool_calls' : (known ?? 'other');
  }
}

export function createAnswerReader(issuer: Issuer, facts: AnswerFacts): AnswerReader {
  return new GeminiReader(issuer, facts);
}
