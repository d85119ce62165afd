import { APIError } from '@anthropic-ai/sdk';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type SimulatedProviders,
  simulateProviders,
} from '../../src/testing/simulate-providers.ts';
import {
  type Clients,
  chatBody,
  createClients,
  drain,
  errorOf,
  geminiBody,
  messagesBody,
  responsesBody,
  simulatorOf,
  textStreams,
  wires,
} from './simulator-clients.ts';

let simulators: SimulatedProviders;
let clients: Clients;

beforeAll(async () => {
  simulators = await simulateProviders({
    openai: { models: ['gpt-5.4'] },
    anthropic: { models: ['claude-haiku-4-5'] },
    google: { models: ['gemini-3-flash'] },
  });
  clients = createClients(simulators);
});
afterAll(() => simulators.close());
beforeEach(() => simulators.reset());

const rich = {
  text: 'Grüße aus Zürich: 東京 🎉 and more text than one chunk has',
  reasoning: 'Thinking about greetings at some length.',
  reasoningSignature: 'sig-1',
  toolCalls: [
    { name: 'weather', input: { city: 'Zürich' } },
    { name: 'weather', input: { city: '東京' } },
  ],
  usage: {
    inputTokens: 20,
    outputTokens: 30,
    cachedInputTokens: 8,
    cacheWriteTokens: 4,
    reasoningTokens: 7,
  },
} as const;

describe('each wire', () => {
  test.each(wires)('%s streams the text in several chunks of whole characters', async (wire) => {
    simulatorOf(wire, simulators).answer(rich.text);
    const chunks: string[] = [];
    for await (const chunk of textStreams(clients)[wire]()) if (chunk !== '') chunks.push(chunk);
    expect(chunks.length).toBeGreaterThan(2);
    expect(chunks.join('')).toBe(rich.text);
  });

  test.each(wires)('%s names provider and model by default', async (wire) => {
    const simulator = simulatorOf(wire, simulators);
    const { text } = await drain(textStreams(clients)[wire]());
    expect(text).toContain(simulator.log[0]?.model);
    expect(text).toMatch(/openai|anthropic|google/);
  });

  test.each(wires)('%s logs the request and its outcome', async (wire) => {
    const simulator = simulatorOf(wire, simulators);
    await drain(textStreams(clients)[wire]());
    const [entry] = simulator.log;
    await entry?.done;
    expect(entry).toMatchObject({
      wire,
      method: 'POST',
      stream: true,
      status: 200,
      aborted: false,
      key: 'key',
    });
    expect(entry?.eventsSent).toBeGreaterThan(1);
    expect(simulator.openRequests).toBe(0);
  });

  test.each(wires)('%s detects that the client has closed the socket', async (wire) => {
    const simulator = simulatorOf(wire, simulators);
    simulator.answer({ chunks: ['one', 'two', 'three'], chunkDelayMs: 600_000 });
    const caller = new AbortController();
    const reading = drain(textStreams(clients)[wire](caller.signal));
    while (simulator.log[0]?.status === undefined) await new Promise(setImmediate);
    expect(simulator.openRequests).toBe(1);
    caller.abort();
    await reading;
    await simulator.log[0]?.done;
    expect(simulator.log[0]?.aborted).toBe(true);
    expect(simulator.openRequests).toBe(0);
  });
});

