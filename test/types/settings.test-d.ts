import { Anthropic } from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import { AzureOpenAI, OpenAI } from 'openai';
import { anthropic } from '../../src/anthropic.ts';
import { google } from '../../src/google.ts';
import type { Provider } from '../../src/index.ts';
import { openai, openaiChat } from '../../src/openai.ts';
import { type Equal, expectType } from './expect-type.ts';

expectType<Equal<ReturnType<typeof openai>, Provider>>(true);
openai({ apiKey: 'k', baseURL: 'https://example.com/v1', headers: { a: 'b' }, fetch });
openaiChat({ baseURL: 'https://example.com/v1', priceList: 'mistral' });
anthropic({ anthropicVersion: '2023-06-01', authStyle: 'x-api-key' });
google({ apiVersion: 'v1' });

// A client that the user made fits as it is.
openai({ client: new OpenAI({ apiKey: 'k' }) });
openaiChat({ client: new AzureOpenAI({ apiKey: 'k', endpoint: 'https://x', apiVersion: '1' }) });
anthropic({ client: new Anthropic({ apiKey: 'k' }) });
google({ client: new GoogleGenAI({ apiKey: 'k' }) });

// Settings are those or a client, never both; unknown ones do not compile.
// @ts-expect-error
openai({ client: new OpenAI({ apiKey: 'k' }), apiKey: 'k' });
// @ts-expect-error
openai({ maxRetries: 3 });
// @ts-expect-error
anthropic({ authStyle: 'basic' });
// @ts-expect-error
google({ client: {} });
