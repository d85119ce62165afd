import type { FinishReason } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import type { AnswerHeaders } from '../../transport/answer.ts';
import { openAIUsage } from '../common/openai-usage.ts';
import { isObject, listOf, objectOf, textOf } from '../common/read.ts';
import { eventFailure, notAResponse, responseFailure } from './errors.ts';
import { createItemReader, type Issuer } from './items.ts';

/** Why an answer is incomplete. */
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

/** Events after which nothing comes. `response.failed` is one too, but throws. */
const terminalEvents: readonly unknown[] = ['response.completed', 'response.incomplete'];

export type AnswerFacts = {
  readonly issuer: Issuer;
  readonly headers: AnswerHeaders;
  readonly requestId: string | undefined;
};

/** Reads one answer, as events or as one body. */
export interface AnswerReader {
  readEvent(event: unknown): Generator<ProviderPart>;
  /** @throws SignalboxError `invalid_response` when the body is no finished response. */
  readBody(body: unknown): Generator<ProviderPart>;
  /** Whether anything of this wire has been seen. */
  isBegun(): boolean;
  /** Whether the vendor has said that the answer is whole. */
  isComplete(): boolean;
  /** The closing parts, with the vendor's own response if it is to be kept. */
  finish(raw: { readonly raw?: unknown }): Generator<ProviderPart>;
}

function finishOf(
  response: JsonObject,
  seen: { readonly toolCalls: number; readonly refusal: string },
): { readonly finishReason: FinishReason; readonly rawFinishReason: string } {
  const detail = textOf(objectOf(response.incomplete_details).reason);
  const status = textOf(response.status) ?? 'completed';
  if (status === 'incomplete') {
    return {
      finishReason: finishReasonByDetail[detail ?? ''] ?? 'other',
      rawFinishReason: detail ?? status,
    };
  }
  if (seen.toolCalls > 0) return { finishReason: 'tool_calls', rawFinishReason: status };
  return { finishReason: seen.refusal === '' ? 'stop' : 'refusal', rawFinishReason: status };
}

function isResponse(body: unknown): body is JsonObject {
  return isObject(body) && Array.isArray(body.output);
}

export function createAnswerReader({ issuer, headers, requestId }: AnswerFacts): AnswerReader {
  const items = createItemReader(issuer);
  let opened = false;
  let final: JsonObject | undefined;

  function* open(response: JsonObject): Generator<ProviderPart> {
    if (opened) return;
    opened = true;
    const id = textOf(response.id);
    const servedModel = textOf(response.model);
    yield {
      type: 'open',
      ...(id !== undefined && { id }),
      ...(servedModel !== undefined && { servedModel }),
      ...(requestId !== undefined && { requestId }),
    };
  }

  function* complete(response: JsonObject): Generator<ProviderPart> {
    const failure = responseFailure(response, headers);
    if (failure !== undefined) throw failure;
    // What the events left out: a server that tells items only here, or an event that could not be read.
    yield* items.final(listOf(response.output));
    final = response;
  }

  return {
    *readEvent(event) {
      const { type, response, ...told } = objectOf(event);
      const failure = eventFailure(event, headers);
      if (failure !== undefined) throw failure;
      if (isObject(response)) yield* open(response);
      if (terminalEvents.includes(type)) yield* complete(objectOf(response));
      else yield* items.event(type, told);
    },
    *readBody(body) {
      const failure = responseFailure(body, headers);
      if (failure !== undefined) throw failure;
      if (!isResponse(body)) throw notAResponse('not a response of the Responses API');
      if (body.status === 'queued' || body.status === 'in_progress') {
        throw notAResponse('still being made, and background mode is not supported');
      }
      yield* open(body);
      yield* complete(body);
    },
    isBegun: () => opened,
    isComplete: () => final !== undefined,
    *finish(raw) {
      yield* items.close();
      const response = final ?? {};
      const usage = openAIUsage(response.usage, usageNames);
      const id = textOf(response.id);
      const servedModel = textOf(response.model);
      const serviceTier = textOf(response.service_tier);
      yield {
        type: 'finish',
        ...finishOf(response, items.seen()),
        ...(id !== undefined && { id }),
        ...(servedModel !== undefined && { servedModel }),
        ...(serviceTier !== undefined && { serviceTier }),
        ...(usage !== undefined && { usage }),
        ...raw,
      };
    },
  };
}
