import { createOpenAI } from '@ai-sdk/openai';
import { Anthropic } from '@anthropic-ai/sdk';
import { AzureOpenAI, OpenAI } from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import { fromAiSdk } from '../../../src/ai-sdk.ts';
import { anthropic } from '../../../src/anthropic.ts';
import { google, vertex } from '../../../src/google.ts';
import { azureOpenAI, openai, openaiChat } from '../../../src/openai.ts';
import type { Provider } from '../../../src/protocol/provider.ts';
import { createRouter } from '../../../src/router.ts';
import { fakeProvider } from '../../../src/testing/fake-provider.ts';
import {
  answerJson,
  type ScriptedServer,
  startScriptedServer,
} from '../../support/scripted-server.ts';

type Token = () => string;

const chatBody = {
  choices: [{ index: 0, message: { role: 'assistant', content: 'ok' }, finish_reason: 'stop' }],
};
const message = {
  type: 'message',
  role: 'assistant',
  content: [{ type: 'output_text', text: 'ok' }],
};
const responsesBody = { object: 'response', status: 'completed', output: [message] };
const claudeBody = {
  type: 'message',
  role: 'assistant',
  content: [{ type: 'text', text: 'ok' }],
  stop_reason: 'end_turn',
};
const geminiBody = {
  candidates: [{ content: { role: 'model', parts: [{ text: 'ok' }] }, finishReason: 'STOP' }],
};

/** The providers that accept a function, and an answer on their wire. */
const providers: Record<string, readonly [(url: string, token: Token) => Provider, object]> = {
  'openai()': [(url, apiKey) => openai({ baseURL: url, apiKey }), responsesBody],
  'openaiChat()': [(url, apiKey) => openaiChat({ baseURL: url, apiKey }), chatBody],
  'azureOpenAI()': [(url, token) => azureOpenAI({ baseURL: url, token }), responsesBody],
  'anthropic()': [(url, apiKey) => anthropic({ baseURL: url, apiKey }), claudeBody],
  'google()': [(url, apiKey) => google({ baseURL: url, apiKey }), geminiBody],
  'vertex()': [(url, token) => vertex({ project: 'p', baseURL: url, token }), geminiBody],
  'a pool': [(url, apiKey) => openaiChat({ baseURL: url, apiKey: [apiKey] }), chatBody],
  "Anthropic's client": [
    (baseURL, token) =>
      anthropic({ client: new Anthropic({ baseURL, apiKey: async () => token() }) }),
    claudeBody,
  ],
  'a client': [
    (baseURL, token) => {
      const azureADTokenProvider = async () => token();
      const settings = { baseURL, apiVersion: '2025-03-01-preview', azureADTokenProvider };
      return openaiChat({ client: new AzureOpenAI(settings) as never });
    },
    chatBody,
  ],
};

let server: ScriptedServer | undefined;
afterEach(async () => {
  await server?.stop();
  server = undefined;
});

/** A server that accepts one token, and a function that returns one. */
async function setUp(name: string) {
  const state = { valid: 'first', current: 'first', calls: 0 };
  const entry = providers[name] ?? unseen[name];
  if (entry === undefined) throw new Error(name);
  const [make, body] = entry;
  server = await startScriptedServer((response, { headers }) => {
    const key = `${headers.authorization ?? headers['x-api-key'] ?? headers['x-goog-api-key']}`;
    const isValid = key.replace('Bearer ', '') === state.valid;
    const denied = { error: { message: 'the access token has expired' } };
    answerJson(isValid ? body : denied, isValid ? 200 : 401)(response);
  });
  const seen = server.seen;
  const provider = make(server.url, () => {
    state.calls += 1;
    return state.current;
  });
  const router = createRouter({
    providers: { p: provider, spare: fakeProvider('spare') },
    tiers: {
      t: { targets: ['p/m', 'spare/m'], transfer: 'unary' },
      alone: { targets: ['p/m'], transfer: 'unary' },
    },
  });
  const ask = async (tier: 't' | 'alone' = 't') =>
    router.complete(tier, 'hi').then(
      ({ text }) => text,
      ({ errors }: { errors: readonly { code: string }[] }) =>
        errors.map(({ code }) => code).join(),
    );
  return { state, ask, router, requests: () => seen.length };
}

