import { describe, expect, it } from 'vitest';
import type { AiSdkModel } from '../../../src/adapters/ai-sdk/model.ts';
import { fromAiSdk } from '../../../src/ai-sdk.ts';
import { callProvider, requestOf } from '../../support/provider-calls.ts';

const failing = (message: string, fields: object): Error =>
  Object.assign(new Error(message), fields);

/** The code of a call whose stream yields these parts. */
async function codeOf(...parts: readonly object[]): Promise<unknown> {
  const model: AiSdkModel = {
    specificationVersion: 'v3',
    provider: 'x',
    modelId: 'm',
    doGenerate: async () => undefined,
    doStream: async () => ({ stream: ReadableStream.from(parts) }),
  };
  return callProvider(fromAiSdk(model), requestOf({ model: 'm' })).then(
    () => 'ok',
    (error: { code: string }) => error.code,
  );
}

describe('an error inside a stream of the AI SDK', () => {
  it.each<[unknown, string]>([
    [{ type: 'overloaded_error', message: 'Overloaded' }, 'overloaded'],
    [{ code: 'rate_limit_exceeded', message: 'Slow down' }, 'rate_limited'],
    [{ type: 'error', error: { code: 'insufficient_quota', message: 'x' } }, 'quota_exhausted'],
    [
      { message: 'The prompt is too long: 9 tokens', type: 'invalid_request_error' },
      'context_length',
    ],
    [{ message: 'x', code: 'content_policy_violation' }, 'content_filter'],
    ["This model's maximum context length is 8192 tokens", 'context_length'],
    ['Something failed', 'server_error'],
    [failing('x', { name: 'AI_APICallError', statusCode: 429 }), 'rate_limited'],
    [
      failing('x', { name: 'AI_RetryError', lastError: failing('y', { statusCode: 503 }) }),
      'overloaded',
    ],
    [
      failing('x', {
        name: 'AI_TypeValidationError',
        value: { error: { message: 'x', type: 'overloaded_error' } },
      }),
      'overloaded',
    ],
    [
      failing('x', {
        name: 'AI_APICallError',
        statusCode: 200,
        responseBody: '{"error":{"code":429,"message":"x"}}',
      }),
      'rate_limited',
    ],
    [failing('x', { name: 'AI_TypeValidationError', value: { a: 1 } }), 'invalid_response'],
  ])('has the code of the vendor: %j %s', async (error, code) => {
    expect(await codeOf({ type: 'error', error })).toBe(code);
    expect(await codeOf({ type: 'stream-start', warnings: [] }, { type: 'error', error })).toBe(
      code,
    );
  });
});
