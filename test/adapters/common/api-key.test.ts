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

const refused = answerJson({ error: { message: 'no' } }, 503);
const request = requestOf({ model: 'm' });

describe.each(factories)('the key function of %s()', (name, make, header) => {
  it('is asked for each attempt', async () => {
    server = await startScriptedServer(refused);
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
    ['fails', () => Promise.reject(new Error('vault is sealed')), 'the function failed'],
    ['throws', thrower, 'the function failed'],
    ['gives nothing', () => ' ', 'the function gave no key'],
  ])('makes an auth error when it %s', async (_, apiKey, message) => {
    server = await startScriptedServer(refused);
    await expect(
      callProvider(make({ apiKey, baseURL: server.url }), request),
    ).rejects.toMatchObject({ code: 'auth', message: `${name}().apiKey: ${message}` });
    expect(server.seen).toEqual([]);
  });

  it('is not waited for once the call is aborted', async () => {
    server = await startScriptedServer(refused);
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
