import assert from 'node:assert/strict';
import type { Part } from '../../protocol/message.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';

type ReadAnswer = {
  readonly parts: readonly ProviderPart[];
  readonly content: readonly Part[];
  readonly text: string;
  readonly error: unknown;
};

function reasoningOf({ parts }: ReadAnswer): string {
  return parts.map((part) => (part.type === 'reasoning-delta' ? part.delta : '')).join('');
}

function assertToolCalls({ parts, content }: ReadAnswer): void {
  const whole = content.filter((part) => part.type === 'tool-call');
  const started = parts.filter((part) => part.type === 'tool-call-start');
  assert.deepEqual(
    started.map(({ id, name }) => ({ id, name })),
    whole.map(({ id, name }) => ({ id, name })),
    'every started tool call ends with a part, and no other does',
  );
  for (const call of whole) {
    const deltas = parts.map((part) =>
      part.type === 'tool-call-delta' && part.id === call.id ? part.delta : '',
    );
    const input = deltas.join('');
    if (call.invalid === true) assert.equal(input, call.rawInput);
    else assert.deepEqual(input.trim() === '' ? {} : JSON.parse(input), call.input);
  }
}

/** Checks the rules for the parts of every answer, complete or not. */
export function assertGrammar(answer: ReadAnswer, hasLeft: boolean): void {
  const { parts, content, text, error } = answer;
  const types = parts.map(({ type }) => type);
  const finishes = types.filter((type) => type === 'finish').length;
  if (error !== undefined) assert.equal(finishes, 0, 'a failed answer has no finish');
  const opened = types.indexOf('open');
  const firstVisible = types.findIndex((type) => type.endsWith('-delta') || type === 'part-end');
  assert.ok(opened <= 0 || firstVisible === -1 || opened < firstVisible, 'open comes first');
  assert.ok(types.filter((type) => type === 'open').length <= 1, 'there is one open');
  if (error !== undefined || hasLeft) return;
  assert.equal(finishes, 1, 'there is exactly one finish');
  assert.equal(types.at(-1), 'finish', 'finish comes last');
  const visibleText = content.map((part) =>
    part.type === 'text' || part.type === 'refusal' ? part.text : '',
  );
  assert.equal(text, visibleText.join(''), 'the text deltas add up to the text parts');
  const thought = content.map((part) => (part.type === 'reasoning' ? part.text : ''));
  assert.equal(
    reasoningOf(answer),
    thought.join(''),
    'the reasoning deltas add up to the reasoning parts',
  );
  assertToolCalls(answer);
}
