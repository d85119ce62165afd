import { SignalboxError } from '../../errors.ts';
import { own } from '../../internal/own.ts';
import type { FinishReason } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { AnswerHeaders } from '../../transport/answer.ts';
import { checkCount } from '../../transport/answer-bound.ts';
import { interruptedError } from '../../transport/network-error.ts';
import type { TextEvent } from '../../transport/server-sent-events.ts';
import {
  checkUsage,
  indexOf,
  isObject,
  listOf,
  mergeCounts,
  objectOf,
  textOf,
} from '../common/read.ts';
import {
  type AddPart,
  type AnswerContext,
  type AnswerOrigin,
  type AnswerReader,
  PartAssembler,
} from '../common/read-answer.ts';
import {
  ItemIndexes,
  isErrorBody,
  openAICitation,
  openAIErrorInBand,
  openAIUsage,
} from '../openai-shared/response.ts';
import { encryptedReasoning, messagePhase, vendorItem } from './request.ts';

/** The types of tool calls that the caller must answer, with the field of their input. */
const inputKeyByType: Readonly<Record<string, 'arguments' | 'input'>> = {
  function_call: 'arguments',
  custom_tool_call: 'input',
};

const textTypeByContent: Readonly<Record<string, 'text' | 'refusal'>> = {
  output_text: 'text',
  refusal: 'refusal',
};

/** Events with a text delta, and the type of the text. */
const textTypeByEvent: Readonly<Record<string, 'text' | 'refusal'>> = {
  'response.output_text.delta': 'text',
  'response.refusal.delta': 'refusal',
};

/** Events with a reasoning delta, and the field with the index of its paragraph. */
const paragraphKeyByEvent: Readonly<Record<string, 'summary_index' | 'content_index'>> = {
  'response.reasoning_summary_text.delta': 'summary_index',
  'response.reasoning_text.delta': 'content_index',
};

/** The slot of an event's text: `<output index>.<content index>`. */
function contentSlot(index: number, event: JsonObject): string {
  return `${index}.${indexOf(event.content_index) ?? 0}`;
}

/** Reads the output items of one response, from deltas or whole. */
class ItemReader {
  readonly #origin: AnswerOrigin;
  readonly #assembler: PartAssembler;
  readonly #indexes = new ItemIndexes();
  /** Slots whose content has been emitted. */
  readonly #emitted = new Set<string>();
  /** Slots whose citations have been emitted. */
  readonly #cited = new Set<string>();
  readonly #paragraphs = new Map<number, unknown>();
  #toolCalls = 0;
  #refusal = '';

  constructor(origin: AnswerOrigin, addPart: AddPart) {
    this.#origin = origin;
    this.#assembler = new PartAssembler(addPart);
  }

  /** Reads one event. Events that are not about items are ignored. */
  event(type: unknown, event: JsonObject): void {
    const kind = textOf(type) ?? '';
    const index = this.#indexes.read(kind, event);
    const delta = textOf(event.delta) ?? '';
    const textType = own(textTypeByEvent, kind);
    const paragraphKey = own(paragraphKeyByEvent, kind);
    if (textType !== undefined) {
      this.#text(contentSlot(index, event), textType, delta);
    } else if (paragraphKey !== undefined) {
      this.#reasoning(index, event[paragraphKey], delta);
    } else if (kind === 'response.output_text.annotation.added') {
      this.#cite(contentSlot(index, event), event.annotation);
    } else if (kind === 'response.function_call_arguments.delta') {
      this.#input(index, delta);
    } else if (kind === 'response.function_call_arguments.done') {
      this.#wholeInput(index, event.arguments);
    } else if (kind === 'response.output_item.added') {
      const item = objectOf(event.item);
      if (item.type === 'function_call') this.#openCall(index, item);
    } else if (kind === 'response.output_item.done') {
      this.#readItem(index, event.item);
    }
  }

  /** Appends to the text in a slot. */
  text(slot: string, delta: string): void {
    this.#text(slot, 'text', delta);
  }

