import { own } from '../../internal/own.ts';
import type { FinishReason } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { TextEvent } from '../../transport/sse/event-template.ts';
import { isObject, listOf, objectOf, textOf } from '../common/read.ts';
import type { AnswerContext, AnswerOrigin, AnswerReader } from '../common/read-answer.ts';
import { openAIUsage } from '../openai-shared/usage.ts';
import { eventFailure, notAResponse, responseFailure } from './errors.ts';
import { contentSlot, createItemReader, type ItemReader } from './items.ts';

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

/** See {@link createAnswerReader}. A class, because closures would be created again for each call. */
class ResponseReader implements AnswerReader {
  readonly #context: AnswerContext;
  readonly #items: ItemReader;
  #opened = false;
  #final: JsonObject | undefined;

  constructor(origin: AnswerOrigin, context: AnswerContext) {
    this.#context = context;
    this.#items = createItemReader(origin, context.addPart);
  }

  readEvent(event: unknown): void {
    const data = objectOf(event);
    const { type, response } = data;
    const failure = eventFailure(event, this.#context.headers);
    if (failure !== undefined) throw failure;
    if (isObject(response)) this.#open(response);
    if (terminalEvents.includes(type)) this.#complete(objectOf(response));
    else this.#items.event(type, data);
  }

  textEvent(event: unknown): TextEvent | undefined {
    const data = objectOf(event);
    const text = data.type === 'response.output_text.delta' ? textOf(data.delta) : undefined;
    return text === undefined
      ? undefined
      : { place: contentSlot(data), field: 'delta', text, idle: ignoredFields };
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
      usage: openAIUsage(response.usage, usageNames),
      raw,
    });
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

export function createAnswerReader(origin: AnswerOrigin, context: AnswerContext): AnswerReader {
  return new ResponseReader(origin, context);
}
