import { isSignalboxError, SignalboxError } from '../../errors.ts';
import { own } from '../../internal/own.ts';
import type { FinishReason } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Citation } from '../../protocol/message.ts';
import type { Usage } from '../../protocol/usage.ts';
import type { AnswerHeaders } from '../../transport/answer.ts';
import { checkCount, maxAnswerParts } from '../../transport/answer-bound.ts';
import type { TextEvent } from '../../transport/server-sent-events.ts';
import { checkUsage, isObject, listOf, mergeCounts, objectOf, textOf } from '../common/read.ts';
import {
  type AnswerContext,
  type AnswerOrigin,
  type AnswerReader,
  finishWithCalls,
} from '../common/read-answer.ts';
import type { RejectedRequest } from '../common/stale-reference.ts';
import {
  isErrorBody,
  listedCitations,
  openAIErrorInBand,
  openAIHttpError,
  openAIUsage,
} from '../openai-shared/response.ts';
import { DeltaReader, textField } from './deltas.ts';
import type { ChatDialect } from './dialect.ts';

/** The error of an HTTP error response. Some vendors send it without a body. */
export function httpError(
  response: RejectedRequest,
  { bareRefusal }: Pick<ChatDialect, 'bareRefusal'>,
): SignalboxError {
  const { status, body } = response;
  const isBare = body === '' && (status === 400 || status === 413);
  if (!isBare || bareRefusal === 'status') return openAIHttpError(response);
  return openAIHttpError({ ...response, body: { error: { code: 'context_length_exceeded' } } });
}

/** Finish reasons that are failures, mapped to words of the error table. */
const wordByFinish: Readonly<Record<string, string>> = {
  error: 'overloaded', // OpenRouter: the upstream vendor failed
  insufficient_system_resource: 'overloaded', // DeepSeek
  abort: 'server_error', // vLLM: the server aborted the request
  network_error: 'server_error', // z.ai
};

/** The error in a chunk or body, if any. Groq puts it in `x_groq`. */
function chunkFailure(chunk: unknown, headers: AnswerHeaders): SignalboxError | undefined {
  if (isErrorBody(chunk)) return openAIErrorInBand(chunk, headers);
  const groq = objectOf(objectOf(chunk).x_groq);
  return isErrorBody(groq) ? openAIErrorInBand(groq, headers) : undefined;
}

/** The error of a finish reason that means failure. `native` is that of the vendor behind a gateway. */
function finishFailure(
  reason: string,
  native: string | undefined,
  choice: JsonObject,
  headers: AnswerHeaders,
): SignalboxError | undefined {
  if (isObject(choice.error) && isErrorBody(choice)) return openAIErrorInBand(choice, headers);
  for (const each of [reason, native ?? '']) {
    const word = own(wordByFinish, wordOf(each));
    if (word === undefined) continue;
    return openAIErrorInBand({ error: { code: word, type: each } }, headers);
  }
  return undefined;
}

/** The error for a 200 that is neither an answer nor an error. */
export function notACompletion(): SignalboxError {
  return new SignalboxError(
    'invalid_response',
    'the answer is not a chat completion: check baseURL and any proxy in between',
  );
}

/** By the vendor's finish reason in lower case. */
const finishReasons: Readonly<Record<string, FinishReason>> = {
  stop: 'stop',
  stop_sequence: 'stop',
  eos: 'stop', // Together
  eos_token: 'stop', // Hugging Face
  end_turn: 'stop',
  complete: 'stop', // Cohere
  length: 'length',
  max_tokens: 'length',
  model_length: 'length', // Mistral
  context_length_exceeded: 'context_length',
  model_context_window_exceeded: 'context_length',
  tool_calls: 'tool_calls',
  tool_call: 'tool_calls', // Cohere
  tool_use: 'tool_calls',
  function_call: 'tool_calls',
  content_filter: 'content_filter',
  safety: 'content_filter',
  recitation: 'content_filter',
  sensitive: 'content_filter', // z.ai
  error_toxic: 'content_filter', // Cohere
  prohibited_content: 'content_filter', // Gemini, behind gateways
  blocklist: 'content_filter',
  spii: 'content_filter',
  refusal: 'refusal',
  malformed_function_call: 'error', // Gemini, behind gateways
  unexpected_tool_call: 'error',
  too_many_tool_calls: 'error',
  malformed_response: 'error',
  no_image: 'error',
};