  /** The slot of the text that an event appended to, which has been read. */
  slotOf(event: JsonObject): string {
    return contentSlot(this.#indexes.latest, event);
  }

  /** Reads the items of the final response and emits what the events did not contain. */
  final(items: readonly unknown[]): void {
    for (const [position, item] of items.entries()) {
      this.#readItem(this.#indexes.ofFinal(position, objectOf(item)), item);
    }
  }

  close(): void {
    this.#assembler.closeAll();
  }

  seen(): { readonly toolCalls: number; readonly refusal: string } {
    return { toolCalls: this.#toolCalls, refusal: this.#refusal };
  }

  #text(slot: string, type: 'text' | 'refusal', delta: string): void {
    if (delta === '') return;
    this.#emitted.add(slot);
    checkCount(this.#emitted.size, 'items');
    if (type === 'refusal') this.#refusal += delta;
    this.#assembler.text(slot, type, delta);
  }

  #cite(slot: string, annotation: unknown): void {
    const citation = openAICitation(annotation);
    if (citation === undefined) return;
    this.#cited.add(slot);
    this.#assembler.cite(slot, () => citation);
  }

  #reasoning(index: number, paragraph: unknown, delta: string): void {
    if (delta === '') return;
    const slot = String(index);
    const isNext = this.#paragraphs.has(index) && this.#paragraphs.get(index) !== paragraph;
    this.#paragraphs.set(index, paragraph);
    this.#emitted.add(slot);
    checkCount(this.#emitted.size, 'items');
    this.#assembler.text(slot, 'reasoning', isNext ? `\n\n${delta}` : delta);
  }

  #openCall(index: number, item: JsonObject): void {
    const slot = String(index);
    const name = textOf(item.name);
    if (name === undefined || this.#assembler.has(slot)) return;
    this.#toolCalls++;
    this.#assembler.toolCall(slot, textOf(item.call_id) ?? `call_${this.#toolCalls}`, name);
  }

  #input(index: number, delta: string): void {
    if (delta === '') return;
    this.#emitted.add(String(index));
    checkCount(this.#emitted.size, 'items');
    this.#assembler.toolInput(String(index), delta);
  }

  /** The whole arguments correct what their deltas lost. */
  #wholeInput(index: number, value: unknown): void {
    const slot = String(index);
    const whole = typeof value === 'string' ? value : JSON.stringify(value ?? {});
    const input = this.#assembler.inputOf(slot);
    if (input?.isEmpty) this.#input(index, whole);
    else if (whole !== '') input?.complete(whole);
  }

