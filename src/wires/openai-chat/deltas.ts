import type { JsonObject } from '../../protocol/json.ts';
import type { Citation, Opaque } from '../../protocol/message.ts';
import { checkCount } from '../../transport/answer-bound.ts';
import { openAICitation } from '../common/citations.ts';
import { createPartAssembler, type PartAssembler, type Tell } from '../common/part-assembler.ts';
import { indexOf, isObject, listOf, objectOf, textOf } from '../common/read.ts';
import type { ChatDialect } from './dialect.ts';
import { wire } from './messages.ts';
import { createReasoningDetails } from './reasoning-details.ts';
import { createThinkTags } from './think-tags.ts';

/** Who made the answer, for the replay data in it. */
export type Issuer = { readonly provider: string; readonly model: string };

/** Reads what the model says: the deltas of a stream, or a whole message as one big delta. */
export interface DeltaReader {
  read(delta: JsonObject): void;
  /** A delta that has nothing but this text: see {@link textField}. */
  text(field: string, text: string): void;
  /** `sources` are those that the vendor lists beside the answer. */
  close(sources: readonly Citation[]): void;
  seen(): { readonly toolCalls: number; readonly refusal: boolean };
}

/** Where vendors tell reasoning: DeepSeek, xAI, Moonshot, Qwen, llama.cpp; then Ollama, OpenRouter, Groq, vLLM. */
const reasoningFields = ['reasoning_content', 'reasoning'] as const;

/** Where a delta may have a text. */
const textFields: readonly string[] = ['content', ...reasoningFields];

/** Says nothing, where servers tell every field that there is. */
function isBlank(value: unknown): boolean {
  return value === null || value === '' || (Array.isArray(value) && value.length === 0);
}

/** One tool call on its way; the name may come after the first arguments. */
type Call = { readonly place: string; id: string; begun: boolean; held: string };

/** The text of Mistral's `thinking` parts, which hold a list of text parts of their own. */
function thinkingText(part: JsonObject): string {
  if (typeof part.thinking === 'string') return part.thinking;
  return listOf(part.thinking)
    .map((each) => textOf(objectOf(each).text) ?? '')
    .join('');
}

/** Arguments are a string; some servers send the object itself. */
function argumentsOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === undefined || value === null ? '' : JSON.stringify(value);
}

/** Where Gemini's imitation of this wire puts the signature that a call must come back with. */
function thoughtSignature(call: JsonObject): string | undefined {
  return textOf(objectOf(objectOf(call.extra_content).google).thought_signature);
}

/** Where a delta has its text, and what it is, if it has nothing else. */
export function textField(
  delta: JsonObject,
): { readonly field: string; readonly text: string } | undefined {
  const told = Object.entries(delta).filter(([key, value]) => key !== 'role' && !isBlank(value));
  const [field = '', text] = told[0] ?? [];
  const isText = told.length === 1 && textFields.includes(field) && typeof text === 'string';
  return isText ? { field, text } : undefined;
}

/** See {@link createDeltaReader}. */
class ChatDeltas implements DeltaReader {
  readonly #issuer: Issuer;
  readonly #assembler: PartAssembler;
  readonly #thinkTags: ReturnType<typeof createThinkTags> | undefined;
  #details: ReturnType<typeof createReasoningDetails> | undefined;
  readonly #calls = new Map<number, Call>();
  #latestIndex = -1;
  #callCount = 0;
  #begunCount = 0;
  #refusal = false;
  /** The run of text or reasoning that is open; another kind of content ends it. */
  #current: string | undefined;

  constructor(issuer: Issuer, tell: Tell, reasoningOut: ChatDialect['reasoningOut']) {
    this.#issuer = issuer;
    this.#assembler = createPartAssembler(tell);
    this.#thinkTags = reasoningOut === 'tags' ? createThinkTags() : undefined;
  }

  read(delta: JsonObject): void {
    for (const field of reasoningFields) {
      const words = delta[field];
      if (typeof words !== 'string' || words === '') continue;
      this.#reason(field, words);
      // Some servers tell the same under both names.
      break;
    }
    if (Array.isArray(delta.reasoning_details)) {
      this.#details ??= createReasoningDetails();
      this.#details.read(delta.reasoning_details);
    }
    this.#content(delta.content);
    this.#say('refusal', delta.refusal);
    for (const annotation of listOf(delta.annotations)) {
      const citation = openAICitation(annotation);
      if (citation !== undefined) this.#assembler.cite('text', () => citation);
    }
    const pieces = listOf(delta.tool_calls);
    for (const [at, piece] of pieces.entries()) {
      this.#toolCall(piece, pieces.length > 1 ? at : undefined);
    }
    // What `tool_calls` was called until 2023; old models and servers still say it.
    const legacy = delta.function_call;
    if (isObject(legacy)) this.#toolCall({ index: 0, function: legacy }, 0);
  }

