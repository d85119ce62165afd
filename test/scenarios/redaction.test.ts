import { afterEach, describe, expect, it } from 'vitest';
import { isSignalboxError, SignalboxError } from '../../src/errors.ts';
import { openaiChat } from '../../src/openai.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import { createRouter } from '../../src/router.ts';
import { recordEvents } from '../../src/testing/record-events.ts';
import { type ScriptedServer, startScriptedServer } from '../support/scripted-server.ts';

type Answer = {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Record<string, string>;
};

let server: ScriptedServer | undefined;
afterEach(() => server?.stop());

type Settings = Parameters<typeof openaiChat>[0];

/** The outcome of one call to a vendor with this answer. */
async function ask(
  { status, body, headers }: Answer,
  settings: (baseURL: string) => Settings = (baseURL) => ({ apiKey: 'k', baseURL }),
  call: { readonly prompt?: string; readonly system?: string } = {},
) {
  server = await startScriptedServer((response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  });
  return settle(openaiChat(settings(server.url)), call);
}

async function settle(
  provider: Provider,
  { prompt = 'Hello', system }: { readonly prompt?: string; readonly system?: string } = {},
) {
  const router = createRouter({
    providers: { v: provider },
    tiers: { t: { targets: ['v/m'], maxAttempts: 1, transfer: 'unary' } },
  });
  const events = recordEvents(router);
  const options = system === undefined ? {} : { system };
  const answer = await router.complete('t', prompt, options).catch((error: unknown) => error);
  const failure = isSignalboxError(answer) ? (answer.errors?.[0] ?? answer) : undefined;
  const completion = isSignalboxError(answer)
    ? undefined
    : (answer as Awaited<ReturnType<typeof router.complete>>);
  return { events, failure, completion };
}

const httpError = (error: object): Answer => ({ status: 400, body: { error } });

describe("the parameter in a vendor's error", () => {
  it.each([
    'model',
    'messages[0].content',
    'messages.0.content.1.image_url',
    'tools[3].function.parameters',
    'max_completion_tokens',
    'generationConfig.thinkingConfig',
    'web_search_options',
  ])('is in the message when it consists of known field names: %s', async (param) => {
    const { failure } = await ask(httpError({ type: 'invalid_request_error', param }));
    expect(failure?.message).toContain(`param ${param})`);
  });

  it.each([
    'CANARYPROMPT',
    'sk-canary0123456789abcdef',
    'messages[0].canary',
    'messages[12345678901234]',
    'tools.my_secret_tool',
    '...',
    'model.'.repeat(30),
  ])('is not in the message otherwise: %s', async (param) => {
    const { failure } = await ask(httpError({ type: 'invalid_request_error', param }));
    expect(failure?.message).toBe(
      'v/m: invalid request (400, invalid_request_error): the request would fail elsewhere too',
    );
  });
});

describe('the codes of an error', () => {
  it.each(['CANARYPROMPT', 'sk-canary0123456789abcdef', 'hello_world', 'a b'])(
    'are reported as unknown when none is known: %s',
    async (code) => {
      const { failure } = await ask(httpError({ code, type: code }));
      expect(failure?.message).toContain('(400, unknown code)');
    },
  );

  it('are reported when one of them is known', async () => {
    const { failure } = await ask(httpError({ code: 'CANARY', type: 'invalid_request_error' }));
    expect(failure?.message).toContain('(400, invalid_request_error)');
  });
});

const key = 'Zq8Lw2Rt5Yx1Vb7-0f9e8d7c';
const withKey = (baseURL: string): Settings => ({ apiKey: key, baseURL });
const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('the id of a request', () => {
  const idOf = async (
    id: string,
    settings?: (baseURL: string) => Settings,
    call?: Parameters<typeof ask>[2],
  ) => {
    const headers = { 'x-request-id': id };
    const { failure } = await ask({ status: 500, body: {}, headers }, settings, call);
    return failure?.requestId;
  };

  it.each([
    'req_10d88f7d50224e4083c2fb75ed82d62a',
    '49a7f7ae-f881-4784-816e-855d03e730d8',
    'gen-1780944401-namV5AZs6fqyIUZng5UV',
    '8f1c2d3e4a5b6c7d-FRA',
  ])('is in the error: %s', async (id) => {
    expect(await idOf(id, withKey)).toBe(id);
  });

  it.each([
    ['the key', key],
    ['a part of the key', `req_${key.slice(4, 16)}`],
    ['the key in upper case', key.toUpperCase()],
    ['the key in base64', base64(key)],
    ['the key in base64 after one byte', base64(`:${key}`)],
    ['the key in base64 after two bytes', base64(`u:${key}`)],
    ['the key in base64url', Buffer.from(key).toString('base64url')],
  ])('is not in the error when it contains %s', async (_, id) => {
    expect(await idOf(id, withKey)).toBeUndefined();
  });

  it('is not in the error when it contains a key of a pool or a function', async () => {
    const pool = (baseURL: string): Settings => ({ apiKey: [key, 'another-key-0'], baseURL });
    expect(await idOf(`req_${key}`, pool)).toBeUndefined();
    await server?.stop();
    const ofFunction = (baseURL: string): Settings => ({ apiKey: async () => key, baseURL });
    expect(await idOf(`req_${key}`, ofFunction)).toBeUndefined();
  });

  it.each([
    ['a header of the settings', { 'x-portkey-api-key': key }],
    ['the password of Basic', { authorization: `Basic ${base64(`user:${key}`)}` }],
  ])('is not in the error when it contains %s', async (_, headers) => {
    const settings = (baseURL: string): Settings => ({ apiKey: 'k', baseURL, headers });
    expect(await idOf(`req_${key}`, settings)).toBeUndefined();
  });

  it('is in the error when the caller sent the same id', async () => {
    const headers = { 'x-request-id': 'my-own-id-0123' };
    const settings = (baseURL: string): Settings => ({ apiKey: 'k', baseURL, headers });
    expect(await idOf('my-own-id-0123', settings)).toBe('my-own-id-0123');
  });

  it.each([
    ['the prompt', { prompt: 'CANARYPROMPT' }, 'CANARYPROMPT'],
    ['words of the prompt', { prompt: 'my secret canary is blue' }, 'my-secret-canary-1'],
    ['the prompt in base64', { prompt: 'my secret canary' }, base64('my secret canary')],
    ['the system prompt', { system: 'CANARYPROMPT' }, 'req_CANARYPROMPT'],
  ])('is not in the error when it contains %s', async (_, call, id) => {
    expect(await idOf(id, withKey, call)).toBeUndefined();
  });

  it.each(['two words', 'x'.repeat(200), 'sk-0123456789abcdef', 'AIzaSyA0123456789'])(
    'is ignored when it does not look like an id: %s',
    async (id) => {
      expect(await idOf(id)).toBeUndefined();
    },
  );
});

