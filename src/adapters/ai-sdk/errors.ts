import { isSignalboxError, SignalboxError } from '../../errors.ts';
import { headersOfObject } from '../../transport/answer.ts';
import { connectionError, interruptedError } from '../../transport/network-error.ts';
import { isObject, textOf } from '../../wires/common/read.ts';
import { openAIHttpError } from '../../wires/openai-shared/response.ts';

function bodyOf(text: unknown): unknown {
  if (typeof text !== 'string') return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * Converts an error thrown by an AI SDK model. API errors have status, headers and body, which are read like those of
 * OpenAI-compatible vendors. Without a status, there was no response.
 */
export function aiSdkError(error: unknown, hasStarted: () => boolean): SignalboxError {
  if (isSignalboxError(error)) return error;
  if (!isObject(error))
    return new SignalboxError('server_error', 'the model failed', { cause: error });
  const { statusCode, responseHeaders, responseBody, name } = error;
  if (typeof statusCode === 'number' && statusCode >= 300 && statusCode < 1000) {
    const headers = headersOfObject(responseHeaders);
    return openAIHttpError({ status: statusCode, headers, body: bodyOf(responseBody) });
  }
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
