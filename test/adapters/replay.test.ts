import { describe, expect, it } from 'vitest';
import type { NormalMessage, Part } from '../../src/protocol/message.ts';
import type { ProviderPart } from '../../src/protocol/stream-part.ts';
import { compatibleDialect } from '../../src/wires/openai-chat/dialect.ts';
import { chatBody } from '../../src/wires/openai-chat/request.ts';
import { ChatReader } from '../../src/wires/openai-chat/response.ts';
import { responsesBody } from '../../src/wires/openai-responses/request.ts';
import { ResponseReader } from '../../src/wires/openai-responses/response.ts';
import { emittedForBody, emittedForEvents } from '../support/emitted-parts.ts';
import { requestOf } from '../support/provider-calls.ts';

const model = 'gpt-5.4';
const request = requestOf({ model });
const origin = { provider: request.provider, model };

const contentOf = (parts: Iterable<ProviderPart>): Part[] =>
  [...parts].flatMap((part) => (part.type === 'part-end' ? [part.part] : []));

/** The conversation after the answer and the result of its call. */
const after = (content: readonly Part[]): readonly NormalMessage[] => [
  { role: 'user', content: [{ type: 'text', text: 'Look.' }] },
  { role: 'assistant', content },
  {
    role: 'tool',
    content: content.flatMap((part): Part[] =>
      part.type === 'tool-call'
        ? [{ type: 'tool-result', id: part.id, name: part.name, output: 'seen' }]
        : [],
    ),
  },
];

const chat = (chunks: readonly object[]): Part[] => {
  const events = chunks.map((chunk) => ({ choices: [chunk] }));
  return contentOf(emittedForEvents((context) => new ChatReader({ ...context, origin }), events));
};

const call = { id: 'c1', type: 'function', function: { name: 'look', arguments: '{}' } };

/** The assistant turn sent on Chat Completions, to the same or another provider. */
function assistantTurn(content: readonly Part[], provider = request.provider): unknown {
  const messages = after(content);
  const { body } = chatBody(requestOf({ model, provider, messages }), compatibleDialect());
  return (body.messages as readonly object[])[1];
}

describe("OpenRouter's reasoning details", () => {
  const chunks = [
    {
      delta: {
        reasoning: 'Let me ',
        reasoning_details: [{ type: 'reasoning.text', text: 'Let me ', index: 0, format: 'f' }],
      },
    },
    {
      delta: {
        reasoning: 'see.',
        reasoning_details: [{ type: 'reasoning.text', text: 'see.', index: 0, signature: null }],
      },
    },
    { delta: { reasoning_details: [{ type: 'reasoning.text', index: 0, signature: 'sig' }] } },
    { delta: { tool_calls: [{ ...call, index: 0 }] } },
    {
      delta: {
        reasoning_details: [{ type: 'reasoning.encrypted', data: 'xyz', index: 1, id: 'e' }],
      },
      finish_reason: 'tool_calls',
    },
  ];
  const whole = [
    { type: 'reasoning.text', text: 'Let me see.', index: 0, format: 'f', signature: 'sig' },
    { type: 'reasoning.encrypted', data: 'xyz', index: 1, id: 'e' },
  ];

  it('are sent back complete, instead of the text', () => {
    const turn = assistantTurn(chat(chunks));
    expect(turn).toMatchObject({ reasoning_details: whole });
    expect(turn).not.toHaveProperty('reasoning');
  });

  it('are sent back unchanged from a whole answer', () => {
    const message = { reasoning_details: whole, tool_calls: [call] };
    expect(assistantTurn(chat([{ message, finish_reason: 'tool_calls' }]))).toMatchObject({
      reasoning_details: whole,
    });
  });

  it('are not sent to another provider', () => {
    expect(JSON.stringify(assistantTurn(chat(chunks), 'other'))).not.toContain('sig');
  });
});

describe("the signature of a call on Gemini's compatible endpoint", () => {
  const extra_content = { google: { thought_signature: 'sig' } };
  const content = chat([
    { delta: { tool_calls: [{ ...call, index: 0, extra_content }] }, finish_reason: 'tool_calls' },
  ]);

  it('is sent back with the call, only to its provider', () => {
    expect(assistantTurn(content)).toMatchObject({ tool_calls: [{ id: 'c1', extra_content }] });
    expect(JSON.stringify(assistantTurn(content, 'other'))).not.toContain('sig');
  });
});

describe('the phase of a message on OpenAI Responses', () => {
  const item = (phase: string, text: string) => ({
    type: 'message',
    phase,
    content: [{ type: 'output_text', text }],
  });
  const output = [item('commentary', 'Looking.'), item('final_answer', 'Seen.')];
  const content = contentOf(
    emittedForBody((context) => new ResponseReader(origin, context), {
      id: 'r',
      status: 'completed',
      output,
    }),
  );

  it('is sent back with its text, only to its provider', () => {
    const messages: readonly NormalMessage[] = [
      ...after(content).slice(0, 2),
      { role: 'user', content: [{ type: 'text', text: 'And?' }] },
    ];
    const inputOf = (provider: string) =>
      responsesBody(requestOf({ model, provider, messages })).body.input as readonly object[];
    expect(inputOf(request.provider).slice(1, 3)).toMatchObject([
      { role: 'assistant', phase: 'commentary' },
      { role: 'assistant', phase: 'final_answer' },
    ]);
    expect(JSON.stringify(inputOf('other'))).not.toContain('phase');
  });
});

