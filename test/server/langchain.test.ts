import { HumanMessage, ToolMessage } from '@langchain/core/messages';
import { tool } from '@langchain/core/tools';
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openai } from '../../src/openai.ts';
import { clientKey, HandlerServer } from '../support/served.ts';
import { vendorNames } from '../support/vendors.ts';

let served: HandlerServer;
beforeAll(async () => {
  served = await HandlerServer.start();
});
afterAll(() => served.close());
beforeEach(() => void served.serve());

const weather = tool(({ city }: { city: string }) => `It snows in ${city}.`, {
  name: 'weather',
  description: 'The weather of a city',
  schema: z.object({ city: z.string() }),
});

const modelOf = (model: string) =>
  new ChatOpenAI({
    model,
    apiKey: clientKey,
    configuration: { baseURL: served.url },
    maxRetries: 0,
  });

describe.each(vendorNames)('LangChain on Chat Completions, with %s behind the handler', (name) => {
  const simulator = () => served.vendor(name).simulator;

  it('invokes and streams, with usage', async () => {
    simulator().answer({ text: 'Hello there', usage: { inputTokens: 11, outputTokens: 3 } });
    const answer = await modelOf(name).invoke('Hi');
    expect(answer.text).toBe('Hello there');
    expect(answer.usage_metadata).toMatchObject({ input_tokens: 11, output_tokens: 3 });
    const texts: string[] = [];
    for await (const chunk of await modelOf(name).stream('Hi')) texts.push(chunk.text);
    expect(texts.join('')).toBe('Hello there');
  });

  it('calls tools in two steps', async () => {
    simulator().answer({ toolCalls: [{ name: 'weather', input: { city: 'Oslo' } }] });
    const withTools = modelOf(name).bindTools([weather]);
    const question = new HumanMessage('Weather?');
    const first = await withTools.invoke([question]);
    const [call] = first.tool_calls ?? [];
    expect(call).toMatchObject({ name: 'weather', args: { city: 'Oslo' } });
    simulator().answer('Take a coat.');
    const result = new ToolMessage({ content: 'It snows.', tool_call_id: call?.id ?? '' });
    expect((await withTools.invoke([question, first, result])).text).toBe('Take a coat.');
    expect(JSON.stringify(simulator().log.at(-1)?.body)).toContain('It snows.');
  });

  it.each(['jsonSchema', 'functionCalling'] as const)('returns an object by %s', async (method) => {
    const city = { name: 'Oslo', degrees: -3 };
    simulator().answer(
      method === 'jsonSchema'
        ? JSON.stringify(city)
        : { toolCalls: [{ name: 'city', input: city }] },
    );
    const schema = z.object({ name: z.string(), degrees: z.number() });
    const structured = modelOf(name).withStructuredOutput(schema, { name: 'city', method });
    expect(await structured.invoke('Where?')).toEqual(city);
  });
});

it('LangChain gets embeddings', async () => {
  served.serve({
    config: {
      providers: {
        openai: openai({ apiKey: 'test-key', baseURL: served.simulators.openai.baseURL }),
      },
      tiers: { vectors: ['openai/text-embedding-3-small'] },
    },
  });
  const embeddings = new OpenAIEmbeddings({
    model: 'vectors',
    dimensions: 8,
    apiKey: clientKey,
    configuration: { baseURL: served.url },
    maxRetries: 0,
  });
  const vectors = await embeddings.embedDocuments(['one', 'two']);
  expect(vectors.map(({ length }) => length)).toEqual([8, 8]);
  expect(await embeddings.embedQuery('one')).toHaveLength(8);
});
