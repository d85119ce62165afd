import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createRouter } from '../../src/router.ts';
import { apiKeys, createHandler, toNodeListener } from '../../src/server.ts';
import {
  type SimulatedProviders,
  simulateProviders,
} from '../../src/testing/simulate-providers.ts';
import { type Vendor, vendorNames, vendorsOf } from '../support/vendors.ts';

const key = 'client-key';
const sha256 = createHash('sha256').update(key).digest('hex');

let simulators: SimulatedProviders;
let vendors: readonly Vendor[];
let server: Server;
let client: OpenAI;

function vendor(name: Vendor['name']): Vendor {
  const found = vendors.find((each) => each.name === name);
  if (found === undefined) throw new Error(name);
  return found;
}

beforeAll(async () => {
  simulators = await simulateProviders();
  vendors = vendorsOf(simulators);
  const router = createRouter({
    providers: Object.fromEntries(vendors.map(({ name, provider }) => [name, provider])),
    tiers: Object.fromEntries(
      vendors.map(({ name, model }) => [name, [`${name}/${model}`] as const]),
    ),
    defaults: { retry: { attempts: 0 } },
  });
  const handler = createHandler(router, { authenticate: apiKeys([{ sha256, subject: 'me' }]) });
  server = createServer(toNodeListener(handler)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  client = new OpenAI({ apiKey: key, baseURL: `http://127.0.0.1:${port}/v1`, maxRetries: 0 });
});
beforeEach(() => simulators.reset());
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await simulators.close();
});

const messages = [{ role: 'user', content: 'Hello' } as const];

describe.each(vendorNames)('the openai SDK, with %s behind', (name) => {
  it('gets an answer', async () => {
    vendor(name).simulator.answer({ text: 'Hello there.' });
    const answer = await client.chat.completions.create({ model: name, messages });
    expect(answer.choices[0]).toMatchObject({
      finish_reason: 'stop',
      message: { role: 'assistant', content: 'Hello there.', refusal: null },
    });
    expect(answer.model).toBe(name);
    expect(answer.usage?.total_tokens).toBeGreaterThan(0);
  });

  it('gets a stream, with usage if it asks', async () => {
    vendor(name).simulator.answer({ chunks: ['Hello ', 'there.'] });
    const stream = await client.chat.completions.create({
      ...{ model: name, messages, stream: true },
      stream_options: { include_usage: true },
    });
    const texts: string[] = [];
    let usage: OpenAI.CompletionUsage | null | undefined;
    for await (const chunk of stream) {
      texts.push(chunk.choices[0]?.delta.content ?? '');
      usage = chunk.usage ?? usage;
    }
    expect(texts.filter((text) => text !== '')).toEqual(['Hello ', 'there.']);
    expect(usage?.completion_tokens).toBeGreaterThan(0);
  });

  it('gets an error that has a status before the stream starts', async () => {
    vendor(name).simulator.fault({ type: 'status', status: 429, retryAfterSeconds: 3_600 });
    const failed = client.chat.completions.create({ model: name, messages, stream: true });
    const error = await failed.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(OpenAI.RateLimitError);
    expect(error).toMatchObject({ status: 429, code: 'rate_limit_exceeded' });
  });

  it('throws when the answer breaks off', async () => {
    vendor(name).simulator.answer({ chunks: ['one ', 'two ', 'three'] });
    vendor(name).simulator.fault({ type: 'truncate', afterEvents: 100 });
    const stream = await client.chat.completions.create({ model: name, messages, stream: true });
    const read = async (): Promise<void> => {
      for await (const _ of stream);
    };
    await expect(read()).rejects.toThrow(OpenAI.APIError);
  });
});

it('rejects a request without a key, with a wrong one, and for an unknown model', async () => {
  const other = client.withOptions({ apiKey: 'another' });
  await expect(other.chat.completions.create({ model: 'chat', messages })).rejects.toMatchObject({
    status: 401,
    code: 'invalid_api_key',
  });
  await expect(client.chat.completions.create({ model: 'none', messages })).rejects.toMatchObject({
    status: 404,
    code: 'model_not_found',
  });
});