/** The finish reason as it is in the tables. */
function wordOf(reason: string): string {
  return reason.toLowerCase().replaceAll('-', '_');
}

const usageNames = {
  input: 'prompt_tokens',
  inputDetails: 'prompt_tokens_details',
  output: 'completion_tokens',
  outputDetails: 'completion_tokens_details',
};

type ChatContext = AnswerContext & {
  readonly origin: AnswerOrigin;
  /** Whether the request asks for several choices, which are alternatives. @default 'one' */
  readonly choices?: 'one' | 'alternatives';
  /** Where the answer contains reasoning. @default 'tags' */
  readonly reasoningOut?: ChatDialect['reasoningOut'];
};

/** The first choice. With `n` in the extra options there are more, of which only the usage is read. */
function firstChoice(choices: unknown): JsonObject | undefined {
  for (const choice of listOf(choices)) {
    if (isObject(choice) && (choice.index === undefined || choice.index === 0)) return choice;
  }
  return undefined;
}

/** Fields that may differ between text events and are not read: the time, and padding (OpenAI, Mistral). */
const ignoredFields = ['created', 'obfuscation', 'p'];

/** Reads an answer of Chat Completions. A class, because closures would be created again for each call. */
export class ChatReader implements AnswerReader {
  readonly #context: ChatContext;
  readonly #deltas: DeltaReader;
  /** Deltas with tool calls of other choices. */
  readonly #otherCalls: JsonObject[] = [];
  #started = false;
  #id: string | undefined;
  #servedModel: string | undefined;
  #serviceTier: string | undefined;
  /** What the vendor has reported, merged. */
  #usage: JsonObject | undefined;
  /** Whether the last usage was that of one of several choices. */
  #isPartialUsage = false;
  #rawFinishReason: string | undefined;
  /** Set at `[DONE]`, or at the usage after the finish reason. Nothing of interest follows. */
  #settled = false;
  #sources: readonly Citation[] = [];

  constructor(context: ChatContext) {
    this.#context = context;
    this.#deltas = new DeltaReader(context.origin, context.addPart, context.reasoningOut);
  }

