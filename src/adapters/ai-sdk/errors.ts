import { isSignalboxError, SignalboxError } from '../../errors.ts';
import { headersOfObject } from '../../transport/answer.ts';
import { connectionError, interruptedError } from '../../transport/network-error.ts';
import { isObject, objectOf, textOf } from '../../wires/common/read.ts';
import {
  isErrorBody,
  openAIErrorInBand,
  openAIHttpError,
} from '../../wires/openai-shared/response.ts';
import { StreamError } from './response.ts';

function bodyOf(text: unknown): unknown {
  if (typeof text !== 'string') return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Errors that wrap the one of the request, such as the AI SDK's `RetryError`. */
function unwrapped(error: unknown): unknown {
  const { lastError } = objectOf(error);
  return lastError ?? error;
}

/**
 * The vendor's error inside a stream. Providers pass on the event, the `error` in it, or only its message. An `Error` is
 * the provider's own: a part that it could not parse, or a lost connection.
 */
function streamError(cause: unknown, hasStarted: () => boolean): SignalboxError {
  const error = unwrapped(cause);
  if (error instanceof Error) return aiSdkError(error, hasStarted);
  const body = typeof error === 'string' ? { message: error } : error;
  if (isObject(body) && typeof body.statusCode === 'number') return aiSdkError(body, hasStarted);
  return openAIErrorInBand(body, headersOfObject(undefined));
}

/**
 * Converts an error thrown by an AI SDK model. API errors have status, headers and body, which are read like those of
 * OpenAI-compatible vendors. Without a status, there was no response.
 */
export function aiSdkError(thrown: unknown, hasStarted: () => boolean): SignalboxError {
  if (thrown instanceof StreamError) return streamError(thrown.cause, hasStarted);
  const error = unwrapped(thrown);
  if (isSignalboxError(error)) return error;
  if (!isObject(error))
    return new SignalboxError('server_error', 'the model failed', { cause: error });
  const { statusCode, responseHeaders, responseBody, requestBodyValues, name } = error;
  if (typeof statusCode === 'number' && statusCode >= 300 && statusCode < 1000) {
    const headers = headersOfObject(responseHeaders);
    const body = bodyOf(responseBody);
    return openAIHttpError({ status: statusCode, headers, body, request: requestBodyValues });
  }
  // A 200 whose body is an error, or an event that the provider took for a part of the answer.
  const body = [bodyOf(responseBody), error.value].find(isErrorBody);
  if (body !== undefined) return openAIErrorInBand(body, headersOfObject(responseHeaders));
  if (textOf(name) === 'AI_UnsupportedFunctionalityError') {
    return new SignalboxError(
      'unsupported',
      'the model does not support a feature of the request',
      {
        cause: error,
      },
    );
  }
  if (textOf(name) === 'AI_LoadAPIKeyError') {
    return new SignalboxError('auth', "the model's provider has no API key", { cause: error });
  }
  if (hasStarted()) return interruptedError('the model failed during the answer', error);
  // A 200 whose body the provider could not parse.
  if (
    typeof statusCode === 'number' ||
    /^AI_(JSONParse|TypeValidation|EmptyResponse|InvalidResponse|NoContent)/.test(
      textOf(name) ?? '',
    )
  ) {
    return new SignalboxError('invalid_response', 'the vendor did not answer with a completion', {
      cause: error,
    });
  }
  return connectionError(error);
}
