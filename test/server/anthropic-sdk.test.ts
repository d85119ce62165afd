import { setTimeout as sleep } from 'node:timers/promises';
import Anthropic, { type ClientOptions } from '@anthropic-ai/sdk';
import { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema';
import { jsonSchemaOutputFormat } from '@anthropic-ai/sdk/helpers/json-schema';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SimulatedErrorKind } from '../../src/testing.ts';
import { clientKey, HandlerServer } from '../support/served.ts';
import { vendorNames } from '../support/vendors.ts';

const png =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==';
const pdf = Buffer.from('%PDF-1.4\n%%EOF').toString('base64');

const weather = {
  name: 'weather',
  description: 'The weather of a city',
  input_schema: {
    type: 'object' as const,
    properties: { city: { type: 'string' as const } },
    required: ['city'],
  },
};

const hi: Anthropic.MessageParam[] = [{ role: 'user', content: 'Hi' }];

let server: HandlerServer;
let client: Anthropic;
beforeAll(async () => {
  server = await HandlerServer.start();
  client = clientWith({});
});
afterAll(() => server.close());
beforeEach(() => {
  server.serve();
});

function clientWith(options: ClientOptions): Anthropic {
  const baseURL = `http://127.0.0.1:${server.port}`;
  return new Anthropic({ apiKey: clientKey, baseURL, maxRetries: 0, ...options });
}

