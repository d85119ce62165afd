import { MessageStream } from '@anthropic-ai/sdk/lib/MessageStream';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/protocol/json.ts';
import { servedMessages } from '../../src/wires/anthropic/serve.ts';
import { objectOf } from '../../src/wires/common/read.ts';
import type { AnswerEnd, PartToWrite } from '../../src/wires/common/serve.ts';
import type { Frame, Turn } from '../../src/wires/common/write.ts';
import { createRandom } from '../simulation/virtual-time.ts';

const request = {
  wire: 'anthropic',
  method: 'POST',
  path: '/v1/messages',
  headers: {},
  body: { stop_sequences: ['END'] },
  model: 'fast',
  stream: true,
  key: undefined,
} as const;
const turn: Turn = { request, serial: '7', at: 0 };

const usage = {
  inputTokens: 10,
  outputTokens: 5,
  cachedInputTokens: 2,
  cacheWriteTokens: 3,
  reasoningTokens: 1,
};
const end: AnswerEnd = { finishReason: 'stop', usage };

/** The frames of an answer in short, without those that begin and end every answer. */
function short(frames: readonly Frame[]): readonly string[] {
  return frames.flatMap(({ event, data }) => {
    const { index, content_block, delta } = objectOf(data);
    const block = objectOf(content_block);
    const { type, text, thinking, signature, partial_json } = objectOf(delta);
    switch (event) {
      case 'content_block_start':
        return [`${index} ${block.type} ${block.name ?? block.data ?? ''}`.trim()];
      case 'content_block_delta':
        return [`${index} ${type} ${text ?? thinking ?? signature ?? partial_json}`];
      case 'content_block_stop':
        return [`${index} stop`];
      default:
        return [];
    }
  });
}

function written(parts: readonly PartToWrite[], last = end) {
  const writer = servedMessages.writer(turn, { model: 'fast' });
  const start = writer.start();
  const each = parts.map((part) => writer.write(part));
  const rest = writer.finish(last);
  const frames = [...start, ...each.flat(), ...rest];
  return { frames, each: each.map(short), body: writer.body(), short: short(frames) };
}

const call = (key: string, name: string): PartToWrite => ({
  type: 'tool-call',
  key,
  id: key,
  name,
});
const input = (key: string, delta: string): PartToWrite => ({ type: 'tool-input', key, delta });
const callEnd = (key: string, value: object, opaque?: string): PartToWrite => ({
  type: 'tool-call-end',
  key,
  input: value as { readonly [key: string]: string },
  ...(opaque !== undefined && { opaque }),
});

