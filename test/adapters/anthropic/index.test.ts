import Anthropic from '@anthropic-ai/sdk';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type AnthropicSettings, anthropic } from '../../../src/adapters/anthropic/index.ts';
import { userAgent } from '../../../src/internal/version.ts';
import { callProvider, finishOf, requestOf } from '../../support/provider-calls.ts';
import {
  answerJson,
  type ScriptedServer,
  startScriptedServer,
} from '../../support/scripted-server.ts';

const model = 'claude-haiku-4-5';
const answer = answerJson({
  id: 'msg_1',
  content: [{ type: 'text', text: 'Hi' }],
  stop_reason: 'end_turn',
});
let server: ScriptedServer | undefined;

afterEach(async () => {
  vi.unstubAllEnvs();
  await server?.stop();
  server = undefined;
});

async function headersSent(settings: (url: string) => AnthropicSettings) {
  server = await startScriptedServer(answer);
  await callProvider(anthropic(settings(server.url)), requestOf({ model }));
  const [seen] = server.seen;
  expect(seen?.path).toBe('/v1/messages');
  return seen?.headers ?? {};
}

describe('anthropic()', () => {
  it('sends the key as a bearer token and the current version', async () => {
    const headers = await headersSent((baseURL) => ({ apiKey: 'k', baseURL }));
    expect(headers).toMatchObject({
      authorization: 'Bearer k',
      'anthropic-version': '2026-10-21',
      'content-type': 'application/json',
    });
    expect(headers['user-agent']).toBe(userAgent);
    expect(headers['x-api-key']).toBeUndefined();
    expect(Object.keys(headers).filter((name) => name.startsWith('x-stainless'))).toEqual([]);
  });

  it('sends the configured key, version and headers', async () => {
    const headers = await headersSent((baseURL) => ({
      apiKey: 'k',
      baseURL,
      authStyle: 'x-api-key',
      anthropicVersion: '2023-06-01',
      headers: { 'anthropic-beta': 'mine', 'x-team': 'blue' },
    }));
    expect(headers).toMatchObject({
      'x-api-key': 'k',
      'anthropic-version': '2023-06-01',
      'anthropic-beta': 'mine',
      'x-team': 'blue',
    });
    expect(headers.authorization).toBeUndefined();
  });

  it('reads only the key from the environment, at the first call', async () => {
    const variables = {
      ANTHROPIC_API_KEY: 'from-env',
      ANTHROPIC_AUTH_TOKEN: 'evil',
      ANTHROPIC_BASE_URL: 'http://127.0.0.1:1',
      ANTHROPIC_PROFILE: 'evil',
      ANTHROPIC_LOG: 'debug',
      ANTHROPIC_CUSTOM_HEADERS:
        'Authorization: Bearer EVIL\nX-Api-Key: EVIL\nX-Evil: 1\nAnthropic-Beta: evil\nAnthropic-Version: 1999-01-01\nAccept: text/evil',
    };
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
    const headers = await headersSent((baseURL) => ({ baseURL }));
    expect(headers.authorization).toBe('Bearer from-env');
    expect(headers['anthropic-version']).toBe('2026-10-21');
    expect(JSON.stringify(headers).toLowerCase()).not.toContain('evil');
  });

  it('fails the call, not the factory, without a key', async () => {
    vi.stubEnv('ANTHROPIC_API_KEY', ' ');
    const provider = anthropic({ baseURL: 'http://127.0.0.1:1' });
    await expect(callProvider(provider, requestOf({ model }))).rejects.toMatchObject({
      code: 'auth',
      message: expect.stringContaining('ANTHROPIC_API_KEY'),
    });
  });

  it.each<[string, object, string]>([
    ['an unknown setting', { apikey: 'k' }, 'anthropic().apikey'],
    ['a key that is no string', { apiKey: 7 }, 'anthropic().apiKey'],
    ['a malformed address', { baseURL: 'api.anthropic.com' }, 'anthropic().baseURL'],
    ['headers of another kind', { headers: { a: 1 } }, 'anthropic().headers'],
    ['an unknown auth style', { authStyle: 'basic' }, 'anthropic().authStyle'],
    ['a client that is none', { client: {} }, 'anthropic().client'],
    ['a key beside a client', { client: {}, apiKey: 'k' }, 'anthropic().apiKey'],
  ])('throws for %s', (_what, settings, path) => {
    expect(() => anthropic(settings as AnthropicSettings)).toThrow(
      expect.objectContaining({ code: 'config', message: expect.stringContaining(path) }),
    );
  });

  it('lists every invalid setting, without values', () => {
    const settings = { apiKey: 7, baseURL: 'hunter2' } as unknown as AnthropicSettings;
    expect(() => anthropic(settings)).toThrow(/apiKey[\s\S]*baseURL/);
    expect(() => anthropic(settings)).not.toThrow(/hunter2/);
  });

  it('uses a client unchanged, except for its retries', async () => {
    server = await startScriptedServer(
      answerJson({ type: 'error', error: { type: 'api_error' } }, 500),
    );
    const client = new Anthropic({
      apiKey: 'theirs',
      baseURL: server.url,
      maxRetries: 5,
      defaultHeaders: { 'x-theirs': '1' },
    });
    await expect(callProvider(anthropic({ client }), requestOf({ model }))).rejects.toMatchObject({
      code: 'server_error',
    });
    expect(server.seen).toHaveLength(1);
    expect(server.seen[0]?.headers).toMatchObject({
      authorization: 'Bearer theirs',
      'x-theirs': '1',
    });
  });

  it('sends through the configured fetch', async () => {
    const asked: string[] = [];
    const body = '{"content":[],"stop_reason":"end_turn"}';
    const provider = anthropic({
      apiKey: 'k',
      fetch: async (input) => {
        asked.push(String(input));
        return new Response(body);
      },
    });
    const parts = await callProvider(provider, requestOf({ model }));
    expect(finishOf(parts).finishReason).toBe('stop');
    expect(asked).toEqual(['https://api.anthropic.com/v1/messages']);
  });

  it('sends unary requests with more output tokens than the SDK allows', async () => {
    server = await startScriptedServer(answer);
    const provider = anthropic({ apiKey: 'k', baseURL: server.url });
    const request = requestOf({ model, maxOutputTokens: 60_000 });
    await callProvider(provider, request, { transfer: 'unary' });
    expect(server.seen[0]?.body.max_tokens).toBe(60_000);
  });

  it('sends sampling parameters only with an older API version', () => {
    const request = requestOf({ model, temperature: 0.5 });
    expect(anthropic().prepare(request).warnings).toMatchObject([{ param: 'temperature' }]);
    expect(anthropic({ anthropicVersion: '2023-06-01' }).prepare(request).warnings).toEqual([]);
  });

  it('returns the capabilities of models', () => {
    const { capabilities } = anthropic();
    expect([...capabilities('claude-opus-5')]).toEqual([
      'vision',
      'files',
      'tools',
      'structured-output',
    ]);
    expect(capabilities('claude-3-haiku').has('structured-output')).toBe(false);
  });
});
