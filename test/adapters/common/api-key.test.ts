import { afterEach, describe, expect, it, vi } from 'vitest';
import { anthropic } from '../../../src/anthropic.ts';
import { mistral } from '../../../src/compatible.ts';
import { google } from '../../../src/google.ts';
import type { Provider } from '../../../src/index.ts';
import { openai, openaiChat } from '../../../src/openai.ts';
import { callProvider, requestOf } from '../../support/provider-calls.ts';
import {
  answerJson,
  type ScriptedServer,
  startScriptedServer,
} from '../../support/scripted-server.ts';

type Settings = { readonly apiKey: () => string | Promise<string>; readonly baseURL: string };

const factories: readonly (readonly [string, (settings: Settings) => Provider, string])[] = [
  ['openai', openai, 'authorization'],
  ['openaiChat', openaiChat, 'authorization'],
  ['anthropic', anthropic, 'authorization'],
  ['google', google, 'x-goog-api-key'],
  ['mistral', mistral, 'authorization'],
];

let server: ScriptedServer | undefined;

afterEach(async () => {
  await server?.stop();
  server = undefined;
});

const unavailable = answerJson({ error: { message: 'no' } }, 503);
const request = requestOf({ model: 'm' });

describe.each(factories)('the key function of %s()', (name, make, header) => {
  it('is called for each attempt', async () => {
    server = await startScriptedServer(unavailable);
    const apiKey = vi.fn<() => Promise<string>>();
    apiKey.mockResolvedValueOnce('first').mockResolvedValueOnce('second');
    const provider = make({ apiKey, baseURL: server.url });
    expect(apiKey).not.toHaveBeenCalled();
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(callProvider(provider, request)).rejects.toMatchObject({ status: 503 });
    }
    const sent = server.seen.map(({ headers }) => String(headers[header]).replace('Bearer ', ''));
    expect(sent).toEqual(['first', 'second']);
  });

  it.each([
    ['rejects', () => Promise.reject(new Error('vault is sealed')), 'the function threw'],
    ['throws', thrower, 'the function threw'],
    ['returns a blank string', () => ' ', 'the function returned no key'],
  ])('fails with auth when it %s', async (_, apiKey, message) => {
    server = await startScriptedServer(unavailable);
    await expect(
      callProvider(make({ apiKey, baseURL: server.url }), request),
    ).rejects.toMatchObject({ code: 'auth', message: `${name}().apiKey: ${message}` });
    expect(server.seen).toEqual([]);
  });

  it('is not awaited after the call is aborted', async () => {
    server = await startScriptedServer(unavailable);
    const controller = new AbortController();
    const reason = new Error('enough');
    const apiKey = (): Promise<string> => {
      setTimeout(() => controller.abort(reason), 5);
      return new Promise(() => undefined);
    };
    const { signal } = controller;
    await expect(
      callProvider(make({ apiKey, baseURL: server.url }), request, { signal }),
    ).rejects.toBe(reason);
  });
});

function thrower(): string {
  throw new Error('no vault');
}

describe.each(factories)('a key of %s() that no header can carry', (_, make) => {
  it.each(['one\ntwo', 'schlüssel', 'key–with–dashes', 'a\u0000b'])(
    'fails before anything is sent, and is not in the error (%j)',
    async (secret) => {
      server = await startScriptedServer(unavailable);
      const provider = make({ apiKey: () => secret, baseURL: server.url });
      const failure = await callProvider(provider, request).catch((error: unknown) => error);
      expect(failure).toMatchObject({
        code: 'auth',
        message: expect.stringMatching(/\(\)\.apiKey: contains .+ not allowed in a header/),
      });
      expect(String(failure)).not.toContain(secret);
      expect(server.seen).toEqual([]);
    },
  );
});

describe('a key from the environment that no header can carry', () => {
  it('fails with the name of its variable', async () => {
    vi.stubEnv('MISTRAL_API_KEY', 'one\ntwo');
    await expect(callProvider(mistral(), request)).rejects.toMatchObject({
      code: 'auth',
      message: expect.stringContaining('the variable MISTRAL_API_KEY: contains'),
    });
  });

  it('may end with a line break', async () => {
    server = await startScriptedServer(unavailable);
    vi.stubEnv('MISTRAL_API_KEY', 'secret\n');
    await callProvider(mistral({ baseURL: server.url }), request).catch(() => undefined);
    expect(server.seen[0]?.headers.authorization).toBe('Bearer secret');
  });
});

describe('settings that cannot be sent', () => {
  it.each([
    [{ headers: { 'x-team': 'a\nb' } }, 'anthropic().headers: must be'],
    [{ headers: { 'x team': 'a' } }, 'anthropic().headers: must be'],
    [{ headers: { 'x-team': 'a–b' } }, 'anthropic().headers: must be'],
    [{ baseURL: 'https://me:secret@example.com' }, 'anthropic().baseURL: must be'],
  ])('throw at creation: %j', (settings, message) => {
    expect(() => anthropic(settings)).toThrow(
      expect.objectContaining({ code: 'config', message: expect.stringContaining(message) }),
    );
  });

  it('fail with config for a port that fetch blocks', async () => {
    const { fetch } = globalThis;
    const provider = anthropic({ apiKey: 'k', baseURL: 'http://127.0.0.1:6666', fetch });
    await expect(callProvider(provider, request)).rejects.toMatchObject({
      code: 'config',
      message: expect.stringContaining('check baseURL'),
    });
  });
});
