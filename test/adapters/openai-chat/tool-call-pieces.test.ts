import { afterEach, describe, expect, it } from 'vitest';
import { openaiChat } from '../../../src/adapters/openai-chat/index.ts';
import { openaiCompatible, openrouter, vllm } from '../../../src/compatible.ts';
import type { Provider } from '../../../src/protocol/provider.ts';
import type { ProviderRequest } from '../../../src/protocol/request.ts';
import { callProvider, contentOf, finishOf, requestOf } from '../../support/provider-calls.ts';
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

type Vendor = (settings: { readonly baseURL: string; readonly apiKey: string }) => Provider;
type Request = Parameters<typeof requestOf>[0];

async function ask(
  answer: Parameters<typeof startScriptedServer>[0],
  request: Request = { model: 'm' },
  vendor: Vendor = openaiChat,
) {
  server = await startScriptedServer(answer);
  const provider = vendor({ baseURL: `${server.url}/v1`, apiKey: 'k' });
  return callProvider(provider, requestOf(request));
}

const chunk = (delta: object, more: object = {}, fields: object = {}) => ({
  id: 'c1',
  model: 'm',
  choices: [{ index: 0, delta, finish_reason: null, ...more }],
  ...fields,
});
const end = (reason = 'tool_calls', more: object = {}) =>
  chunk({}, { finish_reason: reason, ...more });
const stream = (...chunks: readonly object[]) => ask(answerEvents(chunks));

/** A piece of a call of the tool `t`, unless `more` says otherwise. */
const piece = (args: string | undefined, more: object = {}) => ({
  index: 0,
  ...more,
  function: {
    ...('id' in more && { name: 't' }),
    ...('name' in more && { name: more.name }),
    arguments: args,
  },
});
const one = (args: string, more: object = {}) => chunk({ tool_calls: [piece(args, more)] });
const named = { name: 't' };

async function callsOf(...chunks: readonly object[]) {
  const content = contentOf(await stream(...chunks, end()));
  return content.flatMap((part) => (part.type === 'tool-call' ? [[part.name, part.input]] : []));
}

const a = ['t', { a: 1 }];
const b = ['t', { b: 2 }];

describe('the pieces of tool calls', () => {
  it.each<[string, readonly object[], unknown]>([
    ['no id and one index', [one('{"a":1}', named), one('{"b":2}', named)], [a, b]],
    ['empty ids and one index', [one('{"a":1}', { id: '' }), one('{"b":2}', { id: '' })], [a, b]],
    [
      'one index in one chunk',
      [chunk({ tool_calls: [piece('{"a":1}', named), piece('{"b":2}', named)] })],
      [a, b],
    ],
    [
      'another name and no id',
      [one('{"a":1}', named), one('{"b":2}', { name: 'u' })],
      [a, ['u', { b: 2 }]],
    ],
    [
      'a name before the pieces of the second',
      [one('{"a":1}', named), one('', named), one('{"b"'), one(':2}')],
      [a, b],
    ],
    ['one id', [one('{"a":1}', { id: 'x' }), one('{"b":2}', { id: 'x' })], [a, b]],
    [
      'pieces by id that take turns',
      [one('', { id: 'x' }), one('', { id: 'y' }), one('{"a":1}', { id: 'x', name: undefined })],
      [a, ['t', {}]],
    ],
  ])('make two calls with %s', async (_what, chunks, calls) => {
    const known = await callsOf(...chunks);
    expect(known).toEqual(calls);
  });

  it.each<[string, readonly object[]]>([
    ['the name in every piece', [one('{"a"', named), one(':', named), one('1}', named)]],
    ['a new id in every piece', [one('{"a"', { id: 'x' }), one(':1}', { id: 'y' })]],
    ['a new index in every piece', [one('{"a"', { id: 'x' }), one(':1}', { index: 1 })]],
    ['the arguments again', [one('{"a":1}', { id: 'x' }), one('{"a":1}', { id: 'x' })]],
    ['the arguments again and no id', [one('{"a":1}', named), one('{"a":1}', named)]],
    ['all before in every piece', [one('{"a"', { id: 'x' }), one('{"a":'), one('{"a":1}')]],
    ['an empty object first', [one('{}', { id: 'x' }), one('{"a":1}')]],
    ['arguments in a JSON string', [one(JSON.stringify('{"a":1}'), { id: 'x' })]],
  ])('make one call with %s', async (_what, chunks) => {
    expect(await callsOf(...chunks)).toEqual([a]);
  });

  it('get different ids when the vendor repeats one', async () => {
    const parts = await stream(
      one('{"a":1}', { id: 'x' }),
      one('{"b":2}', { id: 'x', index: 1 }),
      one('{}', { id: 'x_2', index: 2 }),
      end(),
    );
    const ids = contentOf(parts).map((part) => (part.type === 'tool-call' ? part.id : ''));
    expect(ids[0]).toBe('x');
    expect(new Set(ids).size).toBe(3);
  });

  it('are read from another choice if the first has none', async () => {
    const call = { id: 'x', type: 'function', function: { name: 't', arguments: '{"a":1}' } };
    const choices = [
      { index: 0, message: { content: 'Hello' }, finish_reason: 'tool_calls' },
      { index: 1, message: { tool_calls: [call] }, finish_reason: 'tool_calls' },
    ];
    const parts = await ask(answerJson({ id: 'c', choices }));
    expect(contentOf(parts)).toMatchObject([{ text: 'Hello' }, { type: 'tool-call', id: 'x' }]);
    const alternatives = await ask(answerJson({ id: 'c', choices }), {
      model: 'm',
      extraBody: { n: 2 },
    });
    expect(contentOf(alternatives)).toHaveLength(1);
  });

  it.each([
    ['stop', true, 'tool_calls'],
    ['something_new', true, 'tool_calls'],
    ['length', true, 'length'],
    ['tool_calls', false, 'stop'],
  ])('decide with the finish reason %s (calls: %s)', async (reason, hasCalls, finishReason) => {
    const delta = hasCalls ? { tool_calls: [piece('{}', { id: 'x' })] } : { content: 'Hello' };
    expect(finishOf(await stream(chunk(delta), end(reason)))).toMatchObject({ finishReason });
  });
});

