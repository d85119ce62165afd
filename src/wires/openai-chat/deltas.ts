import { own } from '../../internal/own.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Citation, Opaque } from '../../protocol/message.ts';
import { checkCount } from '../../transport/answer-bound.ts';
import { indexOf, isObject, listOf, objectOf, textOf } from '../common/read.ts';
import { type AddPart, type AnswerOrigin, PartAssembler } from '../common/read-answer.ts';
import { openAICitation } from '../openai-shared/response.ts';
import { type Call, CallPlaces } from './calls.ts';
import type { ChatDialect } from './dialect.ts';
import { wire } from './messages.ts';
import { thoughtSignature } from './signatures.ts';

/** A piece of text, and whether it was inside `<think>` tags. */
type TaggedText = { readonly type: 'text' | 'reasoning'; readonly text: string };

const opening = '<think>';
const closing = '</think>';

/** How many characters at the end of `text` may be the start of `tag`. */
function partialTagLength(text: string, tag: string): number {
  for (let length = Math.min(tag.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(tag.slice(0, length))) return length;
  }
  return 0;
}

/**
 * Separates reasoning in `<think>` tags from the text after it, even when a tag is split across deltas. Only a tag at
 * the start of the answer counts; later ones may be part of the text. With `opened`, the answer starts inside the tags,
 * because the template of the model has put the opening one into the prompt.
 */
export class ThinkTags {
  #state: 'start' | 'thinking' | 'plain' = 'start';
  #isOpened: boolean;
  #buffered = '';
  /** Leading white space, which is text if no tag follows. A list, because it may arrive in any number of deltas. */
  #blanks: string[] = [];
  /** White space after a tag is dropped. */
  #isAfterTag = false;

  constructor(start: 'opened' | 'plain' = 'plain') {
    this.#isOpened = start === 'opened';
  }

