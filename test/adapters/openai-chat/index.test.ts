import { AzureOpenAI } from 'openai';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openaiChat } from '../../../src/adapters/openai-chat/index.ts';
import { partsIn } from '../../support/batches.ts';
import { callProvider, requestOf } from '../../support/provider-calls.ts';
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

const answer = answerJson({ choices: [{ message: { content: 'Hi' }, finish_reason: 'stop' }] });
const request = requestOf({ model: 'm' });

async function start(answering = answer): Promise<string> {
  server = await startScriptedServer(answering);
  return `${server.url}/v1`;
}

describe('openaiChat()', () => {
  it("never sends OpenAI's key to another vendor", async () => {
    vi.stubEnv('OPENAI_API_KEY', 'secret');
    vi.stubEnv('OPENAI_CUSTOM_HEADERS', 'X-Evil: 1');
    const baseURL = await start();
    await callProvider(openaiChat({ baseURL }), request);
    await callProvider(openaiChat({ baseURL, apiKey: 'theirs' }), request);
    expect(server?.seen.map((seen) => seen.headers.authorization)).toEqual([
      'Bearer none',
      'Bearer theirs',
    ]);
    expect(server?.seen[0]?.path).toBe('/v1/chat/completions');
    expect(JSON.stringify(server?.seen[0]?.headers)).not.toMatch(/secret|evil|stainless/i);
  });

  it('requires a key for OpenAI', async () => {
    vi.stubEnv('OPENAI_API_KEY', '');
    for (const baseURL of ['https://api.openai.com/v1', 'https://eu.api.openai.com/v1']) {
      await expect(callProvider(openaiChat({ baseURL }), request)).rejects.toMatchObject({
        code: 'auth',
      });
    }
  });

  it('requests usage only with a stream', async () => {
    const baseURL = await start();
    const provider = openaiChat({ baseURL });
    await callProvider(provider, request);
    await callProvider(provider, request, { transfer: 'unary' });
    const [streamed, whole] = server?.seen ?? [];
    expect(streamed?.body).toMatchObject({ stream: true, stream_options: { include_usage: true } });
    expect(whole?.body).toMatchObject({ stream: false });
    expect(whole?.body).not.toHaveProperty('stream_options');
  });

  it("merges the caller's fields over the body", async () => {
    const baseURL = await start();
    const extraBody = { stream_options: { include_usage: false }, top_k: 3 };
    await callProvider(openaiChat({ baseURL }), { ...request, extraBody });
    expect(server?.seen[0]?.body).toMatchObject(extraBody);
  });

  it('accepts an Azure client, with its URL and key', async () => {
    await start();
    const client = new AzureOpenAI({
      endpoint: server?.url ?? '',
      apiKey: 'azure',
      apiVersion: '2024-10-21',
      logLevel: 'off',
    });
    await callProvider(openaiChat({ client }), requestOf({ model: 'my-deployment' }));
    expect(server?.seen[0]).toMatchObject({
      path: '/openai/deployments/my-deployment/chat/completions?api-version=2024-10-21',
      headers: { 'api-key': 'azure' },
    });
  });

  it('closes the socket when the signal aborts, and throws its reason', async () => {
    const chunk = { choices: [{ index: 0, delta: { content: 'Hi' } }] };
    const baseURL = await start(answerEvents([chunk], { ending: 'stall' }));
    const closed = server?.closed();
    const controller = new AbortController();
    const reason = new Error('enough');
    const call = openaiChat({ baseURL }).prepare(request);
    const reading = (async () => {
      const context = {
        signal: controller.signal,
        transfer: 'stream' as const,
        keepRaw: false,
        watch: { connected: () => undefined, bytes: () => undefined, limits: () => undefined },
      };
      for await (const part of partsIn(call.send(context))) {
        if (part.type === 'text-delta') controller.abort(reason);
      }
    })();
    await expect(reading).rejects.toBe(reason);
    await closed;
  });

  it('throws the abort reason when aborted inside a JSON body', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const baseURL = await start((response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{"choices":[', () => setTimeout(() => controller.abort(reason), 10));
    });
    const { signal } = controller;
    await expect(
      callProvider(openaiChat({ baseURL }), request, { transfer: 'unary', signal }),
    ).rejects.toBe(reason);
  });

  it('fails with connection for an unreachable server', async () => {
    const baseURL = await start();
    await server?.stop();
    await expect(callProvider(openaiChat({ baseURL }), request)).rejects.toMatchObject({
      code: 'connection',
    });
  });

  it("uses OpenAI's price list, or the configured one", () => {
    const baseURL = 'https://llm.test/v1';
    expect(openaiChat().priceList).toBe('openai');
    expect(openaiChat({ baseURL }).priceList).toBe('openai');
    expect(openaiChat({ baseURL, priceList: 'mistral' }).priceList).toBe('mistral');
  });

  it("assumes all capabilities for other vendors' models", () => {
    const { capabilities } = openaiChat({ baseURL: 'https://llm.test/v1' });
    expect(capabilities('gpt-3.5-turbo').has('vision')).toBe(true);
    expect(openaiChat().capabilities('gpt-3.5-turbo').has('vision')).toBe(false);
  });

  it.each<[string, unknown, string]>([
    ['an unknown setting', { model: 'm' }, 'openaiChat().model'],
    ['a price list that is no string', { priceList: 5 }, 'openaiChat().priceList'],
    ['settings that are none', null, 'openaiChat()'],
  ])('throws for %s', (_what, settings, path) => {
    expect(() => openaiChat(settings as Parameters<typeof openaiChat>[0])).toThrow(
      expect.objectContaining({ code: 'config', message: expect.stringContaining(path) }),
    );
  });
});
