import assert from 'node:assert/strict';
import type { Part } from '../../protocol/message.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';

type Told = {
  readonly parts: readonly ProviderPart[];
  readonly content: readonly Part[];
  readonly text: string;
  readonly error: unknown;
};

function reasoningOf({ parts }: Told): string {
  return parts.map((part) => (part.type === 'reasoning-delta' ? part.delta : '')).join('');
}

function assertToolCalls({ parts, content }: Told): void {
  const whole = content.filter((part) => part.type === 'tool-call');
  const begun = parts.filter((part) => part.type === 'tool-call-start');
  assert.deepEqual(
    begun.map(({ id, name }) => ({ id, name })),
    whole.map(({ id, name }) => ({ id, name })),
    'every tool call that was begun is told whole, and no other',
  );
  for (const call of whole) {
    const pieces = parts.map((part) =>
      part.type === 'tool-call-delta' && part.id === call.id ? part.delta : '',
    );
    const input = pieces.join('');
    if (call.invalid === true) assert.equal(input, call.rawInput);
    else assert.deepEqual(input.trim() === '' ? {} : JSON.parse(input), call.input);
  }
}

/** What holds for the parts of every answer, whole or not. */
export function assertGrammar(told: Told, left: boolean): void {
  const { parts, content, text, error } = told;
  const types = parts.map(({ type }) => type);
  const finishes = types.filter((type) => type === 'finish').length;
  if (error !== undefined) assert.equal(finishes, 0, 'an answer that fails has no finish');
  const opened = types.indexOf('open');
  const firstVisible = types.findIndex((type) => type.endsWith('-delta') || type === 'part-end');
  assert.ok(opened <= 0 || firstVisible === -1 || opened < firstVisible, 'open comes first');
  assert.ok(types.filter((type) => type === 'open').length <= 1, 'open comes once');
  if (error !== undefined || left) return;
  assert.equal(finishes, 1, 'finish comes exactly once');
  assert.equal(types.at(-1), 'finish', 'finish comes last');
  const said = content.map((part) =>
    part.type === 'text' || part.type === 'refusal' ? part.text : '',
  );
  assert.equal(text, said.join(''), 'the deltas of the text are its parts');
  const thought = content.map((part) => (part.type === 'reasoning' ? part.text : ''));
  assert.equal(reasoningOf(told), thought.join(''), 'the deltas of the reasoning are its parts');
  assertToolCalls(told);
}