describe('Chat Completions', () => {
  test('sends a unary answer with tools, usage and request id', async () => {
    simulators.openai.answer({ ...rich, serviceTier: 'flex', model: 'gpt-5.4-2026-03-05' });
    const { data, request_id: requestId } = await clients.openai.chat.completions
      .create(chatBody)
      .withResponse();
    const [choice] = data.choices;
    expect(choice?.finish_reason).toBe('tool_calls');
    expect(choice?.message.content).toBe(rich.text);
    expect(choice?.message).not.toHaveProperty('reasoning_content');
    expect(
      choice?.message.tool_calls?.map((call) => call.type === 'function' && call.function),
    ).toEqual([
      { name: 'weather', arguments: '{"city":"Zürich"}' },
      { name: 'weather', arguments: '{"city":"東京"}' },
    ]);
    expect(data.usage).toMatchObject({
      prompt_tokens: 20,
      completion_tokens: 30,
      total_tokens: 50,
      prompt_tokens_details: { cached_tokens: 8, cache_write_tokens: 4 },
      completion_tokens_details: { reasoning_tokens: 7 },
    });
    expect(data).toMatchObject({ model: 'gpt-5.4-2026-03-05', service_tier: 'flex' });
    expect(requestId).toMatch(/^req_/);
  });

  test('streams parallel calls and usage that the SDK assembles', async () => {
    simulators.openai.answer(rich);
    const completion = await clients.openai.chat.completions
      .stream({ ...chatBody, stream_options: { include_usage: true } })
      .finalChatCompletion();
    const calls = completion.choices[0]?.message.tool_calls ?? [];
    expect(calls.map((call) => call.type === 'function' && call.function.arguments)).toEqual([
      '{"city":"Zürich"}',
      '{"city":"東京"}',
    ]);
    expect(new Set(calls.map(({ id }) => id)).size).toBe(2);
    expect(completion.usage?.total_tokens).toBe(50);
  });

  test('streams usage only when it is requested', async () => {
    const stream = await clients.openai.chat.completions.create({ ...chatBody, stream: true });
    for await (const chunk of stream) expect(chunk).not.toHaveProperty('usage');
  });

  test('streams usage without a request with streamUsage "always"', async () => {
    simulators.openai.answer({ text: 'Hi', streamUsage: 'always' });
    const stream = await clients.openai.chat.completions.create({ ...chatBody, stream: true });
    const usages: unknown[] = [];
    for await (const { usage } of stream) usages.push(usage);
    expect(usages.at(-1)).toMatchObject({ completion_tokens: 1 });
  });

  test('sends reasoning_content and invalid arguments of a compatible vendor', async () => {
    simulators.compatible.answer({
      reasoning: rich.reasoning,
      toolCalls: [{ id: 'abc', name: 'f', rawInput: '{"a":' }],
    });
    const completion = await clients.compatible.chat.completions.create(chatBody);
    expect(completion.choices[0]?.message).toMatchObject({
      content: null,
      reasoning_content: rich.reasoning,
      tool_calls: [{ id: 'abc', function: { arguments: '{"a":' } }],
    });
  });

  test('sends a refusal in its field, with the finish reason stop', async () => {
    simulators.openai.answer({ refusal: 'I will not.' });
    const completion = await clients.openai.chat.completions.stream(chatBody).finalChatCompletion();
    expect(completion.choices[0]).toMatchObject({
      finish_reason: 'stop',
      message: { content: null, refusal: 'I will not.' },
    });
  });
});

describe('Responses', () => {
  test('streams events from which the SDK rebuilds the response of the last event', async () => {
    simulators.openai.answer(rich);
    const stream = clients.openai.responses.stream({
      ...responsesBody,
      reasoning: { effort: 'medium', summary: 'auto' },
    });
    const numbers: number[] = [];
    for await (const event of stream) numbers.push(event.sequence_number);
    const response = await stream.finalResponse();
    expect(numbers).toEqual(numbers.map((_number, index) => index));
    expect(response.output.map(({ type }) => type)).toEqual([
      'reasoning',
      'message',
      'function_call',
      'function_call',
    ]);
    expect(response.output[0]).toMatchObject({
      encrypted_content: 'sig-1',
      summary: [{ type: 'summary_text', text: rich.reasoning }],
    });
    expect(response.output_text).toBe(rich.text);
    expect(response.output[3]).toMatchObject({ name: 'weather', arguments: '{"city":"東京"}' });
    expect(response.usage).toMatchObject({
      input_tokens: 20,
      input_tokens_details: { cached_tokens: 8, cache_write_tokens: 4 },
      output_tokens: 30,
      output_tokens_details: { reasoning_tokens: 7 },
    });
  });

  test('sends no reasoning summary unless it is requested', async () => {
    simulators.openai.answer(rich);
    const response = await clients.openai.responses.create(responsesBody);
    expect(response.output[0]).toMatchObject({ type: 'reasoning', summary: [] });
  });

  test.each([
    ['length', { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } }],
    ['content_filter', { status: 'incomplete', incomplete_details: { reason: 'content_filter' } }],
    ['error', { status: 'failed', error: { code: 'server_error' } }],
  ] as const)('reports %s with status 200', async (finishReason, expected) => {
    simulators.openai.answer({ text: 'Half an ans', finishReason });
    expect(await clients.openai.responses.create(responsesBody)).toMatchObject(expected);
  });
});

