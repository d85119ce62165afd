import { afterEach, describe, expect, it } from 'vitest';
import { anthropic } from '../../../src/adapters/anthropic/index.ts';
import { partsIn } from '../../support/batches.ts';
import {
  type CallOptions,
  callProvider,
  contentOf,
  contextOf,
  finishOf,
  requestOf,
} from '../../support/provider-calls.ts';
import {
  answerEvents,
  answerJson,
  type ScriptedServer,
  startScriptedServer,
} from '../../support/scripted-server.ts';

const model = 'claude-haiku-4-5';
let server: ScriptedServer | undefined;

afterEach(async () => {
  await server?.stop();
  server = undefined;
});

async function ask(
  answer: Parameters<typeof startScriptedServer>[0],
  options: CallOptions = {},
): ReturnType<typeof callProvider> {
  server = await startScriptedServer(answer);
  return callProvider(
    anthropic({ apiKey: 'k', baseURL: server.url }),
    requestOf({ model }),
    options,
  );
}

const start = (id = 'msg_1', usage: object = { input_tokens: 10, output_tokens: 1 }) => ({
  type: 'message_start',
  message: {
    id,
    type: 'message',
    role: 'assistant',
    model: 'claude-haiku-4-5-1',
    content: [],
    usage,
  },
});
const block = (index: number, content_block: object) => ({
  type: 'content_block_start',
  index,
  content_block,
});
const delta = (index: number, change: object) => ({
  type: 'content_block_delta',
  index,
  delta: change,
});
const text = (index: number, piece: string) => delta(index, { type: 'text_delta', text: piece });
const stop = (index: number) => ({ type: 'content_block_stop', index });
const end = (stop_reason: string, usage: object = { output_tokens: 5 }, more: object = {}) => ({
  type: 'message_delta',
  delta: { stop_reason, ...more },
  usage,
});
const done = { type: 'message_stop' };
const hello = [
  start(),
  block(0, { type: 'text', text: '' }),
  text(0, 'Hel'),
  text(0, 'lo'),
  stop(0),
];

