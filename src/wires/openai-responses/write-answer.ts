import type { FinishReason } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { objectOf } from '../common/read.ts';
import type { AnswerEnd, AnswerWriter, PartToWrite } from '../common/serve.ts';
import type { Frame, Turn, UsageToWrite, VendorError } from '../common/write.ts';
import { openaiErrorObject } from '../openai-shared/write.ts';
import { callData } from './call-data.ts';
import {
  CallItem,
  type Draft,
  MessageItem,
  type OutputItem,
  ReasoningItem,
  type ResponseAnswer,
} from './write-items.ts';

type Outcome = {
  readonly status: 'completed' | 'incomplete' | 'failed';
  readonly reason?: string;
};

const outcomes = {
  stop: { status: 'completed' },
  length: { status: 'incomplete', reason: 'max_output_tokens' },
  tool_calls: { status: 'completed' },
  content_filter: { status: 'incomplete', reason: 'content_filter' },
  refusal: { status: 'completed' },
  context_length: { status: 'incomplete', reason: 'max_output_tokens' },
  pause: { status: 'completed' },
  error: { status: 'failed' },
  other: { status: 'incomplete', reason: 'steered' },
} as const satisfies Record<FinishReason, Outcome>;

const none: readonly Frame[] = [];

/**
 * Writes an answer of the Responses API. One item is open at a time, as with the vendor, because some clients add each
 * delta to the item that was opened last: the events of other items wait.
 */
export class ResponseWriter implements AnswerWriter {
  readonly #turn: Turn;
  readonly #answer: ResponseAnswer;
  readonly #items: OutputItem[] = [];
  readonly #calls = new Map<string, CallItem>();
  /** Index of the item whose events are written as they arrive. */
  #written = 0;
  #reasonings = 0;
  #messages = 0;
  #current: ReasoningItem | MessageItem | undefined;
  #sequence: number;
  #end: AnswerEnd | undefined;

  constructor(turn: Turn, answer: ResponseAnswer) {
    this.#turn = turn;
    this.#answer = answer;
    this.#sequence = answer.sent ?? 0;
  }

