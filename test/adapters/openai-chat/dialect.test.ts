import { describe, expect, it } from 'vitest';
import type { NormalMessage, Part } from '../../../src/protocol/message.ts';
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
    ['always', [true, true, true, true]],
    ['tool-turns', [false, true, true, true]],
    ['tool-loop', [false, false, false, true]],
    ['never', [false, false, false, false]],
  ] as const)('%s', (echoReasoning, expected) => {
    const messages = [user, answered, user, calling, result, answered, user, calling, result];
    const sent = bodyOf({ echoReasoning }, { messages }).body.messages as readonly object[];
    const turns = sent.filter((turn) => 'role' in turn && turn.role === 'assistant');
    expect(turns.map((turn) => 'reasoning_content' in turn)).toEqual(expected);
  });

  it('sends a blank stand-in for the reasoning of calls that have none, and only then', () => {
    const foreign = { ...thought, opaque: { ...opaque, provider: 'other' } };
    const messages = [
      user,
      { ...calling, content: [foreign, calling.content[1]] },
      result,
      { role: 'assistant', content: [{ type: 'text', text: 'Hi' }] },
      user,
      calling,
      result,
    ] as const;
    const quirks = { echoReasoning: 'tool-turns', callsWithoutReasoning: 'stand-in' } as const;
    const sent = bodyOf(quirks, { messages }).body.messages as readonly Record<string, unknown>[];
    const turns = sent.filter(({ role }) => role === 'assistant');
    expect(turns.map((turn) => turn.reasoning_content)).toEqual([' ', undefined, 'Hm']);
  });
});

const call = (id: string): Part => ({ type: 'tool-call', id, name: 'look', input: {} });
const resultOf = (id: string, output: unknown = 'seen'): Part =>
  ({ type: 'tool-result', id, name: 'look', output }) as Part;
const image = { type: 'image', source: { data: 'iVBORw0KGgo=', mediaType: 'image/png' } } as const;
const say = (role: NormalMessage['role'], ...texts: readonly string[]): NormalMessage => ({
  role,
  content: texts.map((text) => ({ type: 'text', text })),
});

describe('afterToolResults', () => {
  const loop = (output?: unknown): readonly NormalMessage[] => [
    say('user', 'Hello'),
    { role: 'assistant', content: [call('a'), call('b')] },
    { role: 'tool', content: [resultOf('a', output), resultOf('b', output)] },
  ];

  it.each([
    ['results at the end', loop(), 'user assistant tool tool'],
    [
      'an answer',
      [...loop(), say('assistant', 'Hi'), say('user', 'Go on')],
      'user assistant tool tool assistant user',
    ],
    ['a user turn', [...loop(), say('user', 'Go on')], 'user assistant tool tool assistant user'],
    [
      'a system turn',
      [...loop(), say('system', 'Stop')],
      'user assistant tool tool assistant system',
    ],
    ['images of a tool', loop([image]), 'user assistant tool tool assistant user'],
  ] as const)('with "assistant" only an assistant turn follows: %s', (_, messages, roles) => {
    const sent = bodyOf({ afterToolResults: 'assistant' }, { messages });
    const turns = sent.body.messages as readonly Record<string, unknown>[];
    expect(turns.map(({ role }) => role).join(' ')).toBe(roles);
    expect(turns.filter(({ content }) => content === '')).toEqual([]);
  });

  it('adds nothing by default', () => {
    const messages = [...loop(), say('user', 'Go on')];
    expect(bodyOf({}, { messages }).body.messages).toHaveLength(5);
  });
});

describe('refusals', () => {
  const messages: readonly NormalMessage[] = [
    say('user', 'Hello'),
    { role: 'assistant', content: [{ type: 'refusal', text: 'No.' }] },
    say('user', 'Please'),
  ];

  it.each([
    ['text', { role: 'assistant', content: 'No.' }],
    ['field', { role: 'assistant', content: null, refusal: 'No.' }],
  ] as const)('%s', (refusals, turn) => {
    expect(bodyOf({ refusals }, { messages }).body.messages).toMatchObject([{}, turn, {}]);
  });
});

it('leaves out an assistant turn of which nothing can be sent', () => {
  const messages = [
    say('user', 'Draw'),
    { role: 'assistant', content: [image] },
    say('user', 'More'),
  ] as const;
  expect(bodyOf({}, { messages }).body.messages).toHaveLength(2);
});

describe('the quirks of model families', () => {
  it.each([
    ['kimi-k2.5', { echoReasoning: 'tool-turns' }],
    ['moonshotai/Kimi-K2-Thinking', { echoReasoning: 'tool-turns' }],
    ['deepseek-ai/DeepSeek-V4', { echoReasoning: 'tool-turns' }],
    ['mistralai/Ministral-8B', { afterToolResults: 'assistant' }],
    ['devstral-medium', { afterToolResults: 'assistant' }],
    ['google/gemini-3-flash-preview', { unsignedCalls: 'stand-in' }],
    ['gemini-2.5-flash', { unsignedCalls: 'accepted' }],
    ['deepseek-chat', { echoReasoning: 'tool-loop' }],
  ])('of %s apply at every vendor', (model, quirks) => {
    expect(compatibleDialect({}, model)).toMatchObject(quirks);
  });

  it('are overridden by the quirks of the vendor', () => {
    const dialect = compatibleDialect({ unsignedCalls: 'accepted' }, 'gemini-3-pro');
    expect(dialect.unsignedCalls).toBe('accepted');
  });
});
