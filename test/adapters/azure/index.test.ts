import { afterEach, describe, expect, it, vi } from 'vitest';
import { type AzureOpenAISettings, azureOpenAI } from '../../../src/openai.ts';
import { callProvider, contentOf, requestOf } from '../../support/provider-calls.ts';
import {
  answerEvents,
  answerJson,
  type ScriptedServer,
  startScriptedServer,
} from '../../support/scripted-server.ts';

const chatAnswer = { choices: [{ message: { content: 'Hi' }, finish_reason: 'stop' }] };
const item = { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Hi' }] };
const responsesAnswer = { id: 'r', object: 'response', status: 'completed', output: [item] };
const request = requestOf({ model: 'my deployment' });
const expected = [{ type: 'text', text: 'Hi' }];

let server: ScriptedServer | undefined;

async function start(answer = answerJson(chatAnswer)): Promise<string> {
  server = await startScriptedServer(answer);
  return server.url;
}

afterEach(async () => {
  await server?.stop();
  server = undefined;
});

describe('azureOpenAI()', () => {
  it('uses the Responses API at the URL without a version', async () => {
    const baseURL = await start(answerJson(responsesAnswer));
    const parts = await callProvider(azureOpenAI({ baseURL, apiKey: 'k' }), request, {
      transfer: 'unary',
    });
    expect(contentOf(parts)).toEqual(expected);
    expect(server?.seen[0]).toMatchObject({
      path: '/openai/v1/responses',
      headers: { 'api-key': 'k' },
      body: { model: 'my deployment' },
    });
    expect(server?.seen[0]?.headers).not.toHaveProperty('authorization');
  });

  it.each([
    [{ wire: 'chat' }, '/openai/v1/chat/completions'],
    [
      { apiVersion: '2024-10-21' },
      '/openai/deployments/my%20deployment/chat/completions?api-version=2024-10-21',
    ],
  ] as const)('uses Chat Completions with %o', async (settings, path) => {
    const baseURL = await start();
    const provider = azureOpenAI({ baseURL: `${baseURL}/openai/v1/`, apiKey: 'k', ...settings });
    const fullRequest = { ...request, userId: 'u', maxOutputTokens: 5 };
    expect(contentOf(await callProvider(provider, fullRequest))).toEqual(expected);
    expect(server?.seen[0]).toMatchObject({
      path,
      headers: { 'api-key': 'k' },
      body: { user: 'u', max_completion_tokens: 5 },
    });
  });

  it('sends Responses requests without the deployment path, and embeddings with it', async () => {
    const settings = { apiVersion: '2025-04-01-preview', wire: 'responses', apiKey: 'k' } as const;
    const provider = azureOpenAI({
      ...settings,
      baseURL: await start(answerJson(responsesAnswer)),
    });
    await callProvider(provider, request);
    const embedding = provider.prepareEmbedding?.({ provider: 'a', model: 'e', values: ['x'] });
    const parts = embedding?.send({
      signal: new AbortController().signal,
      transfer: 'unary',
      watch: { connected: () => undefined, bytes: () => undefined, limits: () => undefined },
      keepRaw: false,
    });
    // The answer has no embeddings.
    await expect(parts?.[Symbol.asyncIterator]().next()).rejects.toThrow('no vectors');
    expect(server?.seen.map(({ path }) => path)).toEqual([
      '/openai/responses?api-version=2025-04-01-preview',
      '/openai/deployments/e/embeddings?api-version=2025-04-01-preview',
    ]);
  });

  it('streams', async () => {
    const chunk = { choices: [{ index: 0, delta: { content: 'Hi' }, finish_reason: 'stop' }] };
    // Azure sends the content filter results first, in a chunk without choices.
    const filter = { choices: [], prompt_filter_results: [{ prompt_index: 0 }] };
    const baseURL = await start(answerEvents([filter, chunk]));
    const provider = azureOpenAI({ baseURL, apiKey: 'k', wire: 'chat' });
    expect(contentOf(await callProvider(provider, request))).toEqual(expected);
  });

  it('calls the token function for each attempt', async () => {
    vi.stubEnv('AZURE_OPENAI_API_KEY', 'secret');
    const baseURL = await start();
    let count = 0;
    const token = async (): Promise<string> => `token-${++count}`;
    const provider = azureOpenAI({ baseURL, token, wire: 'chat' });
    await callProvider(provider, request);
    await callProvider(provider, request);
    expect(server?.seen.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer token-1',
      'Bearer token-2',
    ]);
    expect(server?.seen[0]?.headers).not.toHaveProperty('api-key');
  });

  it('fails with auth when the token function throws', async () => {
    const token = () => Promise.reject(new Error('no identity'));
    await expect(
      callProvider(azureOpenAI({ resource: 'r', token }), request),
    ).rejects.toMatchObject({ code: 'auth', message: 'azureOpenAI().token: the function threw' });
  });

  it('reads only its environment variable for the key', async () => {
    vi.stubEnv('OPENAI_API_KEY', 'other');
    vi.stubEnv('AZURE_OPENAI_API_KEY', '');
    const baseURL = await start();
    const provider = azureOpenAI({ baseURL, wire: 'chat' });
    await expect(callProvider(provider, request)).rejects.toMatchObject({
      code: 'auth',
      message: expect.stringContaining('AZURE_OPENAI_API_KEY'),
    });
    vi.stubEnv('AZURE_OPENAI_API_KEY', 'mine');
    await callProvider(provider, request);
    expect(server?.seen.map(({ headers }) => headers['api-key'])).toEqual(['mine']);
  });

  it('uses the URL of the resource', async () => {
    const urls: string[] = [];
    const fetch: AzureOpenAISettings['fetch'] = async (input) => {
      urls.push(String(input instanceof Request ? input.url : input));
      return Response.json(chatAnswer);
    };
    await callProvider(
      azureOpenAI({ resource: 'acme-eu', wire: 'chat', apiKey: 'k', fetch }),
      request,
    );
    expect(urls).toEqual(['https://acme-eu.openai.azure.com/openai/v1/chat/completions']);
  });

  it('maps a filtered prompt to content_filter', async () => {
    const error = { code: 'content_filter', message: 'filtered', status: 400 };
    const baseURL = await start(answerJson({ error }, 400));
    await expect(
      callProvider(azureOpenAI({ baseURL, apiKey: 'k' }), request),
    ).rejects.toMatchObject({ code: 'content_filter', status: 400 });
  });

  it.each([
    ['neither resource nor baseURL', {}, 'azureOpenAI().resource: set either'],
    ['both', { resource: 'r', baseURL: 'https://x.test' }, 'set either resource'],
    ['an invalid resource name', { resource: 'evil.test/' }, 'must contain only letters'],
    ['a key and a token', { resource: 'r', apiKey: 'k', token: () => 't' }, 'together with apiKey'],
    ['an unknown wire', { resource: 'r', wire: 'rest' }, "must be 'responses' or 'chat'"],
  ])('throws for %s', (_, settings, message) => {
    expect(() => azureOpenAI(settings as AzureOpenAISettings)).toThrow(
      expect.objectContaining({ code: 'config', message: expect.stringContaining(message) }),
    );
  });
});
