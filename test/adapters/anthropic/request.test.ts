import { describe, expect, it } from 'vitest';
import type { CacheHint, NormalMessage, Part } from '../../../src/protocol/message.ts';
import type { ProviderRequest } from '../../../src/protocol/request.ts';
import { toWireRequest } from '../../../src/wires/anthropic/request.ts';
import { requestOf } from '../../support/provider-calls.ts';

const model = 'claude-opus-4-6';

function wire(more: Partial<ProviderRequest>, takesSampling = false) {
  const { body, warnings } = toWireRequest(requestOf({ model, ...more }), takesSampling);
  return { body, warnings, warned: warnings.map(({ code, param }) => [code, param]) };
}

function turn(role: NormalMessage['role'], ...content: readonly (Part | string)[]): NormalMessage {
  return {
    role,
    content: content.map((part) =>
      typeof part === 'string' ? { type: 'text', text: part } : part,
    ),
  };
}

const tool = { name: 'add', description: 'Adds', inputSchema: { type: 'object', properties: {} } };
const call = (id: string): Part => ({ type: 'tool-call', id, name: 'add', input: { a: 1 } });
const result = (id: string, output: string): Part => ({
  type: 'tool-result',
  id,
  name: 'add',
  output,
});

describe('Anthropic request', () => {
  it('defaults to the largest max_tokens of a known model', () => {
    expect(wire({}).body).toEqual({
      model,
      max_tokens: 128_000,
      messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }],
    });
    expect(wire({}).warnings).toEqual([]);
  });

  it('sends 4096 max_tokens for an unknown model, with a warning', () => {
    const { body, warned } = wire({ model: 'someone-elses' });
    expect(body.max_tokens).toBe(4096);
    expect(warned).toEqual([['adjusted-param', 'maxOutputTokens']]);
  });

  it('recognises models after the prefixes of clouds', () => {
    expect(wire({ model: 'us.anthropic.claude-haiku-4-5-20251001-v1:0' }).body.max_tokens).toBe(
      64_000,
    );
  });

  it('sends maxOutputTokens unchanged: the router has lowered it to the limit of the model', () => {
    const { body, warned } = wire({ model: 'claude-3-haiku-20240307', maxOutputTokens: 9000 });
    expect(body.max_tokens).toBe(9000);
    expect(warned).toEqual([]);
  });

  it('hoists leading system messages and keeps later ones if the model accepts them', () => {
    const messages = [
      turn('system', 'Be brief'),
      turn('user', 'Hi'),
      turn('system', 'Be long'),
      turn('assistant', 'Ok'),
      turn('user', 'Go'),
    ];
    const recent = wire({ model: 'claude-opus-5', messages });
    expect(recent.body.system).toEqual([{ type: 'text', text: 'Be brief' }]);
    expect(recent.body.messages).toMatchObject([
      { role: 'user' },
      { role: 'system', content: [{ text: 'Be long' }] },
      { role: 'assistant' },
      { role: 'user' },
    ]);
    const older = wire({ messages });
    expect(older.body.messages).toMatchObject([
      { role: 'user', content: [{ text: 'Hi' }, { text: 'Be long' }] },
      { role: 'assistant' },
      { role: 'user' },
    ]);
    expect(older.warned).toEqual([['compat', undefined]]);
  });

  it('puts all results of a turn at the start of one user turn, in the order of the calls', () => {
    const { body, warnings } = wire({
      tools: [tool],
      messages: [
        turn('user', 'Add'),
        turn('assistant', call('a'), call('b')),
        turn('tool', result('b', '2')),
        turn('tool', result('a', '1')),
        turn('user', 'Well?'),
      ],
    });
    expect(warnings).toEqual([]);
    expect(body.messages).toEqual([
      { role: 'user', content: [{ type: 'text', text: 'Add' }] },
      {
        role: 'assistant',
        content: [
          { type: 'tool_use', id: 'a', name: 'add', input: { a: 1 } },
          { type: 'tool_use', id: 'b', name: 'add', input: { a: 1 } },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'a', content: '1' },
          { type: 'tool_result', tool_use_id: 'b', content: '2' },
          { type: 'text', text: 'Well?' },
        ],
      },
    ]);
  });

  it('adds a result for a call without one, and drops a result without a call', () => {
    const { body, warned } = wire({
      messages: [
        turn('user', 'Add'),
        turn('tool', result('ghost', '0')),
        turn('assistant', call('a')),
        turn('user', 'Never mind'),
      ],
    });
    expect(body.messages).toMatchObject([
      { role: 'user' },
      { role: 'assistant' },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'a', is_error: true },
          { text: 'Never mind' },
        ],
      },
    ]);
    expect(warned).toEqual([
      ['dropped-part', undefined],
      ['compat', undefined],
    ]);
  });

  it('replaces ids that the API rejects or that repeat, in calls and results', () => {
    const { body } = wire({
      messages: [
        turn('user', 'Add'),
        turn('assistant', call('functions.add:0')),
        turn('tool', result('functions.add:0', '1')),
        turn('assistant', call('same')),
        turn('tool', result('same', '2')),
        turn('assistant', call('same')),
        turn('tool', result('same', '3')),
      ],
    });
    const messages = body.messages as { content: { id?: string; tool_use_id?: string }[] }[];
    const ids = messages.map(({ content }) => content[0]?.id ?? content[0]?.tool_use_id);
    expect(ids).toEqual([undefined, 'call_1', 'call_1', 'same', 'same', 'call_2', 'call_2']);
  });

  it('sends invalid arguments to the model', () => {
    const broken: Part = {
      type: 'tool-call',
      id: 'a',
      name: 'add',
      input: '{"a"',
      rawInput: '{"a"',
      invalid: true,
    };
    const { body } = wire({
      messages: [turn('user', 'Add'), turn('assistant', broken), turn('tool', result('a', '1'))],
    });
    expect(body.messages).toMatchObject([{}, { content: [{ input: { input: '{"a"' } }] }, {}]);
  });

  it('removes blank text and turns that are empty without it', () => {
    const { body } = wire({
      messages: [turn('user', 'Hi', '  '), turn('assistant', '\n'), turn('user', 'You there?')],
    });
    expect(body.messages).toEqual([
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Hi' },
          { type: 'text', text: 'You there?' },
        ],
      },
    ]);
  });

  it('adds a user turn before a conversation that starts with the assistant', () => {
    const { body, warned } = wire({ messages: [turn('assistant', 'Hi'), turn('user', 'Hi')] });
    expect(body.messages).toMatchObject([
      { role: 'user' },
      { role: 'assistant' },
      { role: 'user' },
    ]);
    expect(warned).toEqual([['compat', undefined]]);
  });

  it('sends system messages as a user turn when there are no others', () => {
    const { body } = wire({ messages: [turn('system', 'Say hello')] });
    expect(body.system).toBeUndefined();
    expect(body.messages).toMatchObject([{ role: 'user', content: [{ text: 'Say hello' }] }]);
  });

  it('accepts a prefilled answer only if the model does, without trailing white space', () => {
    const messages = [turn('user', 'Hi'), turn('assistant', 'Hel \n')];
    expect(wire({ model: 'claude-haiku-4-5', messages }).body.messages).toMatchObject([
      {},
      { content: [{ text: 'Hel' }] },
    ]);
    expect(() => wire({ messages })).toThrow(expect.objectContaining({ code: 'unsupported' }));
  });

  it('throws for an empty conversation', () => {
    expect(() => wire({ messages: [] })).toThrow(
      expect.objectContaining({ code: 'invalid_request' }),
    );
  });

  it('sends images and documents as bytes, URL and id', () => {
    const { body } = wire({
      messages: [
        turn(
          'user',
          { type: 'image', source: { data: new Uint8Array([1, 2, 3]), mediaType: 'image/png' } },
          { type: 'image', source: { url: 'https://example.com/a.png' } },
          { type: 'image', source: { url: 'data:image/gif;base64,R0lG' } },
          {
            type: 'file',
            source: { data: 'JVBE', mediaType: 'application/pdf' },
            filename: 'a.pdf',
          },
          { type: 'file', source: { data: 'aGk=', mediaType: 'text/plain' } },
          { type: 'file', source: { ref: { provider: 'mine', id: 'file_1' } } },
        ),
      ],
    });
    expect(body.messages).toEqual([
      {
        role: 'user',
        content: [
          { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AQID' } },
          { type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } },
          { type: 'image', source: { type: 'base64', media_type: 'image/gif', data: 'R0lG' } },
          {
            type: 'document',
            source: { type: 'base64', media_type: 'application/pdf', data: 'JVBE' },
            title: 'a.pdf',
          },
          { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'hi' } },
          { type: 'document', source: { type: 'file', file_id: 'file_1' } },
        ],
      },
    ]);
  });

  it.each<[string, Part]>([
    ['audio', { type: 'audio', source: { data: 'AA==', mediaType: 'audio/wav' } }],
    [
      'an unsupported image type',
      { type: 'image', source: { data: 'AA==', mediaType: 'image/bmp' } },
    ],
    [
      'a file of another provider',
      { type: 'file', source: { ref: { provider: 'other', id: 'x' } } },
    ],
  ])('throws for %s', (_what, part) => {
    expect(() => wire({ messages: [turn('user', part)] })).toThrow(
      expect.objectContaining({ code: 'unsupported' }),
    );
  });

  it('replays signed thinking of its provider and drops that of others', () => {
    const thinking = (provider: string, of = model): Part => ({
      type: 'reasoning',
      text: 'Hm',
      opaque: { wire: 'anthropic', provider, model: of, kind: 'signature', data: 'sig' },
    });
    const redacted = (of: string): Part => ({
      type: 'reasoning',
      text: '',
      opaque: { wire: 'anthropic', provider: 'mine', model: of, kind: 'redacted', data: 'xyz' },
    });
    const { body } = wire({
      messages: [
        turn('user', 'Hi'),
        turn(
          'assistant',
          { type: 'reasoning', text: 'plain' },
          thinking('mine'),
          thinking('other'),
          redacted(model),
          redacted('claude-opus-4-5'),
          'Hello',
        ),
        turn('user', 'Go on'),
      ],
    });
    expect(body.messages).toMatchObject([
      {},
      {
        content: [
          { type: 'thinking', thinking: 'Hm', signature: 'sig' },
          { type: 'redacted_thinking', data: 'xyz' },
          { type: 'text', text: 'Hello' },
        ],
      },
      {},
    ]);
  });

  it('sets cache hints on blocks, and keeps the last four', () => {
    const cached = (text: string): Part => ({ type: 'text', text, cache: { ttl: '12h' } });
    const { body, warned } = wire({
      messages: [
        { role: 'system', content: [{ type: 'text', text: 'S', cache: true }] },
        turn('user', cached('1'), cached('2'), cached('3'), cached('4')),
      ],
    });
    expect(body.system).toEqual([{ type: 'text', text: 'S' }]);
    expect(JSON.stringify(body.messages).match(/"ttl":"1h"/g)).toHaveLength(4);
    expect(warned).toEqual([['adjusted-param', 'cache']]);
  });

  describe('cache hints', () => {
    const ids = ['a', 'b', 'c', 'd', 'e'];
    const calls: readonly Part[] = ids.map((id) => ({
      type: 'tool-call',
      id,
      name: 'add',
      input: {},
    }));
    const results = (
      hints: (id: string) => { inner?: CacheHint; outer?: CacheHint },
    ): readonly Part[] =>
      ids.map((id) => {
        const { inner, outer } = hints(id);
        return {
          type: 'tool-result',
          id,
          name: 'add',
          output: [{ type: 'text', text: id, ...(inner !== undefined && { cache: inner }) }],
          ...(outer !== undefined && { cache: outer }),
        };
      });
    const bodyWith = (content: readonly Part[], more: Partial<ProviderRequest> = {}) =>
      wire({
        messages: [
          { role: 'system', content: [{ type: 'text', text: 'S', cache: { ttl: '5m' } }] },
          turn('user', { type: 'text', text: 'U', cache: true }),
          turn('assistant', ...calls),
          { role: 'tool', content },
        ],
        ...more,
      });
    const marks = (value: unknown): readonly string[] =>
      JSON.stringify(value).match(/"cache_control":\{[^}]*\}/g) ?? [];

    it.each([
      ['inside results', results(() => ({ inner: true }))],
      ['on results', results(() => ({ outer: true }))],
      ['inside and on results', results(() => ({ inner: true, outer: true }))],
    ])('are at most four: %s', (_place, content) => {
      const { body, warned } = bodyWith(content);
      expect(marks(body)).toHaveLength(4);
      expect(marks(body.system)).toEqual([]);
      expect(warned).toEqual([['adjusted-param', 'cache']]);
    });

    it('count the marks of the caller and of the whole prompt', () => {
      const tools = ['x', 'y'].map((name) => ({
        name,
        input_schema: {},
        cache_control: { type: 'ephemeral' },
      }));
      const cache_control = { type: 'ephemeral' };
      const content = results((id) => (id === 'e' ? { outer: true } : {}));
      const { body } = bodyWith(content, { extraBody: { tools, cache_control } });
      expect(marks(body)).toHaveLength(4);
      expect(marks(body.tools)).toEqual([]);
      expect(body).toHaveProperty('cache_control');
    });

    it('last an hour when one of an hour follows, and stay as they are after it', () => {
      const content = results((id) =>
        id === 'b' ? { inner: { ttl: '1h' } } : id === 'c' ? { outer: { ttl: '5m' } } : {},
      );
      const { body, warned } = bodyWith(content);
      expect(marks([body.system, body.messages]).map((mark) => mark.includes('1h'))).toEqual([
        true,
        true,
        true,
        false,
      ]);
      expect(warned).toEqual([['adjusted-param', 'cache']]);
    });

    it('are unchanged in a valid order', () => {
      const content = results((id) => (id === 'e' ? { outer: true } : {}));
      const { body, warned } = bodyWith(content);
      expect(marks(body)).toHaveLength(3);
      expect(marks(body).join()).not.toContain('1h');
      expect(warned).toEqual([]);
    });
  });

  it('converts tools, tool choice and parallelToolCalls', () => {
    const { body } = wire({
      tools: [{ ...tool, strict: true, cache: { ttl: '5m' } }],
      toolChoice: { name: 'add' },
      parallelToolCalls: false,
    });
    expect(body.tools).toEqual([
      {
        name: 'add',
        description: 'Adds',
        input_schema: { type: 'object', properties: {}, additionalProperties: false },
        strict: true,
        cache_control: { type: 'ephemeral', ttl: '5m' },
      },
    ]);
    expect(body.tool_choice).toEqual({
      type: 'tool',
      name: 'add',
      disable_parallel_tool_use: true,
    });
  });

  it.each([
    ['auto', { type: 'auto' }],
    ['none', { type: 'none' }],
    ['required', { type: 'any' }],
  ] as const)('sends the tool choice %s', (toolChoice, sent) => {
    expect(wire({ tools: [tool], toolChoice }).body.tool_choice).toEqual(sent);
  });

  it.each(['claude-opus-5-5', 'claude-fable-5'])('sends toolChoice as auto to %s', (model) => {
    const { body, warned } = wire({
      model,
      tools: [tool],
      toolChoice: 'required',
    });
    expect(body.tool_choice).toEqual({ type: 'auto' });
    expect(warned).toEqual([['adjusted-param', 'toolChoice']]);
  });

  it('drops sampling parameters from API version 2026-10-21 on', () => {
    const sampling = { temperature: 0.5, topP: 0.9, topK: 5, seed: 1, presencePenalty: 1 };
    const { body, warned } = wire(sampling);
    expect(Object.keys(body)).toEqual(['model', 'max_tokens', 'messages']);
    expect(warned.map(([, param]) => param)).toEqual([
      'presencePenalty',
      'seed',
      'temperature',
      'topP',
      'topK',
    ]);
  });

  it('sends sampling parameters to an older API version if the model accepts them', () => {
    const old = wire(
      { model: 'claude-3-haiku-20240307', temperature: 1.5, topP: 0.9, topK: 5 },
      true,
    );
    expect(old.body).toMatchObject({ temperature: 1, top_p: 0.9, top_k: 5 });
    const either = wire({ temperature: 0.5, topP: 0.9 }, true);
    expect(either.body).toMatchObject({ temperature: 0.5 });
    expect(either.warned).toEqual([['dropped-param', 'topP']]);
    expect(
      wire({ model: 'claude-opus-5', temperature: 0.5 }, true).body.temperature,
    ).toBeUndefined();
  });

  it('sends stop sequences except white space, and the user id', () => {
    const { body, warned } = wire({ stop: ['END', '\n'], userId: 'u1' });
    expect(body).toMatchObject({ stop_sequences: ['END'], metadata: { user_id: 'u1' } });
    expect(warned).toEqual([['dropped-param', 'stop']]);
  });

  it('requests structured output, and warns about what is not enforced', () => {
    const schema = { type: 'object', properties: { age: { type: 'integer', minimum: 3 } } };
    const { body, warnings } = wire({ output: { name: 'person', schema } });
    expect(body.output_config).toMatchObject({
      format: { type: 'json_schema', schema: { additionalProperties: false } },
    });
    expect(warnings).toMatchObject([{ code: 'schema-relaxed', param: 'schema' }]);
    expect(warnings[0]?.message).toContain('properties.age.minimum');
  });

  it('sends the schema in the prompt if the model has no structured output', () => {
    const { body, warned } = wire({
      model: 'claude-3-haiku-20240307',
      output: { name: 'person', schema: { type: 'object' } },
    });
    expect(JSON.stringify(body.system)).toContain('JSON Schema');
    expect(warned).toEqual([['adjusted-param', 'schema']]);
  });

  it('merges extraBody over the body', () => {
    const { body } = wire({
      reasoning: { effort: 'high' },
      extraBody: { output_config: { speed: 'fast' }, max_tokens: 7, service_tier: 'auto' },
    });
    expect(body).toMatchObject({
      max_tokens: 7,
      service_tier: 'auto',
      output_config: { effort: 'high', speed: 'fast' },
    });
  });
});

