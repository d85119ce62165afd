import { LLMock } from '@copilotkit/aimock';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anthropic } from '../../src/anthropic.ts';
import { google } from '../../src/google.ts';
import { createRouter, type Router } from '../../src/index.ts';
import { openai, openaiChat } from '../../src/openai.ts';

/** An independent implementation of the vendors' wires. */
const mock = new LLMock({ port: 0, logLevel: 'silent' });
let router: Router<'responses' | 'chat' | 'anthropic' | 'google'>;

const wires = ['responses', 'chat', 'anthropic', 'google'] as const;
const sentence = 'The quick brown fox jumps over the lazy dog, twice: Grüße, 世界 👋🏽.';

beforeAll(async () => {
  mock
    .onMessage('say it', { content: sentence })
    .onMessage('think', { content: 'Yes.', reasoning: 'Because I thought so.' })
    .onMessage('both', {
      toolCalls: [
        { name: 'weather', arguments: '{"city":"Bern"}' },
        { name: 'weather', arguments: '{"city":"Rome"}' },
      ],
    })
    .onMessage('limit', {
      error: { message: 'slow down', type: 'rate_limit_error' },
      status: 429,
      retryAfter: 3,
    })
    .onMessage('broken', { error: { message: 'oh', type: 'server_error' }, status: 500 })
    .onMessage('cut me', { content: sentence }, { truncateAfterChunks: 2, chunkSize: 5 })
    .onMessage(
      'hang up',
      { content: sentence },
      { disconnectAfterMs: 60, latency: 30, chunkSize: 5 },
    )
    .onEmbedding('vector', { embedding: [0.25, -0.5, 1] });
  await mock.start();
  const apiKey = 'test-key';
  const all = createRouter({
    providers: {
      responses: openai({ apiKey, baseURL: `${mock.url}/v1` }),
      chat: openaiChat({ apiKey, baseURL: `${mock.url}/v1` }),
      anthropic: anthropic({ apiKey, baseURL: mock.url }),
      google: google({ apiKey, baseURL: mock.url }),
    },
    tiers: {
      responses: ['responses/gpt-5.4-mini'],
      chat: ['chat/gpt-4o'],
      anthropic: ['anthropic/claude-sonnet-4-6'],
      google: ['google/gemini-2.5-flash'],
    },
    defaults: { retry: { attempts: 0 }, timeouts: { totalMs: 60_000 } },
  });
  router = all;
});
afterAll(() => mock.stop());

async function failureOf(call: Promise<unknown>): Promise<unknown> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return (error as { errors?: unknown[] }).errors?.[0];
}

describe.each(wires)('against the aimock server, the %s wire', (wire) => {
  it.each(['stream', 'unary'] as const)('answers (%s)', async (mode) => {
    const answer = await router.complete(wire, 'say it', { transfer: mode });
    expect(answer).toMatchObject({ text: sentence, finishReason: 'stop' });
    // The mock reports no tokens on the other wires.
    if (wire === 'chat') expect(answer.usage.outputTokens).toBeGreaterThan(0);
  });

  it('streams', async () => {
    let text = '';
    for await (const delta of router.stream(wire, 'say it').textStream) text += delta;
    expect(text).toBe(sentence);
  });

  it.each(['stream', 'unary'] as const)('calls two tools in parallel (%s)', async (mode) => {
    const inputSchema = { type: 'object', properties: { city: { type: 'string' } } };
    const tools = [{ name: 'weather', inputSchema }] as const;
    const { toolCalls, finishReason } = await router.complete(wire, 'both', {
      tools,
      transfer: mode,
    });
    expect(toolCalls.map(({ input }) => input)).toEqual([{ city: 'Bern' }, { city: 'Rome' }]);
    expect(new Set(toolCalls.map(({ id }) => id)).size).toBe(2);
    expect(finishReason).toBe('tool_calls');
  });

  it('reasons', async () => {
    const answer = await router.complete(wire, 'think', {
      reasoning: { effort: 'medium', include: true },
    });
    expect(answer.text).toBe('Yes.');
    expect(answer.reasoningText).toBe('Because I thought so.');
  });

  it.each(['cut me', 'hang up'])('fails for half an answer: %s', async (prompt) => {
    const failure = await failureOf(router.complete(wire, prompt));
    // The server may close the connection before its first bytes are sent.
    expect(['stream_interrupted', 'connection']).toContain((failure as { code?: string }).code);
  });

  // Runs last, because a limited target is not used for some time.
  it('classifies its errors', async () => {
    expect(await failureOf(router.complete(wire, 'broken'))).toMatchObject({
      code: 'server_error',
    });
    expect(await failureOf(router.complete(wire, 'limit'))).toMatchObject({
      code: 'rate_limited',
      status: 429,
      retryAfterMs: 3_000,
    });
  });
});

describe('against the aimock server', () => {
  it.each(['chat', 'responses'] as const)('the %s wire embeds', async (wire) => {
    const { vectors } = await router.embed(wire, 'vector');
    expect(vectors).toEqual([[0.25, -0.5, 1]]);
  });
});
