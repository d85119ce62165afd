import { Anthropic } from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import { AzureOpenAI, OpenAI } from 'openai';
import { Agent } from 'undici';
import { Agent as AgentV6 } from 'undici-v6';
import { ProxyAgent as ProxyAgentV7 } from 'undici-v7';
import { anthropic } from '../../src/anthropic.ts';
import { mistral, openaiCompatible } from '../../src/compatible.ts';
import { google, vertex } from '../../src/google.ts';
import type { Provider, Tags } from '../../src/index.ts';
import { azureOpenAI, openai, openaiChat } from '../../src/openai.ts';
import { type Equal, expectType } from './expect-type.ts';

expectType<Equal<ReturnType<typeof openai>, Provider>>(true);
openai({ apiKey: 'k', baseURL: 'https://example.com/v1', headers: { a: 'b' }, fetch });
openaiChat({ baseURL: 'https://example.com/v1', priceList: 'mistral' });
anthropic({ anthropicVersion: '2023-06-01', authStyle: 'x-api-key' });
google({ apiVersion: 'v1' });
mistral({ apiKey: async () => 'k' });
openaiCompatible({ profile: 'groq', apiKey: () => 'k' });
openaiCompatible({ profile: { reasoningIn: 'thinking' }, baseURL: 'https://example.com/v1' });
azureOpenAI({ resource: 'r', token: async () => 't' });
vertex({ project: 'p', location: 'eu', token: () => 't' });

// Dispatchers of all supported `undici` versions are accepted.
openai({ dispatcher: new Agent() });
anthropic({ dispatcher: new AgentV6() });
google({ dispatcher: new ProxyAgentV7('http://proxy') });
vertex({ project: 'p', location: 'eu', dispatcher: new Agent() });

// Clients created by the user are accepted.
openai({ client: new OpenAI({ apiKey: 'k' }) });
openaiChat({ client: new AzureOpenAI({ apiKey: 'k', endpoint: 'https://x', apiVersion: '1' }) });
anthropic({ client: new Anthropic({ apiKey: 'k' }) });
google({ client: new GoogleGenAI({ apiKey: 'k' }) });

// A function for the key gets the call's tags.
openai({
  apiKey: ({ tags }) => {
    expectType<Equal<typeof tags, Tags>>(true);
    return tags.customer;
  },
});
openaiChat({ apiKey: async ({ tags }) => tags.customer });
anthropic({ apiKey: ({ tags }) => tags.customer ?? 'k' });
google({ apiKey: ({ tags }) => tags.customer });
mistral({ apiKey: ({ tags }) => tags.customer });
azureOpenAI({ resource: 'r', apiKey: ({ tags }) => tags.customer });
// @ts-expect-error
openai({ apiKey: ({ tags }) => tags.customer?.length });
// @ts-expect-error a function of tags is not one key of a pool
openai({ apiKey: ['k', ({ tags }) => tags.customer] });
// @ts-expect-error a client has its own key
openai({ client: new OpenAI({ apiKey: 'k' }), apiKey: ({ tags }) => tags.customer });

// Settings and a client are mutually exclusive; unknown settings do not compile.
// @ts-expect-error
openai({ client: new OpenAI({ apiKey: 'k' }), apiKey: 'k' });
// @ts-expect-error
openai({ maxRetries: 3 });
// @ts-expect-error
anthropic({ authStyle: 'basic' });
// @ts-expect-error
google({ client: {} });
// @ts-expect-error
openai({ dispatcher: {} });
// @ts-expect-error
openaiCompatible({ profile: 'gorq' });
// @ts-expect-error
openaiCompatible({ profile: { turns: 'odd' } });
// @ts-expect-error
vertex({ location: 'eu' });