  start(): readonly Frame[] {
    if (this.#answer.form === 'body') return none;
    const response = skeleton(this.#turn, this.#answer.model);
    return ['response.created', 'response.in_progress'].map((type) =>
      this.#numbered({ event: type, data: { type, response }, role: 'preamble' }),
    );
  }

  write(part: PartToWrite): readonly Frame[] {
    this.#read(part);
    return this.#take();
  }

  finish(end: AnswerEnd): readonly Frame[] {
    this.#end = end;
    const isCut = end.finishReason === 'length' || end.finishReason === 'content_filter';
    this.#current?.end(isCut ? 'incomplete' : 'completed');
    for (const call of this.#calls.values()) call.end('incomplete');
    if (this.#answer.form === 'body') return none;
    const type = `response.${outcomes[end.finishReason].status}`;
    return [
      ...this.#take(),
      this.#numbered({ event: type, data: { type, response: this.body() }, role: 'finish' }),
    ];
  }

  fail(error: VendorError): readonly Frame[] {
    const { type, code, message, param } = openaiErrorObject(error);
    const response = {
      ...skeleton(this.#turn, this.#answer.model),
      status: 'failed',
      error: { code: code ?? type, message },
      output: this.#output(),
    };
    const drafts: readonly Draft[] = [
      {
        event: 'error',
        // The fields of the public reference, and the object that the vendor sends.
        data: { type: 'error', code, message, param, error: { type, code, message, param } },
        role: 'finish',
      },
      {
        event: 'response.failed',
        data: { type: 'response.failed', response },
        role: 'finish',
      },
    ];
    return drafts.map((draft) => this.#numbered(draft));
  }

  body(): JsonObject {
    const created = skeleton(this.#turn, this.#answer.model);
    if (this.#end === undefined) return created;
    const { finishReason, usage, serviceTier } = this.#end;
    const { status, reason }: Outcome = outcomes[finishReason];
    const failed = status === 'failed';
    return {
      ...created,
      status,
      completed_at: status === 'completed' ? created.created_at : null,
      error: failed ? { code: 'server_error', message: 'The model failed to answer.' } : null,
      incomplete_details: reason === undefined ? null : { reason },
      output: this.#output(),
      service_tier: serviceTier ?? 'default',
      usage: failed ? null : usageObject(usage),
    };
  }

  #read(part: PartToWrite): void {
    switch (part.type) {
      case 'text':
      case 'refusal':
        this.#message().append(part.type, part.delta);
        break;
      case 'reasoning':
        this.#reasoning().append(part.delta);
        break;
      case 'reasoning-end':
        this.#endReasoning(part.opaque);
        break;
      case 'tool-call':
        this.#openCall(part);
        break;
      case 'tool-input':
        this.#calls.get(part.key)?.append(part.delta);
        break;
      case 'tool-call-end':
        this.#endCall(part);
        break;
      default:
        part satisfies never;
    }
  }

  #message(): MessageItem {
    if (this.#current instanceof MessageItem) return this.#current;
    this.#endCurrent();
    const id = numberedId(`msg_${this.#turn.serial}`, this.#messages++);
    const item = new MessageItem(this.#items.length, id, this.#answer);
    this.#items.push(item);
    this.#current = item;
    return item;
  }

  #reasoning(): ReasoningItem {
    if (this.#current instanceof ReasoningItem) return this.#current;
    this.#endCurrent();
    const id = numberedId(`rs_${this.#turn.serial}`, this.#reasonings++);
    const item = new ReasoningItem(this.#items.length, id, this.#answer);
    this.#items.push(item);
    this.#current = item;
    return item;
  }

  #endCurrent(): void {
    this.#current?.end('completed');
    this.#current = undefined;
  }

  #endReasoning(opaque: string | undefined): void {
    if (opaque === undefined && !(this.#current instanceof ReasoningItem)) return;
    this.#reasoning().opaque = opaque;
    this.#endCurrent();
  }

  #openCall({ key, id, name }: Extract<PartToWrite, { type: 'tool-call' }>): void {
    this.#endCurrent();
    const suffix = `${this.#turn.serial}${this.#calls.size}`;
    const callId = id ?? `call_${suffix}`;
    const item = new CallItem(this.#items.length, `fc_${suffix}`, callId, name, this.#answer);
    this.#items.push(item);
    this.#calls.set(key, item);
  }

  #endCall({ key, input, opaque }: Extract<PartToWrite, { type: 'tool-call-end' }>): void {
    const call = this.#calls.get(key);
    call?.endWith(input);
    if (call === undefined || opaque === undefined) return;
    this.#endCurrent();
    this.#endReasoning(callData(opaque, call.callId));
  }

  /** The events of the items that ended, and of the first that did not. */
  #take(): readonly Frame[] {
    const frames: Frame[] = [];
    for (let item = this.#items[this.#written]; item; item = this.#items[this.#written]) {
      for (const draft of item.take()) frames.push(this.#numbered(draft));
      if (item.done === undefined) break;
      this.#written++;
    }
    return frames;
  }

  #output(): readonly JsonObject[] {
    return this.#items.flatMap(({ done }) => (done === undefined ? [] : [done]));
  }

  #numbered(draft: Draft): Frame {
    draft.data.sequence_number = this.#sequence++;
    return draft;
  }
}

/** The first item of a kind has no number. */
function numberedId(id: string, index: number): string {
  return index === 0 ? id : `${id}_${index}`;
}

/** A new response, which echoes the request. */
function skeleton({ request, serial, at }: Turn, model: string): JsonObject {
  const { body } = request;
  const reasoning = objectOf(body.reasoning);
  return {
    id: `resp_${serial}`,
    object: 'response',
    created_at: Math.floor(at / 1000),
    status: 'in_progress',
    background: false,
    completed_at: null,
    error: null,
    frequency_penalty: 0,
    incomplete_details: null,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    max_tool_calls: null,
    model: model,
    moderation: null,
    output: [],
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    presence_penalty: 0,
    previous_response_id: null,
    prompt_cache_key: body.prompt_cache_key ?? null,
    prompt_cache_retention: null,
    reasoning: { effort: reasoning.effort ?? null, summary: reasoning.summary ?? null },
    safety_identifier: body.safety_identifier ?? null,
    service_tier: 'auto',
    store: body.store ?? true,
    temperature: body.temperature ?? 1,
    text: { format: { type: 'text' }, verbosity: 'medium', ...objectOf(body.text) },
    tool_choice: body.tool_choice ?? 'auto',
    tools: body.tools ?? [],
    top_logprobs: 0,
    top_p: body.top_p ?? 1,
    truncation: 'disabled',
    usage: null,
    user: null,
    metadata: body.metadata ?? {},
  };
}

function usageObject(counted: UsageToWrite): JsonObject {
  return {
    input_tokens: counted.inputTokens,
    input_tokens_details: {
      cached_tokens: counted.cachedInputTokens,
      cache_write_tokens: counted.cacheWriteTokens,
    },
    output_tokens: counted.outputTokens,
    output_tokens_details: { reasoning_tokens: counted.reasoningTokens },
    total_tokens: counted.inputTokens + counted.outputTokens,
  };
}