describe('Anthropic answer', () => {
  it('emits text deltas, then the whole part', async () => {
    const parts = await ask(
      answerEvents([...hello, end('end_turn'), done], { headers: { 'request-id': 'req_1' } }),
    );
    expect(parts).toMatchObject([
      { type: 'open', id: 'msg_1', servedModel: 'claude-haiku-4-5-1', requestId: 'req_1' },
      { type: 'usage', usage: { inputTokens: 10 } },
      { type: 'text-delta', delta: 'Hel' },
      { type: 'text-delta', delta: 'lo' },
      { type: 'part-end', part: { type: 'text', text: 'Hello' } },
      { type: 'finish', finishReason: 'stop', rawFinishReason: 'end_turn', id: 'msg_1' },
    ]);
  });

  it('includes cached and written input in inputTokens, and splits writes by lifetime', async () => {
    const usage = {
      input_tokens: 3,
      cache_read_input_tokens: 100,
      cache_creation_input_tokens: 30,
      cache_creation: { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 20 },
      service_tier: 'priority',
    };
    const last = {
      output_tokens: 7,
      cache_read_input_tokens: null,
      output_tokens_details: { thinking_tokens: 4 },
    };
    const parts = await ask(answerEvents([start('m', usage), end('end_turn', last), done]));
    expect(finishOf(parts)).toMatchObject({
      serviceTier: 'priority',
      usage: {
        inputTokens: 133,
        outputTokens: 7,
        totalTokens: 140,
        cachedInputTokens: 100,
        cacheWriteTokens: 30,
        cacheWriteTokensByTtl: { '5m': 10, '1h': 20 },
        reasoningTokens: 4,
        raw: { input_tokens: 3, output_tokens: 7 },
      },
    });
  });

  it('joins parallel tool calls from deltas, and reads {} when there are none', async () => {
    const parts = await ask(
      answerEvents([
        start(),
        block(0, { type: 'tool_use', id: 'toolu_1', name: 'add', input: {} }),
        delta(0, { type: 'input_json_delta', partial_json: '' }),
        delta(0, { type: 'input_json_delta', partial_json: '{"a":' }),
        delta(0, { type: 'input_json_delta', partial_json: '1}' }),
        stop(0),
        block(1, { type: 'tool_use', id: 'toolu_2', name: 'now', input: {} }),
        stop(1),
        end('tool_use'),
        done,
      ]),
    );
    expect(contentOf(parts)).toEqual([
      { type: 'tool-call', id: 'toolu_1', name: 'add', input: { a: 1 } },
      { type: 'tool-call', id: 'toolu_2', name: 'now', input: {} },
    ]);
    expect(finishOf(parts).finishReason).toBe('tool_calls');
  });

  it('keeps signatures and redacted thinking as replay data', async () => {
    const parts = await ask(
      answerEvents([
        start(),
        block(0, { type: 'thinking', thinking: '' }),
        delta(0, { type: 'thinking_delta', thinking: 'Hm' }),
        delta(0, { type: 'signature_delta', signature: 'sig' }),
        stop(0),
        block(1, { type: 'redacted_thinking', data: 'xyz' }),
        stop(1),
        end('end_turn'),
        done,
      ]),
    );
    const issued = { wire: 'anthropic', provider: 'mine', model };
    expect(contentOf(parts)).toEqual([
      { type: 'reasoning', text: 'Hm', opaque: { ...issued, kind: 'signature', data: 'sig' } },
      { type: 'reasoning', text: '', opaque: { ...issued, kind: 'redacted', data: 'xyz' } },
    ]);
  });

  it('keeps the steps of server tools as replay data, not as calls', async () => {
    const parts = await ask(
      answerEvents([
        start(),
        block(0, { type: 'server_tool_use', id: 's', name: 'web_search', input: {} }),
        delta(0, { type: 'input_json_delta', partial_json: '{"query":"x"}' }),
        stop(0),
        end('pause_turn'),
        done,
      ]),
    );
    const data = JSON.stringify({
      type: 'server_tool_use',
      id: 's',
      name: 'web_search',
      input: { query: 'x' },
    });
    expect(contentOf(parts)).toMatchObject([
      { type: 'reasoning', text: '', opaque: { kind: 'item', data } },
    ]);
    expect(parts.some((part) => part.type === 'tool-call-start')).toBe(false);
    expect(finishOf(parts).finishReason).toBe('pause');
  });

  it.each([
    ['end_turn', 'stop'],
    ['stop_sequence', 'stop'],
    ['max_tokens', 'length'],
    ['tool_use', 'stop'],
    ['model_context_window_exceeded', 'context_length'],
    ['pause_turn', 'pause'],
    ['refusal', 'refusal'],
    ['something_new', 'other'],
  ])('maps the stop reason %s to %s', async (word, finishReason) => {
    const parts = await ask(answerEvents([start(), end(word), done]));
    expect(finishOf(parts)).toMatchObject({ finishReason, rawFinishReason: word });
  });

  it('returns the category of a refusal', async () => {
    const details = { stop_details: { type: 'refusal', category: 'cyber' } };
    const parts = await ask(answerEvents([start(), end('refusal', {}, details), done]));
    expect(finishOf(parts)).toMatchObject({ finishReason: 'refusal', finishDetail: 'cyber' });
  });

  it('returns the served model when the vendor falls back to another', async () => {
    const fallback = { type: 'fallback', from: { model: 'a' }, to: { model: 'claude-b' } };
    const parts = await ask(
      answerEvents([start(), block(0, fallback), stop(0), end('end_turn'), done]),
    );
    expect(finishOf(parts).servedModel).toBe('claude-b');
  });

  it.each(['stream', 'unary'] as const)('reads a JSON body with transfer %s', async (transfer) => {
    const body = {
      id: 'msg_1',
      type: 'message',
      model: 'claude-haiku-4-5-1',
      content: [
        { type: 'thinking', thinking: 'Hm', signature: 'sig' },
        { type: 'text', text: 'Hello' },
        { type: 'tool_use', id: 't', name: 'add', input: { a: 1 } },
      ],
      stop_reason: 'tool_use',
      usage: { input_tokens: 1, output_tokens: 2 },
    };
    const parts = await ask(answerJson(body), { transfer, keepRaw: true });
    expect(server?.seen[0]?.body.stream).toBe(transfer === 'stream');
    expect(contentOf(parts)).toMatchObject([
      { type: 'reasoning', text: 'Hm', opaque: { data: 'sig' } },
      { type: 'text', text: 'Hello' },
      { type: 'tool-call', id: 't', input: { a: 1 } },
    ]);
    expect(finishOf(parts)).toMatchObject({
      usage: { inputTokens: 1, totalTokens: 3 },
      raw: body,
    });
  });

  it('reads events with transfer unary, and keeps them as raw', async () => {
    const events = [...hello, end('end_turn'), done];
    const parts = await ask(answerEvents(events), { transfer: 'unary', keepRaw: true });
    expect(contentOf(parts)).toEqual([{ type: 'text', text: 'Hello' }]);
    expect(finishOf(parts).raw).toEqual(events);
  });

  it.each(['end', 'cut'] as const)(
    'is complete after the stop reason when the rest is missing (%s)',
    async (ending) => {
      const parts = await ask(answerEvents([...hello, end('end_turn')], { ending }));
      expect(finishOf(parts).finishReason).toBe('stop');
    },
  );

  it.each(['end', 'cut'] as const)('is interrupted without a stop reason (%s)', async (ending) => {
    await expect(ask(answerEvents(hello, { ending }))).rejects.toMatchObject({
      code: 'stream_interrupted',
    });
  });

  it('ignores a repeated start, and fails for a second answer inside the first', async () => {
    const repeated = await ask(answerEvents([start(), ...hello, end('end_turn'), done]));
    expect(contentOf(repeated)).toEqual([{ type: 'text', text: 'Hello' }]);
    await server?.stop();
    await expect(
      ask(
        answerEvents([
          ...hello.slice(0, 3),
          start('msg_2'),
          ...hello.slice(1),
          end('end_turn'),
          done,
        ]),
      ),
    ).rejects.toMatchObject({ code: 'stream_interrupted' });
  });

  it('skips one undecodable event with a warning', async () => {
    const parts = await ask((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const [first, ...others] = [...hello, end('end_turn'), done].map(
        (event) => `data: ${JSON.stringify(event)}\n\n`,
      );
      response.end([first, 'data: {"type": "content_bl\n\n', ...others].join(''));
    });
    expect(parts).toContainEqual(
      expect.objectContaining({ warning: expect.objectContaining({ code: 'malformed-event' }) }),
    );
    expect(contentOf(parts)).toEqual([{ type: 'text', text: 'Hello' }]);
  });

  it.each<[string, unknown]>([
    ['an empty object', {}],
    ['another wire’s answer', { choices: [] }],
  ])('throws for %s', async (_what, body) => {
    await expect(ask(answerJson(body))).rejects.toMatchObject({ code: 'invalid_response' });
  });

  it.each([
    [[{ type: 'message_start' }, { type: 'content_block_start' }, { type: 'content_block_delta' }]],
    [
      [
        { type: 'message_start', message: null },
        { type: 'message_delta', delta: 7, usage: 'x' },
      ],
    ],
    [[start(), block(0, { type: 'text' }), delta(0, {}), stop(9)]],
  ])('ignores malformed events (%#)', async (events) => {
    const parts = await ask(answerEvents([...events, end('end_turn'), done]));
    expect(finishOf(parts).finishReason).toBe('stop');
  });

  it('closes the socket when the call is aborted, with the caller’s reason', async () => {
    const controller = new AbortController();
    server = await startScriptedServer(answerEvents(hello, { ending: 'stall' }));
    const closed = server.closed();
    const provider = anthropic({ apiKey: 'k', baseURL: server.url });
    const call = callProvider(provider, requestOf({ model }), { signal: controller.signal });
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), 50);
    await expect(call).rejects.toBe(reason);
    await closed;
  });

  it('closes the socket when the reader stops', async () => {
    server = await startScriptedServer(answerEvents(hello, { ending: 'stall' }));
    const closed = server.closed();
    const { prepare } = anthropic({ apiKey: 'k', baseURL: server.url });
    for await (const part of partsIn(prepare(requestOf({ model })).send(contextOf()))) {
      if (part.type === 'text-delta') break;
    }
    await closed;
  });

  const use = (id: string, input: object = {}) => ({ type: 'tool_use', id, name: 't', input });
  const json = (index: number, partial_json: string) =>
    delta(index, { type: 'input_json_delta', partial_json });

  it.each(['end_turn', 'tool_calls', 'stop_sequence', 'something_new'])(
    'reports tool calls under the stop reason %s',
    async (reason) => {
      const parts = await ask(
        answerEvents([start(), block(0, use('a')), stop(0), end(reason), done]),
      );
      expect(finishOf(parts)).toMatchObject({ finishReason: 'tool_calls' });
    },
  );

  it.each([
    ['stop', 'stop'],
    ['length', 'length'],
    ['content_filter', 'content_filter'],
  ])('maps the stop reason %s of compatible servers', async (reason, finishReason) => {
    const parts = await ask(answerEvents([start(), text(0, 'a'), end(reason), done]));
    expect(finishOf(parts)).toMatchObject({ finishReason });
  });

  it('keeps blocks that share an index and are not closed', async () => {
    const events = [
      block(0, { type: 'text', text: '' }),
      text(0, 'a'),
      block(0, use('x')),
      json(0, '{"a":1}'),
      block(0, use('x')),
      json(0, '{"b":2}'),
    ];
    const parts = await ask(answerEvents([start(), ...events, end('tool_use'), done]));
    expect(contentOf(parts)).toMatchObject([
      { type: 'text', text: 'a' },
      { type: 'tool-call', id: 'x', input: { a: 1 } },
      { type: 'tool-call', id: 'x_2', input: { b: 2 } },
    ]);
  });

  it('emits texts in the order of their deltas when blocks are not closed', async () => {
    const events = [text(0, 'a'), text(1, 'b'), stop(1), text(0, 'c')];
    const parts = await ask(answerEvents([start(), ...events, end('end_turn'), done]));
    expect(contentOf(parts)).toMatchObject([{ text: 'a' }, { text: 'b' }, { text: 'c' }]);
  });

  it.each<[string, readonly object[]]>([
    ['at the start', []],
    ['at the start and in deltas', [json(0, '{"a"'), json(0, ':1}')]],
    ['at the start, before an empty object', [json(0, '{}')]],
  ])('reads arguments sent whole %s', async (_what, pieces) => {
    const events = [start(), block(0, use('x', { a: 1 })), ...pieces, stop(0)];
    const parts = await ask(answerEvents([...events, end('tool_use'), done]));
    expect(contentOf(parts)).toMatchObject([{ input: { a: 1 } }]);
  });

  it.each<[string, object]>([
    ['zeros', { input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 5 }],
    ['null', { input_tokens: null, cache_read_input_tokens: null, output_tokens: 5 }],
    ['one zero', { input_tokens: 0, output_tokens: 5 }],
  ])('keeps the counts of the start when %s follow', async (_what, usage) => {
    const counts = { input_tokens: 20, cache_read_input_tokens: 10, output_tokens: 1 };
    const last = { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage };
    const parts = await ask(answerEvents([start('msg_1', counts), text(0, 'a'), last, done]));
    expect(finishOf(parts).usage).toMatchObject({
      inputTokens: 30,
      cachedInputTokens: 10,
      outputTokens: 5,
    });
  });
});
