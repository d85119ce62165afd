import { afterEach, describe, expect, it } from 'vitest';
import { openaiChat } from '../../../src/adapters/openai-chat/index.ts';
import { answerText, chatStream } from '../../support/answer-text.ts';
import {
  type CallOptions,
  callProvider,
  contentOf,
  finishOf,
  requestOf,
} from '../../support/provider-calls.ts';
import {
  answerEvents,
  answerJson,
  type ScriptedServer,
  startScriptedServer,
} from '../../support/scripted-server.ts';

let server: ScriptedServer | undefined;

afterEach(async () => {
  await server?.stop();
  server = undefined;
});

async function ask(answer: Parameters<typeof startScriptedServer>[0], options: CallOptions = {}) {
  server = await startScriptedServer(answer);
  const provider = openaiChat({ baseURL: `${server.url}/v1` });
  return callProvider(provider, requestOf({ model: 'm' }), options);
}

const chunk = (delta: object, more: object = {}) => ({
  id: 'chatcmpl-1',
  model: 'm-1',
  choices: [{ index: 0, delta, finish_reason: null, ...more }],
});
const end = (reason = 'stop') => chunk({}, { finish_reason: reason });
const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };
const piece = (index: number, more: object) => chunk({ tool_calls: [{ index, ...more }] });

const stream = (...chunks: readonly unknown[]) => ask(answerText(chatStream(chunks)));

