import { afterEach, describe, expect, it } from 'vitest';
import { anthropic } from '../../../src/adapters/anthropic/index.ts';
import { callProvider, requestOf } from '../../support/provider-calls.ts';
import {
  answerEvents,
  answerJson,
  type ScriptedServer,
  startScriptedServer,
} from '../../support/scripted-server.ts';

const model = 'claude-haiku-4-5';
let server: ScriptedServer | undefined;

afterEach(async () => {
  await server?.stop();
  server = undefined;
});

async function failureOf(answer: Parameters<typeof startScriptedServer>[0]): Promise<unknown> {
  server = await startScriptedServer(answer);
  const provider = anthropic({ apiKey: 'k', baseURL: server.url });
  return callProvider(provider, requestOf({ model })).catch((error: unknown) => error);
}

const errorBody = (type: string, message = 'No', details?: object) => ({
  type: 'error',
  error: { type, message, ...(details && { details }) },
});

describe('Anthropic error', () => {
  it.each<[number, unknown, string]>([
    [400, errorBody('invalid_request_error', 'messages: field required'), 'invalid_request'],
    [
      400,
      errorBody('invalid_request_error', 'prompt is too long: 210000 tokens > 200000 maximum'),
      'context_length',
    ],
    [
      400,
      errorBody(
        'invalid_request_error',
        'input length and `max_tokens` exceed context limit: 1 + 2 > 3',
      ),
      'context_length',
    ],
    [
      400,
      errorBody('invalid_request_error', 'Your credit balance is too low to access the API'),
      'quota_exhausted',
    ],
    [
      400,
      errorBody('invalid_request_error', 'temperature: Extra inputs are not permitted'),
      'unsupported',
    ],
    [
      400,
      errorBody('invalid_request_error', 'On hold', { error_code: 'organization_on_hold' }),
      'permission',
    ],
    [
      400,
      errorBody('invalid_request_error', 'Output blocked by content filtering policy'),
      'content_filter',
    ],
    [401, errorBody('authentication_error'), 'auth'],
    [402, errorBody('billing_error'), 'quota_exhausted'],
    [403, errorBody('permission_error'), 'permission'],
    [404, errorBody('not_found_error', 'model: claude-x'), 'model_not_found'],
    [413, errorBody('request_too_large'), 'request_too_large'],
    [429, errorBody('rate_limit_error'), 'rate_limited'],
    [
      429,
      errorBody('rate_limit_error', 'Spent', { error_code: 'enforced_spend_limit_reached' }),
      'quota_exhausted',
    ],
    [
      429,
      errorBody('rate_limit_error', 'Ramp', { error_code: 'ramp_limit_exceeded' }),
      'rate_limited',
    ],
    [500, errorBody('api_error'), 'server_error'],
    [500, errorBody('overloaded_error'), 'overloaded'],
    [504, errorBody('timeout_error'), 'server_error'],
    [529, errorBody('overloaded_error'), 'overloaded'],
    [502, '<html>Bad gateway</html>', 'server_error'],
  ])('with status %i and %j has the code %s', async (status, body, code) => {
    expect(await failureOf(answerJson(body, status))).toMatchObject({ code, status });
  });

  it('has the wait and the request id, and omits the vendor’s text from the message', async () => {
    const secret = errorBody('rate_limit_error', 'You wrote: my secret prompt');
    const headers = { 'retry-after': '16', 'request-id': 'req_1' };
    const error = await failureOf(answerJson(secret, 429, headers));
    expect(error).toMatchObject({ retryAfterMs: 16_000, requestId: 'req_1' });
    expect((error as Error).message).not.toContain('secret');
    expect(String((error as Error).cause)).toContain('secret');
  });

  it('has the same code inside a stream', async () => {
    const error = await failureOf(answerEvents([errorBody('overloaded_error')]));
    expect(error).toMatchObject({ code: 'overloaded' });
  });

  it('is invalid_request inside a stream, which has no status', async () => {
    const error = await failureOf(answerEvents([errorBody('invalid_request_error')]));
    expect(error).toMatchObject({ code: 'invalid_request' });
  });

  it('is recognised with status 200', async () => {
    expect(await failureOf(answerJson(errorBody('api_error')))).toMatchObject({
      code: 'server_error',
    });
  });

  it('is invalid_response for a web page with status 200', async () => {
    const error = await failureOf((response) => {
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end('<html></html>');
    });
    expect(error).toMatchObject({ code: 'invalid_response' });
  });

  it('is connection for an unreachable server', async () => {
    const closed = await startScriptedServer(answerJson({}));
    await closed.stop();
    const provider = anthropic({ apiKey: 'k', baseURL: closed.url });
    await expect(callProvider(provider, requestOf({ model }))).rejects.toMatchObject({
      code: 'connection',
    });
  });
});
