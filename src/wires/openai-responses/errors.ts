import { SignalboxError } from '../../errors.ts';
import type { AnswerHeaders } from '../../transport/body/response.ts';
import { interruptedError } from '../../transport/network-error.ts';
import { objectOf } from '../common/read.ts';
import { isErrorBody, openAIErrorInBand } from '../openai-shared/errors.ts';

export { openAIHttpError as httpError } from '../openai-shared/errors.ts';

/** The error of a failed or cancelled response, which is sent with status 200. */
export function responseFailure(body: unknown, headers: AnswerHeaders): SignalboxError | undefined {
  const { status } = objectOf(body);
  if (isErrorBody(body) || status === 'failed') return openAIErrorInBand(body, headers);
  return status === 'cancelled' ? interruptedError('the vendor cancelled it') : undefined;
}

/** The error of an `error` or `response.failed` event. */
export function eventFailure(event: unknown, headers: AnswerHeaders): SignalboxError | undefined {
  const { type, response } = objectOf(event);
  if (type === 'response.failed') return openAIErrorInBand(response, headers);
  return isErrorBody(event) ? openAIErrorInBand(event, headers) : undefined;
}

/** The error for a 200 that is neither an answer nor an error. */
export function notAResponse(what: string): SignalboxError {
  return new SignalboxError(
    'invalid_response',
    `the answer is ${what}: check baseURL and extra options`,
  );
}
