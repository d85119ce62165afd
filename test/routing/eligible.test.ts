import { describe, expect, test } from 'vitest';
import type { NormalMessage, Part } from '../../src/protocol/message.ts';
import { needsOf } from '../../src/routing/eligible.ts';

const asked = (...content: readonly Part[]): readonly NormalMessage[] => [
  { role: 'user', content },
];
const source = { url: 'https://example.com/x' };

describe('needsOf', () => {
  test.each<[string, Part, string]>([
    ['an image', { type: 'image', source }, 'vision'],
    ['a sound', { type: 'audio', source }, 'audio'],
    ['a file', { type: 'file', source }, 'files'],
  ])('asks for what %s takes', (_, part, capability) => {
    expect([...needsOf(asked(part), {}).capabilities]).toEqual([capability]);
  });

  test('looks into the results of tools', () => {
    const result: Part = {
      type: 'tool-result',
      id: '1',
      name: 'screenshot',
      output: [
        { type: 'text', text: 'x'.repeat(80) },
        { type: 'image', source },
      ],
    };
    const needs = needsOf(asked(result), {});
    expect([...needs.capabilities]).toEqual(['vision']);
    expect(needs.minimumTokens).toBe(10);
  });

  test('does not stumble over the result of a tool that is plain data', () => {
    for (const output of [null, 'text', [1, null, 'x'], { type: 'image' }]) {
      const result: Part = { type: 'tool-result', id: '1', name: 'f', output };
      expect(needsOf(asked(result), {}).capabilities.size).toBe(0);
    }
  });

  test('asks for tools and for structured output when the call has them', () => {
    const tool = { name: 'f', inputSchema: {} };
    expect(needsOf(asked(), { tools: [tool], schema: {} }).capabilities).toEqual(
      new Set(['tools', 'structured-output']),
    );
    expect(needsOf(asked(), { tools: [] }).capabilities.size).toBe(0);
  });

  test('counts tokens so low that nothing that could fit is turned away', () => {
    const messages: readonly NormalMessage[] = [
      { role: 'system', content: [{ type: 'text', text: 'x'.repeat(800) }] },
      { role: 'user', content: [{ type: 'text', text: 'y'.repeat(807) }] },
    ];
    expect(needsOf(messages, {}).minimumTokens).toBe(200);
  });
});
