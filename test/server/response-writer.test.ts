import { describe, expect, test } from 'vitest';
import type { FinishReason } from '../../src/protocol/completion.ts';
import type { JsonObject } from '../../src/protocol/json.ts';
import type { PartToWrite } from '../../src/wires/common/serve.ts';
import type { Frame, Turn } from '../../src/wires/common/write.ts';
import { servedResponses } from '../../src/wires/openai-responses/serve.ts';
import { checkedEvents, responseSchema } from './response-schema.ts';

function turnOf(stream: boolean, body: JsonObject = {}): Turn {
  return {
    serial: 'a1',
    at: 1_700_000_000_000,
    request: {
      wire: 'openai-responses',
      method: 'POST',
      path: '/v1/responses',
      headers: {},
      body,
      model: 'smart',
      stream,
      key: undefined,
    },
  };
}

const usage = {
  inputTokens: 3,
  outputTokens: 4,
  cachedInputTokens: 1,
  cacheWriteTokens: 0,
  reasoningTokens: 2,
};

const head = { model: 'smart' };

function written(parts: readonly PartToWrite[], finishReason: FinishReason = 'stop') {
  const writer = servedResponses.writer(turnOf(true), head);
  const frames: readonly Frame[] = [
    ...writer.start(),
    ...parts.flatMap((part) => writer.write(part)),
    ...writer.finish({ finishReason, usage }),
  ];
  const events = checkedEvents(frames.map(({ data }) => data));
  expect(frames.map((frame) => frame.event)).toEqual(events.map(({ type }) => type));
  const other = servedResponses.writer(turnOf(false), head);
  for (const part of parts) expect(other.write(part)).toEqual([]);
  other.finish({ finishReason, usage });
  const body = responseSchema.parse(other.body());
  const last = events.at(-1);
  if (last === undefined || !('response' in last)) throw new Error('no final response');
  expect(last.response).toEqual(body);
  return { types: events.map(({ type }) => type.replace('response.', '')), events, body };
}

const call = (key: string, name: string): PartToWrite => ({
  type: 'tool-call',
  key,
  id: `call_${key}`,
  name,
});
const input = (key: string, delta: string): PartToWrite => ({ type: 'tool-input', key, delta });
const callEnd = (key: string, opaque?: string): PartToWrite => ({
  type: 'tool-call-end',
  key,
  input: { of: key },
  opaque,
});

