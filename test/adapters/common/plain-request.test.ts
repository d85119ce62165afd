import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { describe, expect, it, vi } from 'vitest';
import {
  type Composed,
  PlainRequests,
  unparsed,
} from '../../../src/adapters/openai-shared/plain-request.ts';
import { type Fetch, withCapture } from '../../../src/transport/guarded-fetch.ts';
import { ResponseCapture } from '../../../src/transport/response-capture.ts';

const body = { model: 'm', messages: [{ role: 'user', content: 'ä "quoted" \n' }], stream: true };
const asked = { method: 'post', path: '/v1/ask', body } as const;

const clients = [
  ['openai', () => new OpenAI({ apiKey: 'k', baseURL: 'http://x/base', maxRetries: 0 })],
  ['@anthropic-ai/sdk', () => new Anthropic({ apiKey: 'k', baseURL: 'http://x/base' })],
] as const;

function openCapture(): { fetchOptions: object; answer: Promise<unknown> } {
  const watch = { connected: () => undefined, bytes: () => undefined, limits: () => undefined };
  const capture = new ResponseCapture({ signal: new AbortController().signal, watch, key: 0 });
  return { fetchOptions: withCapture(capture), answer: capture.wait() };
}

/** Requests in the place of a client's own, and what they sent. */
function plain(sdk: ConstructorParameters<typeof PlainRequests>[0]) {
  const fetch = vi.fn<Fetch>(async () => new Response('{"real":true}'));
  const requests = new PlainRequests(sdk, { fetch, headers: () => ({ 'x-key': 'k' }) });
  async function send(composed: Composed) {
    const { fetchOptions, answer } = openCapture();
    await requests.request(Promise.resolve({ ...composed, fetchOptions })).asResponse();
    await answer;
    const [url, init] = fetch.mock.lastCall ?? [];
    return { url, init };
  }
  return { requests, send };
}

describe.each(clients)('a request of %s', (_, make) => {
  it('is the one that the SDK would build, but for the headers', async () => {
    const client = make();
    const built = await client.buildRequest({ ...asked });
    const { url, init } = await plain(client).send(asked);
    expect(url).toBe(built.url);
    expect(url).toBe('http://x/base/v1/ask');
    expect(init?.method).toBe(built.req.method?.toUpperCase());
    expect(init?.body).toBe(built.req.body);
    expect([...new Headers(init?.headers)]).toEqual([['x-key', 'k']]);
  });

  it('goes to its own address, and with a query to that, however many came before', async () => {
    const { send } = plain(make());
    const urls: unknown[] = [];
    for (const [path, query] of [['/a'], ['/b'], ['/a', { beta: true }], ['/a']] as const) {
      urls.push((await send({ ...asked, path, ...(query && { query }) })).url);
    }
    expect(urls).toEqual([
      'http://x/base/a',
      'http://x/base/b',
      'http://x/base/a?beta=true',
      'http://x/base/a',
    ]);
  });

  it('fails where the SDK could not say what to ask', async () => {
    const { requests } = plain(make());
    const reason = new TypeError('model must be a string');
    await expect(requests.request(Promise.reject(reason)).asResponse()).rejects.toBe(reason);
  });

  it('fails where the body cannot be sent', async () => {
    const { send } = plain(make());
    await expect(send({ ...asked, body: { model: 1n } })).rejects.toThrow(/BigInt/);
  });

  it('fails without an attempt to send it for', async () => {
    const { requests } = plain(make());
    await expect(requests.request({ ...asked }).asResponse()).rejects.toThrow('something else');
  });
});

it('keeps a default query', async () => {
  const client = new OpenAI({
    apiKey: 'k',
    baseURL: 'http://x/v1',
    defaultQuery: { 'api-version': '2026-01-01' },
  });
  const built = await client.buildRequest({ ...asked });
  expect((await plain(client).send(asked)).url).toBe(built.url);
  expect(built.url).toBe('http://x/v1/v1/ask?api-version=2026-01-01');
});

it('is what the methods of the SDK hand on', async () => {
  const { fetchOptions, answer } = openCapture();
  const fetch = vi.fn<Fetch>(async () => new Response('{}'));
  const client = new OpenAI({ apiKey: 'k', baseURL: 'http://x/v1' });
  const requests = new PlainRequests(client, { fetch, headers: () => ({}) });
  client.request = ((composed: Composed) => requests.request(composed)) as never;
  const said = { model: 'm', messages: [] };
  const sent = client.chat.completions.create(said, { fetchOptions });
  expect(await sent.asResponse()).toBeUndefined();
  await answer;
  expect(fetch.mock.lastCall?.[0]).toBe('http://x/v1/chat/completions');
  expect(fetch.mock.lastCall?.[1]?.body).toBe(JSON.stringify(said));
});

describe('an answer of an SDK', () => {
  it('is not parsed where the SDK gives it as it is', async () => {
    const sent = Object.assign(Promise.resolve('parsed'), { asResponse: async () => 'raw' });
    expect(await unparsed(sent)).toBe('raw');
  });

  it('is what a client without that gives', async () => {
    expect(await unparsed(Promise.resolve('parsed'))).toBe('parsed');
  });
});