describe('Anthropic thinking', () => {
  it.each<[string, string, ProviderRequest['reasoning'], object, string[]]>([
    ['an effort as it is', model, { effort: 'low' }, { effort: 'low', thinking: 'adaptive' }, []],
    [
      'the nearest effort',
      model,
      { effort: 'minimal' },
      { effort: 'low', thinking: 'adaptive' },
      ['adjusted-param'],
    ],
    ['a budget where it is taken', model, { budgetTokens: 2000 }, { thinking: 'enabled' }, []],
    [
      'no budget if the model accepts none',
      'claude-opus-5',
      { budgetTokens: 2000 },
      { thinking: 'adaptive' },
      ['adjusted-param'],
    ],
    [
      'an effort as a budget',
      'claude-haiku-4-5',
      { effort: 'medium' },
      { thinking: 'enabled' },
      [],
    ],
    ['no thinking', 'claude-opus-5', { effort: 'none' }, { thinking: 'disabled' }, []],
    [
      'the least thinking',
      'claude-sonnet-5-5',
      { effort: 'none' },
      { thinking: 'between_tools' },
      ['adjusted-param'],
    ],
    [
      'the least effort',
      'claude-opus-5-5',
      { effort: 'none' },
      { effort: 'low' },
      ['adjusted-param'],
    ],
    [
      'nothing for a model that does not think',
      'claude-3-haiku',
      { effort: 'low' },
      {},
      ['dropped-param'],
    ],
  ])('sends %s', (_what, of, reasoning, expected, codes) => {
    const { body, warned } = wire({
      model: of,
      ...(reasoning && { reasoning }),
      maxOutputTokens: 4000,
    });
    const { type } = (body.thinking ?? {}) as { type?: string };
    const { effort } = (body.output_config ?? {}) as { effort?: string };
    expect({ ...(type && { thinking: type }), ...(effort && { effort }) }).toEqual(expected);
    expect(warned.map(([code]) => code)).toEqual(codes);
  });

  it('requests a summary only with include', () => {
    expect(wire({ reasoning: { effort: 'high' } }).body.thinking).toEqual({
      type: 'adaptive',
      display: 'omitted',
    });
    expect(wire({ reasoning: { include: true } }).body.thinking).toEqual({
      type: 'adaptive',
      display: 'summarized',
    });
  });

  it('lowers the budget below max_tokens, and drops it when there is no room', () => {
    const fitted = wire({ reasoning: { budgetTokens: 9000 }, maxOutputTokens: 3000 });
    expect(fitted.body.thinking).toMatchObject({ budget_tokens: 2999 });
    const cramped = wire({ reasoning: { budgetTokens: 9000 }, maxOutputTokens: 800 });
    expect(cramped.body.thinking).toBeUndefined();
    expect(cramped.warned).toEqual([['dropped-param', 'reasoning']]);
  });

  it('drops the budget when the continued turn has no thinking block', () => {
    const messages = [
      turn('user', 'Add'),
      turn('assistant', call('a')),
      turn('tool', result('a', '1')),
    ];
    const { body, warned } = wire({ messages, reasoning: { budgetTokens: 2000 } });
    expect(body.thinking).toBeUndefined();
    expect(warned).toEqual([['dropped-param', 'reasoning']]);
  });

  it('sends toolChoice as auto while the model thinks', () => {
    const { body, warned } = wire({
      tools: [tool],
      toolChoice: 'required',
      reasoning: { effort: 'high' },
    });
    expect(body.tool_choice).toEqual({ type: 'auto' });
    expect(warned).toEqual([['adjusted-param', 'toolChoice']]);
  });
});
