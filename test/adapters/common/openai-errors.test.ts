import { describe, expect, it } from 'vitest';
import {
  isErrorBody,
  openAIErrorInBand,
  openAIHttpError,
} from '../../../src/wires/openai-shared/response.ts';

function errorFor(status: number, body: unknown, headers: Record<string, string> = {}) {
  return openAIHttpError({ status, body, headers: new Headers(headers) });
}

const errorBody = (error: Record<string, unknown>) => ({ error: { message: 'No', ...error } });

describe('openAIHttpError', () => {
  it.each<[number, unknown, string]>([
    [400, errorBody({ type: 'invalid_request_error' }), 'invalid_request'],
    [400, errorBody({ code: 'context_length_exceeded' }), 'context_length'],
    [
      400,
      errorBody({ code: 400, message: "This endpoint's maximum context length is 8 tokens" }),
      'context_length',
    ],
    [400, errorBody({ code: 'model_not_found' }), 'model_not_found'],
    [400, errorBody({ code: 'content_filter' }), 'content_filter'],
    [400, errorBody({ innererror: { code: 'ResponsibleAIPolicyViolation' } }), 'content_filter'],
    [400, errorBody({ code: 'invalid_prompt' }), 'content_filter'],
    [400, errorBody({ code: 'unsupported_parameter', param: 'stop' }), 'unsupported'],
    [
      400,
      errorBody({ message: 'Function tools need /v1/responses: use /v1/responses' }),
      'unsupported',
    ],
    [400, errorBody({ code: 'invalid_encrypted_content' }), 'unsupported'],
    [401, errorBody({ code: 'invalid_api_key' }), 'auth'],
    [401, 'Unauthorized', 'auth'],
    [402, errorBody({ message: 'Insufficient Balance' }), 'quota_exhausted'],
    [403, errorBody({ code: 'unsupported_country_region_territory' }), 'permission'],
    [403, errorBody({ message: 'Your team has used all available credits' }), 'quota_exhausted'],
    [404, { detail: 'Not Found' }, 'model_not_found'],
    [409, {}, 'conflict'],
    [
      413,
      errorBody({ code: 'rate_limit_exceeded', message: 'Request too large for model on TPM' }),
      'rate_limited',
    ],
    [422, { detail: [{ loc: ['body'], msg: 'field required' }] }, 'invalid_request'],
    [429, errorBody({ code: 'rate_limit_exceeded' }), 'rate_limited'],
    [429, errorBody({ code: 'insufficient_quota' }), 'quota_exhausted'],
    [
      429,
      errorBody({ code: 'rate_limit_exceeded', message: 'Limit of tokens per day (TPD) reached' }),
      'quota_exhausted',
    ],
    [
      429,
      errorBody({
        code: 'rate_limit_exceeded',
        message: 'Request too large for gpt on tokens per min',
      }),
      'request_too_large',
    ],
    [
      429,
      { object: 'error', message: 'Service tier capacity exceeded for this model.' },
      'overloaded',
    ],
    [429, errorBody({ type: 'engine_overloaded_error' }), 'overloaded'],
    [500, '<html>', 'server_error'],
    [502, undefined, 'server_error'],
    [503, errorBody({}), 'overloaded'],
    [529, {}, 'overloaded'],
    [302, '', 'invalid_response'],
  ])('maps %i %j to %s', (status, body, code) => {
    expect(errorFor(status, body)).toMatchObject({ code, status });
  });

  it('reads the wait from the header, else from the message', () => {
    const body = errorBody({ message: 'Rate limit reached. Please try again in 1m2.5s.' });
    expect(errorFor(429, body, { 'retry-after': '7' }).retryAfterMs).toBe(7000);
    expect(errorFor(429, body).retryAfterMs).toBe(62_500);
    expect(errorFor(429, errorBody({ message: 'Please try again in 174ms' })).retryAfterMs).toBe(
      174,
    );
    expect(errorFor(429, errorBody({ message: 'Slow down' })).retryAfterMs).toBeUndefined();
  });

  it("omits the vendor's text, which may echo a prompt, from the message", () => {
    const error = errorFor(400, errorBody({ message: 'Bad prompt: my secret', code: 'bad' }));
    expect(error.message).not.toContain('secret');
    expect(error.cause).toMatchObject({ message: 'Bad prompt: my secret' });
  });

  it.each([
    [null],
    [[]],
    ['text'],
    [{ error: 5 }],
    [{ error: null }],
    [[{ error: { code: 'x' } }]],
  ])('handles the malformed body %j', (body) => {
    expect(errorFor(400, body).code).toBe('invalid_request');
  });
});

describe('openAIErrorInBand', () => {
  it.each<[unknown, string]>([
    [errorBody({ code: 'server_error' }), 'server_error'],
    [errorBody({ code: 502 }), 'server_error'],
    [errorBody({ code: '429' }), 'rate_limited'],
    [errorBody({ code: 'rate_limit_exceeded' }), 'rate_limited'],
    [errorBody({ type: 'invalid_request_error' }), 'invalid_request'],
    [errorBody({ type: 'invalid_request_error', message: 'prompt is too long' }), 'context_length'],
    [errorBody({ type: 'overloaded_error' }), 'overloaded'],
    [{ type: 'error', code: 'insufficient_quota', message: 'No' }, 'quota_exhausted'],
    [{ error: 'something broke' }, 'server_error'],
  ])('maps %j to %s', (body, code) => {
    expect(openAIErrorInBand(body, new Headers()).code).toBe(code);
  });
});

describe('isErrorBody', () => {
  it('recognises errors', () => {
    expect(isErrorBody({ error: { message: 'No' } })).toBe(true);
    expect(isErrorBody([{ error: { message: 'No' } }])).toBe(true);
    expect(isErrorBody({ error: 'No' })).toBe(true);
    expect(isErrorBody({ object: 'error' })).toBe(true);
    expect(isErrorBody({ error: null, output: [] })).toBe(false);
    expect(isErrorBody({ error: {}, choices: [] })).toBe(false);
    expect(isErrorBody('error')).toBe(false);
  });
});
