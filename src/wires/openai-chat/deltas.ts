import type { JsonObject } from '../../protocol/json.ts';
import type { Citation, Opaque } from '../../protocol/message.ts';
import { checkCount } from '../../transport/answer-bound.ts';
import { openAICitation } from '../common/citations.ts';
import { type AddPart, createPartAssembler, type PartAssembler } from '../common/part-assembler.ts';
import { indexOf, isObject, listOf, objectOf, textOf } from '../common/read.ts';
import type { AnswerOrigin } from '../common/read-answer.ts';
import type { ChatDialect } from './dialect.ts';
import { wire } from './messages.ts';
import { createReasoningDetails } from './reasoning-details.ts';
import { createThinkTags } from './think-tags.ts';

/** Reads the deltas of a stream, or a whole message as one large delta. */
export interface DeltaReader {
  read(delta: JsonObject): void;
  /** Reads a delta that contains only this text: see {@link textField}. */
  text(field: string, text: string): void;
  /** Closes all parts. `sources` are the citations that the vendor lists next to the answer. */
  close(sources: readonly Citation[]): void;
  seen(): { readonly toolCalls: number; readonly refusal: boolean };
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

/** The signature that Gemini's compatible endpoint requires when the call is sent back. */
function thoughtSignature(call: JsonObject): string | undefined {
  return textOf(objectOf(objectOf(call.extra_content).google).thought_signature);
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

/** See {@link createDeltaReader}. */
class ChatDeltas implements DeltaReader {
  readonly #origin: AnswerOrigin;
  readonly #assembler: PartAssembler;
  readonly #thinkTags: ReturnType<typeof createThinkTags> | undefined;
  #details: ReturnType<typeof createReasoningDetails> | undefined;
  readonly #calls = new Map<number, Call>();
  #latestIndex = -1;
  #callCount = 0;
  #startedCount = 0;
  #refusal = false;
  /** The slot of the open text or reasoning. Content of another kind closes it. */
  #current: string | undefined;

  constructor(origin: AnswerOrigin, addPart: AddPart, reasoningOut: ChatDialect['reasoningOut']) {
    this.#origin = origin;
    this.#assembler = createPartAssembler(addPart);
    this.#thinkTags = reasoningOut === 'tags' ? createThinkTags() : undefined;
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
      this.#details ??= createReasoningDetails();
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

  text(field: string, text: string): void {
    if (field === 'content') this.#text(text);
    else this.#appendReasoning(field, text);
  }

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
    const data = thoughtSignature(value);
    if (data === undefined) return;
    const opaque: Opaque = { wire, ...this.#origin, kind: 'thought-signature', data };
    this.#assembler.opaque(call.slot, opaque);
  }
}

export function createDeltaReader(
  origin: AnswerOrigin,
  addPart: AddPart,
  reasoningOut: ChatDialect['reasoningOut'] = 'tags',
): DeltaReader {
  return new ChatDeltas(origin, addPart, reasoningOut);
}