describe('the writer of Anthropic messages', () => {
  it('writes reasoning, text and a call as blocks one after the other, as they arrive', () => {
    const { each, body } = written([
      { type: 'reasoning', delta: 'hm' },
      { type: 'reasoning-end', opaque: 'sig' },
      { type: 'text', delta: 'Hel' },
      { type: 'text', delta: 'lo' },
      call('a', 'f'),
      input('a', '{"x":'),
      input('a', '"1"}'),
      callEnd('a', { x: '1' }),
    ]);
    expect(each).toEqual([
      ['0 thinking', '0 thinking_delta hm'],
      ['0 signature_delta sig', '0 stop'],
      ['1 text', '1 text_delta Hel'],
      ['1 text_delta lo'],
      ['1 stop'],
      [],
      [
        '2 tool_use f',
        '2 input_json_delta ',
        '2 input_json_delta {"x":',
        '2 input_json_delta "1"}',
      ],
      ['2 stop'],
    ]);
    expect(body).toMatchObject({
      id: 'msg_7',
      model: 'fast',
      stop_reason: 'end_turn',
      content: [
        { type: 'thinking', thinking: 'hm', signature: 'sig' },
        { type: 'text', text: 'Hello' },
        { type: 'tool_use', id: 'a', name: 'f', input: { x: '1' } },
      ],
    });
  });

  it('writes calls whose arguments take turns one after the other', () => {
    const { short: frames } = written([
      call('a', 'f'),
      call('b', 'g'),
      input('b', '{'),
      input('a', '{'),
      input('b', '}'),
      callEnd('b', {}),
      input('a', '}'),
      callEnd('a', {}),
      { type: 'text', delta: 'done' },
    ]);
    expect(frames).toEqual([
      ...['0 tool_use f', '0 input_json_delta ', '0 input_json_delta {', '0 input_json_delta }'],
      ...['0 stop', '1 tool_use g', '1 input_json_delta ', '1 input_json_delta {'],
      ...['1 input_json_delta }', '1 stop', '2 text', '2 text_delta done', '2 stop'],
    ]);
  });

  it('writes the replay data of a call in a block before it, or behind one that has begun', () => {
    const whole = written([call('a', 'f'), input('a', '{}'), callEnd('a', {}, 'sb1.x')]);
    expect(whole.short).toEqual([
      ...['0 redacted_thinking call:sb1.x:a', '0 stop'],
      ...['1 tool_use f', '1 input_json_delta ', '1 input_json_delta {}', '1 stop'],
    ]);
    const begun = [call('a', 'f'), input('a', '{'), input('a', '}'), callEnd('a', {}, 'sb1.x')];
    expect(written(begun).short.slice(-2)).toEqual(['1 redacted_thinking call:sb1.x:a', '1 stop']);
  });

  it('writes replay data without reasoning as redacted thinking', () => {
    const { body } = written([{ type: 'reasoning-end', opaque: 'sb1.x' }]);
    expect(body.content).toEqual([{ type: 'redacted_thinking', data: 'sb1.x' }]);
  });

  it('counts no tokens at the start, and all of them at the end', () => {
    const { frames, body } = written([{ type: 'text', delta: 'the END' }]);
    const first = objectOf(objectOf(frames[0]?.data).message);
    expect(first).toMatchObject({ content: [], stop_reason: null, usage: { input_tokens: 0 } });
    const counts = {
      input_tokens: 5,
      cache_creation_input_tokens: 3,
      cache_read_input_tokens: 2,
      output_tokens: 5,
      output_tokens_details: { thinking_tokens: 1 },
    };
    expect(frames.at(-2)?.data).toMatchObject({
      delta: { stop_reason: 'stop_sequence', stop_sequence: 'END' },
      usage: counts,
    });
    expect(frames.at(-1)).toMatchObject({ event: 'message_stop', role: 'end' });
    expect(body.usage).toMatchObject(counts);
  });

  it.each([
    ['length', 'max_tokens'],
    ['tool_calls', 'tool_use'],
    ['content_filter', 'refusal'],
    ['context_length', 'model_context_window_exceeded'],
    ['pause', 'pause_turn'],
    ['other', 'end_turn'],
  ] as const)('says of an answer that ended with %s: %s', (finishReason, stop_reason) => {
    expect(written([], { ...end, finishReason }).body).toMatchObject({ stop_reason, content: [] });
  });

  it('writes a refusal as the reason of the stop', () => {
    const { body } = written([{ type: 'refusal', delta: 'No.' }], {
      ...end,
      finishReason: 'refusal',
    });
    expect(body).toMatchObject({ stop_reason: 'refusal', stop_details: { explanation: 'No.' } });
  });

  it('writes a failure as an event, in the envelope of an error response', () => {
    const writer = servedMessages.writer(turn, { model: 'fast' });
    const error = { kind: 'overloaded', message: 'busy' } as const;
    const data: JsonObject = {
      type: 'error',
      error: { type: 'overloaded_error', message: 'busy' },
      request_id: 'req_7',
    };
    expect(writer.fail(error)).toEqual([{ event: 'error', data, role: 'finish' }]);
    expect(servedMessages.errorBody(error, turn)).toEqual(data);
  });

  it('writes events that the SDK puts together to the body', async () => {
    const random = createRandom(7);
    for (let round = 0; round < 60; round++) {
      const { frames, body } = written(randomParts(random));
      const lines = frames.map(({ data }) => `${JSON.stringify(data)}\n`).join('');
      const stream = new Blob([lines]).stream();
      const message = await MessageStream.fromReadableStream(stream).finalMessage();
      expect(JSON.parse(JSON.stringify(message)).content).toEqual(body.content);
      const starts = frames.filter(({ event }) => event === 'content_block_start');
      expect(starts.map(({ data }) => objectOf(data).index)).toEqual([...starts.keys()]);
    }
  });
});

/** Parts in an order in which some vendor could send them: the arguments of several calls take turns. */
function randomParts(random: () => number): readonly PartToWrite[] {
  const parts: PartToWrite[] = [];
  const open = new Map<string, number>();
  const below = (limit: number) => Math.floor(random() * limit);
  const close = (key: string, length: number) => {
    const rest = length === 0 ? [input(key, '{}')] : [input(key, '"]}')];
    const value = length === 0 ? {} : { x: ['a'.repeat(length - 1)] };
    open.delete(key);
    parts.push(...rest, callEnd(key, value, below(2) === 0 ? 'sb1.x' : undefined));
  };
  for (let step = below(25); step > 0; step--) {
    const kind = below(6);
    const [key = '', length = 0] = [...open].at(below(open.size)) ?? [];
    if (kind === 0) parts.push({ type: 'text', delta: 'text' });
    else if (kind === 1) parts.push({ type: 'reasoning', delta: 'hm' });
    else if (kind === 2) parts.push({ type: 'reasoning-end', opaque: 'sig' });
    else if (kind === 3) {
      open.set(`call_${step}`, 0);
      parts.push(call(`call_${step}`, 'f'));
    } else if (key !== '' && kind === 4) {
      open.set(key, length + 1);
      parts.push(input(key, length === 0 ? '{"x":["' : 'a'));
    } else if (key !== '') close(key, length);
  }
  for (const [key, length] of open) close(key, length);
  return parts;
}
