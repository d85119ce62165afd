import { own } from '../../internal/own.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Citation, Opaque } from '../../protocol/message.ts';
import { checkCount } from '../../transport/answer-bound.ts';
import { indexOf, isObject, listOf, objectOf, textOf } from '../common/read.ts';
import { type AddPart, type AnswerOrigin, PartAssembler } from '../common/read-answer.ts';
import { openAICitation } from '../openai-shared/response.ts';
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
 * the start of the answer counts; later ones may be part of the text.
 */
export class ThinkTags {
  #state: 'start' | 'thinking' | 'plain' = 'start';
  #buffered = '';
  /** Leading white space, which is text if no tag follows. A list, because it may arrive in any number of deltas. */
  #blanks: string[] = [];
  /** White space after a tag is dropped. */
  #isAfterTag = false;

  read(text: string): readonly TaggedText[] {
    const ahead = this.#buffered + text;
    this.#buffered = '';
    if (this.#state === 'thinking') return this.#think(ahead);
    if (this.#state === 'plain') return this.#textParts('text', ahead);
    const trimmed = ahead.trimStart();
    const blank = ahead.slice(0, ahead.length - trimmed.length);
    if (blank !== '') this.#blanks.push(blank);
    if (trimmed.startsWith(opening)) {
      this.#state = 'thinking';
      this.#blanks = [];
      this.#isAfterTag = true;
      return this.#think(trimmed.slice(opening.length));
    }
    if (opening.startsWith(trimmed)) {
      this.#buffered = trimmed;
      return [];
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

/**
 * Collects OpenRouter's `reasoning_details`, which must be sent back unchanged, signatures included. A stream sends
 * them in chunks; chunks of one detail have the same index and type.
 */
class ReasoningDetails {
  readonly #details = new Map<string, Record<string, unknown>>();

  read(chunks: readonly unknown[]): void {
    for (const chunk of chunks) {
      if (!isObject(chunk)) continue;
      const key = `${chunk.type} ${chunk.index ?? 0}`;
      const whole = this.#details.get(key) ?? {};
      merge(whole, chunk);
      this.#details.set(key, whole);
      checkCount(this.#details.size, 'details of reasoning');
    }
  }

  /** The details as JSON for the replay data, or `undefined` when there are none. */
  toJson(): string | undefined {
    return this.#details.size === 0 ? undefined : JSON.stringify([...this.#details.values()]);
  }
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

/** An unfinished tool call. Its name may arrive after the first arguments, which are `buffered` until then. */
type Call = { readonly slot: string; id: string; started: boolean; buffered: string };

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
  readonly #calls = new Map<number, Call>();
  #latestIndex = -1;
  #callCount = 0;
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
    this.#thinkTags = reasoningOut === 'tags' ? new ThinkTags() : undefined;
  }

  read(delta: JsonObject): void {
    for (const field of reasoningFields) {
      const text = delta[field];
      if (typeof text !== 'string' || text === '') continue;
      this.#appendReasoning(field, text);
      // Some servers send the same text in both fields.
      break;
    }
    if (Array.isArray(delta.reasoning_details)) {
      this.#details ??= new ReasoningDetails();
      this.#details.read(delta.reasoning_details);
    }
    this.#content(delta.content);
    this.#append('refusal', delta.refusal);
    for (const annotation of listOf(delta.annotations)) {
      const citation = openAICitation(annotation);
      if (citation !== undefined) this.#assembler.cite('text', () => citation);
    }
    const calls = listOf(delta.tool_calls);
    for (const [at, call] of calls.entries()) {
      this.#toolCall(call, calls.length > 1 ? at : undefined);
    }
    // The name of `tool_calls` until 2023. Old models and servers still send it.
    const legacy = delta.function_call;
    if (isObject(legacy)) this.#toolCall({ index: 0, function: legacy }, 0);
  }

  /** Reads a delta that contains only this text: see {@link textField}. */
  text(field: string, text: string): void {
    if (field === 'content') this.#text(text);
    else this.#appendReasoning(field, text);
  }

  /** Closes all parts. `sources` are the citations that the vendor lists next to the answer. */
  close(sources: readonly Citation[]): void {
    const assembler = this.#assembler;
    this.#flushTags();
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

  /**
   * The call that a delta belongs to. For servers that omit the index, or send 0 for every call, a name with a new id
   * starts a new call.
   */
  #callAt(index: number | undefined, id: string | undefined, isNamed: boolean): Call {
    const latest = this.#calls.get(this.#latestIndex);
    const isNext = isNamed && (latest === undefined || id === undefined || id !== latest.id);
    const at = index ?? (isNext ? this.#latestIndex + 1 : Math.max(this.#latestIndex, 0));
    const known = this.#calls.get(at);
    const isOther = isNamed && known?.started === true && id !== undefined && id !== known.id;
    if (known !== undefined && !isOther) return known;
    const slot = `call ${++this.#callCount}`;
    const call = { slot, id: id ?? `call_${this.#callCount}`, started: false, buffered: '' };
    this.#calls.set(at, call);
    checkCount(this.#callCount, 'tool calls');
    this.#latestIndex = Math.max(this.#latestIndex, at);
    return call;
  }

  /** Emits the text that the tag reader buffers, before other content. */
  #flushTags(): void {
    for (const { type, text } of this.#thinkTags?.rest() ?? []) this.#append(type, text);
  }

  #emitCall(call: Call, name: string | undefined, input: string): void {
    this.#flushTags();
    this.#enter(undefined);
    if (!call.started && name === undefined) {
      call.buffered += input;
      return;
    }
    if (!call.started) {
      call.started = true;
      this.#startedCount++;
      this.#assembler.toolCall(call.slot, call.id, name ?? '');
    }
    const whole = call.buffered + input;
    call.buffered = '';
    this.#assembler.toolInput(call.slot, whole);
  }

  #toolCall(value: unknown, index: number | undefined): void {
    if (!isObject(value)) return;
    const id = textOf(value.id);
    const described = objectOf(value.function);
    const custom = objectOf(value.custom);
    const name = textOf(described.name) ?? textOf(custom.name);
    const at = indexOf(value.index) ?? index;
    const call = this.#callAt(at, id, name !== undefined);
    if (!call.started && id !== undefined) call.id = id;
    // The input of a custom tool is free text, so it becomes a JSON string.
    const input =
      custom.input === undefined ? argumentsOf(described.arguments) : JSON.stringify(custom.input);
    this.#emitCall(call, name, input);
    const signature = thoughtSignature(value);
    if (signature === undefined) return;
    const opaque: Opaque = { wire, ...this.#origin, ...signature };
    this.#assembler.opaque(call.slot, opaque);
  }
}