describe.each(Object.keys(providers))('a key that a function returns to %s', (name) => {
  it('is asked for again when it was rejected', async () => {
    const { state, ask } = await setUp(name);
    expect(await ask()).toBe('ok');
    state.valid = 'second';
    state.current = 'first';
    const renew = ask();
    expect(await renew).toBe('spare');
    state.current = 'second';
    expect(await ask()).toBe('ok');
  });

  it('is not sent again while the function returns the same one', async () => {
    const { state, ask, requests } = await setUp(name);
    state.valid = 'second';
    for (let n = 0; n < 3; n++) expect(await ask()).toBe('spare');
    expect(requests()).toBe(1);
    expect(await ask('alone')).toBe('auth');
    state.current = 'second';
    expect(await ask('alone')).toBe('ok');
  });

  it('is sent at once when the function returns another one', async () => {
    const { state, ask, router, requests } = await setUp(name);
    state.valid = 'second';
    const original = state.current;
    Object.defineProperty(state, 'current', {
      get: () => (state.calls > 1 ? 'second' : original),
    });
    const completion = await router.complete('t', 'hi');
    expect(completion.text).toBe('ok');
    expect(completion.trail.map(({ verdict }) => verdict)).toEqual(['retry', 'done']);
    expect(requests()).toBe(2);
    expect(await ask()).toBe('ok');
  });

  it('makes the provider unavailable when the next one is rejected too', async () => {
    const { state, ask, router, requests } = await setUp(name);
    state.valid = 'none';
    Object.defineProperty(state, 'current', { get: () => `key-${state.calls}` });
    expect(await ask()).toBe('spare');
    expect(requests()).toBe(2);
    expect(await ask()).toBe('spare');
    expect(requests()).toBe(2);
    await router.close();
  });
});

/** A `fetch` that sets the key itself. */
function fetchWith(token: Token): typeof fetch {
  return (url, init) => {
    const headers = new Headers(init?.headers);
    headers.set('authorization', `Bearer ${token()}`);
    return fetch(url, { ...init, headers });
  };
}

/** Clients whose key nobody sees: their own code sets it for each request. */
const unseen: Record<string, readonly [(url: string, token: Token) => Provider, object]> = {
  "a client's fetch": [
    (baseURL, token) => {
      return openaiChat({
        client: new OpenAI({ baseURL, apiKey: 'none', fetch: fetchWith(token) }),
      });
    },
    chatBody,
  ],
  "the fetch of Anthropic's client": [
    (baseURL, token) => {
      return anthropic({
        client: new Anthropic({ baseURL, apiKey: 'none', fetch: fetchWith(token) }),
      });
    },
    claudeBody,
  ],
  'a model of the AI SDK': [
    (baseURL, token) => {
      return fromAiSdk(createOpenAI({ baseURL, apiKey: 'none', fetch: fetchWith(token) }).chat);
    },
    chatBody,
  ],
};

describe.each(Object.keys(unseen))('a key that %s sets', (name) => {
  it('is asked for again at once when it was rejected', async () => {
    const { state, ask, router, requests } = await setUp(name);
    expect(await ask()).toBe('ok');
    state.valid = 'second';
    Object.defineProperty(state, 'current', { get: () => (state.calls > 2 ? 'second' : 'first') });
    const untils: number[] = [];
    router.on('credential-rejected', ({ until, at }) => untils.push(until - at));
    expect(await ask()).toBe('ok');
    expect(requests()).toBe(3);
    // Nothing is withheld: the next key is unknown.
    expect(Math.max(...untils)).toBeLessThan(1_000);
    await router.close();
  });

  it('makes the provider unavailable when the next one is rejected too', async () => {
    const { state, ask, router, requests } = await setUp(name);
    state.valid = 'none';
    expect(await ask()).toBe('spare');
    expect(await ask()).toBe('spare');
    expect(requests()).toBe(2);
    await router.close();
  });

  it('is asked for again by calls that were under way at the rejection', async () => {
    const { state, ask, router } = await setUp(name);
    state.valid = 'second';
    Object.defineProperty(state, 'current', { get: () => (state.calls > 3 ? 'second' : 'first') });
    expect(await Promise.all([ask(), ask(), ask()])).toEqual(['ok', 'ok', 'ok']);
    await router.close();
  });
});

it('is asked for again by a client that keeps a token until it hears of the rejection', async () => {
  const valid = 'second';
  const tokens = ['first', 'second'];
  server = await startScriptedServer((response, { headers }) => {
    const isValid = headers.authorization === `Bearer ${valid}`;
    answerJson(isValid ? claudeBody : { error: { message: 'no' } }, isValid ? 200 : 401)(response);
  });
  const credentials = async () => ({ token: tokens.shift() ?? 'none', expiresAt: null });
  const p = anthropic({ client: new Anthropic({ baseURL: server.url, credentials }) });
  const router = createRouter({
    providers: { p, spare: fakeProvider('spare') },
    tiers: { t: { targets: ['p/m', 'spare/m'], transfer: 'unary' } },
  });
  expect((await router.complete('t', 'hi')).text).toBe('spare');
  expect((await router.complete('t', 'hi')).text).toBe('ok');
  await router.close();
});

it('is marked as rejected at once when it is not from a function', async () => {
  server = await startScriptedServer(answerJson({ error: { message: 'no' } }, 401));
  const p = openaiChat({ baseURL: server.url, apiKey: 'fixed' });
  const router = createRouter({
    providers: { p, spare: fakeProvider('spare') },
    tiers: { t: ['p/m', 'spare/m'] },
  });
  for (let n = 0; n < 2; n++) expect((await router.complete('t', 'hi')).text).toBe('spare');
  expect(server.seen).toHaveLength(1);
  await router.close();
});
