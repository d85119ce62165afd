import { describe, expect, it } from 'vitest';
import type { NormalMessage, Part } from '../../../src/protocol/message.ts';
import { responsesBody } from '../../../src/wires/openai-responses/request.ts';
import { requestOf } from '../../support/provider-calls.ts';

const model = 'gpt-5.4';
const text = (words: string): Part => ({ type: 'text', text: words });
const user = (...content: Part[]): NormalMessage => ({ role: 'user', content });
const call = (id: string, more: Partial<Part> = {}): Part =>
  ({ type: 'tool-call', id, name: 'look', input: { at: 1 }, ...more }) as Part;
const result = (id: string, more: Partial<Part> = {}): Part =>
  ({ type: 'tool-result', id, name: 'look', output: 'seen', ...more }) as Part;

const inputOf = (messages: readonly NormalMessage[]): unknown =>
  responsesBody(requestOf({ model, messages })).body.input;

describe('Responses request', () => {
  it('sets store to false and requests encrypted reasoning', () => {
    expect(responsesBody(requestOf({ model }))).toEqual({
      body: {
        model,
        input: [{ role: 'user', content: [{ type: 'input_text', text: 'Hello' }] }],
        store: false,
        include: ['reasoning.encrypted_content'],
      },
      warnings: [],
    });
  });

  it('does not request reasoning from models without it', () => {
    expect(responsesBody(requestOf({ model: 'gpt-4o' })).body).not.toHaveProperty('include');
  });

  it('hoists leading system turns and keeps later ones', () => {
    const { body } = responsesBody(
      requestOf({
        model,
        messages: [
          { role: 'system', content: [text('One')] },
          { role: 'system', content: [text('Two')] },
          user(text('Hello')),
          { role: 'system', content: [text('Later')] },
        ],
      }),
    );
    expect(body.instructions).toBe('One\n\nTwo');
    expect(body.input).toEqual([
      { role: 'user', content: [{ type: 'input_text', text: 'Hello' }] },
      { role: 'developer', content: [{ type: 'input_text', text: 'Later' }] },
    ]);
  });

  it('sends images and files as URL, bytes and id', () => {
    const bytes = new Uint8Array([1, 2, 3]);
    expect(
      inputOf([
        user(
          { type: 'image', source: { url: 'https://x.test/a.png' }, detail: 'low' },
          { type: 'image', source: { data: bytes, mediaType: 'image/png' } },
          {
            type: 'file',
            source: { data: 'AQID', mediaType: 'application/pdf' },
            filename: 'a.pdf',
          },
          { type: 'file', source: { ref: { provider: 'mine', id: 'file_1' } } },
          { type: 'file', source: { url: 'https://x.test/a.pdf' } },
        ),
      ]),
    ).toEqual([
      {
        role: 'user',
        content: [
          { type: 'input_image', detail: 'low', image_url: 'https://x.test/a.png' },
          { type: 'input_image', detail: 'auto', image_url: 'data:image/png;base64,AQID' },
          { type: 'input_file', filename: 'a.pdf', file_data: 'data:application/pdf;base64,AQID' },
          { type: 'input_file', file_id: 'file_1' },
          { type: 'input_file', file_url: 'https://x.test/a.pdf' },
        ],
      },
    ]);
  });

  it.each<[string, Part]>([
    ['audio', { type: 'audio', source: { data: 'AQID', mediaType: 'audio/wav' } }],
    ["another provider's file", { type: 'file', source: { ref: { provider: 'other', id: 'f' } } }],
  ])('throws for %s', (_what, part) => {
    expect(() => inputOf([user(part)])).toThrow(expect.objectContaining({ code: 'unsupported' }));
  });

  it('sends results after their parallel calls, in the order of the calls', () => {
    expect(
      inputOf([
        user(text('Go')),
        { role: 'assistant', content: [text('Looking'), call('a'), call('b')] },
        { role: 'tool', content: [result('b', { output: { n: 2 } })] },
        { role: 'tool', content: [result('a', { isError: true, output: 'broken' })] },
      ]),
    ).toEqual([
      { role: 'user', content: [{ type: 'input_text', text: 'Go' }] },
      { role: 'assistant', content: [{ type: 'output_text', text: 'Looking' }] },
      { type: 'function_call', call_id: 'a', name: 'look', arguments: '{"at":1}' },
      { type: 'function_call', call_id: 'b', name: 'look', arguments: '{"at":1}' },
      { type: 'function_call_output', call_id: 'a', output: 'Error: broken' },
      { type: 'function_call_output', call_id: 'b', output: '{"n":2}' },
    ]);
  });

  it('sends images in tool results', () => {
    const input = inputOf([
      user(text('Go')),
      { role: 'assistant', content: [call('a')] },
      {
        role: 'tool',
        content: [
          result('a', {
            output: [text('here'), { type: 'image', source: { url: 'https://x.test/a.png' } }],
          } as Partial<Part>),
        ],
      },
    ]);
    expect(input).toContainEqual({
      type: 'function_call_output',
      call_id: 'a',
      output: [
        { type: 'input_text', text: 'here' },
        { type: 'input_image', detail: 'auto', image_url: 'https://x.test/a.png' },
      ],
    });
  });

  it('replaces ids that are too long, in calls and results', () => {
    const long = `fc_${'x'.repeat(400)}`;
    expect(
      inputOf([
        user(text('Go')),
        { role: 'assistant', content: [call(long)] },
        { role: 'tool', content: [result(long)] },
      ]),
    ).toMatchObject([{}, { call_id: 'call_1' }, { call_id: 'call_1' }]);
  });

  it('sends invalid arguments back as JSON', () => {
    const broken = call('a', {
      input: '{"at":',
      rawInput: '{"at":',
      invalid: true,
    } as Partial<Part>);
    expect(inputOf([user(text('Go')), { role: 'assistant', content: [broken] }])).toContainEqual({
      type: 'function_call',
      call_id: 'a',
      name: 'look',
      arguments: '{"invalid":"{\\"at\\":"}',
    });
  });

  it('adds an error result for a call without one', () => {
    const { body, warnings } = responsesBody(
      requestOf({
        model,
        messages: [
          user(text('Go')),
          { role: 'assistant', content: [call('a')] },
          user(text('Well?')),
        ],
      }),
    );
    expect(body.input).toMatchObject([
      {},
      { type: 'function_call' },
      { type: 'function_call_output', call_id: 'a', output: expect.stringContaining('Error') },
      { role: 'user' },
    ]);
    expect(warnings).toMatchObject([{ code: 'compat' }]);
  });

  describe('reasoning of earlier turns', () => {
    const reasoning = (provider: string, wire = 'openai-responses'): Part => ({
      type: 'reasoning',
      text: 'Hm',
      opaque: {
        wire,
        provider,
        model,
        kind: 'encrypted',
        data: JSON.stringify({ id: 'rs_1', encrypted_content: 'abc' }),
      },
    });
    const turn = (part: Part): readonly NormalMessage[] => [
      user(text('Go')),
      { role: 'assistant', content: [part, text('Done')] },
      user(text('More')),
    ];

    it('is sent back to its provider', () => {
      expect(inputOf(turn(reasoning('mine')))).toContainEqual({
        type: 'reasoning',
        id: 'rs_1',
        encrypted_content: 'abc',
        summary: [{ type: 'summary_text', text: 'Hm' }],
      });
    });

    it.each<[string, Part]>([
      ['of another provider', reasoning('other')],
      ['of another wire', reasoning('mine', 'anthropic')],
      ['without replay data', { type: 'reasoning', text: 'Hm' }],
    ])('%s is dropped', (_what, part) => {
      expect(JSON.stringify(inputOf(turn(part)))).not.toContain('reasoning');
    });

    it('is dropped without the item that follows it, which the vendor requires', () => {
      const input = inputOf([
        user(text('Go')),
        { role: 'assistant', content: [reasoning('mine')] },
        user(text('More')),
      ]);
      expect(JSON.stringify(input)).not.toContain('reasoning');
    });

    it('is dropped for models that do not reason', () => {
      const { body } = responsesBody(
        requestOf({ model: 'gpt-4o', messages: turn(reasoning('mine')) }),
      );
      expect(JSON.stringify(body.input)).not.toContain('reasoning');
    });
  });

  it('sends tools, strict only if the schema allows it', () => {
    const closed = {
      type: 'object',
      properties: { at: { type: 'number' } },
      required: ['at'],
      additionalProperties: false,
    };
    const open = { type: 'object', properties: { at: { type: 'number' } } };
    const { body, warnings } = responsesBody(
      requestOf({
        model,
        tools: [
          { name: 'a', description: 'A', inputSchema: closed, strict: true },
          { name: 'b', inputSchema: open, strict: true },
          { name: 'c', inputSchema: {} },
        ],
        toolChoice: { name: 'a' },
        parallelToolCalls: false,
      }),
    );
    expect(body).toMatchObject({
      tools: [
        { type: 'function', name: 'a', description: 'A', parameters: closed, strict: true },
        { type: 'function', name: 'b', parameters: open, strict: false },
        {
          type: 'function',
          name: 'c',
          parameters: { type: 'object', properties: {} },
          strict: false,
        },
      ],
      tool_choice: { type: 'function', name: 'a' },
      parallel_tool_calls: false,
    });
    expect(warnings).toMatchObject([{ code: 'schema-relaxed', param: 'tools.b' }]);
  });

  it('requests structured output, with a valid schema name', () => {
    const schema = {
      type: 'object',
      properties: { city: { type: 'string' } },
      required: ['city'],
      additionalProperties: false,
    };
    const { body } = responsesBody(requestOf({ model, output: { name: 'my city!', schema } }));
    expect(body.text).toEqual({
      format: { type: 'json_schema', name: 'my_city_', schema, strict: true },
    });
  });

  it('sends a schema with another root than an object in the prompt', () => {
    const { body, warnings } = responsesBody(
      requestOf({ model, output: { name: 'list', schema: { type: 'array', items: {} } } }),
    );
    expect(body).not.toHaveProperty('text');
    expect(body.instructions).toContain('{"type":"array","items":{}}');
    expect(warnings).toMatchObject([{ code: 'schema-relaxed', param: 'schema' }]);
  });

  it('drops parameters that the wire does not have, with a warning', () => {
    const { body, warnings } = responsesBody(
      requestOf({ model, topK: 1, frequencyPenalty: 1, presencePenalty: 1, stop: ['x'], seed: 1 }),
    );
    expect(Object.keys(body)).toEqual(['model', 'input', 'store', 'include']);
    expect(warnings.map((warning) => warning.param)).toEqual([
      'topK',
      'frequencyPenalty',
      'presencePenalty',
      'stop',
      'seed',
    ]);
  });

  it('drops the temperature while the model reasons', () => {
    const at = (effort?: 'none' | 'high') =>
      responsesBody(
        requestOf({ model, temperature: 0, topP: 0.5, ...(effort && { reasoning: { effort } }) }),
      );
    expect(at().body).toMatchObject({ temperature: 0, top_p: 0.5 });
    expect(at('none').body).toMatchObject({ temperature: 0, top_p: 0.5 });
    expect(at('high').body).not.toHaveProperty('temperature');
    expect(at('high').warnings).toMatchObject([
      { code: 'dropped-param', param: 'temperature' },
      { code: 'dropped-param', param: 'topP' },
    ]);
  });

  it.each([
    ['gpt-5', 'none', 'minimal'],
    ['gpt-5', 'max', 'high'],
    ['gpt-5.6-sol', 'minimal', 'low'],
    ['gpt-5.6-sol', 'max', 'max'],
    ['gpt-5-pro', 'low', 'high'],
    ['o3', 'xhigh', 'high'],
  ] as const)('sends %s the effort nearest to %s: %s', (name, effort, expected) => {
    const { body, warnings } = responsesBody(requestOf({ model: name, reasoning: { effort } }));
    expect(body.reasoning).toEqual({ effort: expected });
    expect(warnings).toHaveLength(effort === expected ? 0 : 1);
  });

  it('sends any effort to unknown models, and none to those that do not reason', () => {
    const of = (name: string) =>
      responsesBody(requestOf({ model: name, reasoning: { effort: 'max', include: true } }));
    expect(of('gpt-9').body.reasoning).toEqual({ effort: 'max', summary: 'auto' });
    expect(of('gpt-4o').body).not.toHaveProperty('reasoning');
    expect(of('gpt-4o').warnings).toMatchObject([{ param: 'reasoning.effort' }]);
  });

  it('turns a budget into an effort, with a warning', () => {
    const { body, warnings } = responsesBody(
      requestOf({ model, reasoning: { budgetTokens: 8000 } }),
    );
    expect(body.reasoning).toEqual({ effort: 'medium' });
    expect(warnings).toMatchObject([{ code: 'adjusted-param', param: 'reasoning.budgetTokens' }]);
  });

  it("raises the output limit to the API's minimum", () => {
    const { body, warnings } = responsesBody(requestOf({ model, maxOutputTokens: 1 }));
    expect(body.max_output_tokens).toBe(16);
    expect(warnings).toMatchObject([{ code: 'adjusted-param', param: 'maxOutputTokens' }]);
    expect(responsesBody(requestOf({ model, maxOutputTokens: 800 })).body.max_output_tokens).toBe(
      800,
    );
  });

  it('sends cache breakpoints if the model accepts them, also for system turns', () => {
    const messages: readonly NormalMessage[] = [
      { role: 'system', content: [{ type: 'text', text: 'Long', cache: { ttl: '1h' } }] },
      user({ type: 'text', text: 'Hello', cache: true }),
    ];
    expect(responsesBody(requestOf({ model: 'gpt-5.6-sol', messages })).body.input).toEqual([
      {
        role: 'developer',
        content: [
          {
            type: 'input_text',
            text: 'Long',
            prompt_cache_breakpoint: { mode: 'explicit', ttl: '12h' },
          },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'input_text', text: 'Hello', prompt_cache_breakpoint: { mode: 'explicit' } },
        ],
      },
    ]);
    expect(JSON.stringify(responsesBody(requestOf({ model, messages })).body)).not.toContain(
      'cache',
    );
  });

  it('throws when every message is blank', () => {
    expect(() => inputOf([user(text('  '))])).toThrow(
      expect.objectContaining({ code: 'invalid_request' }),
    );
  });

  it('sends the end user', () => {
    expect(responsesBody(requestOf({ model, userId: 'u1' })).body.safety_identifier).toBe('u1');
  });
});