describe('the finish reason of a vendor behind a gateway', () => {
  it.each([
    ['MALFORMED_FUNCTION_CALL', 'error'],
    ['UNEXPECTED_TOOL_CALL', 'error'],
    ['MAX_TOKENS', 'length'],
    ['SAFETY', 'content_filter'],
    ['STOP', 'stop'],
    ['end_turn', 'stop'],
    ['something_new', 'stop'],
  ])('replaces stop: %s is %s', async (native_finish_reason, finishReason) => {
    const parts = await stream(chunk({ content: 'a' }), end('stop', { native_finish_reason }));
    expect(finishOf(parts)).toMatchObject({ finishReason });
  });

  it.each(['network_error', 'error'])('fails the answer for %s', async (native) => {
    const answer = stream(chunk({ content: 'a' }), end('stop', { native_finish_reason: native }));
    await expect(answer).rejects.toMatchObject({ name: 'SignalboxError' });
  });
});

describe('usage in several events', () => {
  const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
  const zeros = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };

  it('keeps its counts when zeros follow', async () => {
    const parts = await stream(
      chunk({ content: 'a' }, {}, { usage }),
      chunk({}, { finish_reason: 'stop' }, { usage: zeros }),
      { id: 'c1', choices: [], usage: { ...zeros, completion_tokens: 7 } },
    );
    expect(finishOf(parts).usage).toMatchObject({ inputTokens: 10, outputTokens: 7 });
  });

  it('waits for the sum of several choices, and is estimated without it', async () => {
    const events = [
      chunk({ content: 'a' }, { finish_reason: 'stop' }, { usage }),
      chunk({ content: 'b' }, { index: 1, finish_reason: 'stop' }, { usage }),
    ];
    const sum = {
      id: 'c1',
      choices: [],
      usage: { ...usage, completion_tokens: 10, total_tokens: 20 },
    };
    const request = { model: 'm', extraBody: { n: 2 } };
    const parts = await ask(answerEvents([...events, sum]), request);
    expect(finishOf(parts).usage).toMatchObject({ outputTokens: 10 });
    expect(finishOf(parts).usage).not.toHaveProperty('estimated');
    await server?.stop();
    const without = await ask(answerEvents(events), request);
    expect(finishOf(without).usage).toMatchObject({ outputTokens: 5, estimated: true });
  });
});