describe("Gemini's signature of a call on Chat Completions", () => {
  const signedBy = (fields: object, order: readonly object[] = [{ ...call, ...fields }]): Part[] =>
    chat([{ delta: { tool_calls: order } }, { delta: {}, finish_reason: 'tool_calls' }]);
  const sentCalls = (content: readonly Part[], to: { provider?: string; quirks?: object } = {}) => {
    const { provider = request.provider, quirks = { unsignedCalls: 'stand-in' } } = to;
    const messages = after(content);
    const dialect = compatibleDialect(quirks);
    const { body } = chatBody(requestOf({ model, provider, messages }), dialect);
    return (body.messages as readonly Record<string, unknown>[])[1]?.tool_calls;
  };
  const specific = { provider_specific_fields: { thought_signature: 'S' } };
  const standIn = {
    extra_content: { google: { thought_signature: 'skip_thought_signature_validator' } },
  };

  it.each([
    [{ extra_content: { google: { thought_signature: 'S' } } }],
    [{ extra_content: { vertex: { thought_signature: 'S' } } }],
    [specific],
  ])('goes back where it came from: %j', (fields) => {
    expect(sentCalls(signedBy(fields))).toMatchObject([fields]);
    expect(sentCalls(signedBy(fields), { quirks: {} })).toMatchObject([fields]);
  });

  it('goes back next to the function when it came inside', () => {
    const inside = { function: { ...call.function, ...specific } };
    expect(sentCalls(signedBy(inside))).toMatchObject([specific]);
  });

  it.each([[{ extra_content: { vertex: { thought_signature: 'S' } } }], [specific], [{}]])(
    'is a placeholder for another provider: %j',
    (fields) => {
      expect(sentCalls(signedBy(fields), { provider: 'other' })).toMatchObject([standIn]);
      const [plain] = sentCalls(signedBy(fields), { provider: 'other', quirks: {} }) as [object];
      expect(JSON.stringify(plain)).not.toContain('signature');
    },
  );

  it('is required of the first call of a turn only', () => {
    const both = [
      { ...call, index: 0, id: 'a' },
      { ...call, index: 1, id: 'b' },
    ];
    const [first, second] = sentCalls(signedBy({}, both)) as [object, object];
    expect(first).toMatchObject(standIn);
    expect(second).not.toHaveProperty('extra_content');
  });

  it.each(['', 'x', 'null', '{}', '{"place":"vertex"}'])('is ignored when damaged: %j', (data) => {
    const opaque = { wire: 'openai-chat', ...origin, kind: 'item', data } as const;
    const damaged: Part = { type: 'tool-call', id: 'c1', name: 'look', input: {}, opaque };
    expect(sentCalls([damaged])).toMatchObject([standIn]);
  });
});

describe("the vendor's own tools on Responses", () => {
  const reasoning = { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'E' };
  const message = {
    type: 'message',
    id: 'msg_1',
    role: 'assistant',
    content: [{ type: 'output_text', text: 'Found.', annotations: [] }],
  };
  const answerOf = (items: readonly object[]): Part[] =>
    contentOf(
      emittedForBody((context) => new ResponseReader(origin, context), {
        object: 'response',
        status: 'completed',
        output: items,
      }),
    );
  const inputAfter = (content: readonly Part[], provider = request.provider): unknown[] => {
    const messages = after(content);
    const { body } = responsesBody(requestOf({ model, provider, messages }));
    return (body.input as readonly unknown[]).slice(1);
  };

  it.each([
    { type: 'web_search_call', id: 'ws_1', status: 'completed', action: { query: 'x' } },
    { type: 'file_search_call', id: 'fs_1', status: 'completed', queries: ['x'] },
    { type: 'code_interpreter_call', id: 'ci_1', status: 'completed', code: '1' },
    { type: 'image_generation_call', id: 'ig_1', status: 'completed', result: 'iVBORw0KGgo=' },
    { type: 'mcp_call', id: 'mcp_1', name: 'x', arguments: '{}', output: 'y' },
  ])('go back between their reasoning and the text: %o', (item) => {
    const content = answerOf([reasoning, item, message]);
    expect(inputAfter(content)).toMatchObject([
      { type: 'reasoning', encrypted_content: 'E' },
      item,
      { role: 'assistant' },
    ]);
    expect(inputAfter(content, 'other')).toMatchObject([{ role: 'assistant' }]);
  });

  it('are a step of the answer, which is not empty with them', () => {
    const [, step] = answerOf([reasoning, { type: 'image_generation_call', id: 'ig_1' }]);
    expect(step).toMatchObject({ type: 'reasoning', text: '', opaque: { kind: 'item' } });
  });

  it('are left out when they wait for the caller, and when their data is damaged', () => {
    expect(answerOf([{ type: 'computer_call', id: 'cu_1' }, message])).toHaveLength(1);
    const opaque = { wire: 'openai-responses', ...origin, kind: 'item' } as const;
    for (const data of ['', 'null', '{"type":"function_call"}']) {
      const damaged: Part = { type: 'reasoning', text: '', opaque: { ...opaque, data } };
      expect(inputAfter([damaged, { type: 'text', text: 'Hi' }])).toHaveLength(1);
    }
  });
});
