import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
import { toResponseInputItems } from 'openai/lib/responses/ResponseInputItems';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { SimulatedErrorKind } from '../../src/testing.ts';
import { clientKey, HandlerServer } from '../support/served.ts';
import { vendorNames } from '../support/vendors.ts';
import { reasoningSignature, replayed } from './replayed.ts';
import { checkedEvents, responseSchema } from './response-schema.ts';

type Input = OpenAI.Responses.ResponseInputItem;

const png =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==';
const pdf = Buffer.from('%PDF-1.4\n%%EOF').toString('base64');

const weather: OpenAI.Responses.FunctionTool = {
  type: 'function',
  name: 'weather',
  description: 'The weather of a city',
  strict: true,
  parameters: {
    type: 'object',
    properties: { city: { type: 'string' } },
    required: ['city'],
    additionalProperties: false,
  },
};

let served: HandlerServer;
let client: OpenAI;
beforeAll(async () => {
  served = await HandlerServer.start();
  client = served.openai();
});
afterAll(() => served.close());
beforeEach(() => void served.serve());

async function failureOf(call: Promise<unknown>): Promise<unknown> {
  return await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
}

/** A response of the SDK, without what the SDK adds. */
function checked({
  output_text: _,
  ...response
}: OpenAI.Responses.Response & { _request_id?: unknown }) {
  return responseSchema.parse({ ...response });
}

/** The events of a stream, checked by the schema of the API. */
async function eventsOf(body: OpenAI.Responses.ResponseCreateParamsStreaming) {
  const events: unknown[] = [];
  for await (const event of await client.responses.create(body)) events.push(event);
  return checkedEvents(events);
}

