import { describe, expect, it, test } from 'vitest';
import { createCollected, shownParts, textOf } from '../../src/engine/core/collected.ts';
import { estimateUsage, tokensOf } from '../../src/engine/core/token-estimate.ts';
import type { Part } from '../../src/protocol/message.ts';
import type { ProviderPart } from '../../src/protocol/stream-part.ts';

const finish: ProviderPart = { type: 'finish', finishReason: 'stop' };
const delta = (text: string): ProviderPart => ({ type: 'text-delta', delta: text });
const textEnd = (text: string): ProviderPart => ({
  type: 'part-end',
  part: { type: 'text', text },
});

function collectedOf(...parts: readonly ProviderPart[]) {
  const collected = createCollected();
  for (const part of parts) collected.add(part);
  return collected;
}

describe('createCollected', () => {
  test('collects whole parts once', () => {
    const collected = collectedOf(
      delta('a'),
      delta('b'),
      textEnd('ab'),
      delta('c'),
      textEnd('c'),
      finish,
    );
    expect(collected.content).toEqual([
      { type: 'text', text: 'ab' },
      { type: 'text', text: 'c' },
    ]);
    expect(collected.partial('a/1')).toMatchObject({ text: 'abc' });
  });

  test('includes unfinished text in a partial answer', () => {
    const partial = collectedOf(textEnd('one '), delta('tw'), delta('o')).partial('a/1');
    expect(partial).toEqual({
      target: 'a/1',
      content: [
        { type: 'text', text: 'one ' },
        { type: 'text', text: 'two' },
      ],
      text: 'one two',
    });
  });

  test('has begun with the first part of the answer, not with its preamble', () => {
    const usage = { inputTokens: 1, outputTokens: 0, totalTokens: 1 };
    const warning = { code: 'compat', message: 'x' } as const;
    const preamble: readonly ProviderPart[] = [
      { type: 'open', id: '1' },
      { type: 'usage', usage },
      { type: 'warning', warning },
    ];
    expect(collectedOf(...preamble).hasStarted).toBe(false);
    expect(collectedOf(finish).hasStarted).toBe(false);
    for (const first of [
      delta('x'),
      textEnd('x'),
      { type: 'reasoning-delta', delta: 'x' },
      { type: 'tool-call-start', id: '1', name: 'f' },
    ] as const) {
      expect(collectedOf(...preamble, first).hasStarted).toBe(true);
    }
  });

  test('takes id and model from the end of the answer, and from its start until then', () => {
    const open: ProviderPart = { type: 'open', id: 'a', servedModel: 'm', requestId: 'r' };
    expect(collectedOf(open)).toMatchObject({ id: 'a', servedModel: 'm', requestId: 'r' });
    const end: ProviderPart = { ...finish, id: 'b', servedModel: 'n' };
    expect(collectedOf(open, end)).toMatchObject({ id: 'b', servedModel: 'n', requestId: 'r' });
  });
});

describe('usage', () => {
  const early: ProviderPart = {
    type: 'usage',
    usage: { inputTokens: 100, outputTokens: 1, totalTokens: 101 },
  };

  test('is what the vendor reported at the end', () => {
    const usage = { inputTokens: 7, outputTokens: 3, totalTokens: 10 };
    expect(collectedOf(early, { ...finish, usage }).usage()).toEqual(usage);
  });

  test('of an interrupted answer is the early report plus an estimate of the output seen', () => {
    expect(collectedOf(early, delta('one two three four five six seven eight')).usage()).toEqual({
      inputTokens: 100,
      outputTokens: 8,
      totalTokens: 108,
      estimated: true,
    });
  });

  test('is unknown when nothing was reported', () => {
    expect(collectedOf(delta('x')).usage()).toBeUndefined();
    expect(collectedOf(delta('x')).partial('a/1')).not.toHaveProperty('usage');
  });

  test('is estimated from text and tool calls', () => {
    const usage = estimateUsage(
      [{ role: 'user', content: [{ type: 'text', text: 'Say hello to everybody' }] }],
      [
        { type: 'text', text: 'Hello' },
        { type: 'tool-call', id: '1', name: 'f', input: { a: 1 } },
        { type: 'tool-call', id: '2', name: 'f', input: null, rawInput: '{"a' },
      ],
    );
    expect(usage).toEqual({ inputTokens: 5, outputTokens: 8, totalTokens: 13, estimated: true });
  });

  test('is estimated for a tool call without input', () => {
    const call: object = { type: 'tool-call', id: '1', name: 'f' };
    const messages = [{ role: 'assistant', content: [call] }] as never;
    expect(estimateUsage(messages, [])).toMatchObject({ inputTokens: 0 });
  });
});