describe('reasoning', () => {
  const details = async (...chunks: readonly object[]) => {
    const events = [...chunks.map((delta) => chunk(delta)), end('stop')];
    const content = contentOf(await ask(answerEvents(events), { model: 'm' }, openrouter));
    const opaque = content.flatMap((part) => ('opaque' in part && part.opaque) || []);
    return JSON.parse(opaque.find(({ kind }) => kind === 'encrypted')?.data ?? '[]');
  };
  const secret = (id: string, data: string, more: object = {}) => ({
    type: 'reasoning.encrypted',
    id,
    data,
    ...more,
  });
  const thought = (more: object) => ({ type: 'reasoning.text', ...more });

  it.each<[string, readonly object[], readonly object[]]>([
    [
      'ids that differ at one index',
      [
        { reasoning_details: [secret('a', 'A', { index: 0 })] },
        { reasoning_details: [secret('b', 'B', { index: 0 })] },
      ],
      [secret('a', 'A', { index: 0 }), secret('b', 'B', { index: 0 })],
    ],
    [
      'no index in one chunk',
      [{ reasoning_details: [secret('a', 'A'), secret('b', 'B')] }],
      [secret('a', 'A'), secret('b', 'B')],
    ],
    [
      'no index and a signature after each text',
      ['1', '2'].flatMap((each) => [
        { reasoning_details: [thought({ text: each })] },
        { reasoning_details: [thought({ signature: `S${each}` })] },
      ]),
      [thought({ text: '1', signature: 'S1' }), thought({ text: '2', signature: 'S2' })],
    ],
  ])('keeps details apart with %s', async (_what, chunks, expected) => {
    expect(await details(...chunks)).toEqual(expected);
  });

  it('is read from details that come alone', async () => {
    const events = [
      chunk({ reasoning_details: [thought({ text: 'Let me ', index: 0 })] }),
      chunk({ reasoning_details: [thought({ text: 'see', index: 0 })] }),
      chunk({ content: '4' }),
      end('stop'),
    ];
    const parts = await ask(answerEvents(events), { model: 'm' }, openrouter);
    expect(contentOf(parts)).toMatchObject([
      { type: 'reasoning', text: 'Let me see' },
      { type: 'text', text: '4' },
      { type: 'reasoning', text: '' },
    ]);
  });

  const opened = { model: 'Qwen/Qwen3-30B-A3B-Thinking-2507' };
  const unknown: Vendor = (settings) => openaiCompatible({ ...settings, profile: {} });
  const content = (text: string) => chunk({ content: text });

  it.each<[string, Vendor, Request, readonly object[], string, readonly unknown[]]>([
    [
      'a closing tag alone',
      vllm,
      opened,
      [content('Hm'), content('\n</think>\n\n4')],
      'stop',
      ['Hm\n', '4'],
    ],
    ['both tags', vllm, opened, [content('<think>Hm</think>4')], 'stop', ['Hm', '4']],
    ['no tag', vllm, opened, [content('4'), content('2')], 'stop', ['42']],
    ['no tag in a cut answer', vllm, opened, [content('Hm')], 'length', ['Hm']],
    [
      'a field',
      vllm,
      opened,
      [chunk({ reasoning_content: 'Hm' }), content('4')],
      'stop',
      ['Hm', '4'],
    ],
    [
      'a field and a closing tag',
      vllm,
      { model: 'qwen3' },
      [chunk({ reasoning: 'Hm' }), content('</think>\n4')],
      'stop',
      ['Hm', '4'],
    ],
    [
      'a tag in the text of another model',
      unknown,
      { model: 'm' },
      [content('a</think>b')],
      'stop',
      ['a</think>b'],
    ],
  ])('is told from text by %s', async (_what, vendor, request, chunks, reason, texts) => {
    const parts = await ask(answerEvents([...chunks, end(reason)]), request, vendor);
    expect(contentOf(parts).map((part) => 'text' in part && part.text)).toEqual(texts);
    expect(contentOf(parts)[0]?.type).toBe(
      texts.length > 1 || reason === 'length' ? 'reasoning' : 'text',
    );
  });
});

describe('the ids of tool calls', () => {
  it.each([
    ['moonshotai/Kimi-K2.5', 'functions.t:0'],
    ['llama', 'call_1'],
  ])('go back to %s as %s', async (model, id) => {
    const messages: ProviderRequest['messages'] = [
      { role: 'user', content: [{ type: 'text', text: 'Hello' }] },
      {
        role: 'assistant',
        content: [{ type: 'tool-call', id: 'functions.t:0', name: 't', input: {} }],
      },
      {
        role: 'tool',
        content: [{ type: 'tool-result', id: 'functions.t:0', name: 't', output: 'x' }],
      },
    ];
    await ask(answerEvents([chunk({ content: 'a' }), end('stop')]), { model, messages }, vllm);
    expect(server?.seen[0]?.body.messages).toMatchObject([
      {},
      { tool_calls: [{ id }] },
      { tool_call_id: id },
    ]);
  });
});
