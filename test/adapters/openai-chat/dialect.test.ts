import { describe, expect, it } from 'vitest';
import type { Part } from '../../../src/protocol/message.ts';
import type { ProviderRequest, Reasoning } from '../../../src/protocol/request.ts';
import { type ChatQuirks, compatibleDialect } from '../../../src/wires/openai-chat/dialect.ts';
import { chatBody } from '../../../src/wires/openai-chat/request.ts';
import { requestOf } from '../../support/provider-calls.ts';

const bodyOf = (quirks: Partial<ChatQuirks>, more: Partial<ProviderRequest> = {}) =>
  chatBody(requestOf({ model: 'm', ...more }), compatibleDialect(quirks));
const paramsOf = ({ warnings }: ReturnType<typeof bodyOf>) => warnings.map(({ param }) => param);

const schema = {
  type: 'object',
  properties: { a: { type: 'string' } },
  required: ['a'],
  additionalProperties: false,
};
const output = { name: 'answer', schema };
const tools = [{ name: 'look', inputSchema: { type: 'object', properties: {} } }];

describe('reasoningIn', () => {
  const cases: readonly (readonly [Partial<ChatQuirks>, Reasoning, object, readonly string[]])[] = [
    [{ reasoningIn: 'enable_thinking' }, { effort: 'none' }, { enable_thinking: false }, []],
    [
      { reasoningIn: 'enable_thinking' },
      { effort: 'low' },
      { enable_thinking: true },
      ['reasoning.effort'],
    ],
    [{ reasoningIn: 'enable_thinking' }, { budgetTokens: 0 }, { enable_thinking: false }, []],
    [{ reasoningIn: 'thinking', efforts: [] }, { include: true }, {}, []],
    [
      { reasoningIn: 'thinking', efforts: ['low', 'max'] },
      { effort: 'xhigh' },
      { thinking: { type: 'enabled' }, reasoning_effort: 'max' },
      ['reasoning.effort'],
    ],
    [{ reasoningIn: 'reasoning' }, { include: true }, { reasoning: { enabled: true } }, []],
    [
      { reasoningIn: 'reasoning' },
      { effort: 'high', budgetTokens: 9 },
      { reasoning: { max_tokens: 9 } },
      ['reasoning.effort'],
    ],
    [{ reasoningIn: 'none' }, { budgetTokens: 9 }, {}, ['reasoning.budgetTokens']],
  ];

  it.each(cases)('%o sends %o as %o', (quirks, reasoning, sent, warned) => {
    const { messages: _messages, model: _model, ...body } = bodyOf(quirks, { reasoning }).body;
    expect(body).toEqual(sent);
    expect(paramsOf(bodyOf(quirks, { reasoning }))).toEqual(warned);
  });
});

describe('structuredOutput', () => {
  it.each([
    [{}, 'json_schema', false],
    [{ structuredOutput: 'json_object' }, 'json_object', true],
    [{ structuredOutput: 'prompt' }, undefined, true],
  ] as const)('%o requests %s', (quirks, type, isInPrompt) => {
    const { body, warnings } = bodyOf(quirks, { output });
    const format = body.response_format as { type: string } | undefined;
    expect(format?.type).toBe(type);
    expect(JSON.stringify(body.messages).includes('JSON Schema')).toBe(isInPrompt);
    expect(warnings.map(({ code }) => code)).toEqual(isInPrompt ? ['schema-relaxed'] : []);
  });

  it('is sent in the prompt with tools if the vendor rejects the combination', () => {
    const quirks = { toolsWithResponseFormat: false };
    expect(bodyOf(quirks, { output }).body).toHaveProperty('response_format');
    const { body } = bodyOf(quirks, { output, tools });
    expect(body).not.toHaveProperty('response_format');
    expect(JSON.stringify(body.messages)).toContain('JSON Schema');
  });
});

describe('echoReasoning', () => {
  const opaque = {
    wire: 'openai-chat',
    provider: 'mine',
    model: 'm',
    kind: 'reasoning-content',
    data: 'reasoning_content',
  } as const;
  const thought: Part = { type: 'reasoning', text: 'Hm', opaque };
  const user = { role: 'user', content: [{ type: 'text', text: 'Hello' }] } as const;
  const answered = { role: 'assistant', content: [thought, { type: 'text', text: 'Hi' }] } as const;
  const calling = {
    role: 'assistant',
    content: [thought, { type: 'tool-call', id: 'c', name: 'look', input: {} }],
  } as const;
  const result = {
    role: 'tool',
    content: [{ type: 'tool-result', id: 'c', name: 'look', output: 'seen' }],
  } as const;

  it.each([
    ['always', [true, true]],
    ['tool-loop', [false, true]],
    ['never', [false, false]],
  ] as const)('%s', (echoReasoning, expected) => {
    const messages = [user, answered, user, calling, result];
    const sent = bodyOf({ echoReasoning }, { messages }).body.messages as readonly object[];
    const turns = [sent[1], sent[3]].map((turn) => 'reasoning_content' in (turn ?? {}));
    expect(turns).toEqual(expected);
  });
});
