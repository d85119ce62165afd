import { SignalboxError } from '../../errors.ts';
import type { FinishReason } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Opaque } from '../../protocol/message.ts';
import type { Usage } from '../../protocol/usage.ts';
import { checkCount } from '../../transport/answer-bound.ts';
import { interruptedError } from '../../transport/network-error.ts';
import type { TextEvent } from '../../transport/server-sent-events.ts';
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
  type AddPart,
  type AnswerContext,
  type AnswerOrigin,
  type AnswerReader,
  citation,
  finishWithCalls,
  PartAssembler,
} from '../common/read-answer.ts';
import { inBandError, isErrorBody } from './errors.ts';

// Maps, because the keys come from the vendor.
const finishReasons: ReadonlyMap<string, FinishReason> = new Map([
  ['end_turn', 'stop'],
  ['stop_sequence', 'stop'],
  ['max_tokens', 'length'],
  ['tool_use', 'tool_calls'],
  ['pause_turn', 'pause'],
  ['refusal', 'refusal'],
  ['model_context_window_exceeded', 'context_length'],
  // The words of other wires, which servers compatible with this one pass on.
  ['stop', 'stop'],
  ['eos', 'stop'],
  ['complete', 'stop'],
  ['completed', 'stop'],
  ['length', 'length'],
  ['max_output_tokens', 'length'],
  ['tool_calls', 'tool_calls'],
  ['tool_call', 'tool_calls'],
  ['function_call', 'tool_calls'],
  ['content_filter', 'content_filter'],
  ['safety', 'content_filter'],
  ['context_length_exceeded', 'context_length'],
]);

/** Deltas that only add to a text, and the field with the text. */
const fieldByDelta: ReadonlyMap<unknown, 'text' | 'thinking'> = new Map([
  ['text_delta', 'text'],
  ['thinking_delta', 'thinking'],
]);

/** Merges the usage of a later event into the earlier usage. */
function mergeUsage(before: JsonObject | undefined, later: unknown): JsonObject | undefined {
  if (!isObject(later)) return before;
  const merged = mergeCounts(before, later);
  checkUsage(merged);
  return merged;
}

/** Cache writes by lifetime, without zeros. */
function writtenByTtl(creation: JsonObject, counts: TokenCounts): Readonly<Record<string, number>> {
  const written: Record<string, number> = {};
  const shortly = counts.of(creation.ephemeral_5m_input_tokens) ?? 0;
  const longer = counts.of(creation.ephemeral_1h_input_tokens) ?? 0;
  if (shortly > 0) written['5m'] = shortly;
  if (longer > 0) written['1h'] = longer;
  return written;
}

/**
 * The API counts cached and written input separately from `input_tokens`; the sum is the whole input. Returns
 * `undefined` when one of these counts is implausible.
 */
function toUsage(raw: JsonObject): Usage | undefined {
  const counts = new TokenCounts();
  const written = isObject(raw.cache_creation)
    ? writtenByTtl(raw.cache_creation, counts)
    : undefined;
  const cached = counts.of(raw.cache_read_input_tokens);
  const writtenInAll =
    counts.of(raw.cache_creation_input_tokens) ??
    (written && (written['5m'] ?? 0) + (written['1h'] ?? 0));
  const inputTokens = (counts.of(raw.input_tokens) ?? 0) + (cached ?? 0) + (writtenInAll ?? 0);
  const outputTokens = counts.of(raw.output_tokens) ?? 0;
  if (counts.isDoubtful) return undefined;
  const thinking = counts.of(objectOf(raw.output_tokens_details).thinking_tokens);
  const isSplit = written !== undefined && Object.keys(written).length > 0;
  return {
    inputTokens,
    outputTokens,
    totalTokens: inputTokens + outputTokens,
    ...(cached !== undefined && { cachedInputTokens: cached }),
    ...(writtenInAll !== undefined && { cacheWriteTokens: writtenInAll }),
    ...(isSplit && { cacheWriteTokensByTtl: written }),
    ...(thinking !== undefined && { reasoningTokens: thinking }),
    ...counts.certainty,
    raw,
  };
}

/** Emits the usage known at the start of a stream, if it is plausible. */
function emitEarlyUsage(raw: JsonObject | undefined, addPart: AddPart): void {
  const usage = raw && toUsage(raw);
  if (usage !== undefined) addPart({ type: 'usage', usage });
}

/** A block other than text, thinking or a call of the caller's tools, such as a server tool's result. */
export type ForeignBlock = { readonly block: JsonObject; input: string };

