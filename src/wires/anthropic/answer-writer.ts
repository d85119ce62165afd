import type { FinishReason } from '../../protocol/completion.ts';
import type { Json, JsonObject } from '../../protocol/json.ts';
import { listOf } from '../common/read.ts';
import type { AnswerEnd, AnswerHead, AnswerWriter, PartToWrite } from '../common/serve.ts';
import type { Frame, Turn, UsageToWrite, VendorError } from '../common/write.ts';
import { callReplay } from './call-replay.ts';
import { errorBody } from './error-body.ts';

/** The vendor has no words for `error` and `other`. They test how adapters handle unknown reasons. */
const stopReasons = {
  stop: 'end_turn',
  length: 'max_tokens',
  tool_calls: 'tool_use',
  content_filter: 'refusal',
  refusal: 'refusal',
  context_length: 'model_context_window_exceeded',
  pause: 'pause_turn',
  error: 'error',
  other: 'other',
} as const satisfies Record<FinishReason, string>;

const noUsage: UsageToWrite = {
  inputTokens: 0,
  outputTokens: 0,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  reasoningTokens: 0,
};

/** A content block. The first that has not ended is written as it arrives, the others wait for their turn. */
type Block = {
  readonly start: JsonObject & {
    readonly type: 'text' | 'thinking' | 'redacted_thinking' | 'tool_use';
  };
  /** Deltas that are not written yet. */
  unwritten: JsonObject[];
  /** The text or the reasoning so far. */
  text: string;
  input: Json;
  opaque: string | undefined;
  isStarted: boolean;
  isEnded: boolean;
};

function newBlock(start: Block['start']): Block {
  const unwritten: JsonObject[] = [];
  const written = { isStarted: false, isEnded: false };
  return { start, unwritten, text: '', input: {}, opaque: undefined, ...written };
}

function redacted(data: string): Block {
  return { ...newBlock({ type: 'redacted_thinking', data }), isEnded: true };
}

/** The block in an answer as one body. */
function wholeBlock({ start, text, input, opaque = '' }: Block): JsonObject {
  switch (start.type) {
    case 'text':
      return { ...start, text };
    case 'thinking':
      return { ...start, thinking: text, signature: opaque };
    case 'tool_use':
      return { ...start, input };
    case 'redacted_thinking':
      return start;
  }
}

/**
 * The replay data of a call is known when the call is complete, and belongs in a block before it. Vendors that have such
 * data send a call whole, as one delta: a call is held until its second delta.
 */
function isHeld({ start, unwritten, isEnded }: Block): boolean {
  return start.type === 'tool_use' && unwritten.length < 2 && !isEnded;
}

function frame(type: string, fields: JsonObject, role: Frame['role']): Frame {
  return { event: type, data: { type, ...fields }, role };
}

function usageFields(counted: UsageToWrite, serviceTier = 'standard') {
  const { inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens, reasoningTokens } =
    counted;
  return {
    input_tokens: inputTokens - cachedInputTokens - cacheWriteTokens,
    cache_creation_input_tokens: cacheWriteTokens,
    cache_read_input_tokens: cachedInputTokens,
    cache_creation: { ephemeral_5m_input_tokens: cacheWriteTokens, ephemeral_1h_input_tokens: 0 },
    output_tokens: outputTokens,
    ...(reasoningTokens > 0 && { output_tokens_details: { thinking_tokens: reasoningTokens } }),
    service_tier: serviceTier,
    inference_geo: 'not_available',
  };
}

/** What the vendor knows at the start. A router does not: then the counts are 0 until the end. */
type MessageHead = AnswerHead & Partial<Pick<AnswerEnd, 'usage' | 'serviceTier'>>;

/** Writes a message of the Messages API: one content block after the other. */
export class MessageWriter implements AnswerWriter {
  readonly #turn: Turn;
  readonly #head: MessageHead;
  /** The blocks that are not written completely, in order. */
  readonly #blocks: Block[] = [];
  readonly #calls = new Map<string, Block>();
  readonly #content: JsonObject[] = [];
  #index = 0;
  #text = '';
  #refusal: string | undefined;
  #body: JsonObject = {};

  constructor(turn: Turn, head: MessageHead) {
    this.#turn = turn;
    this.#head = head;
  }

  start(): readonly Frame[] {
    const { usage = noUsage, serviceTier } = this.#head;
    const { output_tokens_details: _notYet, ...atStart } = usageFields(usage, serviceTier);
    const message = {
      ...this.#message(),
      content: [],
      stop_reason: null,
      stop_sequence: null,
      stop_details: null,
      usage: { ...atStart, output_tokens: 1 },
    };
    return [frame('message_start', { message }, 'preamble')];
  }

  write(part: PartToWrite): readonly Frame[] {
    this.#add(part);
    return this.#flush();
  }