test('textOf concatenates text and refusals in order', () => {
  expect(
    textOf([
      { type: 'reasoning', text: 'hm' },
      { type: 'text', text: 'a' },
      { type: 'refusal', text: 'no' },
    ]),
  ).toBe('ano');
});

test('shownParts omits the preamble and finish', () => {
  const shown = [delta('x'), textEnd('x')];
  expect(shownParts([{ type: 'open' }, ...shown, finish])).toEqual(shown);
});

describe('the estimate of media', () => {
  const bytes = new Uint8Array(300_000);
  const base64 = Buffer.from(bytes).toString('base64');
  const url = `data:image/png;base64,${base64}`;
  const png = 'image/png';
  const text = { type: 'text', text: 'word '.repeat(100) } as const;
  const tokensIn = (part: Part, place: 'message' | 'result'): number => {
    const result = { type: 'tool-result', id: 'c', name: 'shot', output: [text, part] } as Part;
    const content = place === 'message' ? [text, part] : [result];
    return estimateUsage([{ role: 'user', content }], []).inputTokens;
  };

  it.each([
    ['an image in bytes', { type: 'image', source: { data: bytes, mediaType: png } }, 1000],
    ['an image in base64', { type: 'image', source: { data: base64, mediaType: png } }, 1000],
    ['an image in a data URL', { type: 'image', source: { url } }, 1000],
    ['an image by URL', { type: 'image', source: { url: 'https://a.test/b.png' } }, 1000],
    ['an image at low detail', { type: 'image', source: { url }, detail: 'low' }, 85],
    ['an image as a file', { type: 'file', source: { data: bytes, mediaType: png } }, 1000],
    ['a PDF', { type: 'file', source: { data: bytes, mediaType: 'application/pdf' } }, 4688],
    ['a text file', { type: 'file', source: { data: bytes, mediaType: 'text/csv' } }, 75_000],
    ['a file by URL', { type: 'file', source: { url: 'https://a.test/b.pdf' } }, 1500],
    ['a file of the vendor', { type: 'file', source: { ref: { provider: 'p', id: 'f' } } }, 1500],
    ['audio', { type: 'audio', source: { data: base64, mediaType: 'audio/mpeg' } }, 469],
  ] as const satisfies readonly (readonly [string, Part, number])[])(
    'does not count the base64 of %s',
    (_what, part, tokens) => {
      expect(tokensIn(part, 'message') - 100).toBe(tokens);
      // The text part of a result is counted as JSON.
      expect(tokensIn(part, 'result') - 110).toBeLessThanOrEqual(tokens);
      expect(tokensIn(part, 'result') - 100).toBeGreaterThanOrEqual(tokens);
    },
  );

  it('is that of its JSON for a result that only looks like media', () => {
    const output = [{ type: 'image', source: 'word '.repeat(100) }];
    const part: Part = { type: 'tool-result', id: 'c', name: 'shot', output };
    const { inputTokens } = estimateUsage([{ role: 'tool', content: [part] }], []);
    expect(inputTokens).toBe(tokensOf([JSON.stringify(output)]));
  });

  it('is no part of what an answer adds to the one it continues', () => {
    const image: Part = { type: 'image', source: { url } };
    const collected = createCollected({ content: [image], text: '' });
    const usage = { inputTokens: 1, outputTokens: 0, totalTokens: 1 };
    collected.add({ type: 'usage', usage });
    collected.add(delta('four'));
    expect(collected.usage()?.outputTokens).toBe(1);
  });
});