describe('Anthropic', () => {
  test('streams thinking, text, calls and usage that the SDK assembles', async () => {
    simulators.anthropic.answer(rich);
    const message = await clients.anthropic.messages.stream(messagesBody).finalMessage();
    expect(message.content).toMatchObject([
      { type: 'thinking', thinking: rich.reasoning, signature: 'sig-1' },
      { type: 'text', text: rich.text },
      { type: 'tool_use', name: 'weather', input: { city: 'Zürich' } },
      { type: 'tool_use', name: 'weather', input: { city: '東京' } },
    ]);
    expect(message.stop_reason).toBe('tool_use');
    expect(message.usage).toMatchObject({
      input_tokens: 8,
      cache_read_input_tokens: 8,
      cache_creation_input_tokens: 4,
      output_tokens: 30,
      output_tokens_details: { thinking_tokens: 7 },
    });
  });

  test('sends the same content unary and streamed', async () => {
    simulators.anthropic.answer(rich);
    const streamed = await clients.anthropic.messages.stream(messagesBody).finalMessage();
    const whole = await clients.anthropic.messages.create(messagesBody);
    const blocks = (content: typeof whole.content) =>
      content.map((block) => ({ ...block, id: undefined }));
    expect(blocks(whole.content)).toEqual(blocks(streamed.content));
    expect(whole.usage.input_tokens).toBe(streamed.usage.input_tokens);
    expect(whole._request_id).toMatch(/^req_/);
  });

  test('sends a refusal with status 200 and no content', async () => {
    simulators.anthropic.answer({ refusal: 'I will not.' });
    expect(await clients.anthropic.messages.create(messagesBody)).toMatchObject({
      content: [],
      stop_reason: 'refusal',
      stop_details: { type: 'refusal', explanation: 'I will not.' },
    });
  });

  test('rejects sampling parameters under its newest version and accepts them under the old one', async () => {
    const body = { ...messagesBody, temperature: 0.5 };
    const error = await errorOf(clients.anthropic.messages.create(body));
    expect(error).toMatchObject({ status: 400, type: 'invalid_request_error' });
    const headers = { 'anthropic-version': '2023-06-01' };
    const message = await clients.anthropic.messages.create(body, { headers });
    expect(message.stop_reason).toBe('end_turn');
  });
});

describe('Gemini', () => {
  test('streams thoughts, text, calls under one signature, and growing usage', async () => {
    simulators.google.answer(rich);
    const parts: unknown[] = [];
    const totals: number[] = [];
    let finishReason: string | undefined;
    for await (const chunk of await clients.google.models.generateContentStream(geminiBody)) {
      parts.push(...(chunk.candidates?.[0]?.content?.parts ?? []));
      totals.push(chunk.usageMetadata?.totalTokenCount ?? 0);
      finishReason = chunk.candidates?.[0]?.finishReason ?? finishReason;
    }
    expect(parts.at(0)).toMatchObject({ thought: true });
    expect(parts.slice(-3)).toEqual([
      {
        functionCall: { name: 'weather', args: { city: 'Zürich' } },
        thoughtSignature: 'sig-1',
      },
      { functionCall: { name: 'weather', args: { city: '東京' } } },
      { text: '' },
    ]);
    expect(finishReason).toBe('STOP');
    expect(totals).toEqual([...totals].sort((first, second) => first - second));
    expect(totals.at(-1)).toBe(50);
  });

  test('sends a unary answer with separate thought tokens and the signature on the text', async () => {
    const { toolCalls: _none, ...noCalls } = rich;
    simulators.google.answer(noCalls);
    const response = await clients.google.models.generateContent(geminiBody);
    expect(response.text).toBe(rich.text);
    expect(response.candidates?.[0]?.content?.parts?.at(-1)?.thoughtSignature).toBe('sig-1');
    expect(response.usageMetadata).toMatchObject({
      promptTokenCount: 20,
      cachedContentTokenCount: 8,
      candidatesTokenCount: 23,
      thoughtsTokenCount: 7,
      totalTokenCount: 50,
    });
    expect(response.modelVersion).toBe('gemini-3-flash');
  });
});