describe.each(vendorNames)('the SDK of OpenAI on Responses, with %s behind the handler', (name) => {
  const base = { model: name, input: 'Hi' };
  const simulator = () => served.vendor(name).simulator;
  const lastBody = () => JSON.stringify(simulator().log.at(-1)?.body);

  test('gets a response', async () => {
    simulator().answer({ text: 'Hello', usage: { inputTokens: 12, outputTokens: 3 } });
    const response = await client.responses.create({ ...base, instructions: 'Be brief.' });
    expect(response._request_id).toMatch(/^req_\w+$/);
    expect(response.output_text).toBe('Hello');
    expect(checked(response)).toMatchObject({
      model: name,
      status: 'completed',
      instructions: 'Be brief.',
      usage: { input_tokens: 12, output_tokens: 3, total_tokens: 15 },
    });
    expect(lastBody()).toContain('Be brief.');
  });

  test('streams a response', async () => {
    simulator().answer({
      text: 'Hello, how are you today?',
      usage: { inputTokens: 12, outputTokens: 6 },
    });
    const events = await eventsOf({ ...base, stream: true });
    const deltas = events.filter(({ type }) => type === 'response.output_text.delta');
    expect(deltas.length).toBeGreaterThan(1);
    const final = await client.responses.stream(base).finalResponse();
    expect(final).toMatchObject({
      status: 'completed',
      output_text: 'Hello, how are you today?',
      usage: { input_tokens: 12, output_tokens: 6 },
    });
  });

  test('keeps several turns of a conversation', async () => {
    simulator().answer('You are Alice.');
    const input: Input[] = [
      { role: 'system', content: 'Be a pirate.' },
      { role: 'user', content: 'I am Alice.' },
      { role: 'assistant', content: 'Ahoy Alice!' },
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Who am I?' }] },
    ];
    const response = await client.responses.create({ model: name, input });
    expect(checked(response).status).toBe('completed');
    for (const text of ['pirate', 'I am Alice.', 'Ahoy Alice!', 'Who am I?']) {
      expect(lastBody()).toContain(text);
    }
  });

  test.each(['create', 'stream'] as const)(
    'calls tools in two steps with %s, and keeps the reasoning',
    async (verb) => {
      simulator().answer({
        text: 'Let me see.',
        reasoning: 'They want the weather.',
        reasoningSignature,
        toolCalls: [
          { name: 'weather', input: { city: 'Oslo' } },
          { name: 'weather', input: { city: 'Rome' } },
        ],
      });
      const input: Input[] = [{ role: 'user', content: 'Weather?' }];
      const body = {
        model: name,
        tools: [weather],
        reasoning: { effort: 'medium', summary: 'auto' },
        include: ['reasoning.encrypted_content' as const],
      } satisfies OpenAI.Responses.ResponseCreateParamsNonStreaming;
      const ask = (): Promise<OpenAI.Responses.Response> =>
        verb === 'create'
          ? client.responses.create({ ...body, input })
          : client.responses.stream({ ...body, input }).finalResponse();
      const first = await ask();
      const calls = first.output.filter((item) => item.type === 'function_call');
      expect(calls.map((call) => JSON.parse(call.arguments))).toEqual([
        { city: 'Oslo' },
        { city: 'Rome' },
      ]);
      // As programs do: the output as it is, or with the SDK's helper for it.
      const output =
        verb === 'create' ? (first.output as Input[]) : toResponseInputItems(first.output);
      input.push(...output);
      for (const [index, { call_id }] of calls.entries()) {
        const result = index === 0 ? 'cold' : [{ type: 'input_text' as const, text: 'warm' }];
        input.push({ type: 'function_call_output', call_id, output: result });
      }
      simulator().answer('Cold and warm.');
      const second = await ask();
      expect(second.output_text).toBe('Cold and warm.');
      expect(lastBody()).toContain('warm');
      expect(lastBody()).toContain(replayed[name]);
    },
  );

  test('streams tool calls with all their events', async () => {
    simulator().answer({ toolCalls: [{ name: 'weather', input: { city: 'Oslo' } }] });
    const events = await eventsOf({ ...base, stream: true, tools: [weather] });
    const types = events.map(({ type }) => type);
    expect(types).toContain('response.function_call_arguments.delta');
    expect(types).toContain('response.function_call_arguments.done');
    expect(types).toContain('response.output_item.done');
    expect(events.at(-1)).toMatchObject({
      response: { status: 'completed', tools: [{ name: 'weather' }] },
    });
  });

  test('calls the tool that it must call', async () => {
    const response = await client.responses.create({
      ...base,
      tools: [weather],
      tool_choice: { type: 'function', name: 'weather' },
      parallel_tool_calls: false,
    });
    expect(response.output).toContainEqual(
      expect.objectContaining({ type: 'function_call', name: 'weather' }),
    );
  });

  test('parses structured output', async () => {
    simulator().answer('{"city":"Oslo"}');
    const format = zodTextFormat(z.object({ city: z.string() }), 'place');
    const response = await client.responses.parse({ ...base, text: { format } });
    expect(response.output_parsed).toEqual({ city: 'Oslo' });
    const streamed = await client.responses.stream({ ...base, text: { format } }).finalResponse();
    expect(streamed.output_parsed).toEqual({ city: 'Oslo' });
  });

  test('sends images and files', async () => {
    const response = await client.responses.create({
      model: name,
      input: [
        {
          role: 'user',
          content: [
            { type: 'input_text', text: 'What is this?' },
            { type: 'input_image', detail: 'auto', image_url: `data:image/png;base64,${png}` },
            {
              type: 'input_file',
              filename: 'a.pdf',
              file_data: `data:application/pdf;base64,${pdf}`,
            },
          ],
        },
      ],
    });
    expect(checked(response).status).toBe('completed');
    expect(lastBody()).toContain(png);
    expect(lastBody()).toContain(pdf);
  });

  test('says that an answer is incomplete', async () => {
    simulator().answer({ text: 'Cut', finishReason: 'length' });
    const expected = { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } };
    expect(checked(await client.responses.create(base))).toMatchObject(expected);
    const events = await eventsOf({ ...base, stream: true });
    expect(events.at(-1)).toMatchObject({ type: 'response.incomplete', response: expected });
  });

  test('gets a failure in the middle of a stream as an error and a failed response', async () => {
    simulator().answer({ text: 'a'.repeat(200), chunkDelayMs: 1 });
    simulator().fault({ type: 'cut', afterEvents: 8 });
    const texts: string[] = [];
    const stream = client.responses
      .stream(base)
      .on('response.output_text.delta', ({ delta }) => void texts.push(delta));
    const error = await failureOf(stream.finalResponse());
    expect(texts.length).toBeGreaterThan(0);
    expect(error).toBeInstanceOf(OpenAI.APIError);

    simulator().fault({ type: 'cut', afterEvents: 8 });
    const response = await fetch(`${served.url}/responses`, {
      method: 'POST',
      headers: { authorization: `Bearer ${clientKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ ...base, stream: true }),
    });
    const lines = (await response.text()).split('\n').filter((line) => line.startsWith('data: '));
    const events = checkedEvents(lines.map((line) => JSON.parse(line.slice('data: '.length))));
    expect(events.slice(-2).map(({ type }) => type)).toEqual(['error', 'response.failed']);
  });

  test('closes the socket of the vendor when the client leaves', async () => {
    simulator().answer({ text: 'a'.repeat(2000), chunkDelayMs: 50 });
    const stream = client.responses.stream(base);
    stream.on('response.output_text.delta', () => stream.abort());
    expect(await failureOf(stream.finalResponse())).toBeInstanceOf(OpenAI.APIUserAbortError);
    for (let tries = 0; simulator().openRequests > 0 && tries < 100; tries++) await sleep(5);
    expect(simulator().openRequests).toBe(0);
  });

  test.each<[SimulatedErrorKind, new (...args: never) => Error, string]>([
    ['overloaded', OpenAI.InternalServerError, 'server_is_overloaded'],
    ['rate_limited', OpenAI.RateLimitError, 'rate_limit_exceeded'],
  ])('gets an error of its own class for %s', async (kind, errorClass, code) => {
    simulator().fault({ type: 'status', kind }, { times: 5 });
    const error = await failureOf(client.responses.create(base));
    expect(error).toBeInstanceOf(errorClass);
    expect(error).toMatchObject({ code, requestID: expect.stringMatching(/^req_\w+$/) });
  });
});

describe('the handler for clients of the Responses API', () => {
  const base = { model: 'responses', input: 'Hi' };

  test('passes a refusal on', async () => {
    served.simulators.openai.answer({ refusal: 'I will not.' });
    const response = await client.responses.create(base);
    expect(checked(response).output).toMatchObject([
      { content: [{ type: 'refusal', refusal: 'I will not.' }] },
    ]);
    // The router's streams have it as text: what it is, is known at its end.
    const streamed = await client.responses.stream(base).finalResponse();
    expect(streamed.output_text).toBe('I will not.');
  });

  test('refuses what needs stored answers, and names the field', async () => {
    const error = await failureOf(
      client.responses.create({ ...base, previous_response_id: 'resp_1' }),
    );
    expect(error).toBeInstanceOf(OpenAI.BadRequestError);
    expect(error).toMatchObject({
      param: 'previous_response_id',
      type: 'invalid_request_error',
      message: expect.stringContaining('not stored'),
    });
  });

  test.each([
    ['retrieve', () => client.responses.retrieve('resp_1')],
    ['delete', () => client.responses.delete('resp_1')],
    ['cancel', () => client.responses.cancel('resp_1')],
    ['inputItems.list', async () => client.responses.inputItems.list('resp_1')],
  ])('has nothing for %s', async (_, call) => {
    const error = await failureOf(call());
    expect(error).toBeInstanceOf(OpenAI.NotFoundError);
    expect(error).toMatchObject({ message: expect.stringContaining('not stored') });
  });

  test('refuses tools that a vendor runs', async () => {
    const tools = [{ type: 'web_search' as const }];
    expect(await failureOf(client.responses.create({ ...base, tools }))).toMatchObject({
      status: 400,
      param: 'tools[0].type',
    });
  });

  test('does not know other models', async () => {
    const error = await failureOf(client.responses.create({ ...base, model: 'gpt-nothing' }));
    expect(error).toBeInstanceOf(OpenAI.NotFoundError);
    expect(error).toMatchObject({ code: 'model_not_found' });
  });

  test('takes what a coding agent sends', async () => {
    served.simulators.anthropic.answer({
      reasoning: 'I should look.',
      reasoningSignature,
      toolCalls: [{ name: 'shell', input: { command: ['ls'] } }],
    });
    const request = (input: readonly unknown[]) =>
      fetch(`${served.url}/responses`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${clientKey}`,
          'content-type': 'application/json',
          accept: 'text/event-stream',
          originator: 'agent',
          session_id: 'a',
        },
        body: JSON.stringify({
          model: 'anthropic',
          instructions: 'You are a coding agent.',
          input,
          tools: [
            {
              type: 'function',
              name: 'shell',
              description: 'Runs a command',
              strict: false,
              parameters: {
                type: 'object',
                properties: { command: { type: 'array', items: { type: 'string' } } },
                required: ['command'],
                additionalProperties: false,
              },
            },
          ],
          tool_choice: 'auto',
          parallel_tool_calls: false,
          reasoning: { effort: 'medium', summary: 'auto' },
          store: false,
          stream: true,
          include: ['reasoning.encrypted_content'],
          prompt_cache_key: '0199a213-81c0-7800-8aa1-bbab2a035a53',
          client_metadata: { 'x-installation-id': 'a' },
          text: { verbosity: 'low' },
        }),
      });
    const itemsOf = async (response: Response) => {
      expect(response.status).toBe(200);
      const lines = (await response.text()).split('\n').filter((line) => line.startsWith('data: '));
      const events = checkedEvents(lines.map((line) => JSON.parse(line.slice('data: '.length))));
      return events.flatMap((event) =>
        event.type === 'response.output_item.done' ? [event.item] : [],
      );
    };
    const user = {
      type: 'message',
      role: 'user',
      content: [{ type: 'input_text', text: 'What is here?' }],
    };
    const items = await itemsOf(await request([user]));
    expect(items.map(({ type }) => type)).toEqual(['reasoning', 'function_call']);
    // Some agents send items back without their ids and status.
    const sent = items.map(({ id: _, ...item }) => ({ ...item, status: undefined }));
    const call = items.find((item) => item.type === 'function_call');
    served.simulators.anthropic.answer('Files.');
    const output = { type: 'function_call_output', call_id: call?.call_id, output: 'a.ts' };
    expect(await itemsOf(await request([user, ...sent, output]))).toMatchObject([
      { type: 'message', content: [{ text: 'Files.' }] },
    ]);
    const body = JSON.stringify(served.simulators.anthropic.log.at(-1)?.body);
    expect(body).toContain(reasoningSignature);
  });
});
