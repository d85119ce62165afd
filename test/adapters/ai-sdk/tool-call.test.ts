import { describe, expect, it } from 'vitest';
import { createAnswerReader } from '../../../src/adapters/ai-sdk/response.ts';
import type { ProviderPart } from '../../../src/protocol/stream-part.ts';
import { contentOf, finishOf, silentWatch } from '../../support/provider-calls.ts';

function read(...parts: readonly object[]): readonly ProviderPart[] {
  const emitted: ProviderPart[] = [];
  const origin = { provider: 'ai', model: 'm' };
  const reader = createAnswerReader(
    origin,
    new Headers(),
    silentWatch,
    (part) => void emitted.push(part),
  );
  for (const part of [...parts, { type: 'finish', finishReason: 'stop', usage: {} }]) {
    reader.read(part);
  }
  reader.finish(undefined);
  return emitted;
}

const start = { type: 'tool-input-start', id: 'a', toolName: 't' };
const delta = (text: string) => ({ type: 'tool-input-delta', id: 'a', delta: text });
const call = (input: unknown) => ({ type: 'tool-call', toolCallId: 'a', toolName: 't', input });

describe('the tool-call part of an AI SDK model', () => {
  it.each<[string, readonly object[], unknown]>([
    ['without input', [call('')], {}],
    ['alone', [call('{"a":1}')], { a: 1 }],
    ['after a start without pieces', [start, call('{"a":1}')], { a: 1 }],
    ['after pieces that are not whole', [start, delta('{"a":'), call('{"a":1}')], { a: 1 }],
    ['after the same pieces', [start, delta('{"a":'), delta('1}'), call('{"a":1}')], { a: 1 }],
    ['without input, after pieces', [start, delta('{"a":1}'), call('')], { a: 1 }],
  ])('is the whole call: %s', (_what, parts, input) => {
    const emitted = read(...parts);
    expect(contentOf(emitted)).toEqual([{ type: 'tool-call', id: 'a', name: 't', input }]);
    expect(finishOf(emitted).finishReason).toBe('tool_calls');
  });
});