const schema = {
  type: 'object',
  properties: { city: { type: 'string', enum: ['Bern'] }, people: { type: 'integer' } },
  required: ['city', 'people'],
  additionalProperties: false,
} as const;

describe('the default answer', () => {
  const fits = { city: 'Bern', people: 1 };

  test('fits the schema on every wire', async () => {
    const chat = await clients.openai.chat.completions.create({
      ...chatBody,
      response_format: { type: 'json_schema', json_schema: { name: 'city', schema } },
    });
    const response = await clients.openai.responses.create({
      ...responsesBody,
      text: { format: { type: 'json_schema', name: 'city', schema } },
    });
    const message = await clients.anthropic.messages.create({
      ...messagesBody,
      output_config: { format: { type: 'json_schema', schema } },
    });
    const gemini = await clients.google.models.generateContent({
      ...geminiBody,
      config: {
        ...geminiBody.config,
        responseMimeType: 'application/json',
        responseJsonSchema: schema,
      },
    });
    const [block] = message.content;
    const texts = [
      chat.choices[0]?.message.content,
      response.output_text,
      block?.type === 'text' ? block.text : undefined,
      gemini.text,
    ];
    expect(texts.map((text) => JSON.parse(text ?? 'null'))).toEqual([fits, fits, fits, fits]);
  });

  test('calls the forced tool on every wire', async () => {
    const chat = await clients.openai.chat.completions.create({
      ...chatBody,
      tools: [{ type: 'function', function: { name: 'find', parameters: schema } }],
      tool_choice: 'required',
    });
    const response = await clients.openai.responses.create({
      ...responsesBody,
      tools: [{ type: 'function', name: 'find', parameters: schema, strict: true }],
      tool_choice: { type: 'function', name: 'find' },
    });
    const message = await clients.anthropic.messages.create({
      ...messagesBody,
      tools: [{ name: 'find', input_schema: { ...schema, required: [...schema.required] } }],
      tool_choice: { type: 'any' },
    });
    const gemini = await clients.google.models.generateContent({
      ...geminiBody,
      config: {
        ...geminiBody.config,
        tools: [{ functionDeclarations: [{ name: 'find', parametersJsonSchema: schema }] }],
        toolConfig: { functionCallingConfig: { mode: 'ANY' as never } },
      },
    });
    expect(chat.choices[0]?.message.tool_calls?.[0]).toMatchObject({
      function: { name: 'find', arguments: JSON.stringify(fits) },
    });
    expect(response.output[0]).toMatchObject({ name: 'find', arguments: JSON.stringify(fits) });
    expect(message.content[0]).toMatchObject({ name: 'find', input: fits });
    expect(gemini.functionCalls).toEqual([{ name: 'find', args: fits }]);
  });

  test('is used when an answer function returns undefined', async () => {
    simulators.openai.answer(({ stream }) => (stream ? 'streamed' : undefined));
    const whole = await clients.openai.chat.completions.create(chatBody);
    expect(whole.choices[0]?.message.content).toContain('openai/gpt-5.4');
    expect((await drain(textStreams(clients)['openai-chat']())).text).toBe('streamed');
  });
});

describe('paths and delays', () => {
  test('accept deployment, project and version paths', async () => {
    const { openai, google } = simulators;
    const headers = { 'api-key': 'key', authorization: 'Bearer key' };
    const post = (url: string, body: object) =>
      fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
    const azure = new URL('/openai/deployments/any/chat/completions?api-version=1', openai.baseURL);
    expect((await post(azure.href, chatBody)).status).toBe(200);
    const model = 'projects/p/locations/l/publishers/google/models/gemini-3-flash';
    const vertex = `${google.baseURL}/v1beta1/${model}:generateContent`;
    expect((await post(vertex, { contents: [{ parts: [{ text: 'Hi' }] }] })).status).toBe(200);
    expect(google.log[0]?.model).toBe('gemini-3-flash');
  });

  test('delay the first token and each chunk, and add headers', async () => {
    simulators.openai.answer({
      chunks: ['a', 'b', 'c'],
      firstTokenDelayMs: 40,
      chunkDelayMs: 30,
      headers: { 'x-extra': 'yes' },
    });
    const startedAt = performance.now();
    const { data, response } = await clients.openai.chat.completions
      .create({ ...chatBody, stream: true })
      .withResponse();
    const chunks: string[] = [];
    for await (const chunk of data) chunks.push(chunk.choices[0]?.delta.content ?? '');
    // Each timer may fire up to a millisecond early by this clock.
    expect(performance.now() - startedAt).toBeGreaterThan(97);
    expect(chunks.join('')).toBe('abc');
    expect(response.headers.get('x-extra')).toBe('yes');
  });
});

