import { SignalboxError } from '../../errors.ts';
import type { AnswerHeaders } from '../../transport/body/response.ts';
import { interruptedError } from '../../transport/network-error.ts';
import { objectOf } from '../common/read.ts';
import { isErrorBody, openAIErrorInBand } from '../openai-shared/errors.ts';

export { openAIRefusal as refusalError } from '../openai-shared/errors.ts';

/** The error that a response stands for: a failed one comes with status 200. */
export function responseFailure(body: unknown, headers: AnswerHeaders): SignalboxError | undefined {
  const { status } = objectOf(body);
  if (isErrorBody(body) || status === 'failed') return openAIErrorInBand(body, headers);
  return status === 'cancelled' ? interruptedError('the vendor cancelled it') : undefined;
}

/** The error that an event tells, if it does: `error`, or `response.failed` with the response in it. */
export function eventFailure(event: unknown, headers: AnswerHeaders): SignalboxError | undefined {
  const { type, response } = objectOf(event);
  if (type === 'response.failed') return openAIErrorInBand(response, headers);
  return isErrorBody(event) ? openAIErrorInBand(event, headers) : undefined;
}

/** A 200 that is neither an answer nor an error. */
export function notAResponse(what: string): SignalboxError {
  return new SignalboxError(
    'invalid_response',
    `the answer is ${what}: check baseURL and extra options`,
  );
}