  /** Called for reasoning outside of the text. Then the text does not start inside the tags. */
  skip(): void {
    if (this.#state === 'start') this.#isOpened = false;
  }

  /** Whether all text so far was taken for reasoning, though no tag has shown that it is. */
  get isUncertain(): boolean {
    return this.#isOpened && this.#state === 'thinking';
  }

  read(text: string): readonly TaggedText[] {
    const ahead = this.#buffered + text;
    this.#buffered = '';
    if (this.#state === 'thinking') return this.#think(ahead);
    if (this.#state === 'plain') return this.#textParts('text', ahead);
    const trimmed = ahead.trimStart();
    const blank = ahead.slice(0, ahead.length - trimmed.length);
    if (blank !== '') this.#blanks.push(blank);
    const tag = [opening, closing].find((each) => trimmed.startsWith(each));
    if (tag !== undefined) {
      // A closing tag alone ends reasoning that came elsewhere.
      this.#state = tag === opening ? 'thinking' : 'plain';
      this.#isOpened = false;
      this.#blanks = [];
      this.#isAfterTag = true;
      const rest = trimmed.slice(tag.length);
      return tag === opening ? this.#think(rest) : this.#textParts('text', rest);
    }
    if (opening.startsWith(trimmed) || closing.startsWith(trimmed)) {
      this.#buffered = trimmed;
      return [];
    }
    if (this.#isOpened) {
      this.#state = 'thinking';
      return this.#think(this.#takeBlanks() + trimmed);
    }
    this.#state = 'plain';
    return this.#textParts('text', this.#takeBlanks() + trimmed);
  }

  /** Whether everything that follows is plain text. */
  isDone(): boolean {
    return this.#state === 'plain' && !this.#isAfterTag;
  }

  /** Returns text buffered as a possible start of a tag. After this call no tag is recognised. */
  rest(): readonly TaggedText[] {
    const left = this.#takeBlanks() + this.#buffered;
    this.#buffered = '';
    const type = this.#state === 'thinking' ? 'reasoning' : 'text';
    this.#state = 'plain';
    return this.#textParts(type, left);
  }

  #takeBlanks(): string {
    const blanks = this.#blanks.join('');
    this.#blanks = [];
    return blanks;
  }

  #textParts(type: TaggedText['type'], text: string): readonly TaggedText[] {
    const kept = this.#isAfterTag ? text.trimStart() : text;
    if (kept === '') return [];
    this.#isAfterTag = false;
    return [{ type, text: kept }];
  }

  #think(ahead: string): readonly TaggedText[] {
    const end = ahead.indexOf(closing);
    if (end < 0) {
      const length = ahead.length - partialTagLength(ahead, closing);
      this.#buffered = ahead.slice(length);
      return this.#textParts('reasoning', ahead.slice(0, length));
    }
    const thoughts = this.#textParts('reasoning', ahead.slice(0, end));
    this.#state = 'plain';
    this.#isOpened = false;
    this.#isAfterTag = true;
    return [...thoughts, ...this.#textParts('text', ahead.slice(end + closing.length))];
  }
}

/** Real details have about ten. Every chunk scans all of them. */
const maxMembers = 100;

/** Members that are streamed in chunks. For all others the last value wins. */
const streamed = ['text', 'summary', 'data'] as const;

/** Merges a chunk into the detail. Mutates it, because a detail may have thousands of chunks. */
function merge(whole: Record<string, unknown>, chunk: JsonObject): void {
  for (const [name, value] of Object.entries(chunk)) {
    const isStreamed = streamed.some((each) => each === name);
    const known = own(whole, name);
    if (value === null && known !== undefined) continue;
    whole[name] = isStreamed && typeof value === 'string' ? `${known ?? ''}${value}` : value;
    checkCount(Object.keys(whole).length, 'members in one detail', maxMembers);
  }
}

/** Whether a chunk belongs to this detail, which is the latest of its type and index. */
function isContinued(detail: Record<string, unknown>, chunk: JsonObject, isSameChunk: boolean) {
  const { id, signature, index } = chunk;
  const isOther = (value: unknown, known: unknown): boolean =>
    textOf(value) !== undefined && textOf(known) !== undefined && value !== known;
  if (isOther(id, detail.id) || isOther(signature, detail.signature)) return false;
  const isStreamed = streamed.some((name) => textOf(chunk[name]) !== undefined);
  // The signature ends a detail.
  if (isStreamed && textOf(detail.signature) !== undefined && signature !== detail.signature) {
    return false;
  }
  // Without an index, what is sent together is separate, and encrypted reasoning is sent whole.
  if (index !== undefined && index !== null) return true;
  const isWhole = isSameChunk || chunk.type === 'reasoning.encrypted';
  return !(isStreamed && isWhole);
}

/**
 * Collects OpenRouter's `reasoning_details`, which must be sent back unchanged, signatures included. A stream sends
 * them in chunks; chunks of one detail have the same type, and the same index and id if they have any.
 */
class ReasoningDetails {
  readonly #details: Record<string, unknown>[] = [];
  readonly #latest = new Map<string, Record<string, unknown>>();

