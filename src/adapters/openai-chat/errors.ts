import { SignalboxError } from '../../errors.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { AnswerHeaders } from '../../transport/answer.ts';
import { isErrorBody, openAIErrorInBand } from '../common/openai-errors.ts';
import { isObject, objectOf } from '../common/read.ts';

export { openAIRefusal as refusalError } from '../common/openai-errors.ts';

/** Finish reasons that are failures, in words that the error table knows. */
const wordByFinish: Readonly<Record<string, string>> = {
  error: 'overloaded', // OpenRouter: the vendor behind it broke off
  insufficient_system_resource: 'overloaded', // DeepSeek
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
  const word = wordByFinish[reason];
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
