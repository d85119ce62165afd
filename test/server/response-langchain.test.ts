import { AIMessage, HumanMessage, ToolMessage } from '@langchain/core/messages';
import { tool } from '@langchain/core/tools';
import { ChatOpenAI } from '@langchain/openai';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { clientKey, HandlerServer } from '../support/served.ts';
import { vendorNames } from '../support/vendors.ts';
import { reasoningSignature, replayed } from './replayed.ts';

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

describe.each(vendorNames)('LangChain on Responses, with %s behind the handler', (name) => {
  const simulator = () => served.vendor(name).simulator;
  const model = (settings: object = {}) =>
    new ChatOpenAI({
      model: name,
      apiKey: clientKey,
      configuration: { baseURL: served.url },
      useResponsesApi: true,
      maxRetries: 0,
      ...settings,
    });

  test('streams text', async () => {
    simulator().answer('Hello, how are you today?');
    const texts: string[] = [];
    for await (const chunk of await model().stream('Hi')) texts.push(chunk.text);
    expect(texts.join('')).toBe('Hello, how are you today?');
  });

  test('calls tools in two steps, and keeps the reasoning', async () => {
    simulator().answer({
      text: 'Let me see.',
      reasoning: 'They want the weather.',
      reasoningSignature,
      toolCalls: [{ name: 'weather', input: { city: 'Oslo' } }],
    });
    const agent = model({ zdrEnabled: true, reasoning: { effort: 'low', summary: 'auto' } });
    const withTools = agent.bindTools([weather]);
    const question = new HumanMessage('Weather?');
    const first = await withTools.invoke([question]);
    expect(first).toBeInstanceOf(AIMessage);
    const [call] = first.tool_calls ?? [];
    expect(call).toMatchObject({ name: 'weather', args: { city: 'Oslo' } });
    simulator().answer('Take a coat.');
    const result = new ToolMessage({ content: 'It snows.', tool_call_id: call?.id ?? '' });
    const second = await withTools.invoke([question, first, result]);
    expect(second.text).toBe('Take a coat.');
    const body = JSON.stringify(simulator().log.at(-1)?.body);
    expect(body).toContain('It snows.');
    expect(body).toContain(replayed[name]);
  });
});