  read(chunks: readonly unknown[]): void {
    const before = this.#details.length;
    for (const chunk of chunks) {
      if (!isObject(chunk)) continue;
      const key = `${chunk.type} ${chunk.index ?? ''}`;
      const latest = this.#details.at(-1);
      const known = this.#latest.get(key);
      // Without an index, only the latest detail can be continued.
      const isCandidate = (chunk.index ?? undefined) !== undefined || known === latest;
      const isSameChunk = this.#details.length > before;
      const whole =
        known !== undefined && isCandidate && isContinued(known, chunk, isSameChunk) ? known : {};
      if (whole !== known) this.#details.push(whole);
      merge(whole, chunk);
      this.#latest.set(key, whole);
      checkCount(this.#details.length, 'details of reasoning');
    }
  }

  /** The details as JSON for the replay data, or `undefined` when there are none. */
  toJson(): string | undefined {
    return this.#details.length === 0 ? undefined : JSON.stringify(this.#details);
  }
}

/** The reasoning in `reasoning_details`, for servers that send it nowhere else. */
function detailsText(details: unknown): string {
  return listOf(details)
    .map((each) => textOf(objectOf(each).text) ?? textOf(objectOf(each).summary) ?? '')
    .join('');
}

/**
 * The fields with reasoning. DeepSeek, xAI, Moonshot, Qwen and llama.cpp use the first; Ollama, OpenRouter, Groq and
 * vLLM the second.
 */
const reasoningFields = ['reasoning_content', 'reasoning'] as const;

/** The fields of a delta that may contain text. */
const textFields: readonly string[] = ['content', ...reasoningFields];

/** Whether a field is empty. Some servers send every field of a delta. */
function isBlank(value: unknown): boolean {
  return value === null || value === '' || (Array.isArray(value) && value.length === 0);
}

/** The text of Mistral's `thinking` parts, which contain a list of text parts. */
function thinkingText(part: JsonObject): string {
  if (typeof part.thinking === 'string') return part.thinking;
  return listOf(part.thinking)
    .map((each) => textOf(objectOf(each).text) ?? '')
    .join('');
}

/** Arguments are a JSON string. Some servers send the object. */
function argumentsOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === undefined || value === null ? '' : JSON.stringify(value);
}

/** The text of a delta and its field, if the delta contains nothing else. */
export function textField(
  delta: JsonObject,
): { readonly field: string; readonly text: string } | undefined {
  const filled = Object.entries(delta).filter(([key, value]) => key !== 'role' && !isBlank(value));
  const [field = '', text] = filled[0] ?? [];
  const isText = filled.length === 1 && textFields.includes(field) && typeof text === 'string';
  return isText ? { field, text } : undefined;
}

/** Reads the deltas of a stream, or a whole message as one large delta. */
export class DeltaReader {
  readonly #origin: AnswerOrigin;
  readonly #assembler: PartAssembler;
  readonly #thinkTags: ThinkTags | undefined;
  #details: ReasoningDetails | undefined;
  readonly #calls: CallPlaces;
  #startedCount = 0;
  #refusal = false;
  /** The slot of the open text or reasoning. Content of another kind closes it. */
  #current: string | undefined;

  constructor(
    origin: AnswerOrigin,
    addPart: AddPart,
    reasoningOut: ChatDialect['reasoningOut'] = 'tags',
  ) {
    this.#origin = origin;
    this.#assembler = new PartAssembler(addPart);
    this.#calls = new CallPlaces((slot) => this.#assembler.inputOf(slot));
    if (reasoningOut === 'opened-tags') this.#thinkTags = new ThinkTags('opened');
    else if (reasoningOut === 'tags') this.#thinkTags = new ThinkTags();
  }

  read(delta: JsonObject): void {
    // Some servers send the same text in both fields.
    const field = reasoningFields.find((each) => textOf(delta[each]) !== undefined);
    if (field !== undefined) this.#appendReasoning(field, delta[field]);
    if (Array.isArray(delta.reasoning_details)) {
      this.#details ??= new ReasoningDetails();
      this.#details.read(delta.reasoning_details);
      if (field === undefined) this.#append('reasoning', detailsText(delta.reasoning_details));
    }
    this.#content(delta.content);
    this.#append('refusal', delta.refusal);
    for (const annotation of listOf(delta.annotations)) {
      const citation = openAICitation(annotation);
      if (citation !== undefined) this.#assembler.cite('text', () => citation);
    }
    this.readCalls(delta);
  }

  /** Reads only the tool calls of a delta. */
  readCalls(delta: JsonObject): void {
    const calls = listOf(delta.tool_calls);
    const indexes = new Set<number>();
    for (const [at, call] of calls.entries()) {
      if (!isObject(call)) continue;
      const index = indexOf(call.index) ?? (calls.length > 1 ? at : undefined);
      this.#toolCall(call, index, index !== undefined && indexes.has(index));
      if (index !== undefined) indexes.add(index);
    }
    // The name of `tool_calls` until 2023. Old models and servers still send it.
    const legacy = delta.function_call;
    if (isObject(legacy)) this.#toolCall({ function: legacy }, 0, false);
  }

