import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { guardTools } from '../../src/policies.ts';
import { clientKey, HandlerServer } from '../support/served.ts';

let server: HandlerServer;

beforeAll(async () => {
  server = await HandlerServer.start();
});
beforeEach(() => {
  server.serve();
});
afterAll(() => server.close());

const path = '/chat/completions';
const ask = { model: 'chat', messages: [{ role: 'user', content: 'Hello' } as const] };
const streamed = JSON.stringify({ ...ask, stream: true });

const request = (body: string, signal?: AbortSignal): Request =>
  new Request(`${server.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${clientKey}`, 'content-type': 'application/json' },
    body,
    ...(signal !== undefined && { signal }),
  });

const words = Array.from({ length: 300 }, () => 'word ');

describe('a stream', () => {
  it('ends with [DONE] after its finish reason', async () => {
    const answer = await server.post(path, streamed);
    expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const events = (await answer.text()).trim().split('\n\n');
    expect(events.at(-1)).toBe('data: [DONE]');
    expect(events.at(-2)).toContain('"finish_reason":"stop"');
  });

  it('that fails ends with an error and [DONE], without a finish reason', async () => {
    server.simulators.compatible.answer({ chunks: ['secret ', 'two'] });
    server.simulators.compatible.fault({
      ...{ type: 'error-in-stream', afterEvents: 100, kind: 'server_error' },
      message: 'canary of the vendor',
    });
    const text = await (await server.post(path, streamed)).text();
    const events = text.trim().split('\n\n');
    expect(events.at(-1)).toBe('data: [DONE]');
    const { error } = JSON.parse(events.at(-2)?.slice('data: '.length) ?? '');
    expect(error).toEqual({
      message: expect.any(String),
      type: expect.any(String),
      param: null,
      code: null,
    });
    expect(text).not.toMatch(/"finish_reason":"|canary|llama|at .*\.ts/);
  });

  it('that is left unread ends its call', async () => {
    const { handler } = server.serve({ stallTimeoutMs: 50 });
    const reader = (await handler(request(streamed))).body?.getReader();
    await reader?.read();
    await expect(reader?.closed).rejects.toThrow('left unread');
  });

  it('that a connection leaves unread ends its call', async () => {
    server.serve({ stallTimeoutMs: 50 });
    const { compatible } = server.simulators;
    const chunk = 'x'.repeat(20_000);
    compatible.answer({ chunks: Array.from({ length: 2_000 }, () => chunk) });
    const socket = connect(server.port, '127.0.0.1');
    socket.pause();
    socket.on('error', () => undefined);
    socket.write(
      `POST /v1${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${clientKey}\r\n` +
        `content-type: application/json\r\ncontent-length: ${streamed.length}\r\n\r\n${streamed}`,
    );
    const sent = (): number => compatible.log[0]?.eventsSent ?? 0;
    await vi.waitFor(() => expect(sent()).toBeGreaterThan(20));
    await vi.waitFor(() => expect(compatible.openRequests).toBe(0), 4_000);
    socket.destroy();
  });

  it('that would restart ends with an error instead of a second answer', async () => {
    const { simulators } = server;
    server.serve({
      config: {
        tiers: {
          chat: { targets: ['chat/llama-4', 'anthropic/claude-haiku-4-5'], midStream: 'restart' },
        },
      },
    });
    simulators.compatible.answer({ chunks: ['first ', 'answer'] });
    simulators.compatible.fault({ type: 'truncate', afterEvents: 100 });
    simulators.anthropic.answer({ text: 'second answer', chunks: ['second answer'] });
    const text = await (await server.post(path, streamed)).text();
    expect(text).toContain('"content":"first "');
    expect(text).not.toContain('second answer');
    expect(text).toMatch(/data: \{"error":.*\n\ndata: \[DONE\]\n\n$/);
    await expect.poll(() => simulators.anthropic.openRequests).toBe(0);
  });

  it('fails over before its first word', async () => {
    server.serve({ config: { tiers: { chat: ['chat/llama-4', 'anthropic/claude-haiku-4-5'] } } });
    server.simulators.compatible.down();
    server.simulators.anthropic.answer({ text: 'from the second' });
    const client = server.openai();
    const { choices } = await client.chat.completions.create(ask);
    expect(choices[0]?.message.content).toBe('from the second');
    const stream = client.chat.completions.stream(ask);
    expect(await stream.finalContent()).toBe('from the second');
  });

  it.each(['node', 'web'])('sends comments while it is silent (%s)', async (kind) => {
    const { handler } = server.serve({ heartbeatMs: 30 });
    const { compatible } = server.simulators;
    // The first word comes late: the headers do not wait for it.
    compatible.answer({ chunks: ['one ', 'two'], firstTokenDelayMs: 150, chunkDelayMs: 150 });
    const answer = await (kind === 'node'
      ? server.post(path, streamed)
      : handler(request(streamed)));
    const text = await answer.text();
    expect(text.split(': keep-alive\n\n').length).toBeGreaterThan(4);
    expect(text).toMatch(/"one "[\s\S]*: keep-alive\n\n[\s\S]*"two"/);
    expect(text).toMatch(/data: \[DONE\]\n\n$/);
  });

  it('that fails after its headers were sent reports the failure as an event', async () => {
    server.serve({ heartbeatMs: 20 });
    const late = Promise.withResolvers<string>();
    server.simulators.compatible.answer(() => late.promise);
    server.simulators.compatible.fault({ type: 'truncate', afterEvents: 1 });
    const answer = await server.post(path, streamed);
    expect(answer.status).toBe(200);
    let text = '';
    for await (const bytes of answer.body ?? []) {
      text += Buffer.from(bytes).toString();
      if (text.includes(': keep-alive')) late.resolve('late');
    }
    expect(text).toMatch(/: keep-alive\n\n[\s\S]*data: \{"error":/);
  });

  it("closes the vendor's socket when its reader cancels, or its request is aborted", async () => {
    const { compatible } = server.simulators;
    compatible.answer({ chunks: words, chunkDelayMs: 20 });
    const cancelled = await server.handler(request(streamed));
    const reader = cancelled.body?.getReader();
    for (let count = 0; count < 3; count++) await reader?.read();
    await reader?.cancel();
    await expect.poll(() => compatible.openRequests).toBe(0);
    const leaving = new AbortController();
    const aborted = await server.handler(request(streamed, leaving.signal));
    const text = aborted.text();
    await expect.poll(() => compatible.openRequests).toBe(1);
    leaving.abort();
    await expect.poll(() => compatible.openRequests).toBe(0);
    expect(await text).not.toContain('"finish_reason":"');
  });

  it('waits for a client that does not read, and does not keep what comes', async () => {
    const { compatible } = server.simulators;
    const chunk = 'x'.repeat(20_000);
    compatible.answer({ chunks: Array.from({ length: 2_000 }, () => chunk) });
    const socket = connect(server.port, '127.0.0.1');
    socket.pause();
    socket.write(
      `POST /v1${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${clientKey}\r\n` +
        `content-type: application/json\r\ncontent-length: ${streamed.length}\r\n\r\n${streamed}`,
    );
    const sent = (): number => compatible.log[0]?.eventsSent ?? 0;
    await expect.poll(sent).toBeGreaterThan(20);
    let before = -1;
    await vi.waitFor(
      () => {
        const now = sent();
        const isStill = now === before;
        before = now;
        expect(isStill).toBe(true);
      },
      { interval: 150, timeout: 60_000 },
    );
    expect(before).toBeLessThan(1_900);
    socket.destroy();
    await expect.poll(() => compatible.openRequests).toBe(0);
  });
});

describe('a tool call that a plugin denied', () => {
  const tools = ['remove', 'look'].map((name) => ({
    type: 'function' as const,
    function: { name, parameters: { type: 'object', properties: {} } },
  }));

  beforeEach(() => {
    server.serve({ config: { plugins: [guardTools({ deny: ['remove'] })] } });
  });

  it.each([true, false])('is not shown: alone it is a refusal (stream: %s)', async (stream) => {
    const { compatible } = server.simulators;
    compatible.answer({ toolCalls: [{ name: 'remove', input: {} }] });
    const body = JSON.stringify({ ...ask, tools, stream });
    const text = await (await server.post(path, body)).text();
    expect(text).not.toMatch(/tool_calls/);
    expect(text).toContain('"finish_reason":"stop"');
    if (!stream) {
      const { message } = JSON.parse(text).choices[0];
      expect(message).toMatchObject({ content: null, refusal: 'A tool call was not allowed.' });
    }
  });

  it.each([true, false])('leaves the others (stream: %s)', async (stream) => {
    const { compatible } = server.simulators;
    compatible.answer({
      toolCalls: [
        { name: 'remove', input: {} },
        { name: 'look', input: {} },
      ],
    });
    const client = server.openai();
    const { choices } = stream
      ? await client.chat.completions.stream({ ...ask, tools }).finalChatCompletion()
      : await client.chat.completions.create({ ...ask, tools });
    const calls = choices[0]?.message.tool_calls ?? [];
    expect(calls).toMatchObject([{ function: { name: 'look' } }]);
    expect(choices[0]?.finish_reason).toBe('tool_calls');
  });
});

it('answers with 503 once the router is closed', async () => {
  await server.router.close();
  for (const body of [streamed, JSON.stringify(ask)]) {
    const answer = await server.post(path, body);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ error: { type: 'service_unavailable_error' } });
  }
});
