import { describe, expect, it } from 'vitest';
import type { NormalMessage, Part } from '../../../src/protocol/message.ts';
import { pairToolResults } from '../../../src/wires/common/tool-turns.ts';

const call = (id: string): Part => ({ type: 'tool-call', id, name: 'add', input: {} });
const result = (id: string, output = id): Part => ({
  type: 'tool-result',
  id,
  name: 'add',
  output,
});
const said = (role: NormalMessage['role'], ...content: readonly Part[]): NormalMessage => ({
  role,
  content,
});
const text: Part = { type: 'text', text: 'Go' };

describe('pairToolResults', () => {
  it('leaves a conversation without tools alone', () => {
    const messages = [said('user', text), said('assistant', text)];
    expect(pairToolResults(messages)).toEqual({ messages, warnings: [] });
  });

  it('gathers results from wherever they are into one turn after their calls', () => {
    const { messages, warnings } = pairToolResults([
      said('assistant', call('a'), call('b')),
      said('user', text, result('b')),
      said('tool', result('a')),
    ]);
    expect(messages).toEqual([
      said('assistant', call('a'), call('b')),
      said('tool', result('a'), result('b')),
      said('user', text),
    ]);
    expect(warnings).toEqual([]);
  });

  it('gives each turn its own results when ids are used again', () => {
    const { messages } = pairToolResults([
      said('assistant', call('a')),
      said('tool', result('a', 'first')),
      said('assistant', call('a')),
      said('tool', result('a', 'second')),
    ]);
    expect(messages.map(({ content }) => content[0])).toMatchObject([
      { type: 'tool-call' },
      { output: 'first' },
      { type: 'tool-call' },
      { output: 'second' },
    ]);
  });

  it('answers a call at the very end with an error', () => {
    const { messages, warnings } = pairToolResults([said('assistant', call('a'))]);
    expect(messages[1]).toMatchObject({ role: 'tool', content: [{ id: 'a', isError: true }] });
    expect(warnings).toMatchObject([{ code: 'compat' }]);
  });

  it('leaves out results without a call and second results of the same call', () => {
    const { messages, warnings } = pairToolResults([
      said('tool', result('ghost')),
      said('assistant', call('a')),
      said('tool', result('a', 'first'), result('a', 'again')),
    ]);
    expect(messages).toEqual([said('assistant', call('a')), said('tool', result('a', 'first'))]);
    expect(warnings).toMatchObject([{ code: 'dropped-part' }, { code: 'dropped-part' }]);
  });
});
