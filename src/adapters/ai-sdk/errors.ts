import { isSignalboxError, SignalboxError } from '../../errors.ts';
import { headersOfObject } from '../../transport/body/response.ts';
import { connectionError, interruptedError } from '../../transport/network-error.ts';
import { isObject, textOf } from '../../wires/common/read.ts';
import { openAIRefusal } from '../../wires/openai-shared/errors.ts';

function bodyOf(text: unknown): unknown {
  if (typeof text !== 'string') return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * What an AI SDK model threw, as one of our errors. Its API errors hold status, headers and body, which are
 * read as those of the many vendors that speak like OpenAI; without a status, nothing came back at all.
 */
export function aiSdkError(error: unknown, hasBegun: () => boolean): SignalboxError {
  if (isSignalboxError(error)) return error;
  if (!isObject(error))
    return new SignalboxError('server_error', 'the model failed', { cause: error });
  const { statusCode, responseHeaders, responseBody, name } = error;
  if (typeof statusCode === 'number' && statusCode >= 300 && statusCode < 1000) {
    const headers = headersOfObject(responseHeaders);
    return openAIRefusal({ status: statusCode, headers, body: bodyOf(responseBody) });
  }
  if (textOf(name) === 'AI_UnsupportedFunctionalityError') {
    return new SignalboxError(
      'unsupported',
      'the model lacks something that the request asks for',
      {
        cause: error,
      },
    );
  }
  if (textOf(name) === 'AI_LoadAPIKeyError') {
    return new SignalboxError('auth', "the model's provider has no API key", { cause: error });
  }
  if (hasBegun()) return interruptedError('the model failed in the middle', error);
  // A 200 whose body the provider could not make sense of.
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