  finish(end: AnswerEnd): readonly Frame[] {
    for (const block of this.#blocks) block.isEnded = true;
    const rest = this.#flush();
    const stop = this.#stop(end.finishReason);
    const usage = usageFields(end.usage, end.serviceTier);
    this.#body = { ...this.#message(), content: this.#content, ...stop, usage };
    const { service_tier: _tier, inference_geo: _geo, cache_creation: _cache, ...total } = usage;
    return [
      ...rest,
      frame('message_delta', { delta: stop, usage: total }, 'finish'),
      frame('message_stop', {}, 'end'),
    ];
  }

  fail(error: VendorError): readonly Frame[] {
    return [{ event: 'error', data: errorBody(error, this.#turn), role: 'finish' }];
  }

  body(): JsonObject {
    return this.#body;
  }

  #add(part: PartToWrite): void {
    switch (part.type) {
      case 'text':
        this.#text += part.delta;
        this.#addText({ type: 'text', text: '' }, part.delta, {
          type: 'text_delta',
          text: part.delta,
        });
        break;
      case 'refusal':
        this.#refusal = (this.#refusal ?? '') + part.delta;
        break;
      case 'reasoning':
        this.#addText({ type: 'thinking', thinking: '', signature: '' }, part.delta, {
          type: 'thinking_delta',
          thinking: part.delta,
        });
        break;
      case 'reasoning-end':
        this.#endReasoning(part.opaque);
        break;
      case 'tool-call': {
        const { key, name } = part;
        const id = part.id ?? `toolu_${this.#turn.serial}${this.#calls.size}`;
        const caller = { type: 'direct' };
        const block = newBlock({ type: 'tool_use', id, name, input: {}, caller });
        this.#calls.set(key, block);
        this.#push(block);
        break;
      }
      case 'tool-input': {
        const delta = { type: 'input_json_delta', partial_json: part.delta };
        this.#calls.get(part.key)?.unwritten.push(delta);
        break;
      }
      case 'tool-call-end': {
        const block = this.#calls.get(part.key);
        if (block === undefined) break;
        block.input = part.input;
        block.opaque = part.opaque;
        block.isEnded = true;
        break;
      }
      default:
        part satisfies never;
    }
  }

  /** Adds to the last block, or starts one. */
  #addText(start: Block['start'], text: string, delta: JsonObject): void {
    const last = this.#blocks.at(-1);
    const block = last?.start.type === start.type && !last.isEnded ? last : newBlock(start);
    if (block !== last) this.#push(block);
    block.text += text;
    if (text !== '' || start.type === 'text') block.unwritten.push(delta);
  }

  /** Text and reasoning end where the next block begins. */
  #push(block: Block): void {
    const last = this.#blocks.at(-1);
    if (last !== undefined && last.start.type !== 'tool_use') last.isEnded = true;
    this.#blocks.push(block);
  }

  #endReasoning(opaque: string | undefined): void {
    const last = this.#blocks.at(-1);
    if (last?.start.type !== 'thinking' || last.isEnded) {
      if (opaque !== undefined) this.#push(redacted(opaque));
      return;
    }
    last.isEnded = true;
    if (opaque === undefined) return;
    last.opaque = opaque;
    last.unwritten.push({ type: 'signature_delta', signature: opaque });
  }

  #flush(): readonly Frame[] {
    const frames: Frame[] = [];
    for (let block = this.#blocks[0]; block !== undefined && !isHeld(block); ) {
      if (!block.isStarted) {
        this.#writeReplay(block, frames);
        this.#startBlock(block, frames);
      }
      this.#writeDeltas(block, frames);
      if (!block.isEnded) break;
      this.#endBlock(block, frames);
      this.#blocks.shift();
      block = this.#blocks[0];
    }
    return frames;
  }

  #startBlock(block: Block, frames: Frame[]): void {
    const index = this.#index;
    block.isStarted = true;
    frames.push(frame('content_block_start', { index, content_block: block.start }, 'content'));
    if (index === 0) frames.push(frame('ping', {}, 'content'));
    // As with the vendor, the first delta of the arguments is empty.
    if (block.start.type === 'tool_use') {
      block.unwritten.unshift({ type: 'input_json_delta', partial_json: '' });
    }
  }

  #writeDeltas(block: Block, frames: Frame[]): void {
    const index = this.#index;
    for (const delta of block.unwritten) {
      frames.push(frame('content_block_delta', { index, delta }, 'content'));
    }
    block.unwritten = [];
  }

  #endBlock(block: Block, frames: Frame[]): void {
    frames.push(frame('content_block_stop', { index: this.#index }, 'content'));
    this.#index++;
    this.#content.push(wholeBlock(block));
    // Of a call that was not held, it follows: the reader accepts both.
    this.#writeReplay(block, frames);
  }

  /** Writes the replay data of a call as a block. */
  #writeReplay(block: Block, frames: Frame[]): void {
    const { start, opaque } = block;
    if (start.type !== 'tool_use' || opaque === undefined) return;
    block.opaque = undefined;
    const replay = redacted(callReplay(String(start.id), opaque));
    this.#startBlock(replay, frames);
    this.#endBlock(replay, frames);
  }

  #message(): JsonObject {
    return {
      model: this.#head.model,
      id: `msg_${this.#turn.serial}`,
      type: 'message',
      role: 'assistant',
    };
  }

  #stop(finishReason: FinishReason): JsonObject {
    const reason = stopReasons[finishReason];
    const sequences = listOf(this.#turn.request.body.stop_sequences);
    const sequence =
      finishReason === 'stop'
        ? sequences.find((each) => this.#text.endsWith(String(each)))
        : undefined;
    return {
      stop_reason: sequence === undefined ? reason : 'stop_sequence',
      stop_sequence: sequence ?? null,
      stop_details:
        reason === 'refusal'
          ? { type: 'refusal', category: null, explanation: this.#refusal ?? null }
          : null,
    };
  }
}