describe.each(vendorNames)('the SDK of Anthropic, with %s behind the handler', (name) => {
  const base = { model: name, max_tokens: 4000, messages: hi };
  const simulator = () => server.vendor(name).simulator;
  const lastBody = () => JSON.stringify(simulator().log.at(-1)?.body);

  it('gets a message', async () => {
    simulator().answer({ text: 'Hello', usage: { inputTokens: 12, outputTokens: 3 } });
    const message = await client.messages.create({ ...base, system: 'Be brief.' });
    expect(message).toMatchObject({
      type: 'message',
      role: 'assistant',
      content: [{ type: 'text', text: 'Hello' }],
      stop_reason: 'end_turn',
      stop_sequence: null,
      usage: { input_tokens: 12, output_tokens: 3 },
    });
    expect(message.id).toMatch(/^msg_\w+$/);
    expect(message._request_id).toMatch(/^req_\w+$/);
    expect(lastBody()).toContain('Be brief.');
  });

  it('streams a message', async () => {
    simulator().answer({
      text: 'Hello, how are you today?',
      usage: { inputTokens: 12, outputTokens: 6 },
    });
    const texts: string[] = [];
    const stream = client.messages.stream(base).on('text', (delta) => texts.push(delta));
    const message = await stream.finalMessage();
    expect(texts.length).toBeGreaterThan(1);
    expect(texts.join('')).toBe('Hello, how are you today?');
    expect(message).toMatchObject({
      content: [{ type: 'text', text: 'Hello, how are you today?' }],
      stop_reason: 'end_turn',
      usage: { input_tokens: 12, output_tokens: 6 },
    });
  });

  it('calls tools in two steps, and sends the reasoning back', async () => {
    simulator().answer({
      text: 'Let me see.',
      reasoning: 'They want the weather.',
      toolCalls: [
        { name: 'weather', input: { city: 'Oslo' } },
        { name: 'weather', input: { city: 'Rome' } },
      ],
    });
    const request = { ...base, tools: [weather], thinking: { type: 'adaptive' as const } };
    const first = await client.messages.stream(request).finalMessage();
    expect(first.stop_reason).toBe('tool_use');
    const calls = first.content.filter((block) => block.type === 'tool_use');
    expect(calls.map(({ input }) => input)).toEqual([{ city: 'Oslo' }, { city: 'Rome' }]);
    const unary = await client.messages.create(request);
    const types = ({ content }: Anthropic.Message) => content.map(({ type }) => type);
    expect(types(unary)).toEqual(types(first));

    simulator().answer('Cold and warm.');
    const results = calls.map(({ id }, index) => ({
      type: 'tool_result' as const,
      tool_use_id: id,
      content: index === 0 ? 'cold' : [{ type: 'text' as const, text: 'warm' }],
    }));
    const second = await client.messages.create({
      ...request,
      messages: [
        ...hi,
        { role: 'assistant', content: first.content },
        { role: 'user', content: results },
      ],
    });
    expect(second.content).toMatchObject([{ type: 'text', text: 'Cold and warm.' }]);
    expect(lastBody()).toContain('warm');
    // What the vendor needs to go on: its signature, encrypted reasoning, or the reasoning.
    const replay = {
      responses: '"encrypted_content":',
      chat: '"reasoning_content":"They want the weather."',
      anthropic: '"signature":"',
      google: '"thoughtSignature":"',
    }[name];
    expect(lastBody()).toContain(replay);
  });

  it('runs tools with the runner of betas', async () => {
    simulator().answer(({ body }) =>
      JSON.stringify(body).includes('It snows.')
        ? 'Take a coat.'
        : { toolCalls: [{ name: 'weather', input: { city: 'Oslo' } }] },
    );
    const cities: string[] = [];
    const tool = betaTool({
      name: 'weather',
      description: 'The weather of a city',
      inputSchema: weather.input_schema,
      run: ({ city }: { city?: string }) => {
        cities.push(city ?? '');
        return 'It snows.';
      },
    });
    const final = await client.beta.messages.toolRunner({
      ...base,
      messages: [{ role: 'user', content: 'Weather in Oslo?' }],
      tools: [tool],
    });
    expect(cities).toEqual(['Oslo']);
    expect(final.content).toMatchObject([{ type: 'text', text: 'Take a coat.' }]);
  });

  it('parses structured output', async () => {
    simulator().answer({ text: '{"city":"Oslo"}' });
    const message = await client.messages.parse({
      ...base,
      output_config: {
        format: jsonSchemaOutputFormat({
          type: 'object',
          properties: { city: { type: 'string' } },
          required: ['city'],
          additionalProperties: false,
        } as const),
      },
    });
    expect(message.parsed_output).toEqual({ city: 'Oslo' });
  });

  it('sends images and documents', async () => {
    await client.messages.create({
      ...base,
      messages: [
        {
          role: 'user',
          content: [
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: png } },
            {
              type: 'document',
              title: 'a.pdf',
              source: { type: 'base64', media_type: 'application/pdf', data: pdf },
            },
            { type: 'text', text: 'What is this?' },
          ],
        },
      ],
    });
    expect(lastBody()).toContain(png);
    expect(lastBody()).toContain(pdf);
  });

  it('shows what the model thinks', async () => {
    simulator().answer({ reasoning: 'I think.', text: 'I am.' });
    const thinking = { type: 'adaptive', display: 'summarized' } as const;
    const thoughts: string[] = [];
    const stream = client.messages
      .stream({ ...base, thinking, output_config: { effort: 'high' } })
      .on('thinking', (delta) => thoughts.push(delta));
    const { content } = await stream.finalMessage();
    expect(thoughts.join('')).toBe('I think.');
    expect(content.map(({ type }) => type)).toEqual(['thinking', 'text']);
  });

  it('gets a failure in the middle of a stream as an error', async () => {
    simulator().answer({ text: 'a'.repeat(200), chunkDelayMs: 1 });
    simulator().fault({ type: 'cut', afterEvents: 8 });
    const texts: string[] = [];
    const stream = client.messages.stream(base).on('text', (delta) => texts.push(delta));
    const error: unknown = await stream.finalMessage().catch((reason: unknown) => reason);
    expect(texts.length).toBeGreaterThan(0);
    expect(error).toBeInstanceOf(Anthropic.APIError);
    expect(error).toMatchObject({ type: 'api_error' });
  });

  it('closes the socket of the vendor when it leaves', async () => {
    simulator().answer({ text: 'a'.repeat(2000), chunkDelayMs: 50 });
    const stream = client.messages.stream(base);
    stream.on('text', () => stream.abort());
    await expect(stream.finalMessage()).rejects.toBeInstanceOf(Anthropic.APIUserAbortError);
    for (let tries = 0; simulator().openRequests > 0 && tries < 100; tries++) await sleep(5);
    expect(simulator().openRequests).toBe(0);
  });

  it.each<[SimulatedErrorKind, new (...args: never) => Error, string]>([
    ['rate_limited', Anthropic.RateLimitError, 'rate_limit_error'],
    ['overloaded', Anthropic.OverloadedError, 'overloaded_error'],
    ['context_length', Anthropic.BadRequestError, 'invalid_request_error'],
    ['invalid_request', Anthropic.BadRequestError, 'invalid_request_error'],
    ['server_error', Anthropic.InternalServerError, 'api_error'],
  ])('gets an error of its own class for %s', async (kind, errorClass, type) => {
    simulator().fault({ type: 'status', kind, retryAfterSeconds: 700 });
    const call = client.messages.create(base);
    const error: unknown = await call.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(errorClass);
    expect(error).toMatchObject({ type, requestID: expect.stringMatching(/^req_\w+$/) });
    if (kind === 'rate_limited' || kind === 'overloaded') {
      const headers = error instanceof Anthropic.APIError ? error.headers : undefined;
      expect(Number(headers?.get('retry-after'))).toBeGreaterThan(600);
    }
    if (kind === 'context_length') {
      expect(error).toMatchObject({ apiMessage: expect.stringMatching(/^prompt is too long/) });
    }
  });
});

