import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { describe, expect, it } from 'vitest';
import { plainRequest, unparsed } from '../../../src/adapters/common/plain-request.ts';

const body = { model: 'm', messages: [{ role: 'user', content: 'ä "quoted" \n' }], stream: true };
const asked = { method: 'post', path: '/v1/ask', body } as const;

const clients = [
  ['openai', () => new OpenAI({ apiKey: 'k', baseURL: 'http://x/base', maxRetries: 0 })],
  ['@anthropic-ai/sdk', () => new Anthropic({ apiKey: 'k', baseURL: 'http://x/base' })],
] as const;

describe.each(clients)('a request of %s', (_, make) => {
  it('is the one that the SDK would build, but for the headers', async () => {
    const client = make();
    const built = await client.buildRequest({ ...asked });
    const plain = plainRequest(client, asked, new Map());
    expect(plain?.url).toBe(built.url);
    expect(plain?.url).toBe('http://x/base/v1/ask');
    expect(plain?.req.method).toBe(built.req.method);
    expect(plain?.req.body).toBe(built.req.body);
    expect([...(plain?.req.headers ?? [])]).toEqual([]);
  });

  it('goes to its own address, and with a query to that, however many came before', () => {
    const client = make();
    const known = new Map<string, string>();
    const urlOf = (path: string, query?: object) =>
      plainRequest(client, { ...asked, path, ...(query && { query }) }, known)?.url;
    expect([urlOf('/a'), urlOf('/b'), urlOf('/a', { beta: true }), urlOf('/a')]).toEqual([
      'http://x/base/a',
      'http://x/base/b',
      'http://x/base/a?beta=true',
      'http://x/base/a',
    ]);
  });

  it('carries what was handed in for the fetch', () => {
    const mark = Symbol('mark');
    const plain = plainRequest(make(), { ...asked, fetchOptions: { [mark]: 1 } }, new Map());
    expect(Reflect.get(plain?.req ?? {}, mark)).toBe(1);
  });

  it('is left to the SDK where the body is not plain JSON', () => {
    for (const odd of [undefined, null, 'text', new FormData(), new Uint8Array(2)]) {
      expect(plainRequest(make(), { ...asked, body: odd }, new Map())).toBeUndefined();
    }
  });
});

it('keeps a default query', async () => {
  const client = new OpenAI({
    apiKey: 'k',
    baseURL: 'http://x/v1',
    defaultQuery: { 'api-version': '2026-01-01' },
  });
  const built = await client.buildRequest({ ...asked });
  expect(plainRequest(client, asked, new Map())?.url).toBe(built.url);
  expect(built.url).toBe('http://x/v1/v1/ask?api-version=2026-01-01');
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
