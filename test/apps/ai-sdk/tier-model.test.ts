import {
  convertToModelMessages,
  generateText,
  jsonSchema,
  Output,
  RetryError,
  readUIMessageStream,
  stepCountIs,
  streamText,
  ToolLoopAgent,
  tool,
  type UIMessage,
} from 'ai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { tierModel } from '../../../src/ai-sdk.ts';
import { createRouter, isSignalboxError } from '../../../src/index.ts';
import {
  type SimulatedProviders,
  simulateProviders,
} from '../../../src/testing/simulate-providers.ts';
import { type Vendor, vendorNames, vendorsOf } from '../../support/vendors.ts';

let simulators: SimulatedProviders;
let vendors: readonly Vendor[];

beforeAll(async () => {
  Reflect.set(globalThis, 'AI_SDK_LOG_WARNINGS', false);
  simulators = await simulateProviders();
  vendors = vendorsOf(simulators);
});
beforeEach(() => simulators.reset());
afterAll(() => simulators.close());

function vendor(name: Vendor['name']): Vendor {
  const found = vendors.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no vendor ${name}`);
  return found;
}

/** One pixel. */
const png =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

type Names = readonly Vendor['name'][];

/** A router with one tier of these vendors, in this order. */
function routerOf(names: Names, midStream: 'fail' | 'restart' | 'continue' = 'fail') {
  const providers = Object.fromEntries(vendors.map(({ name, provider }) => [name, provider]));
  const targets = names.map((name) => `${name}/${vendor(name).model}` as const);
  const t = { targets, midStream, retry: { attempts: 0 } };
  return createRouter({ providers, tiers: { t } });
}

const modelOf = (...names: Names) => tierModel(routerOf(names), 't');

const city = jsonSchema<{ city: string }>({
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
});

const weather = (run: (city: string) => unknown = () => ({ degrees: 21 })) =>
  tool({ description: 'The weather', inputSchema: city, execute: async ({ city }) => run(city) });

describe.each(vendorNames)('a tier on %s', (name) => {
  it('generates text', async () => {
    vendor(name).simulator.answer({
      text: 'Hello.',
      usage: { inputTokens: 100, outputTokens: 20, cachedInputTokens: 60 },
    });
    const result = await generateText({ model: modelOf(name), prompt: 'Hi', temperature: 0.5 });
    expect(result.text).toBe('Hello.');
    expect(result.finishReason).toBe('stop');
    expect(result.usage).toMatchObject({
      inputTokens: 100,
      outputTokens: 20,
      inputTokenDetails: { noCacheTokens: 40, cacheReadTokens: 60 },
    });
    const { signalbox } = result.finalStep.providerMetadata ?? {};
    expect(signalbox).toMatchObject({
      tier: 't',
      target: `${name}/${vendor(name).model}`,
      cost: { usd: expect.toSatisfy((usd) => usd === null || usd > 0) },
      trail: [{ outcome: 'ok', verdict: 'done' }],
    });
  });

  it('streams text', async () => {
    vendor(name).simulator.answer({ chunks: ['Hello', ' there', '.'] });
    const result = streamText({ model: modelOf(name), prompt: 'Hi' });
    const deltas: string[] = [];
    for await (const delta of result.textStream) deltas.push(delta);
    expect(deltas.join('')).toBe('Hello there.');
    expect(deltas.length).toBeGreaterThan(1);
    expect(await result.finishReason).toBe('stop');
    expect((await result.usage).outputTokens).toBeGreaterThan(0);
    expect((await result.finalStep).providerMetadata?.signalbox).toMatchObject({
      target: `${name}/${vendor(name).model}`,
      trail: [{ outcome: 'ok' }],
    });
  });

  it('answers with an object', async () => {
    vendor(name).simulator.answer('{"city":"Bern"}');
    const result = await generateText({
      model: modelOf(name),
      prompt: 'A city',
      output: Output.object({ schema: city }),
    });
    expect(result.output).toEqual({ city: 'Bern' });
    expect(JSON.stringify(vendor(name).simulator.log[0]?.body)).toContain('additionalProperties');
    const streamed = streamText({
      model: modelOf(name),
      prompt: 'A city',
      output: Output.object({ schema: city }),
    });
    expect(await streamed.output).toEqual({ city: 'Bern' });
  });

  it.each(['generateText', 'streamText'] as const)(
    'keeps the reasoning of a run with tools (%s)',
    async (mode) => {
      const { simulator } = vendor(name);
      const signature = Buffer.from(`signed by ${name}`).toString('base64');
      simulator.answer(({ body }) =>
        JSON.stringify(body).includes('21')
          ? { reasoning: 'It is warm.', text: 'Warm.' }
          : {
              reasoning: 'I must look.',
              reasoningSignature: signature,
              text: 'Let me look.',
              toolCalls: [
                { name: 'weather', input: { city: 'Bern' } },
                { name: 'weather', input: { city: 'Rome' } },
              ],
            },
      );
      const asked: string[] = [];
      const options = {
        model: tierModel(routerOf([name]), 't', { reasoning: { include: true } }),
        reasoning: 'medium',
        prompt: 'Weather in Bern?',
        stopWhen: stepCountIs(5),
        tools: {
          weather: weather((each) => {
            asked.push(each);
            return { degrees: 21 };
          }),
        },
      } as const;
      const result = mode === 'generateText' ? await generateText(options) : streamText(options);
      const steps = await result.steps;
      expect(await result.text).toBe('Warm.');
      expect(asked).toEqual(['Bern', 'Rome']);
      expect(steps.map((step) => step.finishReason)).toEqual(['tool-calls', 'stop']);
      const second = JSON.stringify(simulator.log[1]?.body);
      expect(second).toContain('Let me look.');
      // Chat Completions has no signatures.
      if (name !== 'chat') expect(second).toContain(signature);
      if (name !== 'chat') expect(steps[0]?.reasoningText).toBe('I must look.');
      expect(simulator.log).toHaveLength(2);
    },
  );

  it.each(['generateText', 'streamText'] as const)(
    'fails over before the first part (%s)',
    async (mode) => {
      const second = name === 'anthropic' ? 'chat' : 'anthropic';
      vendor(name).simulator.down();
      vendor(second).simulator.answer('Hello from the second.');
      const options = { model: modelOf(name, second), prompt: 'Hi' };
      const result = mode === 'generateText' ? await generateText(options) : streamText(options);
      expect(await result.text).toBe('Hello from the second.');
      const step = await result.finalStep;
      expect(step.providerMetadata?.signalbox).toMatchObject({
        target: `${second}/${vendor(second).model}`,
        trail: [{ outcome: 'error', verdict: 'next' }, { outcome: 'ok' }],
      });
    },
  );

  it('closes the socket of the vendor at an abort', async () => {
    const { simulator } = vendor(name);
    simulator.answer({ chunks: ['one ', 'two ', 'three'], chunkDelayMs: 20 });
    simulator.fault({ type: 'stall', afterEvents: 6 });
    const controller = new AbortController();
    const result = streamText({
      model: modelOf(name),
      prompt: 'Hi',
      abortSignal: controller.signal,
    });
    const types: string[] = [];
    for await (const part of result.fullStream) {
      types.push(part.type);
      if (part.type === 'text-delta') controller.abort();
    }
    expect(types.at(-1)).toBe('abort');
    expect(types).not.toContain('error');
    await expect.poll(() => simulator.openRequests).toBe(0);

    simulator.clear();
    simulator.fault({ type: 'silence' });
    const waiting = new AbortController();
    const failed = generateText({
      model: modelOf(name),
      prompt: 'Hi',
      abortSignal: waiting.signal,
    }).catch((error: unknown) => error);
    await expect.poll(() => simulator.openRequests).toBe(1);
    waiting.abort();
    expect(await failed).toMatchObject({ name: 'AbortError' });
    await expect.poll(() => simulator.openRequests).toBe(0);
  });

  it.each(['fail', 'restart'] as const)(
    'ends a cut answer as interrupted, with midStream %s',
    async (midStream) => {
      const second = name === 'anthropic' ? 'chat' : 'anthropic';
      const { simulator } = vendor(name);
      simulator.answer({ chunks: Array.from({ length: 20 }, (_, index) => `word${index} `) });
      simulator.fault({ type: 'cut', afterEvents: 10 });
      vendor(second).simulator.answer({ text: 'A second answer.', chunkDelayMs: 20 });
      const errors: unknown[] = [];
      const result = streamText({
        model: tierModel(routerOf([name, second], midStream), 't'),
        prompt: 'Hi',
        onError: ({ error }) => void errors.push(error),
      });
      const types: string[] = [];
      for await (const part of result.fullStream) types.push(part.type);
      expect(types.at(-1)).toBe('finish');
      expect(await result.finishReason).toBe('interrupted');
      expect(await result.text).toMatch(/^word0 word1 /);
      expect(await result.text).not.toContain('second');
      expect(errors).toHaveLength(1);
      expect(isSignalboxError(errors[0], 'stream_interrupted')).toBe(true);
      await expect.poll(() => vendor(second).simulator.openRequests).toBe(0);

      // Nothing of a whole answer is shown before its end.
      const { text } = await generateText({
        model: tierModel(routerOf([name, second], midStream), 't'),
        prompt: 'Hi',
      });
      expect(text).toBe('A second answer.');
    },
  );

  it('keeps the reasoning of a chat in a page', async () => {
    const { simulator } = vendor(name);
    const signature = Buffer.from(`signed by ${name}`).toString('base64');
    simulator.answer({ reasoning: 'Hm.', reasoningSignature: signature, text: 'Hello.' });
    const model = tierModel(routerOf([name]), 't', { reasoning: { include: true } });
    const stream = streamText({ model, prompt: 'Hi' }).toUIMessageStream();
    let answer: UIMessage | undefined;
    for await (const message of readUIMessageStream({ stream })) answer = message;
    const messages: UIMessage[] = JSON.parse(
      JSON.stringify([
        { id: '1', role: 'user', parts: [{ type: 'text', text: 'Hi' }] },
        answer,
        { id: '3', role: 'user', parts: [{ type: 'text', text: 'And?' }] },
      ]),
    );
    await generateText({ model, messages: await convertToModelMessages(messages) });
    const second = JSON.stringify(simulator.log[1]?.body);
    expect(second).toContain('Hello.');
    // Chat Completions has no signatures.
    if (name !== 'chat') expect(second).toContain(signature);
  });

  it('reads an image and what a tool made of it', async () => {
    const { simulator } = vendor(name);
    const bytes = Buffer.from(png, 'base64');
    simulator.answer(({ body }) =>
      JSON.stringify(body).includes('a lighthouse')
        ? 'A lighthouse.'
        : { toolCalls: [{ name: 'look', input: {} }] },
    );
    const { text } = await generateText({
      model: modelOf(name),
      stopWhen: stepCountIs(3),
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is it?' },
            { type: 'file', mediaType: 'image', data: new Uint8Array(bytes) },
          ],
        },
      ],
      tools: {
        look: tool({
          inputSchema: jsonSchema({ type: 'object', properties: {} }),
          execute: async () => 'a lighthouse',
        }),
      },
    });
    expect(text).toBe('A lighthouse.');
    expect(JSON.stringify(simulator.log[0]?.body)).toContain('image/png');
    expect(JSON.stringify(simulator.log[1]?.body)).toContain(png);
  });
});

describe('tierModel', () => {
  it('has the finish reason content-filter if the model refuses', async () => {
    vendor('responses').simulator.answer({ refusal: 'I cannot.' });
    const model = modelOf('responses');
    for (const result of [
      await generateText({ model, prompt: 'Hi' }),
      streamText({ model, prompt: 'Hi' }),
    ]) {
      expect(await result.text).toBe('I cannot.');
      expect(await result.finishReason).toBe('content-filter');
    }
  });

  it('makes one call of the router when it fails', async () => {
    const router = routerOf(['responses', 'chat']);
    for (const { simulator } of vendors) {
      simulator.fault({ type: 'status', kind: 'overloaded' });
    }
    let calls = 0;
    router.on('call-start', () => {
      calls += 1;
    });
    const error = await generateText({ model: tierModel(router, 't'), prompt: 'Hi' }).catch(
      (thrown: unknown) => thrown,
    );
    expect(RetryError.isInstance(error)).toBe(false);
    expect(isSignalboxError(error, 'all_targets_failed')).toBe(true);
    expect(calls).toBe(1);

    const errors: unknown[] = [];
    const result = streamText({
      model: tierModel(router, 't'),
      prompt: 'Hi',
      onError: (event) => void errors.push(event.error),
    });
    await result.consumeStream();
    expect(isSignalboxError(errors[0], 'all_targets_failed')).toBe(true);
    expect(errors).toHaveLength(1);
    expect(calls).toBe(2);
  });

  it('runs no tool of a cut answer', async () => {
    const { simulator } = vendor('responses');
    simulator.answer({
      toolCalls: [{ name: 'weather', input: { city: 'Bern' } }],
      text: 'Let me look at it for you.',
    });
    const ran: string[] = [];
    simulator.fault({ type: 'truncate', afterEvents: 16 });
    const result = streamText({
      model: modelOf('responses'),
      prompt: 'Hi',
      stopWhen: stepCountIs(5),
      tools: { weather: weather((each) => ran.push(each)) },
      onError: () => undefined,
    });
    const types: string[] = [];
    for await (const part of result.fullStream) types.push(part.type);
    expect(types).toContain('tool-call');
    expect(await result.finishReason).toBe('interrupted');
    expect(ran).toEqual([]);
    expect(simulator.log).toHaveLength(1);
  });

  it('is the model of an agent', async () => {
    const { simulator } = vendor('anthropic');
    simulator.answer(({ body }) =>
      JSON.stringify(body).includes('tool_result')
        ? 'Warm.'
        : { toolCalls: [{ name: 'weather', input: { city: 'Bern' } }] },
    );
    const agent = new ToolLoopAgent({
      model: modelOf('anthropic'),
      instructions: 'Be brief.',
      tools: { weather: weather() },
    });
    const { text, steps } = await agent.generate({ prompt: 'Weather in Bern?' });
    expect(text).toBe('Warm.');
    expect(steps).toHaveLength(2);
    expect(JSON.stringify(simulator.log[0]?.body)).toContain('Be brief.');
  });
});
