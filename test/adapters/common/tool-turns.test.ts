import { describe, expect, it } from 'vitest';
import type { NormalMessage, Part } from '../../../src/protocol/message.ts';
import { pairToolResults } from '../../../src/wires/common/request.ts';

const call = (id: string): Part => ({ type: 'tool-call', id, name: 'add', input: {} });
const result = (id: string, output = id): Part => ({
  type: 'tool-result',
  id,
  name: 'add',
  output,
});
const turn = (role: NormalMessage['role'], ...content: readonly Part[]): NormalMessage => ({
  role,
  content,
});
const text: Part = { type: 'text', text: 'Go' };

describe('pairToolResults', () => {
  it('returns a conversation without tools unchanged', () => {
    const messages = [turn('user', text), turn('assistant', text)];
    expect(pairToolResults(messages)).toEqual({ messages, warnings: [] });
  });

  it('gives calls with the same id their results in order', () => {
    const { messages, warnings } = pairToolResults([
      turn('assistant', call('a'), call('a')),
      turn('tool', result('a', '1')),
      turn('tool', result('a', '2'), result('a', '3')),
    ]);
    expect(messages[1]).toEqual(turn('tool', result('a', '1'), result('a', '2')));
    expect(warnings).toMatchObject([{ code: 'dropped-part' }]);
  });

  it('moves results into one turn after their calls', () => {
    const { messages, warnings } = pairToolResults([
      turn('assistant', call('a'), call('b')),
      turn('user', text, result('b')),
      turn('tool', result('a')),
    ]);
    expect(messages).toEqual([
      turn('assistant', call('a'), call('b')),
      turn('tool', result('a'), result('b')),
      turn('user', text),
    ]);
    expect(warnings).toEqual([]);
  });

  it('matches results to the right turn when ids repeat', () => {
    const { messages } = pairToolResults([
      turn('assistant', call('a')),
      turn('tool', result('a', 'first')),
      turn('assistant', call('a')),
      turn('tool', result('a', 'second')),
    ]);
    expect(messages.map(({ content }) => content[0])).toMatchObject([
      { type: 'tool-call' },
      { output: 'first' },
      { type: 'tool-call' },
      { output: 'second' },
    ]);
  });

  it('adds an error result for a call at the end', () => {
    const { messages, warnings } = pairToolResults([turn('assistant', call('a'))]);
    expect(messages[1]).toMatchObject({ role: 'tool', content: [{ id: 'a', isError: true }] });
    expect(warnings).toMatchObject([{ code: 'compat' }]);
  });

  it('drops results without a call and second results of a call', () => {
    const { messages, warnings } = pairToolResults([
      turn('tool', result('ghost')),
      turn('assistant', call('a')),
      turn('tool', result('a', 'first'), result('a', 'again')),
    ]);
    expect(messages).toEqual([turn('assistant', call('a')), turn('tool', result('a', 'first'))]);
    expect(warnings).toMatchObject([{ code: 'dropped-part' }, { code: 'dropped-part' }]);
  });
});
