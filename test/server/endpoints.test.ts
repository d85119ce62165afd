import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { Hono } from 'hono';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { google } from '../../src/google.ts';
import { openai } from '../../src/openai.ts';
import { toNodeListener } from '../../src/server.ts';
import { clientKey, HandlerServer } from '../support/served.ts';

let server: HandlerServer;
let client: OpenAI;

beforeAll(async () => {
  server = await HandlerServer.start();
  client = server.openai();
  const { simulators } = server;
  server.serve({
    config: {
      providers: {
        openai: openai({ apiKey: 'test-key', baseURL: simulators.openai.baseURL }),
        google: google({ apiKey: 'test-key', baseURL: simulators.google.baseURL }),
      },
      tiers: {
        openai: ['openai/text-embedding-3-small'],
        google: ['google/gemini-embedding-001'],
        image: ['openai/gpt-image-1'],
        chat: ['openai/gpt-5.4-mini'],
        'with/slash': ['openai/gpt-5.4-mini'],
      },
    },
  });
});
afterAll(() => server.close());

describe('embeddings', () => {
  it.each(['openai', 'google'])('are the same in both formats, of %s', async (model) => {
    const input = ['one', 'two'];
    const asked = { model, input, dimensions: 8 };
    const packed = await client.embeddings.create(asked);
    const floats = await client.embeddings.create({ ...asked, encoding_format: 'float' });
    expect(packed.data.map(({ index }) => index)).toEqual([0, 1]);
    for (const [at, { embedding }] of floats.data.entries()) {
      expect(embedding).toHaveLength(8);
      for (const [index, value] of embedding.entries()) {
        expect(packed.data[at]?.embedding[index]).toBeCloseTo(value, 5);
      }
    }
    expect(packed.usage.prompt_tokens).toBeGreaterThan(0);
    const one = await client.embeddings.create({ model, input: 'one', dimensions: 8 });
    expect(one.data).toHaveLength(1);
  });

  it.each<[object, string]>([
    [{ input: [] }, 'input'],
    [{ input: [1, 2] }, 'input'],
    [{ input: ['a', 1] }, 'input[1]'],
    [{ input: Array.from({ length: 2_049 }, () => 'a') }, 'input'],
    [{ input: 'a', encoding_format: 'int8' }, 'encoding_format'],
    [{ input: 'a', dimensions: -1 }, 'dimensions'],
  ])('are refused for %j', async (body, param) => {
    const answer = await server.post('/embeddings', JSON.stringify({ model: 'openai', ...body }));
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: { param } });
  });
});

describe('images', () => {
  it('come as base64', async () => {
    const { data, usage } = await client.images.generate({
      ...{ model: 'image', prompt: 'A red square', n: 2, size: '1024x1024' },
    });
    expect(data?.map(({ b64_json }) => b64_json?.slice(0, 6))).toEqual(['iVBORw', 'iVBORw']);
    expect(usage?.output_tokens).toBeGreaterThan(0);
  });

  it.each<[object, string]>([
    [{}, 'prompt'],
    [{ prompt: 'a', n: 0 }, 'count'],
    [{ prompt: 'a', size: 'big' }, 'size'],
    [{ prompt: 'a', response_format: 'url' }, 'response_format'],
    [{ prompt: 'a', stream: true }, 'stream'],
  ])('are refused for %j', async (body, param) => {
    const text = JSON.stringify({ model: 'image', ...body });
    const answer = await server.post('/images/generations', text);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: { param } });
  });
});

it('lists tiers as models', async () => {
  const names: string[] = [];
  for await (const { id } of client.models.list()) names.push(id);
  expect(names).toEqual(['openai', 'google', 'image', 'chat', 'with/slash']);
  expect((await client.models.retrieve('with/slash')).id).toBe('with/slash');
  await expect(client.models.retrieve('none')).rejects.toThrow(OpenAI.NotFoundError);
});

describe('a framework', () => {
  const ask = { model: 'chat', messages: [{ role: 'user', content: 'Hello' } as const] };

  it.each([
    ['without a parser', false],
    ['that has parsed the body', true],
  ])('Express %s takes the listener', async (_, parses) => {
    const app = express();
    if (parses) app.use(express.json());
    app.use('/v1', toNodeListener(server.handler));
    const mounted = createServer(app).listen(0, '127.0.0.1');
    await once(mounted, 'listening');
    const { port } = mounted.address() as AddressInfo;
    const baseURL = `http://127.0.0.1:${port}/v1`;
    const other = new OpenAI({ apiKey: clientKey, baseURL, maxRetries: 0 });
    const text = await other.chat.completions.stream(ask).finalContent();
    expect(text).not.toBe('');
    mounted.closeAllConnections();
    mounted.close();
  });

  it('Hono takes the handler', async () => {
    const app = new Hono();
    app.all('/v1/*', (context) => server.handler(context.req.raw));
    const answer = await app.request('/v1/chat/completions', {
      method: 'POST',
      headers: { authorization: `Bearer ${clientKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(ask),
    });
    expect(answer.status).toBe(200);
  });
});
