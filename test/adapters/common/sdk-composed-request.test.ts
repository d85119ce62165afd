import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { describe, expect, it, vi } from 'vitest';
import {
  type ComposedRequest,
  SdkComposedRequests,
  unparsed,
} from '../../../src/adapters/common/sdk.ts';
import { ResponseCapture } from '../../../src/transport/exchange.ts';
import { type Fetch, withCapture } from '../../../src/transport/guarded-fetch.ts';

const body = { model: 'm', messages: [{ role: 'user', content: 'ä "quoted" \n' }], stream: true };
const composed = { method: 'post', path: '/v1/messages', body } as const;

const clients = [
  ['openai', () => new OpenAI({ apiKey: 'k', baseURL: 'http://x/base', maxRetries: 0 })],
  ['@anthropic-ai/sdk', () => new Anthropic({ apiKey: 'k', baseURL: 'http://x/base' })],
] as const;

function openCapture(): { fetchOptions: object; answer: Promise<unknown> } {
  const watch = { connected: () => undefined, bytes: () => undefined, limits: () => undefined };
  const capture = new ResponseCapture({ signal: new AbortController().signal, watch, key: 0 });
  return { fetchOptions: withCapture(capture), answer: capture.wait() };
}

/** Requests that replace those of a client, and a `send` that returns what was sent. */
function requestsOf(sdk: ConstructorParameters<typeof SdkComposedRequests>[0]) {
  const fetch = vi.fn<Fetch>(async () => new Response('{"real":true}'));
  const headers = () => ({ 'x-key': 'k', 'user-agent': 'signalbox/1.2.3' });
  const requests = new SdkComposedRequests(sdk, { fetch, headers });
  async function send(request: ComposedRequest) {
    const { fetchOptions, answer } = openCapture();
    await requests.request(Promise.resolve({ ...request, fetchOptions })).asResponse();
    await answer;
    const [url, init] = fetch.mock.lastCall ?? [];
    return { url, init, headers: Object.fromEntries(new Headers(init?.headers)) };
  }
  return { requests, send };
}

describe.each(clients)('a request composed by %s', (_, make) => {
  it('has the URL, method and body that the SDK would send, and the guarded headers', async () => {
    const client = make();
    const built = await client.buildRequest({ ...composed });
    const { url, init, headers } = await requestsOf(client).send(composed);
    expect(url).toBe(built.url);
    expect(url).toBe('http://x/base/v1/messages');
    expect(init?.method).toBe(built.req.method?.toUpperCase());
    expect(init?.body).toBe(built.req.body);
    expect(headers).toEqual({ 'x-key': 'k', 'user-agent': 'signalbox/1.2.3' });
  });

  it('goes to the URL of its path and query, in any order of requests', async () => {
    const { send } = requestsOf(make());
    const urls: unknown[] = [];
    for (const [path, query] of [['/a'], ['/b'], ['/a', { beta: true }], ['/a']] as const) {
      urls.push((await send({ ...composed, path, ...(query && { query }) })).url);
    }
    expect(urls).toEqual([
      'http://x/base/a',
      'http://x/base/b',
      'http://x/base/a?beta=true',
      'http://x/base/a',
    ]);
  });

  it.each<[string, (headers: Record<string, string>) => unknown]>([
    ['a table', (headers) => headers],
    ['Headers', (headers) => new Headers(headers)],
    ['pairs', (headers) => Object.entries(headers)],
    ["the SDK's own form", (headers) => ({ values: new Headers(headers), nulls: new Set() })],
  ])('keeps the headers that the SDK method sets as %s', async (_form, formOf) => {
    const set = {
      'content-type': 'application/json',
      authorization: 'Bearer a',
      'api-key': 'a',
      'x-api-key': 'a',
      'openai-organization': 'org',
      'openai-project': 'project',
      'anthropic-version': '2023-06-01',
      'anthropic-beta': 'some-beta',
      'x-goog-user-project': 'project',
      'idempotency-key': '1',
    };
    const { headers } = await requestsOf(make()).send({ ...composed, headers: formOf(set) });
    expect(headers).toEqual({ ...set, 'x-key': 'k', 'user-agent': 'signalbox/1.2.3' });
  });

  it("drops the SDK's user agent and telemetry, and prefers the guarded headers", async () => {
    const headers = {
      'User-Agent': 'sdk/1',
      'X-Stainless-Helper': 'stream',
      'X-Key': 'of the SDK',
      'x-unset': null,
    };
    const sent = await requestsOf(make()).send({ ...composed, headers });
    expect(sent.headers).toEqual({ 'x-key': 'k', 'user-agent': 'signalbox/1.2.3' });
  });

  it('fails when the SDK cannot compose it', async () => {
    const { requests } = requestsOf(make());
    const reason = new TypeError('model must be a string');
    await expect(requests.request(Promise.reject(reason)).asResponse()).rejects.toBe(reason);
  });

  it('fails when the body cannot be serialized', async () => {
    const { send } = requestsOf(make());
    await expect(send({ ...composed, body: { model: 1n } })).rejects.toThrow(/BigInt/);
  });

  it('fails outside an attempt', async () => {
    const { requests } = requestsOf(make());
    await expect(requests.request({ ...composed }).asResponse()).rejects.toThrow(
      'outside an attempt',
    );
  });
});