  /** Reads a delta that contains only this text: see {@link textField}. */
  text(field: string, text: string): void {
    if (field === 'content') this.#text(text);
    else this.#appendReasoning(field, text);
  }

  /**
   * Closes all parts. `sources` are the citations that the vendor lists next to the answer; a `cut` answer may have ended
   * inside its reasoning.
   */
  close(sources: readonly Citation[], end: 'whole' | 'cut'): void {
    const assembler = this.#assembler;
    const isPlain = this.#thinkTags?.isUncertain === true && end === 'whole';
    this.#flushTags();
    if (isPlain && this.#current === 'reasoning') {
      this.#append('text', assembler.discard('reasoning'));
    }
    for (const source of sources) assembler.cite('text', () => source);
    assembler.closeAll();
    const data = this.#details?.toJson();
    if (data === undefined) return;
    assembler.text('details', 'reasoning', '');
    assembler.opaque('details', { wire, ...this.#origin, kind: 'encrypted', data });
    assembler.close('details');
  }

  seen(): { readonly toolCalls: number; readonly refusal: boolean } {
    return { toolCalls: this.#startedCount, refusal: this.#refusal };
  }

  #enter(slot: string | undefined): void {
    if (this.#current !== undefined && this.#current !== slot) {
      this.#assembler.close(this.#current);
    }
    this.#current = slot;
  }

  #append(type: 'text' | 'reasoning' | 'refusal', text: unknown): void {
    if (typeof text !== 'string' || text === '') return;
    this.#enter(type);
    if (type === 'refusal') this.#refusal = true;
    this.#assembler.text(type, type, text);
  }

  #appendReasoning(field: string, text: unknown): void {
    if (typeof text !== 'string' || text === '') return;
    this.#thinkTags?.skip();
    this.#append('reasoning', text);
    const opaque: Opaque = { wire, ...this.#origin, kind: 'reasoning-content', data: field };
    this.#assembler.opaque('reasoning', opaque);
  }

  #text(text: string): void {
    const tags = this.#thinkTags;
    if (tags === undefined || tags.isDone()) this.#append('text', text);
    else for (const each of tags.read(text)) this.#append(each.type, each.text);
  }

  #content(value: unknown): void {
    if (typeof value === 'string') this.#text(value);
    for (const each of listOf(value)) {
      const part = objectOf(each);
      if (part.type === 'thinking') this.#append('reasoning', thinkingText(part));
      else if (part.type === 'text') this.#append('text', part.text);
      else if (part.type === 'refusal') this.#append('refusal', part.refusal);
    }
  }

  /** Emits the text that the tag reader buffers, before other content. */
  #flushTags(): void {
    for (const { type, text } of this.#thinkTags?.rest() ?? []) this.#append(type, text);
  }

  #emitCall(call: Call, input: string): void {
    this.#flushTags();
    this.#enter(undefined);
    if (call.name === undefined) {
      call.buffered += input;
      return;
    }
    if (!call.started) {
      call.started = true;
      this.#startedCount++;
      this.#assembler.toolCall(call.slot, call.id, call.name);
    }
    const whole = call.buffered + input;
    call.buffered = '';
    this.#assembler.toolInput(call.slot, whole);
  }

  #toolCall(value: JsonObject, index: number | undefined, isSecond: boolean): void {
    const described = objectOf(value.function);
    const custom = objectOf(value.custom);
    const name = textOf(described.name) ?? textOf(custom.name);
    const input = custom.input === undefined ? argumentsOf(described.arguments) : '';
    const call = this.#calls.find({ index, id: textOf(value.id), name, input, isSecond });
    this.#emitCall(call, input);
    if (typeof custom.input === 'string') {
      this.#assembler.inputOf(call.slot)?.addFree(custom.input);
    }
    const signature = thoughtSignature(value);
    if (signature === undefined) return;
    const opaque: Opaque = { wire, ...this.#origin, ...signature };
    this.#assembler.opaque(call.slot, opaque);
  }
}