describe('finish reasons', () => {
  test.each([
    ['stop', 'stop', 'end_turn', 'STOP'],
    ['length', 'length', 'max_tokens', 'MAX_TOKENS'],
    ['content_filter', 'content_filter', 'refusal', 'SAFETY'],
    ['context_length', 'length', 'model_context_window_exceeded', 'MAX_TOKENS'],
    ['pause', 'stop', 'pause_turn', 'CONTINUATION'],
    ['error', 'error', 'error', 'MALFORMED_FUNCTION_CALL'],
  ] as const)(
    '%s is sent as the value of each vendor',
    async (finishReason, openai, anthropic, google) => {
      for (const provider of [simulators.openai, simulators.anthropic, simulators.google])
        provider.answer({ text: 'Well', finishReason });
      const chat = await clients.openai.chat.completions.create(chatBody);
      const message = await clients.anthropic.messages.create(messagesBody);
      const gemini = await clients.google.models.generateContent(geminiBody);
      expect([
        chat.choices[0]?.finish_reason,
        message.stop_reason,
        gemini.candidates?.[0]?.finishReason,
      ]).toEqual([openai, anthropic, google]);
    },
  );
});

describe('the checks of vendors', () => {
  test.each(wires)('%s rejects a bad key', async (wire) => {
    const { error } = await drain(textStreams(createClients(simulators, 'bad-key'))[wire]());
    expect(error).toMatchObject({ status: wire === 'gemini' ? 400 : 401 });
    if (wire === 'gemini') expect(String(error)).toContain('API_KEY_INVALID');
  });

  test('reject a request without a key', async () => {
    const response = await fetch(`${simulators.openai.baseURL}/chat/completions`, {
      method: 'POST',
      body: JSON.stringify(chatBody),
    });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ error: { code: 'invalid_api_key' } });
  });

  test('answer 404 for an unknown model, and 400 on Responses', async () => {
    const model = 'unknown';
    const errors = await Promise.all(
      [
        clients.openai.chat.completions.create({ ...chatBody, model }),
        clients.openai.responses.create({ ...responsesBody, model }),
        clients.anthropic.messages.create({ ...messagesBody, model }),
        clients.google.models.generateContent({ ...geminiBody, model }),
      ].map(errorOf),
    );
    expect(errors).toMatchObject([
      { status: 404, code: 'model_not_found' },
      { status: 400, code: 'model_not_found', param: 'model' },
      { status: 404, type: 'not_found_error' },
      { status: 404, name: 'ApiError' },
    ]);
  });

  test('answer 404 for an unknown path, in the vendor’s format', async () => {
    const error = await errorOf(clients.anthropic.models.list());
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({ status: 404, type: 'not_found_error' });
  });

  test('answer 500 with the message of an answer function that throws', async () => {
    simulators.openai.answer(() => {
      throw new Error('the test is wrong');
    });
    const error = await errorOf(clients.openai.chat.completions.create(chatBody));
    expect(String(error)).toContain('the test is wrong');
  });
});

test('close ends all sockets, including those of running requests', async () => {
  const own = await simulateProviders();
  const { openai, anthropic, google } = own;
  for (const provider of [openai, anthropic, google]) provider.fault({ type: 'silence' });
  const streams = textStreams(createClients(own));
  const reading = wires.map((wire) => drain(streams[wire]()));
  while (openai.log.length + anthropic.log.length + google.log.length < wires.length)
    await new Promise(setImmediate);
  expect(openai.connections + anthropic.connections + google.connections).toBe(4);
  await own.close();
  expect(openai.connections + anthropic.connections + google.connections).toBe(0);
  expect(openai.openRequests + anthropic.openRequests + google.openRequests).toBe(0);
  for (const outcome of await Promise.all(reading)) expect(outcome.error).toBeDefined();
});