function causeOf(failure: SignalboxError | undefined): Error {
  if (failure?.cause instanceof Error) return failure.cause;
  throw new Error('there is no cause');
}

describe('the cause of an error', () => {
  it.each([400, 200])('contains the text of the vendor without the key: %d', async (status) => {
    const message = `Incorrect API key provided: ${key} (${base64(key)}).`;
    const { failure } = await ask({ status, body: { error: { message, key } } }, withKey);
    const cause = causeOf(failure);
    expect(cause.message).toContain('Incorrect API key provided: [credential]');
    const all = `${cause.message} ${JSON.stringify(cause.cause)}`;
    expect(all).not.toContain(key);
    expect(all).not.toContain(base64(key).slice(0, -2));
  });

  it('contains the text without a key of the URL', async () => {
    const message = `no such key: ${key}`;
    const settings = (baseURL: string): Settings => ({
      apiKey: 'k',
      baseURL: `${baseURL}/v1?key=${key}`,
    });
    const { failure } = await ask({ status: 400, body: { error: { message } } }, settings);
    expect(causeOf(failure).message).toBe('no such key: [credential]');
  });
});

describe('the usage in events', () => {
  const answer = (usage: object): Answer => ({
    status: 200,
    body: {
      id: 'c',
      choices: [{ index: 0, message: { content: 'hi' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 5, completion_tokens: 1, total_tokens: 6, ...usage },
    },
  });

  it("has the vendor's numbers with known names, and the completion has everything", async () => {
    const known = {
      prompt_tokens_details: { cached_tokens: 0, ephemeral_5m_input_tokens: 2 },
      cost: 0.01,
      is_byok: true,
      server_tool_use: { web_search_requests: 1 },
      promptTokensDetails: [{ modality: 'TEXT', tokenCount: 5 }],
      candidatesTokenCount: 1,
    };
    const unknown = {
      CANARYPROMPT: 1,
      sk_canary0123456789: { tokens: 1 },
      service_tier: 'CANARYPROMPT',
      modality: 'CANARYPROMPT',
      tokens: [{ modality: 'CANARYPROMPT', CANARY: 1 }],
      time: 1e300,
    };
    const { events, completion } = await ask(answer({ ...known, ...unknown }));
    const raw = {
      ...{ prompt_tokens: 5, completion_tokens: 1, total_tokens: 6 },
      ...known,
      tokens: [{}],
    };
    expect(events.of('cost')[0]?.usage.raw).toEqual(raw);
    expect(events.of('attempt-end')[0]?.usage?.raw).toEqual(raw);
    expect(completion?.trail[0]?.usage?.raw).toEqual(raw);
    expect(completion?.usage.raw).toMatchObject({ ...known, ...unknown });
  });

  it('is limited in depth and length', async () => {
    const deep = { tokens: { tokens: { tokens: { tokens: { tokens: { tokens: 1 } } } } } };
    const many = Object.fromEntries(
      Array.from({ length: 99 }, (_, at) => [`input_${at}_tokens`, at]),
    );
    const { events } = await ask(answer({ ...deep, details: many }));
    const json = JSON.stringify(events.of('cost')[0]?.usage.raw);
    expect(json).not.toContain('"tokens":1}');
    expect(json.length).toBeLessThan(2_000);
  });

  it('is the same in the partial answer of an error', async () => {
    const usage = { inputTokens: 5, outputTokens: 1, totalTokens: 6, raw: { echo: 'CANARY' } };
    const provider: Provider = {
      wire: 'own',
      capabilities: () => new Set(),
      preload: async () => undefined,
      prepare: () => ({
        warnings: [],
        async *send() {
          yield [{ type: 'usage', usage } as const];
          yield [{ type: 'text-delta', delta: 'hi' } as const];
          throw new SignalboxError('stream_interrupted', 'cut', { requestId: 'req_1' });
        },
      }),
    };
    const router = createRouter({ providers: { v: provider }, tiers: { t: ['v/m'] } });
    const failure: unknown = await router
      .stream('t', 'Hello')
      .completion.catch((error: unknown) => error);
    if (!isSignalboxError(failure)) throw failure;
    expect(failure.partial?.usage).toMatchObject({ inputTokens: 5 });
    expect(JSON.stringify({ ...failure })).not.toContain('CANARY');
  });
});
