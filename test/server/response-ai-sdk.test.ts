import { createOpenAI, type OpenAIProvider } from '@ai-sdk/openai';
import { generateText, isStepCount, Output, streamText, tool } from 'ai';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { clientKey, HandlerServer } from '../support/served.ts';
import { vendorNames } from '../support/vendors.ts';
import { reasoningSignature, replayed } from './replayed.ts';

let served: HandlerServer;
let provider: OpenAIProvider;
beforeAll(async () => {
  served = await HandlerServer.start();
  provider = createOpenAI({ baseURL: served.url, apiKey: clientKey });
});
afterAll(() => served.close());
beforeEach(() => void served.serve());

const apis = ['responses', 'chat'] as const;

describe.each(vendorNames)("the AI SDK's OpenAI, with %s behind the handler", (name) => {
  const simulator = () => served.vendor(name).simulator;
  const lastBody = () => JSON.stringify(simulator().log.at(-1)?.body);

  test.each(apis)('generates and streams text over %s', async (api) => {
    const text = 'Hello, how are you today?';
    simulator().answer({ text, usage: { inputTokens: 12, outputTokens: 6 } });
    const options = { model: provider[api](name), prompt: 'Hi' };
    const whole = await generateText(options);
    expect(whole).toMatchObject({ text, finishReason: 'stop' });
    expect(whole.usage).toMatchObject({ inputTokens: 12, outputTokens: 6 });
    const result = streamText(options);
    const deltas: string[] = [];
    for await (const delta of result.textStream) deltas.push(delta);
    expect(deltas.length).toBeGreaterThan(1);
    expect(deltas.join('')).toBe(text);
    expect(await result.usage).toMatchObject({ inputTokens: 12, outputTokens: 6 });
  });

  const cities: string[] = [];
  const weather = tool({
    description: 'The weather of a city',
    inputSchema: z.object({ city: z.string() }),
    execute: ({ city }) => {
      cities.push(city);
      return `It snows in ${city}.`;
    },
  });
  const steps = {
    prompt: 'Weather?',
    tools: { weather },
    stopWhen: isStepCount(3),
  };
  const answerSteps = (text?: string) =>
    simulator().answer(({ body }) =>
      JSON.stringify(body).includes('It snows')
        ? 'Take a coat.'
        : {
            text,
            reasoning: 'They want the weather.',
            reasoningSignature,
            toolCalls: [
              { name: 'weather', input: { city: 'Oslo' } },
              { name: 'weather', input: { city: 'Rome' } },
            ],
          },
    );

  test.each([
    ['generates', generateText],
    ['streams', streamText],
  ] as const)('%s in several steps with tools', async (_, run) => {
    answerSteps();
    cities.length = 0;
    for (const api of apis) {
      const { text } = await run({ ...steps, model: provider[api](name) });
      expect(await text).toBe('Take a coat.');
    }
    expect([...cities].sort()).toEqual(['Oslo', 'Oslo', 'Rome', 'Rome']);
  });

  test.each([
    ['generates', generateText],
    ['streams', streamText],
  ] as const)('%s in several steps with text and reasoning, without storage', async (_, run) => {
    answerSteps('Let me see.');
    const openai = { store: false, reasoningSummary: 'auto', forceReasoning: true };
    const { text } = await run({
      ...steps,
      model: provider.responses(name),
      providerOptions: { openai },
    });
    expect(await text).toBe('Take a coat.');
    expect(lastBody()).toContain('Let me see.');
    expect(lastBody()).toContain(replayed[name]);
  });

  test.each(apis)('gets an object over %s', async (api) => {
    simulator().answer('{"city":"Oslo"}');
    const { output } = await generateText({
      model: provider[api](name),
      prompt: 'Where?',
      output: Output.object({ schema: z.object({ city: z.string() }) }),
    });
    expect(output).toEqual({ city: 'Oslo' });
  });

  test('gets a failure in the middle of a stream as an error', async () => {
    simulator().answer({ text: 'a'.repeat(200), chunkDelayMs: 1 });
    simulator().fault({ type: 'cut', afterEvents: 8 });
    const errors: unknown[] = [];
    const result = streamText({
      model: provider(name),
      prompt: 'Hi',
      maxRetries: 0,
      onError: ({ error }) => void errors.push(error),
    });
    for await (const _ of result.textStream);
    expect(errors).toHaveLength(1);
  });
});

test('tells clients that refer to stored text what to set', async () => {
  served.simulators.anthropic.answer({
    text: 'Let me see.',
    reasoning: 'They want the weather.',
    toolCalls: [{ name: 'weather', input: { city: 'Oslo' } }],
  });
  const call = generateText({
    model: provider.responses('anthropic'),
    prompt: 'Weather?',
    tools: { weather: tool({ inputSchema: z.object({}), execute: () => 'It snows.' }) },
    stopWhen: isStepCount(3),
    maxRetries: 0,
  });
  await expect(call).rejects.toThrow(/input\[\d\]\.id: .*"store": false/);
});