  #readCall(index: number, item: JsonObject, key: string): void {
    this.#openCall(index, item);
    const value = item[key];
    // The input of a custom tool is free text.
    if (key === 'input') this.#assembler.inputOf(String(index))?.addFree(textOf(value) ?? '');
    else this.#wholeInput(index, value);
  }

  #readMessage(index: number, item: JsonObject): void {
    const phase = messagePhase(item, this.#origin);
    for (const [at, content] of listOf(item.content).entries()) {
      const slot = `${index}.${at}`;
      const { type, text: words, refusal: refused, annotations } = objectOf(content);
      const textType = own(textTypeByContent, textOf(type) ?? '');
      if (textType === undefined) continue;
      const whole = textOf(textType === 'text' ? words : refused) ?? '';
      if (!this.#emitted.has(slot)) this.#text(slot, textType, whole);
      else this.#assembler.wholeText(slot, textType, whole);
      if (!this.#cited.has(slot)) for (const each of listOf(annotations)) this.#cite(slot, each);
      if (phase !== undefined) this.#assembler.opaque(slot, phase);
      this.#assembler.close(slot);
    }
  }

  #readReasoning(index: number, item: JsonObject): void {
    const slot = String(index);
    if (!this.#emitted.has(slot)) {
      const summary = listOf(item.summary);
      for (const [at, each] of (summary.length > 0 ? summary : listOf(item.content)).entries()) {
        this.#reasoning(index, at, textOf(objectOf(each).text) ?? '');
      }
    }
    const opaque = encryptedReasoning(item, this.#origin);
    if (opaque === undefined) return;
    // Hidden reasoning is kept too, for the replay data.
    this.#assembler.text(slot, 'reasoning', '');
    this.#assembler.opaque(slot, opaque);
  }

  /** A step of the vendor's own tools has no text, only replay data. */
  #readVendorItem(index: number, item: JsonObject): void {
    const opaque = vendorItem(item, this.#origin);
    if (opaque === undefined) return;
    const slot = String(index);
    this.#assembler.text(slot, 'reasoning', '');
    this.#assembler.opaque(slot, opaque);
  }

  #readItem(index: number, item: unknown): void {
    if (!isObject(item) || !this.#indexes.close(index)) return;
    const key = own(inputKeyByType, textOf(item.type) ?? '');
    if (key !== undefined) this.#readCall(index, item, key);
    else if (item.type === 'message') this.#readMessage(index, item);
    else if (item.type === 'reasoning') this.#readReasoning(index, item);
    else this.#readVendorItem(index, item);
    this.#assembler.close(String(index));
  }
}

/** The error of a failed or cancelled response, which is sent with status 200. */
function responseFailure(body: unknown, headers: AnswerHeaders): SignalboxError | undefined {
  const { status } = objectOf(body);
  if (isErrorBody(body) || status === 'failed') return openAIErrorInBand(body, headers);
  return status === 'cancelled' ? interruptedError('the vendor cancelled it') : undefined;
}

/** The error of an `error` or `response.failed` event. */
function eventFailure(event: unknown, headers: AnswerHeaders): SignalboxError | undefined {
  const { type, response } = objectOf(event);
  if (type === 'response.failed') return openAIErrorInBand(response, headers);
  return isErrorBody(event) ? openAIErrorInBand(event, headers) : undefined;
}

/** The error for a 200 that is neither an answer nor an error. */
export function notAResponse(what: string): SignalboxError {
  return new SignalboxError(
    'invalid_response',
    `the answer is ${what}: check baseURL and extra options`,
  );
}

const finishReasonByDetail: Readonly<Record<string, FinishReason>> = {
  max_output_tokens: 'length',
  content_filter: 'content_filter',
};

const usageNames = {
  input: 'input_tokens',
  inputDetails: 'input_tokens_details',
  output: 'output_tokens',
  outputDetails: 'output_tokens_details',
};

/** Fields that differ between text events and are not read. */
const ignoredFields = ['sequence_number', 'obfuscation'];

/** The last events of a stream. `response.failed` is one too, but throws. */
const terminalEvents: readonly unknown[] = ['response.completed', 'response.incomplete'];

function finishOf(
  response: JsonObject,
  seen: { readonly toolCalls: number; readonly refusal: string },
): { readonly finishReason: FinishReason; readonly rawFinishReason: string } {
  const detail = textOf(objectOf(response.incomplete_details).reason);
  const status = textOf(response.status) ?? 'completed';
  if (status === 'incomplete') {
    return {
      finishReason: own(finishReasonByDetail, detail ?? '') ?? 'other',
      rawFinishReason: detail ?? status,
    };
  }
  if (seen.toolCalls > 0) return { finishReason: 'tool_calls', rawFinishReason: status };
  return { finishReason: seen.refusal === '' ? 'stop' : 'refusal', rawFinishReason: status };
}

function isResponse(body: unknown): body is JsonObject {
  return isObject(body) && Array.isArray(body.output);
}

/** Reads an answer of the Responses API. A class, because closures would be created again for each call. */
export class ResponseReader implements AnswerReader {
  readonly #context: AnswerContext;
  readonly #items: ItemReader;
  #opened = false;
  #final: JsonObject | undefined;
  #usage: JsonObject | undefined;

  constructor(origin: AnswerOrigin, context: AnswerContext) {
    this.#context = context;
    const { key } = context;
    this.#items = new ItemReader(key === undefined ? origin : { ...origin, key }, context.addPart);
  }

  readEvent(event: unknown): void {
    const data = objectOf(event);
    const { type, response } = data;
    const failure = eventFailure(event, this.#context.headers);
    if (failure !== undefined) throw failure;
    if (isObject(response)) this.#open(response);
    this.#readUsage(objectOf(response).usage);
    if (terminalEvents.includes(type)) this.#complete(objectOf(response));
    else this.#items.event(type, data);
  }

  textEvent(event: unknown): TextEvent | undefined {
    const data = objectOf(event);
    const text = data.type === 'response.output_text.delta' ? textOf(data.delta) : undefined;
    return text === undefined
      ? undefined
      : { place: this.#items.slotOf(data), field: 'delta', text, idle: ignoredFields };
  }

  readRepeat({ place }: TextEvent, text: string): void {
    this.#items.text(place, text);
  }

  readBody(body: unknown): void {
    const failure = responseFailure(body, this.#context.headers);
    if (failure !== undefined) throw failure;
    if (!isResponse(body)) throw notAResponse('not a response of the Responses API');
    if (body.status === 'queued' || body.status === 'in_progress') {
      throw notAResponse('not finished, and background mode is not supported');
    }
    this.#open(body);
    this.#readUsage(body.usage);
    this.#complete(body);
  }

  hasStarted(): boolean {
    return this.#opened;
  }

  isComplete(): boolean {
    return this.#final !== undefined;
  }

  isEnded(): boolean {
    return this.#final !== undefined;
  }

  isCompleteDespite(): boolean {
    return false;
  }

  finish(raw: unknown): void {
    this.#items.close();
    const response = this.#final ?? {};
    this.#context.addPart({
      ...finishOf(response, this.#items.seen()),
      type: 'finish',
      id: textOf(response.id),
      servedModel: textOf(response.model),
      serviceTier: textOf(response.service_tier),
      usage: openAIUsage(this.#usage, usageNames),
      raw,
    });
  }

  #readUsage(usage: unknown): void {
    if (!isObject(usage)) return;
    this.#usage = mergeCounts(this.#usage, usage);
    checkUsage(this.#usage);
  }

  #open(response: JsonObject): void {
    if (this.#opened) return;
    this.#opened = true;
    const { requestId, addPart } = this.#context;
    addPart({
      type: 'open',
      id: textOf(response.id),
      servedModel: textOf(response.model),
      requestId,
    });
  }

  #complete(response: JsonObject): void {
    const failure = responseFailure(response, this.#context.headers);
    if (failure !== undefined) throw failure;
    // Emits what the events did not contain: some servers send items only here, and an event may be malformed.
    this.#items.final(listOf(response.output));
    this.#final = response;
  }
}
