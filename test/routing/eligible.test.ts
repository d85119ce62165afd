import { describe, expect, test } from 'vitest';
import type { NormalMessage, Part } from '../../src/protocol/message.ts';
import { needsOf } from '../../src/routing/plan.ts';

const messagesOf = (...content: readonly Part[]): readonly NormalMessage[] => [
  { role: 'user', content },
];
const source = { url: 'https://example.com/x' };

describe('needsOf', () => {
  test.each<[string, Part, string]>([
    ['an image', { type: 'image', source }, 'vision'],
    ['an audio clip', { type: 'audio', source }, 'audio'],
    ['a file', { type: 'file', source }, 'files'],
  ])('requires the capability for %s', (_, part, capability) => {
    expect([...needsOf(messagesOf(part), {}).capabilities]).toEqual([capability]);
  });

  test('includes the parts of tool results', () => {
    const result: Part = {
      type: 'tool-result',
      id: '1',
      name: 'screenshot',
      output: [
        { type: 'text', text: 'x'.repeat(80) },
        { type: 'image', source },
      ],
    };
    const needs = needsOf(messagesOf(result), {});
    expect([...needs.capabilities]).toEqual(['vision']);
    expect(needs.minimumTokens).toBe(10);
  });

  test('accepts tool results that are plain data', () => {
    for (const output of [null, 'text', [1, null, 'x'], { type: 'image' }]) {
      const result: Part = { type: 'tool-result', id: '1', name: 'f', output };
      expect(needsOf(messagesOf(result), {}).capabilities.size).toBe(0);
    }
  });

  test('requires tools and structured output if the call uses them', () => {
    const tool = { name: 'f', inputSchema: {} };
    expect(needsOf(messagesOf(), { tools: [tool], schema: {} }).capabilities).toEqual(
      new Set(['tools', 'structured-output']),
    );
    expect(needsOf(messagesOf(), { tools: [] }).capabilities.size).toBe(0);
  });

  test('estimates tokens low enough to exclude no request that fits', () => {
    const messages: readonly NormalMessage[] = [
      { role: 'system', content: [{ type: 'text', text: 'x'.repeat(800) }] },
      { role: 'user', content: [{ type: 'text', text: 'y'.repeat(807) }] },
    ];
    expect(needsOf(messages, {}).minimumTokens).toBe(200);
  });
});
