import { afterEach, describe, expect, it } from 'vitest';
import { openai } from '../../../src/adapters/openai-responses/index.ts';
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
  const provider = openai({ apiKey: 'k', baseURL: `${server.url}/v1` });
  return callProvider(provider, requestOf({ model: 'gpt-5.4' }), options);
}

const stream = (...events: readonly unknown[]) => ask(answerEvents(events));

const usage = { input_tokens: 3, output_tokens: 2, total_tokens: 5 };
const response = (more: object = {}) => ({
  id: 'resp_1',
  model: 'gpt-5.4-1',
  status: 'completed',
  error: null,
  incomplete_details: null,
  service_tier: 'default',
  output: [],
  usage,
  ...more,
});
const created = {
  type: 'response.created',
  response: response({ status: 'in_progress', usage: null }),
};
const completed = (more: object = {}) => ({
  type: 'response.completed',
  response: response(more),
});
const added = (output_index: number, item: object) => ({
  type: 'response.output_item.added',
  output_index,
  item,
});
const done = (output_index: number, item: object) => ({
  type: 'response.output_item.done',
  output_index,
  item,
});
const delta = (kind: string, output_index: number, words: string, more: object = {}) => ({
  type: `response.${kind}.delta`,
  output_index,
  delta: words,
  ...more,
});
const message = (words: string, id = 'msg_1') => ({
  type: 'message',
  id,
  content: [{ type: 'output_text', text: words }],
});
const call = (args: string, more: object = {}) => ({
  type: 'function_call',
  id: 'fc_1',
  call_id: 'call_a',
  name: 'look',
  arguments: args,
  ...more,
});

