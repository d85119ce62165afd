import { type AnthropicProvider, createAnthropic } from '@ai-sdk/anthropic';
import { generateText, isStepCount, Output, streamText, tool } from 'ai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { clientKey, HandlerServer } from '../support/served.ts';
import { vendorNames } from '../support/vendors.ts';

let server: HandlerServer;
let provider: AnthropicProvider;
beforeAll(async () => {
  server = await HandlerServer.start();
  provider = createAnthropic({ baseURL: server.url, apiKey: clientKey });
});
afterAll(() => server.close());
beforeEach(() => {
  server.serve();
});

describe.each(vendorNames)("the AI SDK's Anthropic, with %s behind the handler", (name) => {
  const simulator = () => server.vendor(name).simulator;
  const lastBody = () => JSON.stringify(simulator().log.at(-1)?.body);
  const model = () => provider(name);

  it('generates text', async () => {
    simulator().answer({ text: 'Hello', usage: { inputTokens: 12, outputTokens: 3 } });
    const { text, finishReason, usage } = await generateText({ model: model(), prompt: 'Hi' });
    expect({ text, finishReason }).toEqual({ text: 'Hello', finishReason: 'stop' });
    expect(usage).toMatchObject({ inputTokens: 12, outputTokens: 3 });
  });

  it('streams text', async () => {
    simulator().answer({
      text: 'Hello, how are you today?',
      usage: { inputTokens: 12, outputTokens: 6 },
    });
    const result = streamText({ model: model(), prompt: 'Hi' });
    const deltas: string[] = [];
    for await (const delta of result.textStream) deltas.push(delta);
    expect(deltas.length).toBeGreaterThan(1);
    expect(deltas.join('')).toBe('Hello, how are you today?');
    expect(await result.usage).toMatchObject({ inputTokens: 12, outputTokens: 6 });
  });

  it.each(['generates', 'streams'] as const)('%s in several steps with tools', async (verb) => {
    simulator().answer(({ body }) =>
      JSON.stringify(body).includes('It snows')
        ? 'Take a coat.'
        : {
            reasoning: 'They want the weather.',
            toolCalls: [
              { name: 'weather', input: { city: 'Oslo' } },
              { name: 'weather', input: { city: 'Rome' } },
            ],
          },
    );
    const cities: string[] = [];
    const weather = tool({
      description: 'The weather of a city',
      inputSchema: z.object({ city: z.string() }),
      execute: ({ city }) => {
        cities.push(city);
        return `It snows in ${city}.`;
      },
    });
    const options = {
      model: model(),
      prompt: 'Weather?',
      tools: { weather },
      stopWhen: isStepCount(3),
      providerOptions: { anthropic: { thinking: { type: 'adaptive' as const } } },
    };
    const text =
      verb === 'generates' ? (await generateText(options)).text : await streamText(options).text;
    expect(text).toBe('Take a coat.');
    expect([...cities].sort()).toEqual(['Oslo', 'Rome']);
    const replay = {
      responses: '"encrypted_content":',
      chat: '"reasoning_content":"They want the weather."',
      anthropic: '"signature":"',
      google: '"thoughtSignature":"',
    }[name];
    expect(lastBody()).toContain(replay);
  });

  it('gets an object', async () => {
    simulator().answer(({ body }) =>
      JSON.stringify(body).includes('"json"')
        ? { toolCalls: [{ name: 'json', input: { city: 'Oslo' } }] }
        : { text: '{"city":"Oslo"}' },
    );
    const { output } = await generateText({
      model: model(),
      prompt: 'Where?',
      output: Output.object({ schema: z.object({ city: z.string() }) }),
    });
    expect(output).toEqual({ city: 'Oslo' });
  });

  it('gets a failure in the middle of a stream as an error', async () => {
    simulator().answer({ text: 'a'.repeat(200), chunkDelayMs: 1 });
    simulator().fault({ type: 'cut', afterEvents: 8 });
    const errors: unknown[] = [];
    const result = streamText({
      model: model(),
      prompt: 'Hi',
      maxRetries: 0,
      onError: ({ error }) => void errors.push(error),
    });
    for await (const _ of result.textStream);
    expect(errors).toHaveLength(1);
  });
});