describe('the writer of the Responses API', () => {
  test('writes the events of a text in the order of the API', () => {
    const { types, body } = written([
      { type: 'text', delta: 'Hel' },
      { type: 'text', delta: '' },
      { type: 'text', delta: 'lo' },
    ]);
    expect(types).toEqual([
      'created',
      'in_progress',
      'output_item.added',
      'content_part.added',
      'output_text.delta',
      'output_text.delta',
      'output_text.done',
      'content_part.done',
      'output_item.done',
      'completed',
    ]);
    expect(body).toMatchObject({
      id: 'resp_a1',
      status: 'completed',
      completed_at: 1_700_000_000,
      usage: { input_tokens: 3, output_tokens: 4, total_tokens: 7 },
      output: [{ id: 'msg_a1', status: 'completed', content: [{ text: 'Hello' }] }],
    });
  });

  test('puts text and a refusal into one message, and reasoning between texts into another item', () => {
    const { body } = written([
      { type: 'reasoning', delta: 'Why' },
      { type: 'reasoning', delta: ' not' },
      { type: 'reasoning-end', opaque: 'sb1.x' },
      { type: 'text', delta: 'First' },
      { type: 'reasoning', delta: 'Hm' },
      { type: 'reasoning-end' },
      { type: 'text', delta: 'Second' },
      { type: 'refusal', delta: 'No' },
    ]);
    expect(body.output).toMatchObject([
      { id: 'rs_a1', summary: [{ text: 'Why not' }], encrypted_content: 'sb1.x' },
      { id: 'msg_a1', content: [{ text: 'First' }] },
      { id: 'rs_a1_1', summary: [{ text: 'Hm' }], encrypted_content: null },
      { id: 'msg_a1_1', content: [{ text: 'Second' }, { refusal: 'No' }] },
    ]);
  });

  test('writes an item for reasoning that is hidden, and none for reasoning that is not there', () => {
    const { body } = written([
      { type: 'reasoning-end', opaque: 'sb1.x' },
      { type: 'reasoning-end' },
      { type: 'text', delta: 'A' },
    ]);
    expect(body.output.map(({ type }) => type)).toEqual(['reasoning', 'message']);
  });

  test('keeps the events of other calls until the open one ends', () => {
    const { types, events, body } = written(
      [
        call('a', 'first'),
        input('a', '{"x"'),
        call('b', 'second'),
        input('b', '{"y"'),
        input('a', ':1}'),
        input('b', ':2}'),
        callEnd('b'),
        { type: 'text', delta: 'Then' },
        callEnd('a'),
      ],
      'tool_calls',
    );
    expect(types.filter((type) => type.startsWith('output_item'))).toEqual(
      Array.from({ length: 3 }, () => ['output_item.added', 'output_item.done']).flat(),
    );
    expect(body.output).toMatchObject([
      { id: 'fc_a10', call_id: 'call_a', name: 'first', arguments: '{"x":1}', status: 'completed' },
      { id: 'fc_a11', call_id: 'call_b', name: 'second', arguments: '{"y":2}' },
      { content: [{ text: 'Then' }] },
    ]);
    const deltas = events.filter(({ type }) => type === 'response.function_call_arguments.delta');
    expect(deltas).toHaveLength(4);
  });

  test('writes the input of a call that had no deltas', () => {
    const { types, body } = written([call('a', 'first'), callEnd('a')], 'tool_calls');
    expect(types).toContain('function_call_arguments.delta');
    expect(body.output).toMatchObject([{ arguments: '{"of":"a"}' }]);
  });

  test('writes what the client sends back with a call as reasoning after it, which names the call', () => {
    const { body } = written(
      [call('a', 'first'), callEnd('a', 'sb1.A'), call('b', 'second'), callEnd('b', 'sb1.B')],
      'tool_calls',
    );
    expect(body.output).toMatchObject([
      { type: 'function_call', call_id: 'call_a' },
      { type: 'reasoning', summary: [], encrypted_content: 'sb1.A~call_a' },
      { type: 'function_call', call_id: 'call_b' },
      { type: 'reasoning', summary: [], encrypted_content: 'sb1.B~call_b' },
    ]);
  });

  test.each([
    ['length', 'max_output_tokens'],
    ['content_filter', 'content_filter'],
  ] as const)('ends as incomplete after %s', (finishReason, reason) => {
    const { types, body } = written([{ type: 'text', delta: 'Cut' }], finishReason);
    expect(types.at(-1)).toBe('incomplete');
    expect(body).toMatchObject({
      status: 'incomplete',
      completed_at: null,
      incomplete_details: { reason },
      output: [{ status: 'incomplete' }],
    });
  });

  test('marks a call that was cut off', () => {
    const { body } = written([call('a', 'first'), input('a', '{"x"')], 'length');
    expect(body.output).toMatchObject([{ arguments: '{"x"', status: 'incomplete' }]);
  });

  test('ends a failed stream with an error and a failed response that has the finished items', () => {
    const writer = servedResponses.writer(turnOf(true), head);
    const frames = [
      ...writer.start(),
      ...writer.write({ type: 'reasoning', delta: 'Hm' }),
      ...writer.write({ type: 'text', delta: 'Cut' }),
      ...writer.fail({ kind: 'overloaded', message: 'all targets failed' }),
    ];
    const events = checkedEvents(frames.map(({ data }) => data));
    expect(events.slice(-2)).toMatchObject([
      { type: 'error', code: 'server_is_overloaded', message: 'all targets failed' },
      {
        type: 'response.failed',
        response: {
          status: 'failed',
          error: { code: 'server_is_overloaded', message: 'all targets failed' },
          output: [{ type: 'reasoning' }],
        },
      },
    ]);
  });
});
