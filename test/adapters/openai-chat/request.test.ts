import { describe, expect, it } from 'vitest';
import type { NormalMessage, Part } from '../../../src/protocol/message.ts';
import type { ProviderRequest } from '../../../src/protocol/request.ts';
import { compatibleDialect, openAIDialect } from '../../../src/wires/openai-chat/dialect.ts';
import { chatBody } from '../../../src/wires/openai-chat/request.ts';
import { requestOf } from '../../support/provider-calls.ts';

const model = 'gpt-4o';
const text = (words: string): Part => ({ type: 'text', text: words });
const user = (...content: Part[]): NormalMessage => ({ role: 'user', content });
const call = (id: string): Part => ({ type: 'tool-call', id, name: 'look', input: { at: 1 } });
const result = (id: string, more: Partial<Part> = {}): Part =>
  ({ type: 'tool-result', id, name: 'look', output: 'seen', ...more }) as Part;

const atOpenAI = (more: Partial<ProviderRequest> = {}) =>
  chatBody(requestOf({ model, ...more }), openAIDialect(more.model ?? model));
const elsewhere = (more: Partial<ProviderRequest> = {}) =>
  chatBody(requestOf({ model: 'llama', ...more }), compatibleDialect());

describe('Chat Completions request', () => {
  it('sends a minimal request', () => {
    expect(atOpenAI()).toEqual({
      body: { model, messages: [{ role: 'user', content: 'Hello' }] },
      warnings: [],
    });
  });

  it("uses OpenAI's fields for limits, roles and users", () => {
    const messages: readonly NormalMessage[] = [
      { role: 'system', content: [text('One')] },
      { role: 'system', content: [text('Two')] },
      user(text('Hello')),
    ];
    expect(atOpenAI({ messages, maxOutputTokens: 5, userId: 'u' }).body).toEqual({
      model,
      messages: [
        { role: 'developer', content: 'One\n\nTwo' },
        { role: 'user', content: 'Hello' },
      ],
      max_completion_tokens: 5,
      safety_identifier: 'u',
    });
  });

  it('uses the common fields for other vendors', () => {
    const messages: readonly NormalMessage[] = [
      { role: 'system', content: [text('One')] },
      user(text('Hello')),
    ];
    expect(elsewhere({ messages, maxOutputTokens: 5, userId: 'u' }).body).toEqual({
      model: 'llama',
      messages: [
        { role: 'system', content: 'One' },
        { role: 'user', content: 'Hello' },
      ],
      max_tokens: 5,
      user: 'u',
    });
  });

  it('sends the sampling parameters of the wire', () => {
    const { body, warnings } = elsewhere({
      temperature: 0,
      topP: 0.5,
      topK: 3,
      frequencyPenalty: 1,
      presencePenalty: 2,
      stop: ['x'],
      seed: 7,
    });
    expect(body).toMatchObject({
      temperature: 0,
      top_p: 0.5,
      frequency_penalty: 1,
      presence_penalty: 2,
      stop: ['x'],
      seed: 7,
    });
    expect(warnings).toMatchObject([{ code: 'dropped-param', param: 'topK' }]);
  });

  it('drops parameters that a reasoning model rejects', () => {
    const { body, warnings } = atOpenAI({ model: 'o4-mini', temperature: 0, stop: ['x'] });
    expect(body).not.toHaveProperty('temperature');
    expect(body).not.toHaveProperty('stop');
    expect(warnings.map((warning) => warning.param)).toEqual(['temperature', 'stop']);
  });

  it('sends images, audio and files', () => {
    const { body } = elsewhere({
      messages: [
        user(
          text('Look'),
          { type: 'image', source: { url: 'https://x.test/a.png' }, detail: 'high' },
          { type: 'image', source: { data: new Uint8Array([1, 2, 3]), mediaType: 'image/png' } },
          { type: 'audio', source: { data: 'AQID', mediaType: 'audio/mpeg' } },
          {
            type: 'file',
            source: { data: 'AQID', mediaType: 'application/pdf' },
            filename: 'a.pdf',
          },
          { type: 'file', source: { ref: { provider: 'mine', id: 'file_1' } } },
        ),
      ],
    });
    expect(body.messages).toEqual([
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Look' },
          { type: 'image_url', image_url: { url: 'https://x.test/a.png', detail: 'high' } },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,AQID' } },
          { type: 'input_audio', input_audio: { data: 'AQID', format: 'mp3' } },
          {
            type: 'file',
            file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,AQID' },
          },
          { type: 'file', file: { file_id: 'file_1' } },
        ],
      },
    ]);
  });

  it.each<[string, Part]>([
    ['a file by its address', { type: 'file', source: { url: 'https://x.test/a.pdf' } }],
    ['audio by its address', { type: 'audio', source: { url: 'https://x.test/a.wav' } }],
    ['other audio', { type: 'audio', source: { data: 'AQID', mediaType: 'audio/ogg' } }],
    ['an uploaded image', { type: 'image', source: { ref: { provider: 'mine', id: 'f' } } }],
  ])('throws for %s', (_what, part) => {
    expect(() => elsewhere({ messages: [user(part)] })).toThrow(
      expect.objectContaining({ code: 'unsupported' }),
    );
  });

  it('sends each result as a message, and media in a user turn after them', () => {
    const { body } = elsewhere({
      messages: [
        user(text('Go')),
        { role: 'assistant', content: [call('a'), call('b')] },
        {
          role: 'tool',
          content: [
            result('b', { isError: true }),
            result('a', {
              output: [text('here'), { type: 'image', source: { url: 'https://x.test/a.png' } }],
            } as Partial<Part>),
          ],
        },
      ],
    });
    const wireCall = (id: string) => ({
      id,
      type: 'function',
      function: { name: 'look', arguments: '{"at":1}' },
    });
    expect(body.messages).toEqual([
      { role: 'user', content: 'Go' },
      { role: 'assistant', content: null, tool_calls: [wireCall('a'), wireCall('b')] },
      { role: 'tool', tool_call_id: 'a', content: 'here' },
      { role: 'tool', tool_call_id: 'b', content: 'Error: seen' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Returned by the tool "look":' },
          { type: 'image_url', image_url: { url: 'https://x.test/a.png' } },
        ],
      },
    ]);
  });

  it('replaces ids of more than forty characters', () => {
    const long = 'x'.repeat(64);
    const { body } = elsewhere({
      messages: [
        user(text('Go')),
        { role: 'assistant', content: [call(long)] },
        { role: 'tool', content: [result(long)] },
      ],
    });
    expect(body.messages).toMatchObject([
      {},
      { tool_calls: [{ id: 'call_1' }] },
      { tool_call_id: 'call_1' },
    ]);
  });

  it('sends reasoning back in its field, to its provider, only inside a tool loop', () => {
    const reasoning: Part = {
      type: 'reasoning',
      text: 'Hm',
      opaque: {
        wire: 'openai-chat',
        provider: 'mine',
        model: 'llama',
        kind: 'reasoning-content',
        data: 'reasoning_content',
      },
    };
    const loop: readonly NormalMessage[] = [
      user(text('Go')),
      { role: 'assistant', content: [reasoning, call('a')] },
      { role: 'tool', content: [result('a')] },
    ];
    expect(elsewhere({ messages: loop }).body.messages).toMatchObject([
      {},
      { reasoning_content: 'Hm' },
      {},
    ]);
    const after = [...loop, user(text('More'))];
    expect(JSON.stringify(elsewhere({ messages: after }).body)).not.toContain('reasoning_content');
    const foreign = elsewhere({ messages: loop, provider: 'other' });
    expect(JSON.stringify(foreign.body)).not.toContain('reasoning_content');
  });

  it('sends tools and tool choice', () => {
    const { body } = elsewhere({
      tools: [{ name: 'a', inputSchema: { type: 'object', properties: {} } }],
      toolChoice: { name: 'a' },
      parallelToolCalls: true,
    });
    expect(body).toMatchObject({
      tools: [{ type: 'function', function: { name: 'a', parameters: { type: 'object' } } }],
      tool_choice: { type: 'function', function: { name: 'a' } },
      parallel_tool_calls: true,
    });
    expect(JSON.stringify(body)).not.toContain('strict');
  });

  it('requests structured output', () => {
    const schema = { type: 'object', properties: { city: { type: 'string' } } };
    const { body } = elsewhere({ output: { name: 'answer', schema } });
    expect(body.response_format).toEqual({
      type: 'json_schema',
      json_schema: { name: 'answer', schema, strict: false },
    });
  });

  it('turns reasoning off if OpenAI rejects it together with tools', () => {
    const tools = [{ name: 'a', inputSchema: {} }];
    const withEffort = atOpenAI({ model: 'gpt-5.4', tools, reasoning: { effort: 'high' } });
    expect(withEffort.body.reasoning_effort).toBe('none');
    expect(withEffort.warnings).toMatchObject([
      { code: 'adjusted-param', param: 'reasoning.effort' },
    ]);
    expect(atOpenAI({ model: 'gpt-5.4', tools }).body).not.toHaveProperty('reasoning_effort');
    const withoutEffort = atOpenAI({ model: 'gpt-5.6-sol', tools });
    expect(withoutEffort.body.reasoning_effort).toBe('none');
    expect(withoutEffort.warnings).toHaveLength(1);
    expect(atOpenAI({ model: 'gpt-5.6-sol' }).body).not.toHaveProperty('reasoning_effort');
    expect(elsewhere({ tools, reasoning: { effort: 'high' } }).body.reasoning_effort).toBe('high');
  });

  it('does not send the effort that only the Responses API accepts', () => {
    const { body } = atOpenAI({ model: 'gpt-5.6-sol', reasoning: { effort: 'max' } });
    expect(body.reasoning_effort).toBe('xhigh');
  });

  it('throws when every message is blank', () => {
    expect(() => elsewhere({ messages: [user(text(' \n'))] })).toThrow(
      expect.objectContaining({ code: 'invalid_request' }),
    );
  });
});
