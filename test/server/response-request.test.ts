import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/protocol/json.ts';
import type { Opaque } from '../../src/protocol/message.ts';
import { encodeOpaque } from '../../src/wires/common/client-opaque.ts';
import { RequestProblem } from '../../src/wires/common/serve.ts';
import { servedResponses } from '../../src/wires/openai-responses/serve.ts';
import { createDice } from '../simulation/dice.ts';

const read = (fields: JsonObject) => servedResponses.read({ model: 'smart', ...fields });

const inputOf = (...input: readonly JsonObject[]) => read({ input }).messages;

const thinking: Opaque = {
  wire: 'anthropic',
  provider: 'claude',
  model: 'claude-sonnet-5',
  kind: 'signature',
  data: 'c2lnbmF0dXJl',
};
const thought: Opaque = { ...thinking, wire: 'gemini', kind: 'thought-signature' };

function problemOf(fields: JsonObject): RequestProblem {
  try {
    read(fields);
  } catch (error) {
    if (error instanceof RequestProblem) return error;
    throw error;
  }
  throw new Error('was accepted');
}

describe('a request of the Responses API', () => {
  test('reads text, instructions and options', () => {
    const request = read({
      input: 'Hi',
      instructions: 'Be brief.',
      stream: true,
      store: true,
      include: ['reasoning.encrypted_content'],
      prompt_cache_key: 'x',
      client_metadata: { a: 'b' },
      metadata: null,
      truncation: 'auto',
      max_output_tokens: 100,
      temperature: 0.5,
      top_p: null,
      reasoning: { effort: 'low', summary: 'auto' },
      text: {
        verbosity: 'low',
        format: { type: 'json_schema', name: 'a', schema: { type: 'object' } },
      },
      tools: [{ type: 'function', name: 'f', description: 'd', parameters: null, strict: false }],
      tool_choice: { type: 'function', name: 'f' },
      parallel_tool_calls: false,
      safety_identifier: 'u',
    });
    expect(request).toEqual({
      model: 'smart',
      stream: true,
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Hi' },
      ],
      options: {
        tools: [{ name: 'f', description: 'd', inputSchema: { type: 'object' }, strict: false }],
        toolChoice: { name: 'f' },
        parallelToolCalls: false,
        schema: { type: 'object' },
        maxOutputTokens: 100,
        temperature: 0.5,
        reasoning: { effort: 'low', include: true },
        userId: 'u',
      },
    });
  });

  test('reads every form of message and content', () => {
    const image = 'data:image/png;base64,AAAA';
    expect(
      inputOf(
        { role: 'developer', content: 'Rules' },
        { type: 'message', role: 'system', content: [{ type: 'input_text', text: 'More' }] },
        {
          role: 'user',
          content: [
            { type: 'input_text', text: 'See' },
            { type: 'input_image', image_url: image, detail: 'high' },
            {
              type: 'input_file',
              file_data: 'data:application/pdf;base64,JVBERi0=',
              filename: 'a.pdf',
            },
            { type: 'input_file', file_url: 'https://files.example/a.pdf' },
          ],
        },
        { role: 'assistant', content: 'Seen' },
        {
          type: 'message',
          id: 'msg_1',
          status: 'completed',
          role: 'assistant',
          content: [
            { type: 'output_text', text: 'More', annotations: [] },
            { type: 'refusal', refusal: 'No' },
          ],
        },
      ),
    ).toEqual([
      { role: 'system', content: [{ type: 'text', text: 'Rules' }] },
      { role: 'system', content: [{ type: 'text', text: 'More' }] },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'See' },
          { type: 'image', source: { url: image }, detail: 'high' },
          {
            type: 'file',
            source: { url: 'data:application/pdf;base64,JVBERi0=' },
            filename: 'a.pdf',
          },
          { type: 'file', source: { url: 'https://files.example/a.pdf' } },
        ],
      },
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'Seen' },
          { type: 'text', text: 'More' },
          { type: 'refusal', text: 'No' },
        ],
      },
    ]);
  });

  test('joins the items of one side, with reasoning and what belongs to calls', () => {
    expect(
      inputOf(
        { role: 'user', content: 'Go' },
        {
          type: 'reasoning',
          id: 'rs_1',
          summary: [{ type: 'summary_text', text: 'Hm' }],
          encrypted_content: encodeOpaque(thinking),
        },
        { type: 'function_call', call_id: 'a', name: 'f', arguments: '{"x":1}' },
        {
          type: 'reasoning',
          id: 'rs_2',
          summary: [],
          encrypted_content: `${encodeOpaque(thought)}~a`,
        },
        { type: 'function_call', call_id: 'b', name: 'g', arguments: '{"x"' },
        { type: 'function_call_output', call_id: 'b', output: 'done' },
        {
          type: 'function_call_output',
          call_id: 'a',
          output: [{ type: 'input_image', image_url: 'https://images.example/a.png' }],
        },
      ),
    ).toEqual([
      { role: 'user', content: [{ type: 'text', text: 'Go' }] },
      {
        role: 'assistant',
        content: [
          { type: 'reasoning', text: 'Hm', opaque: thinking },
          { type: 'tool-call', id: 'a', name: 'f', input: { x: 1 }, opaque: thought },
          {
            type: 'tool-call',
            id: 'b',
            name: 'g',
            input: '{"x"',
            rawInput: '{"x"',
            invalid: true,
          },
        ],
      },
      {
        role: 'tool',
        content: [
          { type: 'tool-result', id: 'b', name: 'g', output: 'done' },
          {
            type: 'tool-result',
            id: 'a',
            name: 'f',
            output: [{ type: 'image', source: { url: 'https://images.example/a.png' } }],
          },
        ],
      },
    ]);
  });

  test.each([
    ['of another API', 'gAAAAABencrypted'],
    ['that was made up', `sb1.${Buffer.from('["anthropic"]').toString('base64url')}`],
    ['of a call that is not there', `${encodeOpaque(thought)}~other`],
    ['that names no call', 'sb1.x~'],
  ])('leaves out reasoning %s', (_, encrypted_content) => {
    expect(
      inputOf(
        { role: 'user', content: 'Go' },
        { type: 'reasoning', summary: [], encrypted_content },
      ),
    ).toEqual([{ role: 'user', content: [{ type: 'text', text: 'Go' }] }]);
  });

  test('goes on without reasoning that is only referred to', () => {
    const messages = inputOf(
      { role: 'user', content: 'Go' },
      { type: 'item_reference', id: 'rs_a1' },
      { role: 'assistant', content: 'Gone' },
    );
    expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant']);
  });

  const user = { role: 'user', content: 'Hi' };
  const withInput = (...input: readonly unknown[]) => ({ input });
  const content = (part: unknown) => withInput({ role: 'user', content: [part] });
  test.each<[path: string, word: RegExp, fields: JsonObject]>([
    ['model', /string/, { model: 5, input: 'Hi' }],
    ['input', /required/, {}],
    ['input', /list/, { input: { role: 'user' } }],
    ['input[0]', /object/, withInput('Hi')],
    ['input[0].role', /required/, withInput({ content: 'Hi' })],
    ['input[0].role', /one of/, withInput({ role: 'tool', content: 'Hi' })],
    ['input[0].content', /list/, withInput({ role: 'user', content: 5 })],
    ['input[0].content[0].type', /input_audio/, content({ type: 'input_audio', input_audio: {} })],
    ['input[0].content[0].text', /string/, content({ type: 'input_text', text: 5 })],
    [
      'input[0].content[0].image_url',
      /data:/,
      content({ type: 'input_image', image_url: 'file:///etc/passwd' }),
    ],
    [
      'input[0].content[0].file_id',
      /not stored/,
      content({ type: 'input_image', file_id: 'file-1' }),
    ],
    ['input[0].content[0].file_data', /required/, content({ type: 'input_file' })],
    ['input[1].id', /store/, withInput(user, { type: 'item_reference', id: 'msg_1' })],
    ['input[0].type', /web_search_call/, withInput({ type: 'web_search_call' })],
    ['input[0].type', /this item type/, withInput({ type: '<script>' })],
    [
      'input[0].call_id',
      /function_call/,
      withInput({ type: 'function_call_output', call_id: 'a', output: '' }),
    ],
    [
      'input[0].arguments',
      /string/,
      withInput({ type: 'function_call', call_id: 'a', name: 'f', arguments: {} }),
    ],
    ['previous_response_id', /not stored/, { input: 'Hi', previous_response_id: 'resp_1' }],
    ['conversation', /not stored/, { input: 'Hi', conversation: 'conv_1' }],
    ['prompt', /not stored/, { input: 'Hi', prompt: { id: 'pmpt_1' } }],
    ['background', /not stored/, { input: 'Hi', background: true }],
    [
      'tools[0].type',
      /web_search is not supported/,
      { input: 'Hi', tools: [{ type: 'web_search' }] },
    ],
    [
      'tools[0].type',
      /custom is not supported/,
      { input: 'Hi', tools: [{ type: 'custom', name: 'x' }] },
    ],
    [
      'tools[0].parameters',
      /object/,
      { input: 'Hi', tools: [{ type: 'function', name: 'x', parameters: [] }] },
    ],
    ['tool_choice', /one of/, { input: 'Hi', tool_choice: 'any' }],
    ['tool_choice.type', /mcp/, { input: 'Hi', tool_choice: { type: 'mcp' } }],
    ['text.format.type', /one of/, { input: 'Hi', text: { format: { type: 'grammar' } } }],
    ['text.format.schema', /required/, { input: 'Hi', text: { format: { type: 'json_schema' } } }],
    ['reasoning.effort', /one of/, { input: 'Hi', reasoning: { effort: 'extreme' } }],
    ['max_output_tokens', /integer/, { input: 'Hi', max_output_tokens: 1.5 }],
    ['temperature', /number/, { input: 'Hi', temperature: 'hot' }],
    ['stream', /true or false/, { input: 'Hi', stream: 'yes' }],
    ['user', /64/, { input: 'Hi', user: 'u'.repeat(65) }],
    ['instructions', /string/, { input: 'Hi', instructions: ['Hi'] }],
  ])('refuses %s that is not %s', (path, word, fields) => {
    const problem = problemOf(fields);
    expect(problem.path).toBe(path);
    expect(problem.message).toMatch(word);
    expect(problem.message).not.toMatch(/script|passwd|resp_1/);
  });

  test('reads many items in linear time', () => {
    const call = (index: number) => [
      { type: 'function_call', call_id: `c${index}`, name: 'f', arguments: '{}' },
      { type: 'function_call_output', call_id: `c${index}`, output: 'x' },
    ];
    const input = [user, ...Array.from({ length: 4_000 }, (_, index) => call(index)).flat()];
    expect(read({ input }).messages).toHaveLength(8_001);
  });

  test('reads or refuses whatever is in a body, and never fails in another way', () => {
    const dice = createDice(7);
    const whole: JsonObject = {
      model: 'smart',
      instructions: 'x',
      input: [
        { role: 'user', content: [{ type: 'input_text', text: 'x' }] },
        {
          type: 'reasoning',
          summary: [{ type: 'summary_text', text: 'x' }],
          encrypted_content: '~',
        },
        { type: 'function_call', call_id: 'a', name: 'f', arguments: '{}' },
        { type: 'function_call_output', call_id: 'a', output: [{ type: 'input_text', text: 'x' }] },
      ],
      tools: [{ type: 'function', name: 'f', parameters: {} }],
      tool_choice: { type: 'function', name: 'f' },
      text: { format: { type: 'json_schema', schema: {} } },
      reasoning: { effort: 'low', summary: 'auto' },
      stream: true,
    };
    const odd = [null, 0, -1, '', 'x', [], [null], {}, { type: 'x' }, true, '__proto__'];
    const mutated = (value: unknown): unknown => {
      if (dice.chance(0.06)) return dice.oneOf<unknown>(odd);
      if (Array.isArray(value)) return value.map(mutated);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, mutated(each)]));
    };
    let accepted = 0;
    for (let count = 0; count < 600; count++) {
      const body = mutated(whole);
      if (typeof body !== 'object' || body === null || Array.isArray(body)) continue;
      try {
        servedResponses.read({ ...body });
        accepted += 1;
      } catch (error) {
        expect(error).toBeInstanceOf(RequestProblem);
      }
    }
    expect(accepted).toBeGreaterThan(20);
  });
});