describe('Responses answer', () => {
  it('emits the parts of a stream', async () => {
    const parts = await stream(
      created,
      added(0, { ...message(''), content: [] }),
      delta('output_text', 0, 'Hel', { content_index: 0 }),
      delta('output_text', 0, 'lo', { content_index: 0 }),
      done(0, message('Hello')),
      completed({ output: [message('Hello')] }),
    );
    expect(parts).toEqual([
      { type: 'open', id: 'resp_1', servedModel: 'gpt-5.4-1' },
      { type: 'text-delta', delta: 'Hel' },
      { type: 'text-delta', delta: 'lo' },
      { type: 'part-end', part: { type: 'text', text: 'Hello' } },
      {
        type: 'finish',
        finishReason: 'stop',
        rawFinishReason: 'completed',
        id: 'resp_1',
        servedModel: 'gpt-5.4-1',
        serviceTier: 'default',
        usage: { inputTokens: 3, outputTokens: 2, totalTokens: 5, raw: usage },
      },
    ]);
  });

  it.each(['stream', 'unary'] as const)('reads a JSON body with transfer %s', async (transfer) => {
    const body = response({ output: [message('Hello'), call('{"x":1}')] });
    const parts = await ask(answerJson(body), { transfer, keepRaw: true });
    expect(contentOf(parts)).toEqual([
      { type: 'text', text: 'Hello' },
      { type: 'tool-call', id: 'call_a', name: 'look', input: { x: 1 } },
    ]);
    expect(finishOf(parts)).toMatchObject({ finishReason: 'tool_calls', raw: body });
    expect(server?.seen[0]?.body.stream).toBe(transfer === 'stream');
  });

  it('joins the arguments of a call', async () => {
    const parts = await stream(
      created,
      added(0, call('')),
      delta('function_call_arguments', 0, '{"x"'),
      delta('function_call_arguments', 0, ':1}'),
      done(0, call('{"x":1}')),
      completed({ output: [call('{"x":1}')] }),
    );
    expect(parts.map((part) => part.type)).toEqual([
      'open',
      'tool-call-start',
      'tool-call-delta',
      'tool-call-delta',
      'part-end',
      'finish',
    ]);
    expect(contentOf(parts)).toMatchObject([{ id: 'call_a', input: { x: 1 } }]);
  });

  it('reads the arguments of the finished item when there are no deltas', async () => {
    const parts = await stream(created, added(0, call('')), done(0, call('{"x":1}')), completed());
    expect(contentOf(parts)).toMatchObject([{ id: 'call_a', input: { x: 1 } }]);
  });

  it('reads items that only the final response contains', async () => {
    const parts = await stream(created, completed({ output: [message('Hello'), call('{}')] }));
    expect(contentOf(parts)).toMatchObject([{ text: 'Hello' }, { id: 'call_a' }]);
  });

  it('emits no item twice when the final response omits or renames some', async () => {
    const leftOut = await stream(
      created,
      done(0, message('One', 'msg_1')),
      done(2, message('Two', 'msg_2')),
      completed({ output: [message('One', 'msg_1'), message('Two', 'msg_2')] }),
    );
    expect(contentOf(leftOut)).toMatchObject([{ text: 'One' }, { text: 'Two' }]);
    await server?.stop();
    const renamed = await stream(
      created,
      done(0, message('One', 'msg_1')),
      completed({ output: [message('One', 'msg_9')] }),
    );
    expect(contentOf(renamed)).toMatchObject([{ text: 'One' }]);
  });

  it('keeps the encrypted reasoning of the finished item, also without a summary', async () => {
    const item = (encrypted: string) => ({
      type: 'reasoning',
      id: 'rs_1',
      summary: [],
      encrypted_content: encrypted,
    });
    const parts = await stream(
      created,
      added(0, item('early')),
      done(0, item('whole')),
      done(1, message('Hi')),
      completed(),
    );
    expect(contentOf(parts)).toEqual([
      {
        type: 'reasoning',
        text: '',
        opaque: {
          wire: 'openai-responses',
          provider: 'mine',
          model: 'gpt-5.4',
          kind: 'encrypted',
          data: '{"id":"rs_1","encrypted_content":"whole"}',
        },
      },
      { type: 'text', text: 'Hi' },
    ]);
  });

  it.each([
    ['reasoning_summary_text', 'summary_index'],
    ['reasoning_text', 'content_index'],
  ])('emits %s with separated paragraphs', async (kind, key) => {
    const parts = await stream(
      created,
      delta(kind, 0, 'On', { [key]: 0 }),
      delta(kind, 0, 'e', { [key]: 0 }),
      delta(kind, 0, 'Two', { [key]: 1 }),
      done(0, { type: 'reasoning', id: 'rs_1', summary: [] }),
      completed(),
    );
    expect(parts).toContainEqual({ type: 'reasoning-delta', delta: 'On' });
    expect(contentOf(parts)).toEqual([{ type: 'reasoning', text: 'One\n\nTwo' }]);
  });

  it('reads a refusal', async () => {
    const parts = await stream(
      created,
      delta('refusal', 0, 'I will not', { content_index: 0 }),
      done(0, { type: 'message', content: [{ type: 'refusal', refusal: 'I will not' }] }),
      completed(),
    );
    expect(contentOf(parts)).toEqual([{ type: 'refusal', text: 'I will not' }]);
    expect(finishOf(parts).finishReason).toBe('refusal');
  });

  it("reads a custom tool's free text as a string", async () => {
    const item = { type: 'custom_tool_call', call_id: 'a', name: 'sql', input: 'SELECT 1' };
    const parts = await ask(answerJson(response({ output: [item] })));
    expect(contentOf(parts)).toEqual([
      { type: 'tool-call', id: 'a', name: 'sql', input: 'SELECT 1' },
    ]);
  });

  it('keeps the calls of server tools as replay data alone', async () => {
    const search = { type: 'web_search_call', id: 'ws_1', status: 'completed' };
    const parts = await ask(answerJson(response({ output: [search, message('Hi')] })));
    expect(contentOf(parts)).toMatchObject([
      { type: 'reasoning', text: '', opaque: { kind: 'item', data: JSON.stringify(search) } },
      { type: 'text', text: 'Hi' },
    ]);
    expect(finishOf(parts).finishReason).toBe('stop');
  });

  it.each([
    ['max_output_tokens', 'length'],
    ['content_filter', 'content_filter'],
    ['something_new', 'other'],
  ])('maps an answer that is incomplete for %s to %s', async (reason, finishReason) => {
    const cut = { status: 'incomplete', incomplete_details: { reason } };
    const parts = await stream(created, {
      type: 'response.incomplete',
      response: response({ ...cut, output: [message('He')] }),
    });
    expect(finishOf(parts)).toMatchObject({ finishReason, rawFinishReason: reason });
  });

  it.each<[string, unknown, string]>([
    [
      'response.failed',
      {
        type: 'response.failed',
        response: response({ status: 'failed', error: { code: 'server_error', message: 'No' } }),
      },
      'server_error',
    ],
    [
      'a flat error event',
      { type: 'error', code: 'rate_limit_exceeded', message: 'No' },
      'rate_limited',
    ],
    [
      'a nested error event',
      { type: 'error', error: { code: 'insufficient_quota' } },
      'quota_exhausted',
    ],
    ['an error without type', { error: { message: 'No' } }, 'server_error'],
  ])('throws for %s inside a 200', async (_what, event, code) => {
    await expect(stream(created, event)).rejects.toMatchObject({ code });
  });

  it.each<[string, unknown, string]>([
    [
      'a failed response',
      response({ status: 'failed', error: { code: 'server_error' } }),
      'server_error',
    ],
    ['a queued response', response({ status: 'queued' }), 'invalid_response'],
    ['a cancelled response', response({ status: 'cancelled' }), 'stream_interrupted'],
    ['an error body', { error: { code: 'invalid_api_key' } }, 'auth'],
    ['a chat completion', { choices: [] }, 'invalid_response'],
  ])('throws for %s with status 200', async (_what, body, code) => {
    await expect(ask(answerJson(body), { transfer: 'unary' })).rejects.toMatchObject({ code });
  });

  it.each(['end', 'cut'] as const)(
    'is interrupted without its terminal event (%s)',
    async (ending) => {
      const events = [created, delta('output_text', 0, 'Hel')];
      await expect(ask(answerEvents(events, { ending }))).rejects.toMatchObject({
        code: 'stream_interrupted',
      });
    },
  );

  it('does not wait for the end of the stream after the terminal event', async () => {
    const parts = await ask(answerEvents([created, completed()], { ending: 'stall' }));
    expect(finishOf(parts).finishReason).toBe('stop');
  });

  it('throws for a stream of another wire', async () => {
    await expect(stream({ choices: [] })).rejects.toMatchObject({ code: 'invalid_response' });
  });

  it('ignores malformed events', async () => {
    const parts = await stream(
      5,
      created,
      { type: 'response.output_item.done', output_index: 'x', item: 7 },
      added(3, { type: 'function_call' }),
      delta('output_text', 0, 'Hi'),
      completed({ output: [null, { type: 'message', content: 'no list' }] }),
    );
    expect(contentOf(parts)).toMatchObject([{ text: 'Hi' }]);
  });

  const fn = (id: string, args = '', more: object = {}) => ({
    type: 'function_call',
    id,
    call_id: `call_${id}`,
    name: 't',
    arguments: args,
    ...more,
  });
  const item = (kind: string, more: object) => ({ type: `response.output_item.${kind}`, ...more });
  const args = (more: object) => ({ type: 'response.function_call_arguments.delta', ...more });
  const [first, second] = [fn('a', '{"a":1}'), fn('b', '{"b":2}')];
  const reasoning = { type: 'reasoning', id: 'rs', summary: [] };

  it.each<[string, readonly object[], readonly object[]]>([
    ['no index', [item('done', { item: first }), item('done', { item: second })], [first, second]],
    [
      'no index and deltas by id',
      [
        item('added', { item: fn('a') }),
        item('added', { item: fn('b') }),
        args({ item_id: 'a', delta: '{"a":1}' }),
        args({ item_id: 'b', delta: '{"b":2}' }),
        item('done', { item: first }),
        item('done', { item: second }),
      ],
      [first, second],
    ],
    [
      'one index',
      [
        item('added', { output_index: 0, item: fn('a') }),
        item('added', { output_index: 0, item: fn('b') }),
        args({ output_index: 0, item_id: 'b', delta: '{"b":2}' }),
        args({ output_index: 0, item_id: 'a', delta: '{"a":1}' }),
        item('done', { output_index: 0, item: first }),
        item('done', { output_index: 0, item: second }),
      ],
      [],
    ],
    [
      'the index of the reasoning before',
      [
        item('added', { output_index: 0, item: reasoning }),
        item('done', { output_index: 0, item: reasoning }),
        item('added', { output_index: 0, item: fn('a') }),
        item('done', { output_index: 0, item: first }),
        item('done', { output_index: 1, item: second }),
      ],
      [reasoning, first, second],
    ],
    [
      'one id',
      ['{"a":1}', '{"b":2}'].flatMap((each, output_index) => [
        item('added', { output_index, item: fn('x') }),
        args({ output_index, item_id: 'x', delta: each }),
        item('done', { output_index, item: fn('x', each) }),
      ]),
      [],
    ],
    [
      'ids that change',
      ['{"a":1}', '{"b":2}'].flatMap((each, output_index) => [
        item('added', { output_index, item: fn(`1${output_index}`) }),
        args({ output_index, item_id: `2${output_index}`, delta: each }),
        item('done', { output_index, item: fn(`3${output_index}`, each) }),
      ]),
      [fn('5', '{"a":1}'), fn('6', '{"b":2}')],
    ],
    [
      'arguments that only the final response has whole',
      [
        item('added', { output_index: 0, item: fn('a') }),
        args({ output_index: 0, item_id: 'a', delta: '{"a"' }),
        item('done', { output_index: 1, item: second }),
      ],
      [first, second],
    ],
  ])('reads two calls with %s', async (_what, events, output) => {
    const parts = await stream(created, ...events, completed({ output }));
    const calls = contentOf(parts).filter((part) => part.type === 'tool-call');
    const inputs = calls.map(({ input }) => JSON.stringify(input)).sort();
    expect(inputs).toEqual(['{"a":1}', '{"b":2}']);
    expect(new Set(calls.map(({ id }) => id)).size).toBe(2);
  });

  it('appends what the deltas of a text lack at the end', async () => {
    const parts = await stream(
      created,
      delta('output_text', 0, 'Hel', { content_index: 0 }),
      done(0, message('Hello')),
      completed({ output: [message('Hello')] }),
    );
    expect(contentOf(parts)).toMatchObject([{ type: 'text', text: 'Hello' }]);
    expect(parts).toContainEqual({ type: 'text-delta', delta: 'lo' });
  });

  it('keeps earlier usage when the last event reports zeros', async () => {
    const zeros = { input_tokens: 0, output_tokens: 0, total_tokens: 0 };
    const progress = {
      type: 'response.in_progress',
      response: response({ status: 'in_progress' }),
    };
    const parts = await stream(progress, done(0, message('a')), completed({ usage: zeros }));
    expect(finishOf(parts).usage).toMatchObject({ inputTokens: 3, outputTokens: 2 });
  });
});
