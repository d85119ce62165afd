import { SignalboxError } from '../../errors.ts';
import { own } from '../../internal/own.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { HttpError } from '../../transport/body/read-reply.ts';
import type { AnswerHeaders } from '../../transport/body/response.ts';
import { isObject, objectOf } from '../common/read.ts';
import { isErrorBody, openAIErrorInBand, openAIHttpError } from '../openai-shared/errors.ts';
import type { ChatDialect } from './dialect.ts';

/** The error of an HTTP error response. Some vendors send it without a body. */
export function httpError(
  response: HttpError,
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
export function chunkFailure(chunk: unknown, headers: AnswerHeaders): SignalboxError | undefined {
  if (isErrorBody(chunk)) return openAIErrorInBand(chunk, headers);
  const groq = objectOf(objectOf(chunk).x_groq);
  return isErrorBody(groq) ? openAIErrorInBand(groq, headers) : undefined;
}

/** The error of a finish reason that means failure. */
export function finishFailure(
  reason: string,
  choice: JsonObject,
  headers: AnswerHeaders,
): SignalboxError | undefined {
  const word = own(wordByFinish, reason.toLowerCase());
  if (word === undefined) return undefined;
  const body = isObject(choice.error) ? choice : { error: { code: word, type: reason } };
  return openAIErrorInBand(body, headers);
}

/** The error for a 200 that is neither an answer nor an error. */
export function notACompletion(): SignalboxError {
  return new SignalboxError(
    'invalid_response',
    'the answer is not a chat completion: check baseURL and any proxy in between',
  );
}
