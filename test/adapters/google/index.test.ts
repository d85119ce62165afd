import { GoogleGenAI } from '@google/genai/web';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type GoogleSettings, google } from '../../../src/adapters/google/index.ts';
import { callProvider, finishOf, requestOf } from '../../support/provider-calls.ts';
import {
  answerJson,
  type ScriptedServer,
  startScriptedServer,
} from '../../support/scripted-server.ts';

const model = 'gemini-3-flash';
const answer = answerJson({
  candidates: [{ content: { parts: [{ text: 'Hi' }] }, finishReason: 'MAX_TOKENS' }],
});
let server: ScriptedServer | undefined;

afterEach(async () => {
  vi.unstubAllEnvs();
  await server?.stop();
  server = undefined;
});

async function requestSent(settings: (url: string) => GoogleSettings) {
  server = await startScriptedServer(answer);
  const request = requestOf({ model, temperature: 0.5, extraBody: { safetySettings: [] } });
  await callProvider(google(settings(server.url)), request, { transfer: 'unary' });
  expect(server.seen).toHaveLength(1);
  return server.seen[0];
}

describe('google()', () => {
  it('sends the prepared body once, with the key in its header', async () => {
    const sent = await requestSent((baseURL) => ({ apiKey: 'k', baseURL }));
    expect(sent?.path).toBe(`/v1beta/models/${model}:generateContent`);
    expect(sent?.body).toEqual({
      contents: [{ role: 'user', parts: [{ text: 'Hello' }] }],
      generationConfig: { temperature: 0.5 },
      safetySettings: [],
    });
    expect(sent?.headers['x-goog-api-key']).toBe('k');
    expect(sent?.headers['x-goog-api-client']).toBeUndefined();
  });

  it.each(['unary', 'stream'] as const)(
    'sends the same request as a client of the SDK (%s)',
    async (transfer) => {
      server = await startScriptedServer(answer);
      const { url } = server;
      const httpOptions = { baseUrl: url, apiVersion: 'v1beta' };
      const client = new GoogleGenAI({ apiKey: 'k', httpOptions });
      const request = requestOf({
        model,
        topP: 0.5,
        messages: [
          {
            role: 'user',
            content: [
              { type: 'text', text: 'What is this? "ä"' },
              { type: 'image', source: { data: 'AAAA', mediaType: 'image/png' } },
            ],
          },
        ],
        tools: [{ name: 'look', inputSchema: { type: 'object', properties: {} } }],
      });
      for (const settings of [{ client }, { apiKey: 'k', baseURL: url }]) {
        await callProvider(google(settings), request, { transfer });
      }
      const [expectedRequest, sentRequest] = server.seen;
      expect(sentRequest?.path).toBe(expectedRequest?.path);
      expect(sentRequest?.body).toEqual(expectedRequest?.body);
    },
  );

  it('uses the same URL for each model and method as a client of the SDK', async () => {
    server = await startScriptedServer(answer);
    const { url } = server;
    const client = new GoogleGenAI({
      apiKey: 'k',
      httpOptions: { baseUrl: url, apiVersion: 'v1beta' },
    });
    const models = ['gemini-3-pro', 'models/gemini-3-pro', 'tunedModels/mine', 'gemini-3-pro']
      .map((name) => requestOf({ model: name }))
      .flatMap((request) =>
        (['unary', 'stream'] as const).map((transfer) => ({ request, transfer })),
      );
    for (const provider of [google({ client }), google({ apiKey: 'k', baseURL: url })]) {
      for (const { request, transfer } of models)
        await callProvider(provider, request, { transfer });
    }
    const paths = server.seen.map(({ path }) => path);
    expect(new Set(paths).size).toBe(4);
    expect(paths.slice(models.length)).toEqual(paths.slice(0, models.length));
  });

  it('sends the configured version and headers', async () => {
    const sent = await requestSent((baseURL) => ({
      apiKey: 'k',
      baseURL,
      apiVersion: 'v1',
      headers: { 'x-team': 'blue' },
    }));
    expect(sent?.path).toBe(`/v1/models/${model}:generateContent`);
    expect(sent?.headers['x-team']).toBe('blue');
  });

  it('reads only the key from the environment, at the first call', async () => {
    const variables = {
      GEMINI_API_KEY: 'from-env',
      GOOGLE_GENAI_USE_VERTEXAI: 'true',
      GOOGLE_GENAI_USE_ENTERPRISE: 'true',
      GOOGLE_CLOUD_PROJECT: 'evil',
      GOOGLE_CLOUD_LOCATION: 'evil',
      GOOGLE_GEMINI_BASE_URL: 'http://127.0.0.1:1',
      GOOGLE_GENAI_API_VERSION: 'evil',
      GOOGLE_GENAI_API_KEY: 'evil',
    };
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
    const sent = await requestSent((baseURL) => ({ baseURL }));
    expect(sent?.headers['x-goog-api-key']).toBe('from-env');
    expect(sent?.path).toBe(`/v1beta/models/${model}:generateContent`);
    expect(JSON.stringify(sent).toLowerCase()).not.toContain('evil');
  });

  it('fails the call, not the factory, without a key', async () => {
    vi.stubEnv('GEMINI_API_KEY', '');
    vi.stubEnv('GOOGLE_API_KEY', '');
    const provider = google({ baseURL: 'http://127.0.0.1:1' });
    await expect(callProvider(provider, requestOf({ model }))).rejects.toMatchObject({
      code: 'auth',
      message: expect.stringContaining('GEMINI_API_KEY'),
    });
  });

  it.each<[string, object, string]>([
    ['an unknown setting', { project: 'p' }, 'google().project'],
    ['a key that is no string', { apiKey: 7 }, 'google().apiKey'],
    ['a malformed address', { baseURL: 'ftp://x' }, 'google().baseURL'],
    ['a client that is none', { client: {} }, 'google().client'],
    ['a version together with a client', { client: {}, apiVersion: 'v1' }, 'google().apiVersion'],
  ])('throws for %s', (_what, settings, path) => {
    expect(() => google(settings as GoogleSettings)).toThrow(
      expect.objectContaining({ code: 'config', message: expect.stringContaining(path) }),
    );
  });

  it('uses a client unchanged, except for its retries', async () => {
    server = await startScriptedServer(answerJson({ error: { status: 'UNAVAILABLE' } }, 503));
    const urls: string[] = [];
    const client = new GoogleGenAI({
      apiKey: 'theirs',
      apiVersion: 'v1',
      httpOptions: {
        baseUrl: server.url,
        headers: { 'x-theirs': '1' },
        retryOptions: { attempts: 5 },
        fetch: (input, init) => {
          urls.push(String(input));
          return fetch(input, init);
        },
      },
    });
    await expect(callProvider(google({ client }), requestOf({ model }))).rejects.toMatchObject({
      code: 'overloaded',
    });
    expect(urls).toEqual([`${server.url}/v1/models/${model}:streamGenerateContent?alt=sse`]);
    expect(server.seen).toHaveLength(1);
    expect(server.seen[0]?.headers).toMatchObject({
      'x-goog-api-key': 'theirs',
      'x-theirs': '1',
    });
  });

  it('sends through the configured fetch', async () => {
    const urls: string[] = [];
    const provider = google({
      apiKey: 'k',
      fetch: async (input) => {
        urls.push(String(input));
        return new Response('{"candidates":[{"finishReason":"STOP"}]}');
      },
    });
    const parts = await callProvider(provider, requestOf({ model }));
    expect(finishOf(parts).finishReason).toBe('stop');
    expect(urls).toEqual([
      `https://generativelanguage.googleapis.com/v1beta/models/${model}:streamGenerateContent?alt=sse`,
    ]);
  });

  it('returns the capabilities of models', () => {
    const { capabilities } = google();
    expect([...capabilities('gemini-3-flash')]).toEqual([
      'vision',
      'audio',
      'files',
      'tools',
      'structured-output',
    ]);
    expect([...capabilities('gemma-3-4b-it')]).toEqual(['vision']);
  });
});