/** The block in the form in which it is sent back to the vendor. */
function withInput({ block, input }: ForeignBlock): JsonObject {
  if (input === '') return block;
  try {
    return { ...block, input: JSON.parse(input) };
  } catch {
    return block;
  }
}

export function notAMessage(): SignalboxError {
  return new SignalboxError(
    'invalid_response',
    'the answer is not an Anthropic message: check baseURL and any proxy in between',
  );
}

/** Reads an answer of the Messages API. A class, because closures would be created again for each call. */
export class MessageReader implements AnswerReader {
  readonly #origin: AnswerOrigin;
  readonly #context: AnswerContext;
  readonly #assembler: PartAssembler;
  readonly #foreign = new Map<string, ForeignBlock>();
  /** Complete arguments from the start of a call. Used if no complete ones follow in deltas. */
  readonly #wholeInputs = new Map<string, string>();
  #toolCalls = 0;
  #id: string | undefined;
  #started = false;
  #servedModel: string | undefined;
  #usage: JsonObject | undefined;
  #stopReason: string | undefined;
  #stopDetails: JsonObject = {};
  #complete = false;

  constructor(origin: AnswerOrigin, context: AnswerContext) {
    this.#origin = origin;
    this.#context = context;
    this.#assembler = new PartAssembler(context.addPart);
  }

