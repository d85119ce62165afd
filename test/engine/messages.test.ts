import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  checkToolChoice,
  normalizeMessages,
  normalizeTools,
} from '../../src/engine/tasks/messages.ts';
import type { Message, Part } from '../../src/protocol/message.ts';

const result = (output: unknown): Message => ({
  role: 'tool',
  content: [{ type: 'tool-result', id: '1', name: 'look', output } as Part],
});
const cycle: Record<string, unknown> = {};
cycle.self = cycle;

describe('normalizeMessages', () => {
  it.each<[string, unknown, string]>([
    [
      'nothing but results, whose calls are missing',
      [{ role: 'system', content: 'Be brief.' }, result('21 degrees')],
      'messages[1].content[0]: no message before it has the tool call "1" of this result',
    ],
    ['nothing', [], 'messages: must be a string or a list with at least one message'],
    ['an unknown role', [{ role: 'bot', content: 'hi' }], 'messages[0].role: must be one of'],
    ['no content', [{ role: 'user' }], 'messages[0].content: must be a string or a list'],
    [
      'an unknown part',
      [{ role: 'user', content: [{ type: 'smell' }] }],
      'messages[0].content[0].type',
    ],
    [
      'text in a tool turn',
      [{ role: 'tool', content: '21 degrees' }],
      'messages[0].content: a tool turn holds "tool-result" parts',
    ],
    [
      'a text part in a tool turn',
      ['hi', result(1)].map((each) =>
        typeof each === 'string' ? { role: 'tool', content: [{ type: 'text', text: each }] } : each,
      ),
      'messages[0].content[0]: a tool turn holds',
    ],
    [
      'a missing output of a tool',
      [result(undefined)],
      'messages[0].content[0].output: must be JSON',
    ],
    ['a bigint output of a tool', [result(1n)], 'messages[0].content[0].output: must be JSON'],
    ['a cyclic output of a tool', [result(cycle)], 'messages[0].content[0].output: must be JSON'],
  ])('throws for %s', (_, messages, message) => {
    expect(() => normalizeMessages(messages as Message[])).toThrow(message);
  });

  it('keeps null as the output of a tool', () => {
    const [, kept] = normalizeMessages([{ role: 'user', content: 'Look.' }, result(null)]);
    expect(kept).toEqual(result(null));
  });
});

describe('normalizeTools', () => {
  const look = { name: 'look', inputSchema: z.object({ at: z.string() }) };

  it('throws for a duplicate name', () => {
    expect(() => normalizeTools([look, look])).toThrow(
      'tools[1].name: there is a tool "look" already',
    );
  });

  it('throws for an input that is not an object', () => {
    expect(() => normalizeTools([{ name: 'look', inputSchema: z.string() }])).toThrow(
      'tools[0].inputSchema: must be an object',
    );
    expect(normalizeTools([{ name: 'look', inputSchema: {} }])).toHaveLength(1);
  });

  it('allows only offered tools as toolChoice', () => {
    const tools = normalizeTools([look]);
    expect(() => checkToolChoice({ name: 'lok' }, tools)).toThrow(
      'toolChoice.name: no tool is called "lok"; there is "look"',
    );
    expect(() => checkToolChoice({ name: 'look' }, undefined)).toThrow('there are no tools');
    expect(() => checkToolChoice('required', [])).toThrow('toolChoice: "required" needs tools');
    for (const choice of [undefined, 'auto', 'none', { name: 'look' }] as const) {
      expect(() => checkToolChoice(choice, tools)).not.toThrow();
    }
  });
});
