import { describe, expect, it } from 'vitest';
import { ThinkTags } from '../../../src/wires/openai-chat/deltas.ts';

/** The result for these deltas, with adjacent texts of one type joined. */
function textsOf(deltas: readonly string[]) {
  const tags = new ThinkTags();
  const texts: { type: string; text: string }[] = [];
  for (const stretch of [...deltas.flatMap((piece) => tags.read(piece)), ...tags.rest()]) {
    const last = texts.at(-1);
    if (last?.type === stretch.type) last.text += stretch.text;
    else texts.push({ ...stretch });
  }
  return texts.map(({ type, text }) => `${type}: ${text}`);
}

describe('think tags', () => {
  const whole = '<think>\nLet me see: 1 < 2</think>\n\nIt is <b>2</b> <thi';
  const expected = ['reasoning: Let me see: 1 < 2', 'text: It is <b>2</b> <thi'];

  it.each([1, 2, 3, 7, 100])('are recognised in deltas of %i characters', (size) => {
    const deltas = Array.from({ length: Math.ceil(whole.length / size) }, (_, index) =>
      whole.slice(index * size, (index + 1) * size),
    );
    expect(textsOf(deltas)).toEqual(expected);
  });

  it('do not change text without tags', () => {
    expect(textsOf(['Hello', ' there'])).toEqual(['text: Hello there']);
  });

  it.each([
    ['Use <think> and </think>.'],
    ['\n<b>Hi</b> <think>no</think>'],
    ['<thinking>no</thinking>'],
    ['  '],
    ['<thi'],
  ])('are kept as text unless the answer starts with one (%j)', (text) => {
    expect(textsOf([...text])).toEqual([`text: ${text}`]);
  });

  it('are recognised after white space', () => {
    expect(textsOf(['\n', '\n<think>', '\nHm</think>Yes'])).toEqual(['reasoning: Hm', 'text: Yes']);
  });

  it('are recognised only once', () => {
    const text = '<think>a</think>b <think>c</think>';
    expect(textsOf([text])).toEqual(['reasoning: a', 'text: b <think>c</think>']);
    expect(textsOf([...text])).toEqual(['reasoning: a', 'text: b <think>c</think>']);
  });

  it('may be unclosed', () => {
    expect(textsOf(['<think>on and on'])).toEqual(['reasoning: on and on']);
  });
});
