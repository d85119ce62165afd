import { afterEach, describe, expect, it } from 'vitest';
import { google } from '../../../src/adapters/google/index.ts';
import { callProvider, requestOf } from '../../support/provider-calls.ts';
import {
  answerEvents,
  answerJson,
  type ScriptedServer,
  startScriptedServer,
} from '../../support/scripted-server.ts';

const model = 'gemini-3-flash';
let server: ScriptedServer | undefined;

afterEach(async () => {
  await server?.stop();
  server = undefined;
});

async function failureOf(answer: Parameters<typeof startScriptedServer>[0]): Promise<unknown> {
  server = await startScriptedServer(answer);
  const provider = google({ apiKey: 'k', baseURL: server.url });
  return callProvider(provider, requestOf({ model })).catch((error: unknown) => error);
}

const errorBody = (
  code: number,
  status: string,
  message = 'No',
  details: readonly object[] = [],
) => ({
  error: { code, status, message, details },
});
const reason = (word: string) => ({
  '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
  reason: word,
});
const quota = (quotaId: string) => ({
  '@type': 'type.googleapis.com/google.rpc.QuotaFailure',
  violations: [{ quotaId }],
});
const retryIn = (retryDelay: string) => ({
  '@type': 'type.googleapis.com/google.rpc.RetryInfo',
  retryDelay,
});

describe('Gemini error', () => {
  it.each<[number, unknown, string]>([
    [400, errorBody(400, 'INVALID_ARGUMENT', 'Bad field'), 'invalid_request'],
    [400, errorBody(400, 'INVALID_ARGUMENT', 'Key', [reason('API_KEY_INVALID')]), 'auth'],
    [
      400,
      errorBody(
        400,
        'INVALID_ARGUMENT',
        'The input token count (2) exceeds the maximum number of tokens allowed (1).',
      ),
      'context_length',
    ],
    [400, errorBody(400, 'INVALID_ARGUMENT', 'Function calling is not supported'), 'unsupported'],
    [400, errorBody(400, 'FAILED_PRECONDITION', 'User location'), 'permission'],
    [401, errorBody(401, 'UNAUTHENTICATED'), 'auth'],
    [403, errorBody(403, 'PERMISSION_DENIED'), 'permission'],
    [
      404,
      errorBody(404, 'NOT_FOUND', 'models/x is not found, or is not supported'),
      'model_not_found',
    ],
    [
      429,
      errorBody(429, 'RESOURCE_EXHAUSTED', 'Quota', [quota('RequestsPerMinute')]),
      'rate_limited',
    ],
    [
      429,
      errorBody(429, 'RESOURCE_EXHAUSTED', 'Quota', [quota('RequestsPerDayPerModel')]),
      'quota_exhausted',
    ],
    [
      429,
      errorBody(429, 'RESOURCE_EXHAUSTED', 'Quota exceeded, limit: 0, model: x'),
      'quota_exhausted',
    ],
    [
      429,
      errorBody(429, 'RESOURCE_EXHAUSTED', 'Your prepayment credits are depleted.'),
      'quota_exhausted',
    ],
    [500, errorBody(500, 'INTERNAL'), 'server_error'],
    [503, errorBody(503, 'UNAVAILABLE'), 'overloaded'],
    [504, errorBody(504, 'DEADLINE_EXCEEDED'), 'server_error'],
    [429, [errorBody(429, 'RESOURCE_EXHAUSTED')], 'rate_limited'],
    [502, 'Bad gateway', 'server_error'],
  ])('with status %i and %j has the code %s', async (status, body, code) => {
    expect(await failureOf(answerJson(body, status))).toMatchObject({ code, status });
  });

  it('has the wait given in its details', async () => {
    const body = errorBody(429, 'RESOURCE_EXHAUSTED', 'Quota', [retryIn('48.5s')]);
    expect(await failureOf(answerJson(body, 429))).toMatchObject({ retryAfterMs: 48_500 });
  });

  it('has the same code inside a stream', async () => {
    const error = await failureOf(answerEvents([errorBody(503, 'UNAVAILABLE')]));
    expect(error).toMatchObject({ code: 'overloaded' });
  });

  it('is recognised with status 200', async () => {
    const error = await failureOf(answerJson([errorBody(400, 'INVALID_ARGUMENT')]));
    expect(error).toMatchObject({ code: 'invalid_request' });
  });

  it('is invalid_response for a web page with status 200', async () => {
    const error = await failureOf((response) => response.end('<html></html>'));
    expect(error).toMatchObject({ code: 'invalid_response' });
  });

  it('is connection for an unreachable server', async () => {
    const closed = await startScriptedServer(answerJson({}));
    await closed.stop();
    const provider = google({ apiKey: 'k', baseURL: closed.url });
    await expect(callProvider(provider, requestOf({ model }))).rejects.toMatchObject({
      code: 'connection',
    });
  });
});
