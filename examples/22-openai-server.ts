// A server that clients of OpenAI's API can call: their models are the tiers of the router.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import OpenAI from 'openai';
import { createRouter } from 'signalbox';
import { apiKeys, createHandler, toNodeListener } from 'signalbox/server';
import { close, providers } from './providers.ts';

const router = createRouter({
  providers,
  tiers: {
    chat: ['anthropic/claude-haiku-4-5', 'openai/gpt-5.4-mini'],
    secret: ['openai/gpt-5.4-mini'],
  },
});
const sha256 = (key: string): string => createHash('sha256').update(key).digest('hex');
const authenticate = apiKeys([
  { sha256: sha256('key-of-ann'), subject: 'ann', tiers: ['chat'], expose: true },
]);
const server = createServer(toNodeListener(createHandler(router, { authenticate })));
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;

const baseURL = `http://127.0.0.1:${port}/v1`;
const client = new OpenAI({ baseURL, apiKey: 'key-of-ann', maxRetries: 0 });
const messages = [{ role: 'user', content: 'Say hello.' } as const];

const { data, response } = await client.chat.completions
  .create({ model: 'chat', messages })
  .withResponse();
console.log(`${response.headers.get('x-signalbox-target')}: ${data.choices[0]?.message.content}`);

const stream = client.chat.completions.stream({ model: 'chat', messages });
console.log(`streamed: ${await stream.finalContent()}`);

const models = await client.models.list();
console.log(`models of ann: ${models.data.map(({ id }) => id).join(', ')}`);

await client.chat.completions.create({ model: 'secret', messages }).catch((error: unknown) => {
  if (error instanceof OpenAI.APIError) console.log(`secret: ${error.status} ${error.code}`);
});

server.close();
await close();