  readEvent(chunk: unknown): void {
    if (!isObject(chunk)) return;
    const failure = chunkFailure(chunk, this.#context.headers);
    if (failure !== undefined) throw failure;
    if (!Array.isArray(chunk.choices) && !this.#started && chunk.usage === undefined) return;
    const choice = firstChoice(chunk.choices);
    this.#describe(chunk, choice);
    // Servers that stream a whole message name it `message`.
    this.#keepOtherCalls(chunk.choices, choice);
    if (choice !== undefined) this.#readChoice(choice, choice.delta ?? choice.message);
    else if (listOf(chunk.choices).length === 0) {
      this.#settled = this.#rawFinishReason !== undefined && this.#usage !== undefined;
    }
  }

  textEvent(chunk: unknown): TextEvent | undefined {
    const choice = isObject(chunk) ? firstChoice(chunk.choices) : undefined;
    const found = textField(objectOf(choice?.delta));
    return found && { place: found.field, ...found, idle: ignoredFields };
  }

  readRepeat({ place }: TextEvent, text: string): void {
    this.#deltas.text(place, text);
  }

  readBody(body: unknown): void {
    const failure = chunkFailure(body, this.#context.headers);
    if (failure !== undefined) throw failure;
    const choice = isObject(body) ? firstChoice(body.choices) : undefined;
    if (!isObject(body) || !isObject(choice?.message)) {
      throw notACompletion();
    }
    this.#describe(body, choice);
    this.#keepOtherCalls(body.choices, choice);
    this.#readChoice(choice, choice.message);
    // Some servers omit the finish reason of a whole message.
    this.#rawFinishReason ??= 'stop';
  }

  readDone(): void {
    this.#settled = true;
  }

  isEnded(): boolean {
    return this.#rawFinishReason !== undefined;
  }

  // After the finish reason, only the usage and `[DONE]` can be missing.
  isCompleteDespite(error: unknown): boolean {
    return this.isEnded() && isSignalboxError(error, 'stream_interrupted');
  }

  isComplete(): boolean {
    return this.#settled;
  }

  hasStarted(): boolean {
    return this.#started;
  }

  finish(raw: unknown): void {
    if (this.#deltas.seen().toolCalls === 0) {
      for (const delta of this.#otherCalls) this.#deltas.readCalls(delta);
    }
    const finishReason = this.#finishReason();
    this.#deltas.close(this.#sources, finishReason === 'length' ? 'cut' : 'whole');
    this.#context.addPart({
      type: 'finish',
      finishReason,
      rawFinishReason: this.#rawFinishReason,
      id: this.#id,
      servedModel: this.#servedModel,
      serviceTier: this.#serviceTier,
      usage: this.#reportedUsage(),
      raw,
    });
  }

  #reportedUsage(): Usage | undefined {
    const usage = openAIUsage(this.#usage, usageNames);
    return usage !== undefined && this.#isPartialUsage ? { ...usage, estimated: true } : usage;
  }

  /**
   * Keeps the tool calls of the other choices, if the request asks for one. Some servers put text and calls in separate
   * choices.
   */
  #keepOtherCalls(choices: unknown, first: JsonObject | undefined): void {
    if (this.#context.choices === 'alternatives') return;
    for (const choice of listOf(choices)) {
      const delta =
        choice === first ? {} : objectOf(objectOf(choice).delta ?? objectOf(choice).message);
      if (listOf(delta.tool_calls).length > 0) this.#otherCalls.push(delta);
    }
    checkCount(this.#otherCalls.length, 'tool calls', maxAnswerParts);
  }

  #readUsage(chunk: JsonObject, choice: JsonObject | undefined): void {
    // Groq puts it in `x_groq`, Moonshot in the choice.
    const usage = [chunk.usage, objectOf(chunk.x_groq).usage, choice?.usage].find(
      (each) => isObject(each) && openAIUsage(each, usageNames) !== undefined,
    );
    if (usage === undefined) return;
    this.#usage = mergeCounts(this.#usage, usage);
    checkUsage(this.#usage);
    const { choices } = this.#context;
    this.#isPartialUsage = choices === 'alternatives' && listOf(chunk.choices).length > 0;
  }

  #describe(chunk: JsonObject, choice: JsonObject | undefined): void {
    this.#id ??= textOf(chunk.id);
    this.#servedModel ??= textOf(chunk.model);
    this.#readUsage(chunk, choice);
    const listed = listedCitations(chunk);
    if (listed.length > 0) this.#sources = listed;
    this.#serviceTier =
      textOf(chunk.service_tier) ?? textOf(objectOf(chunk.usage).service_tier) ?? this.#serviceTier;
    if (this.#started) return;
    this.#started = true;
    const { requestId, addPart } = this.#context;
    addPart({ type: 'open', id: this.#id, servedModel: this.#servedModel, requestId });
  }

  #readChoice(choice: JsonObject, delta: unknown): void {
    this.#deltas.read(objectOf(delta));
    const reason = textOf(choice.finish_reason);
    const native = textOf(choice.native_finish_reason);
    if (reason === undefined) return;
    const failure = finishFailure(reason, native, choice, this.#context.headers);
    if (failure !== undefined) throw failure;
    this.#rawFinishReason = reason;
    // OpenRouter's own reason may be `stop` where that of the vendor behind it says more.
    const isPlain = own(finishReasons, wordOf(reason)) === 'stop';
    const nativeReason = own(finishReasons, wordOf(native ?? ''));
    if (!isPlain || nativeReason === undefined || nativeReason === 'tool_calls') return;
    if (nativeReason !== 'stop') this.#rawFinishReason = native;
  }

  #finishReason(): FinishReason {
    const { toolCalls, refusal } = this.#deltas.seen();
    const known = own(finishReasons, wordOf(this.#rawFinishReason ?? '')) ?? 'other';
    const reason = finishWithCalls(known, toolCalls);
    return reason === 'stop' && refusal ? 'refusal' : reason;
  }
}
