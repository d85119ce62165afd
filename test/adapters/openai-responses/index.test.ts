import { OpenAI } from 'openai';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openai } from '../../../src/adapters/openai-responses/index.ts';
import { partsIn } from '../../support/batches.ts';
import { callProvider, finishOf, requestOf } from '../../support/provider-calls.ts';
import {
  answerEvents,
  answerJson,
  type ScriptedServer,
  startScriptedServer,
} from '../../support/scripted-server.ts';

let server: ScriptedServer | undefined;

afterEach(async () => {
  await server?.stop();
  server = undefined;
});

const answer = answerJson({ id: 'r', status: 'completed', output: [] });
const request = requestOf({ model: 'gpt-5.4' });

async function start(answering = answer): Promise<string> {
  server = await startScriptedServer(answering);
  return `${server.url}/v1`;
}

describe('openai()', () => {
  it('sends only the required headers in any environment', async () => {
    vi.stubEnv('OPENAI_CUSTOM_HEADERS', 'Authorization: Bearer EVIL\nX-Evil: 1\nAccept: text/evil');
    vi.stubEnv('OPENAI_BASE_URL', 'http://127.0.0.1:9/evil');
    vi.stubEnv('OPENAI_ORG_ID', 'org-evil');
    vi.stubEnv('OPENAI_PROJECT_ID', 'proj-evil');
    vi.stubEnv('OPENAI_ADMIN_KEY', 'evil');
    vi.stubEnv('OPENAI_API_KEY', 'evil');
    const baseURL = await start();
    await callProvider(openai({ apiKey: 'k', baseURL, headers: { 'X-Mine': 'yes' } }), request);
    const [seen] = server?.seen ?? [];
    expect(seen?.path).toBe('/v1/responses');
    expect(seen?.headers).toMatchObject({
      authorization: 'Bearer k',
      'x-mine': 'yes',
      accept: 'application/json',
      'content-type': 'application/json',
    });
    expect(JSON.stringify(seen?.headers)).not.toMatch(/evil|stainless/i);
  });

  it('reads the key from the environment at the first call', async () => {
    const baseURL = await start();
    const provider = openai({ baseURL });
    vi.stubEnv('OPENAI_API_KEY', 'from-env');
    await callProvider(provider, request);
    expect(server?.seen[0]?.headers.authorization).toBe('Bearer from-env');
  });

  it('fails the call, not the process, without a key', async () => {
    vi.stubEnv('OPENAI_API_KEY', '');
    vi.stubEnv('OPENAI_ADMIN_KEY', 'evil');
    await expect(callProvider(openai(), request)).rejects.toMatchObject({
      code: 'auth',
      message: expect.stringContaining('OPENAI_API_KEY'),
    });
  });

  it('needs no key with a credential header', async () => {
    vi.stubEnv('OPENAI_API_KEY', '');
    const baseURL = await start();
    await callProvider(openai({ baseURL, headers: { 'Api-Key': 'mine' } }), request);
    expect(server?.seen[0]?.headers).toMatchObject({ 'api-key': 'mine' });
    expect(server?.seen[0]?.headers.authorization).toBeUndefined();
  });

  it("merges the caller's fields over the body", async () => {
    const baseURL = await start();
    const provider = openai({ apiKey: 'k', baseURL });
    const extraBody = { store: true, reasoning: { summary: 'auto' } };
    await callProvider(provider, { ...request, reasoning: { effort: 'low' }, extraBody });
    expect(server?.seen[0]?.body).toMatchObject({
      store: true,
      reasoning: { effort: 'low', summary: 'auto' },
    });
  });

  it('sends through the configured fetch', async () => {
    const fetch = vi.fn(async () => Response.json({ status: 'completed', output: [] }));
    const parts = await callProvider(openai({ apiKey: 'k', fetch }), request);
    expect(finishOf(parts).finishReason).toBe('stop');
    expect(fetch).toHaveBeenCalledExactlyOnceWith(
      'https://api.openai.com/v1/responses',
      expect.objectContaining({ redirect: 'manual' }),
    );
  });

  it('uses a client unchanged, except for its retries', async () => {
    const baseURL = await start(answerJson({ error: { message: 'No' } }, 500));
    const client = new OpenAI({
      apiKey: 'theirs',
      baseURL,
      organization: 'org-theirs',
      maxRetries: 5,
      logLevel: 'off',
    });
    await expect(callProvider(openai({ client }), request)).rejects.toMatchObject({
      code: 'server_error',
    });
    expect(server?.seen).toHaveLength(1);
    expect(server?.seen[0]?.headers).toMatchObject({
      authorization: 'Bearer theirs',
      'openai-organization': 'org-theirs',
    });
  });

  it("fails with auth when the client's credentials fail", async () => {
    const client = new OpenAI({
      apiKey: () => Promise.reject(new Error('no token')),
      baseURL: 'http://127.0.0.1:9',
      logLevel: 'off',
    });
    await expect(callProvider(openai({ client }), request)).rejects.toMatchObject({ code: 'auth' });
  });

  it('closes the socket when the signal aborts, and throws its reason', async () => {
    const baseURL = await start(
      answerEvents([{ type: 'response.created', response: { id: 'r' } }], { ending: 'stall' }),
    );
    const controller = new AbortController();
    const closed = server?.closed();
    const call = openai({ apiKey: 'k', baseURL }).prepare(request);
    const reason = new Error('enough');
    const reading = (async () => {
      const context = {
        signal: controller.signal,
        transfer: 'stream' as const,
        keepRaw: false,
        watch: { connected: () => undefined, bytes: () => undefined, limits: () => undefined },
      };
      for await (const part of partsIn(call.send(context))) {
        if (part.type === 'open') controller.abort(reason);
      }
    })();
    await expect(reading).rejects.toBe(reason);
    await closed;
  });

  it('closes the socket when the reader stops', async () => {
    const event = { type: 'response.output_text.delta', output_index: 0, delta: 'Hi' };
    const baseURL = await start(answerEvents([event], { ending: 'stall' }));
    const closed = server?.closed();
    const call = openai({ apiKey: 'k', baseURL }).prepare(request);
    const context = {
      signal: new AbortController().signal,
      transfer: 'stream' as const,
      keepRaw: false,
      watch: { connected: () => undefined, bytes: () => undefined, limits: () => undefined },
    };
    for await (const part of partsIn(call.send(context))) {
      if (part.type === 'text-delta') break;
    }
    await closed;
    expect(server?.seen).toHaveLength(1);
  });

  it.each<[string, object, string]>([
    ['an unknown setting', { apikey: 'k' }, 'openai().apikey'],
    ['an address that is none', { baseURL: 'api.openai.com' }, 'openai().baseURL'],
    ['a key that is no string', { apiKey: 5 }, 'openai().apiKey'],
    ['headers that are no strings', { headers: { a: 1 } }, 'openai().headers'],
    ['a client that is none', { client: {} }, 'openai().client'],
    [
      'settings together with a client',
      { client: new OpenAI({ apiKey: 'k' }), apiKey: 'k' },
      'openai().apiKey',
    ],
  ])('throws for %s', (_what, settings, path) => {
    expect(() => openai(settings as Parameters<typeof openai>[0])).toThrow(
      expect.objectContaining({ code: 'config', message: expect.stringContaining(path) }),
    );
  });

  it('returns the capabilities of models', () => {
    const provider = openai();
    expect(provider.priceList).toBe('openai');
    expect([...provider.capabilities('gpt-5.4')].toSorted()).toEqual([
      'files',
      'structured-output',
      'tools',
      'vision',
    ]);
    expect(provider.capabilities('gpt-3.5-turbo').has('vision')).toBe(false);
  });
});