describe('the handler for clients of Anthropic', () => {
  const base = { model: 'anthropic', max_tokens: 100, messages: hi };
  const failure = (call: Promise<unknown>) => call.then(String, (reason: unknown) => reason);

  it('counts tokens', async () => {
    const count = (text: string, tools: Anthropic.Tool[] = []) =>
      client.messages.countTokens({
        model: 'anthropic',
        messages: [{ role: 'user', content: text }],
        tools,
      });
    const few = await count('How is the weather?');
    expect(few.input_tokens).toBeGreaterThan(3);
    expect((await count('How is the weather? '.repeat(100))).input_tokens).toBeGreaterThan(
      50 * few.input_tokens,
    );
    expect((await count('How is the weather?', [weather])).input_tokens).toBeGreaterThan(
      few.input_tokens,
    );
    expect(server.simulators.anthropic.log).toEqual([]);
  });

  it('lists the tiers as models', async () => {
    const models: Anthropic.ModelInfo[] = [];
    for await (const model of client.models.list()) models.push(model);
    expect(models.map(({ id }) => id)).toEqual(expect.arrayContaining([...vendorNames]));
    expect(models[0]).toMatchObject({ type: 'model', display_name: models[0]?.id });
  });

  it('accepts the key as x-api-key or as a bearer token, and nothing else', async () => {
    const headers = { Authorization: null, 'x-api-key': clientKey };
    const other = clientWith({ defaultHeaders: headers });
    await expect(other.messages.create(base)).resolves.toMatchObject({ type: 'message' });
    const stranger = clientWith({ apiKey: 'sk-stranger' });
    const error = await failure(stranger.messages.create(base));
    expect(error).toBeInstanceOf(Anthropic.AuthenticationError);
    expect(error).toMatchObject({ type: 'authentication_error' });
  });

  it('names the field that is wrong', async () => {
    const wrong = { ...base, messages: [{ role: 'user', content: [{ type: 'text' }] }] };
    const error = await failure(client.messages.create(wrong as never));
    expect(error).toBeInstanceOf(Anthropic.BadRequestError);
    expect(error).toMatchObject({
      type: 'invalid_request_error',
      apiMessage: expect.stringContaining('messages[0].content[0].text'),
    });
    const tools = [{ type: 'web_search_20250305' as const, name: 'web_search' as const }];
    expect(await failure(client.messages.create({ ...base, tools }))).toMatchObject({
      status: 400,
      apiMessage: expect.stringContaining('tools[0].type'),
    });
  });

  it('does not know other models', async () => {
    const error = await failure(client.messages.create({ ...base, model: 'gpt-nothing' }));
    expect(error).toBeInstanceOf(Anthropic.NotFoundError);
    expect(error).toMatchObject({ type: 'not_found_error' });
  });

  it('sends pings while the model is silent', async () => {
    server.serve({ heartbeatMs: 20 });
    server.vendor('anthropic').simulator.fault({ type: 'slow-first-token', ms: 400 });
    const response = await server.post('/messages', JSON.stringify({ ...base, stream: true }));
    const events = (await response.text()).match(/^event: .*$/gm) ?? [];
    expect(events.slice(0, 2)).toEqual(['event: message_start', 'event: ping']);
    expect(events.at(-1)).toBe('event: message_stop');
  });

  it('rejects a body that is too large', async () => {
    const messages = [{ role: 'user' as const, content: 'a'.repeat(5_000_000) }];
    const error = await failure(client.messages.create({ ...base, messages }));
    expect(error).toBeInstanceOf(Anthropic.APIError);
    expect(error).toMatchObject({ status: 413, type: 'request_too_large' });
  });

  it('forwards no header of a client', async () => {
    const betas = ['context-management-2025-06-27'];
    const headers = { 'x-evil': 'yes', 'anthropic-workspace': 'w' };
    await client.beta.messages.create({ ...base, betas }, { headers });
    const received = server.simulators.anthropic.log.at(-1)?.headers ?? {};
    expect(Object.keys(received)).not.toContain('x-evil');
    expect(received['anthropic-beta'] ?? '').not.toContain('context-management');
    expect(JSON.stringify(received)).not.toContain(clientKey);
  });

  it('takes what a coding agent sends', async () => {
    const cache_control = { type: 'ephemeral', ttl: '1h' };
    const body = {
      ...base,
      stream: true,
      system: [
        { type: 'text', text: 'You are a coding agent.', cache_control },
        { type: 'text', text: 'The repository is clean.', cache_control },
      ],
      metadata: { user_id: `user_${'0'.repeat(64)}_account__session_${'1'.repeat(36)}` },
      thinking: { type: 'enabled', budget_tokens: 50 },
      context_management: { edits: [{ type: 'clear_thinking_20251015', keep: 'all' }] },
      mcp_servers: [],
      tools: Array.from({ length: 40 }, (_, index) => ({
        ...weather,
        name: `mcp__server__tool_${index}`,
        eager_input_streaming: true,
        defer_loading: false,
        ...(index === 39 && { cache_control }),
      })),
    };
    const response = await server.post('/messages?beta=true', JSON.stringify(body), {
      'anthropic-version': '2023-06-01',
      'anthropic-beta': 'claude-code-20250219,interleaved-thinking-2025-05-14',
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    expect(await response.text()).toMatch(
      /event: message_stop\ndata: \{"type":"message_stop"\}\n\n$/,
    );
  });
});
