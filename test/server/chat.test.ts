import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { HandlerServer } from '../support/served.ts';
import { type Vendor, vendorNames } from '../support/vendors.ts';

let server: HandlerServer;
let client: OpenAI;

beforeAll(async () => {
  server = await HandlerServer.start();
  client = server.openai();
});
beforeEach(() => {
  server.serve();
});
afterAll(() => server.close());

const messages = [{ role: 'user', content: 'Hello' } as const];

const parameters = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
};

const weather: OpenAI.ChatCompletionTool = {
  type: 'function',
  function: { name: 'weather', parameters },
};

/** Answers with a call of the tool, and with text once the request has its result. */
function callsTool({ simulator }: Vendor, more: object = {}): void {
  simulator.answer(({ body }) =>
    JSON.stringify(body).includes('sunny')
      ? { text: 'It is sunny.' }
      : { toolCalls: [{ name: 'weather', input: { city: 'Oslo' } }], ...more },
  );
}

describe.each(vendorNames)('the openai SDK, with %s behind', (name) => {
  it('gets an answer', async () => {
    server.vendor(name).simulator.answer({ text: 'Hello there.' });
    const answer = await client.chat.completions.create({ model: name, messages });
    expect(answer.choices[0]).toMatchObject({
      finish_reason: 'stop',
      message: { role: 'assistant', content: 'Hello there.', refusal: null },
    });
    expect(answer.model).toBe(name);
    expect(answer.usage?.total_tokens).toBeGreaterThan(0);
  });

  it('gets a stream, with usage if it asks', async () => {
    server.vendor(name).simulator.answer({ chunks: ['Hello ', 'there.'] });
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

  it.each([true, false])('runs tools with its helper, streamed: %s', async (stream) => {
    callsTool(server.vendor(name));
    const run = vi.fn((_: unknown) => 'sunny');
    const tools = [
      {
        type: 'function' as const,
        function: {
          name: 'weather',
          description: 'W',
          parameters,
          parse: JSON.parse,
          function: run,
        },
      },
    ];
    const runner = stream
      ? client.chat.completions.runTools({ model: name, messages, tools, stream })
      : client.chat.completions.runTools({ model: name, messages, tools });
    expect(await runner.finalContent()).toBe('It is sunny.');
    expect(run.mock.calls.map(([input]) => input)).toEqual([{ city: 'Oslo' }]);
  });

  it('sends replay data of tool turns back to the vendor, streamed or not', async () => {
    const { simulator } = server.vendor(name);
    callsTool(server.vendor(name), { reasoning: 'Hm, Oslo.' });
    const ask = { model: name, tools: [weather], reasoning_effort: 'medium' as const };
    const bodies: unknown[] = [];
    for (const stream of [false, true]) {
      const { message } = stream
        ? ((await client.chat.completions.stream({ ...ask, messages }).finalChatCompletion())
            .choices[0] ?? { message: undefined })
        : ((await client.chat.completions.create({ ...ask, messages })).choices[0] ?? {
            message: undefined,
          });
      if (message === undefined) throw new Error('no message');
      const results = (message.tool_calls ?? []).map(({ id }) => ({
        ...{ role: 'tool' as const, tool_call_id: id, content: 'sunny' },
      }));
      const second = await client.chat.completions.create({
        ...ask,
        messages: [...messages, message, ...results],
      });
      expect(second.choices[0]?.message.content).toBe('It is sunny.');
      bodies.push(simulator.log.at(-1)?.body);
    }
    const signature = Buffer.from('signalbox simulated signature').toString('base64');
    // A vendor of Chat Completions has no replay data but its reasoning.
    const expected = name === 'chat' ? 'Hm, Oslo.' : signature;
    for (const body of bodies) expect(JSON.stringify(body)).toContain(expected);
  });

  it('gets structured output through its parse helper', async () => {
    server.vendor(name).simulator.answer({ text: '{"city":"Oslo"}' });
    const answer = await client.chat.completions.parse({
      ...{ model: name, messages },
      response_format: zodResponseFormat(z.object({ city: z.string() }), 'place'),
    });
    expect(answer.choices[0]?.message.parsed).toEqual({ city: 'Oslo' });
  });

  it('sends images, system turns and settings', async () => {
    const url = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUg==';
    const answer = await client.chat.completions.create({
      ...{ model: name, max_tokens: 50, stop: 'END', user: 'u1' },
      messages: [
        { role: 'developer', content: 'Be brief.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is it?' },
            { type: 'image_url', image_url: { url } },
          ],
        },
      ],
    });
    expect(answer.choices[0]?.message.content).not.toBe('');
    const body = JSON.stringify(server.vendor(name).simulator.log[0]?.body);
    expect(body).toContain('iVBORw0KGgoAAAANSUhEUg==');
    expect(body).toContain('Be brief.');
    expect(body).toMatch(/"max\w*":50/i);
  });

  it('gets a refusal as one', async () => {
    server.vendor(name).simulator.answer({ refusal: 'I cannot help.' });
    const answer = await client.chat.completions.create({ model: name, messages });
    const [choice] = answer.choices;
    if (name === 'google') return expect(choice?.finish_reason).toBe('content_filter');
    // Claude refuses without words.
    const refusal = name === 'anthropic' ? 'The model refused to answer.' : 'I cannot help.';
    expect(choice?.message).toMatchObject({ content: null, refusal });
  });

  it('gets a streamed refusal as one', async () => {
    server.vendor(name).simulator.answer({ refusal: 'I cannot help.' });
    const stream = client.chat.completions.stream({ model: name, messages });
    const [choice] = (await stream.finalChatCompletion()).choices;
    if (name === 'google') return expect(choice?.finish_reason).toBe('content_filter');
    const refusal = name === 'anthropic' ? 'The model refused to answer.' : 'I cannot help.';
    expect(choice?.message.refusal).toBe(refusal);
    expect(choice?.message.content).toBeFalsy();
  });

  it('gets an error that has a status before the stream starts', async () => {
    const { simulator } = server.vendor(name);
    simulator.fault({ type: 'status', status: 429, retryAfterSeconds: 3_600 });
    await expect(
      client.chat.completions.create({ model: name, messages, stream: true }),
    ).rejects.toSatisfy((error) => {
      expect(error).toMatchObject({ status: 429, code: 'rate_limit_exceeded' });
      expect(Number(Reflect.get(error, 'headers').get('retry-after'))).toBeGreaterThan(3_000);
      return true;
    });
    server.serve();
    simulator.fault({ type: 'status', kind: 'context_length' });
    await expect(client.chat.completions.create({ model: name, messages })).rejects.toMatchObject({
      status: 400,
      code: 'context_length_exceeded',
    });
  });

  it.each(['truncate', 'error-in-stream'] as const)('throws after %s', async (type) => {
    const { simulator } = server.vendor(name);
    simulator.answer({ chunks: ['one ', 'two ', 'three'] });
    const fault = { afterEvents: 100, kind: 'overloaded' } as const;
    simulator.fault(type === 'truncate' ? { type, ...fault } : { type, ...fault });
    const stream = await client.chat.completions.create({ model: name, messages, stream: true });
    let text = '';
    const read = async (): Promise<void> => {
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    };
    await expect(read()).rejects.toThrow(OpenAI.APIError);
    expect(text).toBe('one two three');
  });

  it("closes the vendor's socket when the client aborts", async () => {
    const { simulator } = server.vendor(name);
    simulator.answer({ chunks: Array.from({ length: 300 }, () => 'word '), chunkDelayMs: 20 });
    const stream = await client.chat.completions.create({ model: name, messages, stream: true });
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
    await expect.poll(() => simulator.openRequests).toBe(0);
    simulator.answer({ text: 'late', firstTokenDelayMs: 60_000 });
    for (const stream of [true, false]) {
      const leaving = new AbortController();
      const asked = client.chat.completions.create(
        { model: name, messages, stream },
        { signal: leaving.signal },
      );
      await expect.poll(() => simulator.openRequests).toBe(1);
      leaving.abort();
      await expect(asked).rejects.toThrow(OpenAI.APIUserAbortError);
      await expect.poll(() => simulator.openRequests).toBe(0);
    }
  });
});
