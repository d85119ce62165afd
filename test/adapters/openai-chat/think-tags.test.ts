import { describe, expect, it } from 'vitest';
import { createThinkTags } from '../../../src/wires/openai-chat/think-tags.ts';

/** What the pieces come to, with neighbours of one kind joined. */
function told(pieces: readonly string[]) {
  const tags = createThinkTags();
  const stretches: { type: string; text: string }[] = [];
  for (const stretch of [...pieces.flatMap((piece) => tags.read(piece)), ...tags.rest()]) {
    const last = stretches.at(-1);
    if (last?.type === stretch.type) last.text += stretch.text;
    else stretches.push({ ...stretch });
  }
  return stretches.map(({ type, text }) => `${type}: ${text}`);
}

describe('think tags', () => {
  const whole = '<think>\nLet me see: 1 < 2</think>\n\nIt is <b>2</b> <thi';
  const expected = ['reasoning: Let me see: 1 < 2', 'text: It is <b>2</b> <thi'];

  it.each([1, 2, 3, 7, 100])('are found in pieces of %i characters', (size) => {
    const pieces = Array.from({ length: Math.ceil(whole.length / size) }, (_, index) =>
      whole.slice(index * size, (index + 1) * size),
    );
    expect(told(pieces)).toEqual(expected);
  });

  it('leave text without them as it is', () => {
    expect(told(['Hello', ' there'])).toEqual(['text: Hello there']);
  });

  it.each([
    ['Use <think> and </think>.'],
    ['\n<b>Hi</b> <think>no</think>'],
    ['<thinking>no</thinking>'],
    ['  '],
    ['<thi'],
  ])('are words like others where the answer does not begin with one (%j)', (text) => {
    expect(told([...text])).toEqual([`text: ${text}`]);
  });

  it('are looked for behind blank space', () => {
    expect(told(['\n', '\n<think>', '\nHm</think>Yes'])).toEqual(['reasoning: Hm', 'text: Yes']);
  });

  it('count once', () => {
    const text = '<think>a</think>b <think>c</think>';
    expect(told([text])).toEqual(['reasoning: a', 'text: b <think>c</think>']);
    expect(told([...text])).toEqual(['reasoning: a', 'text: b <think>c</think>']);
  });

  it('may stay open', () => {
    expect(told(['<think>on and on'])).toEqual(['reasoning: on and on']);
  });
});