describe('Chat Completions answer', () => {
  it('emits the parts of a stream', async () => {
    const parts = await ask(
      answerText(
        chatStream([
          chunk({ role: 'assistant', content: '' }),
          chunk({ content: 'Hel' }),
          chunk({ content: 'lo' }),
          end(),
          { id: 'chatcmpl-1', choices: [], usage, service_tier: 'default' },
        ]),
      ),
    );
    expect(parts).toEqual([
      { type: 'open', id: 'chatcmpl-1', servedModel: 'm-1', requestId: 'req_1' },
      { type: 'text-delta', delta: 'Hel' },
      { type: 'text-delta', delta: 'lo' },
      { type: 'part-end', part: { type: 'text', text: 'Hello' } },
      {
        type: 'finish',
        finishReason: 'stop',
        rawFinishReason: 'stop',
        id: 'chatcmpl-1',
        servedModel: 'm-1',
        serviceTier: 'default',
        usage: { inputTokens: 3, outputTokens: 2, totalTokens: 5, raw: usage },
      },
    ]);
  });

  it.each(['stream', 'unary'] as const)('reads a JSON body with transfer %s', async (transfer) => {
    const body = {
      id: 'chatcmpl-1',
      model: 'm-1',
      choices: [{ index: 0, finish_reason: 'stop', message: { content: 'Hello' } }],
      usage,
    };
    const parts = await ask(answerJson(body), { transfer, keepRaw: true });
    expect(contentOf(parts)).toEqual([{ type: 'text', text: 'Hello' }]);
    expect(finishOf(parts)).toMatchObject({ finishReason: 'stop', raw: body });
    expect(server?.seen[0]?.body.stream).toBe(transfer === 'stream');
  });

  it('reads events with transfer unary, and keeps them as raw', async () => {
    const chunks = [chunk({ content: 'Hello' }), end()];
    const parts = await ask(answerText(chatStream(chunks)), { transfer: 'unary', keepRaw: true });
    expect(contentOf(parts)).toEqual([{ type: 'text', text: 'Hello' }]);
    expect(finishOf(parts)).toMatchObject({ raw: chunks });
  });

  it('joins parallel calls from deltas', async () => {
    const parts = await stream(
      piece(0, { id: 'a', function: { name: 'one', arguments: '' } }),
      piece(0, { id: '', function: { arguments: '{"x"' } }),
      piece(1, { id: 'b', function: { name: 'two', arguments: '{}' } }),
      piece(0, { function: { arguments: ':1}' } }),
      end('tool_calls'),
    );
    expect(contentOf(parts)).toEqual([
      { type: 'tool-call', id: 'a', name: 'one', input: { x: 1 } },
      { type: 'tool-call', id: 'b', name: 'two', input: {} },
    ]);
    expect(finishOf(parts).finishReason).toBe('tool_calls');
  });

  it('separates calls by id when all have index 0', async () => {
    const parts = await stream(
      piece(0, { id: 'a', function: { name: 'one', arguments: '{}' } }),
      piece(0, { id: 'b', function: { name: 'one', arguments: '{"x":1}' } }),
      end(),
    );
    expect(contentOf(parts)).toMatchObject([{ id: 'a' }, { id: 'b', input: { x: 1 } }]);
    expect(finishOf(parts).finishReason).toBe('tool_calls');
  });

  it('accepts missing indexes and ids, late names and object arguments', async () => {
    const parts = await stream(
      chunk({ tool_calls: [{ function: { name: 'one', arguments: { x: 1 } } }] }),
      chunk({ tool_calls: [{ function: { name: 'two', arguments: '{}' } }] }),
      piece(2, { id: 'c', function: { arguments: '{"y"' } }),
      piece(2, { function: { name: 'three', arguments: ':2}' } }),
      end('tool_calls'),
    );
    expect(contentOf(parts)).toEqual([
      { type: 'tool-call', id: 'call_1', name: 'one', input: { x: 1 } },
      { type: 'tool-call', id: 'call_2', name: 'two', input: {} },
      { type: 'tool-call', id: 'c', name: 'three', input: { y: 2 } },
    ]);
  });

  it('marks invalid arguments', async () => {
    const parts = await stream(
      piece(0, { id: 'a', function: { name: 'one', arguments: '{"x":' } }),
      end('length'),
    );
    expect(contentOf(parts)).toMatchObject([{ id: 'a', invalid: true, rawInput: '{"x":' }]);
    expect(finishOf(parts).finishReason).toBe('length');
  });

  it('reads a legacy function_call', async () => {
    const parts = await ask(
      answerJson({
        choices: [
          {
            message: { content: null, function_call: { name: 'one', arguments: '{"x":1}' } },
            finish_reason: 'function_call',
          },
        ],
      }),
    );
    expect(contentOf(parts)).toMatchObject([{ type: 'tool-call', name: 'one', input: { x: 1 } }]);
    expect(finishOf(parts)).toMatchObject({
      finishReason: 'tool_calls',
      rawFinishReason: 'function_call',
    });
  });

  it.each(['reasoning_content', 'reasoning'])('reads reasoning from %s', async (field) => {
    const parts = await stream(
      chunk({ [field]: 'H', content: null }),
      chunk({ [field]: 'm' }),
      chunk({ content: '4' }),
      end(),
    );
    expect(parts).toContainEqual({ type: 'reasoning-delta', delta: 'H' });
    expect(contentOf(parts)).toMatchObject([
      { type: 'reasoning', text: 'Hm', opaque: { kind: 'reasoning-content', data: field } },
      { type: 'text', text: '4' },
    ]);
  });

  it('emits reasoning once when two fields contain it', async () => {
    const parts = await stream(chunk({ reasoning: 'Hm', reasoning_content: 'Hm' }), end());
    expect(contentOf(parts)).toMatchObject([{ type: 'reasoning', text: 'Hm' }]);
  });

  it('reads reasoning from the field that is not empty', async () => {
    const parts = await stream(
      chunk({ reasoning_content: '', reasoning: 'H' }),
      chunk({ reasoning_content: '', reasoning: 'm' }),
      end(),
    );
    expect(contentOf(parts)).toMatchObject([{ type: 'reasoning', text: 'Hm' }]);
  });

  it('reads content parts, including thinking', async () => {
    const thinking = (words: string) => ({
      type: 'thinking',
      thinking: [{ type: 'text', text: words }],
    });
    const parts = await stream(
      chunk({ content: [thinking('H')] }),
      chunk({ content: [thinking('m'), { type: 'text', text: '1' }] }),
      chunk({ content: '44' }),
      end(),
    );
    expect(contentOf(parts)).toEqual([
      { type: 'reasoning', text: 'Hm' },
      { type: 'text', text: '144' },
    ]);
  });

  it('reads a refusal', async () => {
    const parts = await stream(chunk({ refusal: 'I will not' }), end());
    expect(contentOf(parts)).toEqual([{ type: 'refusal', text: 'I will not' }]);
    expect(finishOf(parts)).toMatchObject({ finishReason: 'refusal', rawFinishReason: 'stop' });
  });

  it('ignores all but the first choice', async () => {
    const other = { choices: [{ index: 1, delta: { content: 'No' }, finish_reason: 'length' }] };
    const parts = await stream(chunk({ content: 'Yes' }), other, end());
    expect(contentOf(parts)).toEqual([{ type: 'text', text: 'Yes' }]);
    expect(finishOf(parts).finishReason).toBe('stop');
  });

  it("reads Moonshot's usage inside the choice", async () => {
    const [choice] = end().choices;
    const parts = await stream(chunk({ content: 'a' }), { choices: [{ ...choice, usage }] });
    expect(finishOf(parts).usage).toMatchObject({ inputTokens: 3 });
  });

  it('reads reasoning between tags at the start of the answer', async () => {
    const parts = await stream(
      chunk({ content: '<think>H' }),
      chunk({ content: 'm</think>4' }),
      end(),
    );
    expect(contentOf(parts)).toEqual([
      { type: 'reasoning', text: 'Hm' },
      { type: 'text', text: '4' },
    ]);
  });

  it('emits text that looked like a tag before the following call', async () => {
    const call = { index: 0, id: 'c1', function: { name: 'one', arguments: '{}' } };
    const parts = await stream(chunk({ content: '<th' }), chunk({ tool_calls: [call] }), end());
    expect(contentOf(parts)).toMatchObject([{ type: 'text', text: '<th' }, { type: 'tool-call' }]);
  });

  it("reads Groq's usage in x_groq", async () => {
    const parts = await stream(chunk({ content: 'a' }), { ...end(), x_groq: { usage } });
    expect(finishOf(parts).usage).toMatchObject({ inputTokens: 3 });
  });

  it.each([
    ['eos', 'stop'],
    ['end_turn', 'stop'],
    ['COMPLETE', 'stop'],
    ['stop_sequence', 'stop'],
    ['max_tokens', 'length'],
    ['MAX_TOKENS', 'length'],
    ['model_length', 'length'],
    ['tool_call', 'stop'],
    ['content_filter', 'content_filter'],
    ['content-filter', 'content_filter'],
    ['SAFETY', 'content_filter'],
    ['sensitive', 'content_filter'],
    ['repetition', 'other'],
    ['something_new', 'other'],
  ])('maps the finish reason %s to %s', async (raw, finishReason) => {
    const parts = await stream(chunk({ content: 'a' }), end(raw));
    expect(finishOf(parts)).toMatchObject({ finishReason, rawFinishReason: raw });
  });

  it('is complete after the finish reason, even without usage and [DONE]', async () => {
    const parts = await ask(answerEvents([chunk({ content: 'a' }), end()], { ending: 'cut' }));
    expect(finishOf(parts).finishReason).toBe('stop');
    expect(finishOf(parts).usage).toBeUndefined();
  });

  it.each(['end', 'cut'] as const)(
    'is interrupted without a finish reason (%s)',
    async (ending) => {
      const answer = ask(answerEvents([chunk({ content: 'Hel' })], { ending }));
      await expect(answer).rejects.toMatchObject({ code: 'stream_interrupted' });
    },
  );

  it('is interrupted when [DONE] arrives without a finish reason', async () => {
    await expect(stream(chunk({ content: 'Hel' }))).rejects.toMatchObject({
      code: 'stream_interrupted',
    });
  });

  it('skips one malformed event with a warning, and fails at the second', async () => {
    const text = chatStream([chunk({ content: 'a' }), end()]);
    const parts = await ask(answerText(`data: {"choi\n\n${text}`));
    expect(parts).toContainEqual({
      type: 'warning',
      warning: expect.objectContaining({ code: 'malformed-event' }),
    });
    await server?.stop();
    await expect(ask(answerText(`data: {"a\n\ndata: {"b\n\n${text}`))).rejects.toMatchObject({
      code: 'stream_interrupted',
    });
  });

  it.each<[string, unknown, string]>([
    ['an error chunk', { error: { code: 502, message: 'No' } }, 'server_error'],
    [
      'an error next to choices',
      { ...end('error'), error: { code: 'rate_limit_exceeded' } },
      'rate_limited',
    ],
    ['the finish reason error', end('error'), 'overloaded'],
    ["vLLM's giving up", end('abort'), 'server_error'],
    ["DeepSeek's lack of resources", end('insufficient_system_resource'), 'overloaded'],
    ["Groq's own error", { x_groq: { error: 'over capacity' }, choices: [] }, 'server_error'],
  ])('throws for %s inside a 200', async (_what, bad, code) => {
    await expect(stream(chunk({ content: 'Hel' }), bad)).rejects.toMatchObject({ code });
  });

  it.each<[string, unknown, string]>([
    ['an error body', { error: { code: 'insufficient_quota', message: 'No' } }, 'quota_exhausted'],
    ['no choices', { choices: [] }, 'invalid_response'],
    ['a choice without message', { choices: [{ index: 0 }] }, 'invalid_response'],
    ['something else', { hello: 'world' }, 'invalid_response'],
    ['a list', [1, 2], 'invalid_response'],
  ])('throws for %s with status 200', async (_what, body, code) => {
    await expect(ask(answerJson(body), { transfer: 'unary' })).rejects.toMatchObject({ code });
  });

  it('throws for a stream of another wire', async () => {
    await expect(stream({ type: 'message_start' })).rejects.toMatchObject({
      code: 'invalid_response',
    });
  });

  it('ignores malformed chunks', async () => {
    const parts = await stream(
      5,
      { choices: 'none' },
      { choices: [null, 7] },
      { choices: [{ delta: { content: 5, tool_calls: [null, {}], reasoning: {} } }] },
      chunk({ content: 'a' }),
      end(),
    );
    expect(contentOf(parts)).toEqual([{ type: 'text', text: 'a' }]);
  });
});