  readEvent(event: unknown): void {
    if (isErrorBody(event)) throw inBandError(event, this.#context.headers);
    const data = objectOf(event);
    const slot = String(countOf(data.index) ?? 0);
    switch (data.type) {
      case 'message_start':
        this.#start(objectOf(data.message));
        // Emitted early, for a stream that breaks off.
        emitEarlyUsage(this.#usage, this.#context.addPart);
        break;
      case 'content_block_start':
        this.#started = true;
        // Some servers give all blocks the same index and do not end them.
        this.#stopBlock(slot);
        this.#startBlock(slot, objectOf(data.content_block));
        break;
      case 'content_block_delta':
        this.#continueBlock(slot, objectOf(data.delta));
        break;
      case 'content_block_stop':
        this.#stopBlock(slot);
        break;
      case 'message_delta':
        this.#end(data);
        break;
      case 'message_stop':
        this.#complete = true;
        break;
      default:
      // `ping`, and events that later versions add.
    }
  }

  textEvent(event: unknown): TextEvent | undefined {
    const { type, index, delta } = objectOf(event);
    const fields = type === 'content_block_delta' ? objectOf(delta) : {};
    const field = fieldByDelta.get(fields.type);
    const text = field === undefined ? undefined : textOf(fields[field]);
    if (field === undefined || text === undefined) return undefined;
    return { place: String(countOf(index) ?? 0), field, text, idle: [] };
  }

  readRepeat({ place, field }: TextEvent, text: string): void {
    this.#assembler.text(place, field === 'text' ? 'text' : 'reasoning', text);
  }

  readBody(body: unknown): void {
    if (isErrorBody(body)) throw inBandError(body, this.#context.headers);
    const message = objectOf(body);
    if (!Array.isArray(message.content)) throw notAMessage();
    this.#start(message);
    for (const [index, block] of listOf(message.content).entries()) {
      this.#startBlock(String(index), objectOf(block));
      this.#stopBlock(String(index));
    }
    this.#end({ delta: message });
    this.#complete = true;
  }

  isComplete(): boolean {
    return this.#complete;
  }

  isEnded(): boolean {
    return this.#complete || this.#stopReason !== undefined;
  }

  // After the stop reason only `message_stop` can be missing, which has no content.
  isCompleteDespite(): boolean {
    return this.isEnded();
  }

  hasStarted(): boolean {
    return this.#started;
  }

  finish(raw: unknown): void {
    this.#assembler.closeAll();
    this.#context.addPart({
      type: 'finish',
      finishReason: this.#finishReason(),
      rawFinishReason: this.#stopReason,
      finishDetail: textOf(this.#stopDetails.category) ?? textOf(this.#stopDetails.explanation),
      id: this.#id,
      servedModel: this.#servedModel,
      serviceTier: textOf(this.#usage?.service_tier),
      usage: this.#usage && toUsage(this.#usage),
      raw,
    });
  }

  #finishReason(): FinishReason {
    const word = (this.#stopReason ?? '').toLowerCase();
    return finishWithCalls(finishReasons.get(word) ?? 'other', this.#toolCalls);
  }

  #opaque(kind: Opaque['kind'], data: string): Opaque {
    return { wire: 'anthropic', ...this.#origin, kind, data };
  }

  /** A block's citations apply to its whole text. Their positions refer to the source, not to the text. */
  #cite(slot: string, raw: unknown): void {
    const { document_index, document_title, title, cited_text, url, source, file_id } =
      objectOf(raw);
    const index = countOf(document_index);
    const fields = {
      url: textOf(url),
      title: textOf(document_title) ?? textOf(title),
      citedText: textOf(cited_text),
      source: textOf(source) ?? textOf(file_id) ?? (index === undefined ? undefined : `${index}`),
    };
    this.#assembler.cite(slot, () => citation(fields, raw));
  }

  #start(message: JsonObject): void {
    const id = textOf(message.id);
    if (this.#started) {
      // Gateways repeat the event. If a gateway retries upstream, a second answer may follow inside the first.
      if (id === this.#id) return;
      throw interruptedError('a second answer began inside the first');
    }
    this.#started = true;
    this.#id = id;
    this.#servedModel = textOf(message.model);
    this.#usage = mergeUsage(this.#usage, message.usage);
    const { requestId, addPart } = this.#context;
    addPart({ type: 'open', id, servedModel: this.#servedModel, requestId });
  }

  #startBlock(slot: string, block: JsonObject): void {
    const assembler = this.#assembler;
    switch (block.type) {
      case 'text':
        assembler.text(slot, 'text', textOf(block.text) ?? '');
        for (const each of listOf(block.citations)) this.#cite(slot, each);
        break;
      case 'thinking':
        assembler.text(slot, 'reasoning', textOf(block.thinking) ?? '');
        this.#sign(slot, block.signature);
        break;
      case 'redacted_thinking':
        assembler.text(slot, 'reasoning', '');
        assembler.opaque(slot, this.#opaque('redacted', textOf(block.data) ?? ''));
        break;
      case 'tool_use':
        this.#toolCalls++;
        assembler.toolCall(slot, textOf(block.id) ?? `call_${slot}`, textOf(block.name) ?? '');
        this.#keepInput(slot, block.input);
        break;
      case 'fallback':
        // The vendor switched to another model.
        this.#servedModel = textOf(objectOf(block.to).model) ?? this.#servedModel;
        break;
      default:
        this.#foreign.set(slot, { block, input: '' });
        checkCount(this.#foreign.size, 'blocks');
    }
  }

  #sign(slot: string, value: unknown): void {
    const signature = textOf(value);
    if (signature !== undefined) {
      this.#assembler.opaque(slot, this.#opaque('signature', signature));
    }
  }

  #continueBlock(slot: string, delta: JsonObject): void {
    const assembler = this.#assembler;
    switch (delta.type) {
      case 'text_delta':
        assembler.text(slot, 'text', textOf(delta.text) ?? '');
        break;
      case 'thinking_delta':
        assembler.text(slot, 'reasoning', textOf(delta.thinking) ?? '');
        break;
      case 'signature_delta':
        this.#sign(slot, delta.signature);
        break;
      case 'input_json_delta': {
        const json = textOf(delta.partial_json);
        const block = this.#foreign.get(slot);
        if (json === undefined) break;
        if (block !== undefined) block.input += json;
        else assembler.toolInput(slot, json);
        break;
      }
      case 'citations_delta':
        this.#cite(slot, delta.citation);
        break;
      default:
      // Deltas that later versions add.
    }
  }

  #keepInput(slot: string, input: unknown): void {
    if (isObject(input) && Object.keys(input).length > 0) {
      this.#wholeInputs.set(slot, JSON.stringify(input));
    } else if (textOf(input) !== undefined) this.#wholeInputs.set(slot, textOf(input) ?? '');
  }

  #stopBlock(slot: string): void {
    const assembler = this.#assembler;
    const whole = this.#wholeInputs.get(slot);
    if (whole !== undefined) {
      this.#wholeInputs.delete(slot);
      const input = assembler.inputOf(slot);
      if (input?.isEmpty) assembler.toolInput(slot, whole);
      else if (input?.isWhole === false) input.complete(whole);
    }
    const block = this.#foreign.get(slot);
    if (block !== undefined) {
      this.#foreign.delete(slot);
      // Kept as replay data: a paused turn and the citations of server tools need it in the next request.
      assembler.text(slot, 'reasoning', '');
      assembler.opaque(slot, this.#opaque('item', JSON.stringify(withInput(block))));
    }
    assembler.close(slot);
  }

  #end(event: JsonObject): void {
    const delta = objectOf(event.delta);
    this.#usage = mergeUsage(this.#usage, event.usage);
    this.#stopReason = textOf(delta.stop_reason) ?? this.#stopReason;
    if (isObject(delta.stop_details)) this.#stopDetails = delta.stop_details;
  }
}