it('keeps the default query', async () => {
  const client = new OpenAI({
    apiKey: 'k',
    baseURL: 'http://x/v1',
    defaultQuery: { 'api-version': '2026-01-01' },
  });
  const built = await client.buildRequest({ ...composed });
  expect((await requestsOf(client).send(composed)).url).toBe(built.url);
  expect(built.url).toBe('http://x/v1/v1/messages?api-version=2026-01-01');
});

it('is sent for a method of openai', async () => {
  const { fetchOptions, answer } = openCapture();
  const fetch = vi.fn<Fetch>(async () => new Response('{}'));
  const client = new OpenAI({ apiKey: 'k', baseURL: 'http://x/v1' });
  const requests = new SdkComposedRequests(client, { fetch, headers: () => ({}) });
  client.request = ((request: ComposedRequest) => requests.request(request)) as never;
  const chat = { model: 'm', messages: [] };
  const sent = client.chat.completions.create(chat, { fetchOptions });
  expect(await sent.asResponse()).toBeUndefined();
  await answer;
  expect(fetch.mock.lastCall?.[0]).toBe('http://x/v1/chat/completions');
  expect(fetch.mock.lastCall?.[1]?.body).toBe(JSON.stringify(chat));
});

it('is sent for a method of @anthropic-ai/sdk that sets headers', async () => {
  const { fetchOptions, answer } = openCapture();
  const fetch = vi.fn<Fetch>(async () => new Response('{}'));
  const client = new Anthropic({ apiKey: 'k', baseURL: 'http://x' });
  const headers = () => ({ 'x-api-key': 'mine' });
  const requests = new SdkComposedRequests(client, { fetch, headers });
  client.request = ((request: ComposedRequest) => requests.request(request)) as never;
  const message = { model: 'm', max_tokens: 1, messages: [], betas: ['a-beta', 'b-beta'] };
  expect(await client.beta.messages.create(message, { fetchOptions }).asResponse()).toBeUndefined();
  await answer;
  const sent = Object.fromEntries(new Headers(fetch.mock.lastCall?.[1]?.headers));
  expect(sent).toEqual({ 'x-api-key': 'mine', 'anthropic-beta': 'a-beta,b-beta' });
});

describe('unparsed()', () => {
  it("returns the SDK's unparsed response", async () => {
    const sent = Object.assign(Promise.resolve('parsed'), { asResponse: async () => 'raw' });
    expect(await unparsed(sent)).toBe('raw');
  });

  it('returns what the client returns when it has no unparsed response', async () => {
    expect(await unparsed(Promise.resolve('parsed'))).toBe('parsed');
  });
});
