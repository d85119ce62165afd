import { SignalboxError } from '../../errors.ts';
import { own } from '../../internal/own.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { HttpError } from '../../transport/body/read-reply.ts';
import type { AnswerHeaders } from '../../transport/body/response.ts';
import { isObject, objectOf } from '../common/read.ts';
import { isErrorBody, openAIErrorInBand, openAIRefusal } from '../openai-shared/errors.ts';
import type { ChatDialect } from './dialect.ts';

/** The error of an HTTP refusal, which some vendors leave without a word. */
export function refusalError(
  refusal: HttpError,
  { bareRefusal }: Pick<ChatDialect, 'bareRefusal'>,
): SignalboxError {
  const { status, body } = refusal;
  const isBare = body === '' && (status === 400 || status === 413);
  if (!isBare || bareRefusal === 'status') return openAIRefusal(refusal);
  return openAIRefusal({ ...refusal, body: { error: { code: 'context_length_exceeded' } } });
}

/** Finish reasons that are failures, in words that the error table knows. */
const wordByFinish: Readonly<Record<string, string>> = {
  error: 'overloaded', // OpenRouter: the vendor behind it broke off
  insufficient_system_resource: 'overloaded', // DeepSeek
  abort: 'server_error', // vLLM: the server gave up the request
  network_error: 'server_error', // z.ai
};

/** The error that a chunk or a body holds, if it does. Groq tells its own in `x_groq`. */
export function chunkFailure(chunk: unknown, headers: AnswerHeaders): SignalboxError | undefined {
  if (isErrorBody(chunk)) return openAIErrorInBand(chunk, headers);
  const groq = objectOf(objectOf(chunk).x_groq);
  return isErrorBody(groq) ? openAIErrorInBand(groq, headers) : undefined;
}

/** The error that a finish reason stands for, if it does. */
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

/** A 200 that is neither an answer nor an error. */
export function notACompletion(): SignalboxError {
  return new SignalboxError(
    'invalid_response',
    'the answer is not a chat completion: check baseURL and any proxy in between',
  );
}
