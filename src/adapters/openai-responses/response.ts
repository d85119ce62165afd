import type { FinishReason } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { openAIUsage } from '../common/openai-usage.ts';
import { isObject, listOf, objectOf, textOf } from '../common/read.ts';
import type { AnswerFacts, AnswerReader } from '../common/read-answer.ts';
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

export function createAnswerReader(
  issuer: Issuer,
  { headers, requestId, tell }: AnswerFacts,
): AnswerReader {
  const items = createItemReader(issuer, tell);
  let opened = false;
  let final: JsonObject | undefined;

  function open(response: JsonObject): void {
    if (opened) return;
    opened = true;
    const id = textOf(response.id);
    const servedModel = textOf(response.model);
    tell({
      type: 'open',
      id,
      servedModel,
      requestId,
    });
  }

  function complete(response: JsonObject): void {
    const failure = responseFailure(response, headers);
    if (failure !== undefined) throw failure;
    // What the events left out: a server that tells items only here, or an event that could not be read.
    items.final(listOf(response.output));
    final = response;
  }

  return {
    readEvent(event) {
      const told = objectOf(event);
      const { type, response } = told;
      const failure = eventFailure(event, headers);
      if (failure !== undefined) throw failure;
      if (isObject(response)) open(response);
      if (terminalEvents.includes(type)) complete(objectOf(response));
      else items.event(type, told);
    },
    readBody(body) {
      const failure = responseFailure(body, headers);
      if (failure !== undefined) throw failure;
      if (!isResponse(body)) throw notAResponse('not a response of the Responses API');
      if (body.status === 'queued' || body.status === 'in_progress') {
        throw notAResponse('still being made, and background mode is not supported');
      }
      open(body);
      complete(body);
    },
    isBegun: () => opened,
    isComplete: () => final !== undefined,
    isEnded: () => final !== undefined,
    forgives: () => false,
    finish(raw) {
      items.close();
      const response = final ?? {};
      const usage = openAIUsage(response.usage, usageNames);
      const id = textOf(response.id);
      const servedModel = textOf(response.model);
      const serviceTier = textOf(response.service_tier);
      tell({
        type: 'finish',
        ...finishOf(response, items.seen()),
        id,
        servedModel,
        serviceTier,
        usage,
        raw,
      });
    },
  };
}
