import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { describe, expect, it } from 'vitest';
import { SignalboxError, type SignalboxErrorOptions } from '../../src/errors.ts';
import type { ErrorCode } from '../../src/protocol/error-code.ts';
import type { Router } from '../../src/protocol/router.ts';
import { apiKeys, createHandler } from '../../src/server.ts';
import { clientKey, HandlerServer, sha256 } from '../support/served.ts';

/** Clients with their own settings, which retry, over a router whose calls fail. */
function clientsOf(code: ErrorCode, options?: SignalboxErrorOptions) {
  let calls = 0;
  const complete = () => {
    calls += 1;
    return Promise.reject(new SignalboxError(code, 'secret words', options));
  };
  const handler = createHandler({ complete } as unknown as Router, {
    authenticate: apiKeys([{ sha256: sha256(clientKey), subject: 'me' }]),
  });
  const fetch = (url: string | URL | Request, init?: RequestInit) =>
    handler(new Request(url, init));
  const shared = { apiKey: clientKey, fetch };
  const openai = new OpenAI({ ...shared, baseURL: 'http://x/v1' });
  const anthropic = new Anthropic({ ...shared, baseURL: 'http://x' });
  const messages = [{ role: 'user', content: 'Hello' }] as const;
  const requests = {
    chat: () => openai.chat.completions.create({ model: 'm', messages: [...messages] }),
    responses: () => openai.responses.create({ model: 'm', input: 'Hello' }),
    messages: () =>
      anthropic.messages.create({ model: 'm', max_tokens: 9, messages: [...messages] }),
  };
  return {
    calls: () => calls,
    failureOf: async (wire: keyof typeof requests): Promise<Error> => {
      const settled = await requests[wire]().then(
        () => new Error('succeeded'),
        (error: Error) => error,
      );
      return settled;
    },
  };
}

type Row = readonly [
  code: ErrorCode,
  ...ofOpenAI: [name: string, status: number],
  ...ofAnthropic: [name: string, status: number],
];

const rows: readonly Row[] = [
  ['connection', 'InternalServerError', 502, 'InternalServerError', 502],
  ['server_error', 'InternalServerError', 502, 'InternalServerError', 502],
  ['overloaded', 'InternalServerError', 503, 'OverloadedError', 529],
  ['conflict', 'InternalServerError', 503, 'OverloadedError', 529],
  ['rate_limited', 'RateLimitError', 429, 'RateLimitError', 429],
  ['quota_exhausted', 'InternalServerError', 503, 'OverloadedError', 529],
  ['auth', 'InternalServerError', 500, 'InternalServerError', 500],
  ['permission', 'InternalServerError', 500, 'InternalServerError', 500],
  ['model_not_found', 'InternalServerError', 500, 'InternalServerError', 500],
  ['timeout', 'InternalServerError', 504, 'GatewayTimeoutError', 504],
  ['context_length', 'BadRequestError', 400, 'BadRequestError', 400],
  ['request_too_large', 'APIError', 413, 'ContentTooLargeError', 413],
  ['content_filter', 'BadRequestError', 400, 'BadRequestError', 400],
  ['refusal', 'BadRequestError', 400, 'BadRequestError', 400],
  ['unsupported', 'BadRequestError', 400, 'BadRequestError', 400],
  ['invalid_request', 'BadRequestError', 400, 'BadRequestError', 400],
  ['invalid_response', 'InternalServerError', 502, 'InternalServerError', 502],
  ['stream_interrupted', 'InternalServerError', 502, 'InternalServerError', 502],
  ['invalid_output', 'InternalServerError', 502, 'InternalServerError', 502],
  ['all_targets_failed', 'InternalServerError', 503, 'OverloadedError', 529],
  ['config', 'InternalServerError', 500, 'InternalServerError', 500],
  ['budget_exceeded', 'APIError', 402, 'PaymentRequiredError', 402],
  ['policy_blocked', 'PermissionDeniedError', 403, 'PermissionDeniedError', 403],
  ['plugin_failed', 'InternalServerError', 500, 'InternalServerError', 500],
];

describe.each(rows)('a call that fails with %s', (code, ...classes) => {
  it.each(['chat', 'responses', 'messages'] as const)(
    'fails once for a client of %s, as an error of its library',
    async (wire) => {
      const clients = clientsOf(code);
      const error = await clients.failureOf(wire);
      const [name, status] = wire === 'messages' ? classes.slice(2) : classes;
      expect(error.constructor.name).toBe(name);
      expect(error).toMatchObject({ status });
      expect(error.message).not.toContain('secret');
      expect(clients.calls()).toBe(1);
    },
  );
});

describe('clients with their own retries', () => {
  it.each([
    ['wait for a known time', 'rate_limited', { retryAfterMs: 1 }, 3],
    ['give up if that is long', 'rate_limited', { retryAfterMs: 3_600_000 }, 1],
    ['may find another process', 'closed', {}, 3],
  ] as const)('%s', { timeout: 20_000 }, async (_, code, options, calls) => {
    const clients = clientsOf(code, options);
    await Promise.all([clients.failureOf('chat')]);
    expect(clients.calls()).toBe(calls);
  });
});

describe('a request that no target of its tier can take', () => {
  it('is a 400, not a 503', async () => {
    const server = await HandlerServer.start();
    server.serve();
    const embedding = { model: 'anthropic', input: 'a' };
    const audio = { type: 'input_audio', input_audio: { format: 'wav', data: 'AAAA' } };
    const heard = { model: 'anthropic', messages: [{ role: 'user', content: [audio] }] };
    const answers = [
      await server.post('/embeddings', JSON.stringify(embedding)),
      await server.post('/chat/completions', JSON.stringify(heard)),
    ];
    expect(answers.map(({ status }) => status)).toEqual([400, 400]);
    await server.close();
  });

  it('says so if it is too long', async () => {
    const line = {
      target: 'a/b',
      startedAt: 0,
      durationMs: 0,
      outcome: 'skipped',
      reason: 'context window of 200000 tokens is too small',
      verdict: 'next',
    } as const;
    const trail = [line];
    const clients = clientsOf('all_targets_failed', { trail });
    expect(await clients.failureOf('chat')).toMatchObject({ code: 'context_length_exceeded' });
    expect((await clients.failureOf('messages')).message).toContain('prompt is too long');
  });
});