  text(field: string, text: string): void {
    if (field === 'content') this.#text(text);
    else this.#reason(field, text);
  }

  close(sources: readonly Citation[]): void {
    const assembler = this.#assembler;
    this.#tagsRest();
    for (const source of sources) assembler.cite('text', () => source);
    assembler.closeAll();
    const data = this.#details?.toJson();
    if (data === undefined) return;
    assembler.text('details', 'reasoning', '');
    assembler.opaque('details', { wire, ...this.#issuer, kind: 'encrypted', data });
    assembler.close('details');
  }

  seen(): { readonly toolCalls: number; readonly refusal: boolean } {
    return { toolCalls: this.#begunCount, refusal: this.#refusal };
  }

  #enter(place: string | undefined): void {
    if (this.#current !== undefined && this.#current !== place) {
      this.#assembler.close(this.#current);
    }
    this.#current = place;
  }

  #say(type: 'text' | 'reasoning' | 'refusal', words: unknown): void {
    if (typeof words !== 'string' || words === '') return;
    this.#enter(type);
    if (type === 'refusal') this.#refusal = true;
    this.#assembler.text(type, type, words);
  }

  #reason(field: string, words: unknown): void {
    if (typeof words !== 'string' || words === '') return;
    this.#say('reasoning', words);
    const opaque: Opaque = { wire, ...this.#issuer, kind: 'reasoning-content', data: field };
    this.#assembler.opaque('reasoning', opaque);
  }

  #text(text: string): void {
    const tags = this.#thinkTags;
    if (tags === undefined || tags.areDone()) this.#say('text', text);
    else for (const each of tags.read(text)) this.#say(each.type, each.text);
  }

  #content(value: unknown): void {
    if (typeof value === 'string') this.#text(value);
    for (const each of listOf(value)) {
      const part = objectOf(each);
      if (part.type === 'thinking') this.#say('reasoning', thinkingText(part));
      else if (part.type === 'text') this.#say('text', part.text);
      else if (part.type === 'refusal') this.#say('refusal', part.refusal);
    }
  }

  /**
   * The call that a piece belongs to. Servers that leave the index out, or number every call 0, show a new
   * call by its name and a new id.
   */
  #callAt(index: number | undefined, id: string | undefined, isNamed: boolean): Call {
    const latest = this.#calls.get(this.#latestIndex);
    const isNext = isNamed && (latest === undefined || id === undefined || id !== latest.id);
    const at = index ?? (isNext ? this.#latestIndex + 1 : Math.max(this.#latestIndex, 0));
    const known = this.#calls.get(at);
    const isOther = isNamed && known?.begun === true && id !== undefined && id !== known.id;
    if (known !== undefined && !isOther) return known;
    const place = `call ${++this.#callCount}`;
    const call = { place, id: id ?? `call_${this.#callCount}`, begun: false, held: '' };
    this.#calls.set(at, call);
    checkCount(this.#callCount, 'tool calls');
    this.#latestIndex = Math.max(this.#latestIndex, at);
    return call;
  }

  /** What the tags held back, before something else follows it. */
  #tagsRest(): void {
    for (const { type, text } of this.#thinkTags?.rest() ?? []) this.#say(type, text);
  }

  #tellCall(call: Call, name: string | undefined, input: string): void {
    this.#tagsRest();
    this.#enter(undefined);
    if (!call.begun && name === undefined) {
      call.held += input;
      return;
    }
    if (!call.begun) {
      call.begun = true;
      this.#begunCount++;
      this.#assembler.toolCall(call.place, call.id, name ?? '');
    }
    const whole = call.held + input;
    call.held = '';
    this.#assembler.toolInput(call.place, whole);
  }

  #toolCall(value: unknown, index: number | undefined): void {
    if (!isObject(value)) return;
    const id = textOf(value.id);
    const described = objectOf(value.function);
    const custom = objectOf(value.custom);
    const name = textOf(described.name) ?? textOf(custom.name);
    const at = indexOf(value.index) ?? index;
    const call = this.#callAt(at, id, name !== undefined);
    if (!call.begun && id !== undefined) call.id = id;
    // A custom tool's input is free text: as JSON it is a string.
    const input =
      custom.input === undefined ? argumentsOf(described.arguments) : JSON.stringify(custom.input);
    this.#tellCall(call, name, input);
    const data = thoughtSignature(value);
    if (data === undefined) return;
    const opaque: Opaque = { wire, ...this.#issuer, kind: 'thought-signature', data };
    this.#assembler.opaque(call.place, opaque);
  }
}

export function createDeltaReader(
  issuer: Issuer,
  tell: Tell,
  reasoningOut: ChatDialect['reasoningOut'] = 'tags',
): DeltaReader {
  return new ChatDeltas(issuer, tell, reasoningOut);
}
