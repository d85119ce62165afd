import { describe, expect, it } from 'vitest';
import type { NormalMessage, Opaque, Part } from '../../../src/protocol/message.ts';
import type { ProviderRequest } from '../../../src/protocol/request.ts';
import { toWireRequest } from '../../../src/wires/gemini/request.ts';
import { requestOf } from '../../support/provider-calls.ts';

const model = 'gemini-3-flash';

function wire(more: Partial<ProviderRequest>) {
  const { body, warnings } = toWireRequest(requestOf({ model, ...more }));
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

const tool = {
  name: 'add',
  description: 'Adds',
  inputSchema: { type: 'object', properties: { a: { const: 1 } } },
};
const signed = (data: string, provider = 'mine'): Opaque => ({
  wire: 'gemini',
  provider,
  model,
  kind: 'thought-signature',
  data,
});
const call = (id: string, opaque?: Opaque): Part => ({
  type: 'tool-call',
  id,
  name: 'add',
  input: { a: 1 },
  ...(opaque && { opaque }),
});
const result = (id: string, output: string): Part => ({
  type: 'tool-result',
  id,
  name: 'add',
  output,
});

describe('Gemini request', () => {
  it('sends a minimal request', () => {
    const { body, warnings } = wire({});
    expect(body).toEqual({ contents: [{ role: 'user', parts: [{ text: 'Hello' }] }] });
    expect(warnings).toEqual([]);
  });

  it('hoists leading system messages and sends later ones as user turns', () => {
    const { body, warned } = wire({
      messages: [turn('system', 'Be brief'), turn('user', 'Hi'), turn('system', 'Be long')],
    });
    expect(body).toEqual({
      systemInstruction: { parts: [{ text: 'Be brief' }] },
      contents: [{ role: 'user', parts: [{ text: 'Hi' }, { text: 'Be long' }] }],
    });
    expect(warned).toEqual([['compat', undefined]]);
  });

  it('moves the system message into the first turn for Gemma', () => {
    const { body, warned } = wire({
      model: 'gemma-3-27b-it',
      messages: [turn('system', 'Be brief'), turn('user', 'Hi')],
    });
    expect(body).toEqual({
      contents: [{ role: 'user', parts: [{ text: 'Be brief' }, { text: 'Hi' }] }],
    });
    expect(warned).toEqual([['compat', undefined]]);
  });

  it('sends all results of a turn together, in the order of the calls', () => {
    const { body } = wire({
      messages: [
        turn('user', 'Add'),
        turn('assistant', call('x1', signed('sig')), call('call_2')),
        turn('tool', { ...result('call_2', 'no'), isError: true } as Part, result('x1', '1')),
      ],
    });
    expect(body.contents).toEqual([
      { role: 'user', parts: [{ text: 'Add' }] },
      {
        role: 'model',
        parts: [
          { functionCall: { id: 'x1', name: 'add', args: { a: 1 } }, thoughtSignature: 'sig' },
          { functionCall: { name: 'add', args: { a: 1 } } },
        ],
      },
      {
        role: 'user',
        parts: [
          { functionResponse: { id: 'x1', name: 'add', response: { output: '1' } } },
          { functionResponse: { name: 'add', response: { error: 'no' } } },
        ],
      },
    ]);
  });

  it('adds a signature to calls of other models if the model requires it', () => {
    const messages = [
      turn('user', 'Add'),
      turn('assistant', call('toolu_1', signed('theirs', 'other')), call('toolu_2')),
      turn('tool', result('toolu_1', '1'), result('toolu_2', '2')),
    ];
    const recent = wire({ messages });
    const sentinel = { thoughtSignature: 'skip_thought_signature_validator' };
    const [, modelTurn] = recent.body.contents as { parts: object[] }[];
    expect(modelTurn?.parts[0]).toMatchObject(sentinel);
    expect(modelTurn?.parts[1]).not.toHaveProperty('thoughtSignature');
    expect(recent.warned).toEqual([['compat', 'thoughtSignature']]);
    const older = wire({ model: 'gemini-2.5-flash', messages });
    expect(JSON.stringify(older.body)).not.toContain('thoughtSignature');
  });

  it('replays signed thoughts and text of its provider, and drops the thoughts of others', () => {
    const { body } = wire({
      messages: [
        turn('user', 'Hi'),
        turn(
          'assistant',
          { type: 'reasoning', text: 'unsigned' },
          { type: 'reasoning', text: 'theirs', opaque: signed('x', 'other') },
          { type: 'reasoning', text: 'ours', opaque: signed('s1') },
          { type: 'text', text: 'Hello', opaque: signed('s2') },
        ),
        turn('user', 'Go on'),
      ],
    });
    expect(body.contents).toMatchObject([
      {},
      {
        role: 'model',
        parts: [
          { text: 'ours', thought: true, thoughtSignature: 's1' },
          { text: 'Hello', thoughtSignature: 's2' },
        ],
      },
      {},
    ]);
  });

  it('sends media as bytes, and URLs only if the API can fetch them', () => {
    const { body } = wire({
      messages: [
        turn(
          'user',
          { type: 'image', source: { data: new Uint8Array([1, 2, 3]), mediaType: 'image/png' } },
          { type: 'audio', source: { data: 'UklG', mediaType: 'audio/wav' } },
          { type: 'file', source: { url: 'gs://bucket/a.pdf', mediaType: 'application/pdf' } },
          { type: 'file', source: { ref: { provider: 'mine', id: 'files/a' } } },
        ),
      ],
    });
    expect(body.contents).toEqual([
      {
        role: 'user',
        parts: [
          { inlineData: { mimeType: 'image/png', data: 'AQID' } },
          { inlineData: { mimeType: 'audio/wav', data: 'UklG' } },
          { fileData: { fileUri: 'gs://bucket/a.pdf', mimeType: 'application/pdf' } },
          { fileData: { fileUri: 'files/a' } },
        ],
      },
    ]);
  });

  it.each([
    ['https://example.com/a.PNG?size=1', undefined, 'image/png'],
    ['https://example.com/a', 'image/webp', 'image/webp'],
  ])('sends the URL %s with its media type', (url, mediaType, mimeType) => {
    const source = { url, ...(mediaType !== undefined && { mediaType }) };
    const messages = [turn('user', { type: 'image', source })];
    expect(wire({ messages }).body.contents).toEqual([
      { role: 'user', parts: [{ fileData: { fileUri: url, mimeType } }] },
    ]);
    expect(() => wire({ messages, model: 'gemini-2.0-flash' })).toThrow('pass the bytes');
  });

  it.each<[string, readonly NormalMessage[], string]>([
    [
      'a URL of unknown media type',
      [turn('user', { type: 'image', source: { url: 'https://example.com/a' } })],
      'unsupported',
    ],
    [
      'a file of another provider',
      [turn('user', { type: 'file', source: { ref: { provider: 'other', id: 'x' } } })],
      'unsupported',
    ],
    ['a begun answer', [turn('user', 'Hi'), turn('assistant', 'Hel')], 'unsupported'],
    ['an empty conversation', [turn('user', ' ')], 'invalid_request'],
  ])('throws for %s', (_what, messages, code) => {
    expect(() => wire({ messages })).toThrow(expect.objectContaining({ code }));
  });

  it('puts media next to a tool result if the model accepts none inside', () => {
    const image: Part = { type: 'image', source: { data: 'AA==', mediaType: 'image/png' } };
    const messages = [
      turn('user', 'Draw'),
      turn('assistant', call('x')),
      turn('tool', {
        type: 'tool-result',
        id: 'x',
        name: 'add',
        output: [{ type: 'text', text: 'Here' }, image],
      } as Part),
    ];
    const inline = { inlineData: { mimeType: 'image/png', data: 'AA==' } };
    const recent = wire({ messages }).body.contents as { parts: unknown[] }[];
    expect(recent[2]?.parts).toMatchObject([
      { functionResponse: { response: { output: 'Here' }, parts: [inline] } },
    ]);
    const older = wire({ model: 'gemini-2.5-pro', messages }).body.contents as {
      parts: unknown[];
    }[];
    expect(older[2]?.parts).toMatchObject([{ functionResponse: {} }, inline]);
  });

  it('declares tools in the dialect of the API, without a schema for a tool without parameters', () => {
    const bare = { name: 'now', inputSchema: { type: 'object', properties: {} } };
    const { body } = wire({ tools: [tool, bare], toolChoice: { name: 'add' } });
    expect(body.tools).toEqual([
      {
        functionDeclarations: [
          {
            name: 'add',
            description: 'Adds',
            parametersJsonSchema: { type: 'object', properties: { a: { enum: [1] } } },
          },
          { name: 'now' },
        ],
      },
    ]);
    expect(body.toolConfig).toEqual({
      functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['add'] },
    });
  });

  it.each([
    ['auto', 'AUTO'],
    ['none', 'NONE'],
    ['required', 'ANY'],
  ] as const)('sends the tool choice %s as %s', (toolChoice, mode) => {
    const { body } = wire({ tools: [tool], toolChoice });
    expect(body.toolConfig).toEqual({ functionCallingConfig: { mode } });
  });

  it('sends all sampling parameters, within the limits of the API', () => {
    const { body, warned } = wire({
      maxOutputTokens: 9,
      temperature: 3,
      topP: 0.9,
      topK: 5,
      frequencyPenalty: 0.1,
      presencePenalty: 0.2,
      seed: 7,
      stop: ['1', '2', '3', '4', '5', '6'],
    });
    expect(body.generationConfig).toEqual({
      maxOutputTokens: 9,
      temperature: 2,
      topP: 0.9,
      topK: 5,
      frequencyPenalty: 0.1,
      presencePenalty: 0.2,
      seed: 7,
      stopSequences: ['1', '2', '3', '4', '5'],
    });
    expect(warned).toEqual([
      ['adjusted-param', 'temperature'],
      ['adjusted-param', 'stop'],
    ]);
  });

  it('requests structured output, and warns about what is not enforced', () => {
    const schema = { type: 'object', properties: { zip: { type: 'string', pattern: '^\\d+$' } } };
    const { body, warnings } = wire({ output: { name: 'place', schema } });
    expect(body.generationConfig).toMatchObject({ responseMimeType: 'application/json' });
    expect(warnings).toMatchObject([{ code: 'schema-relaxed' }]);
    expect(warnings[0]?.message).toContain('properties.zip.pattern');
  });

  it('sends the schema in the prompt if tools rule out structured output', () => {
    const output = { name: 'place', schema: { type: 'object' } };
    const older = wire({ model: 'gemini-2.5-flash', output, tools: [tool] });
    expect(older.body.generationConfig).toBeUndefined();
    expect(JSON.stringify(older.body.systemInstruction)).toContain('JSON Schema');
    expect(older.warned).toEqual([['adjusted-param', 'schema']]);
    expect(wire({ output, tools: [tool] }).warned).toEqual([]);
    expect(wire({ output, tools: [tool], toolChoice: 'required' }).warned).toEqual([
      ['adjusted-param', 'schema'],
    ]);
  });

  it('sends the user id as a label if it is valid', () => {
    expect(wire({ userId: 'user-1' }).body.labels).toEqual({ user_id: 'user-1' });
    expect(wire({ userId: 'a@example.com' }).warned).toEqual([['dropped-param', 'userId']]);
  });

  it('warns about parameters that it drops', () => {
    expect(wire({ tools: [tool], parallelToolCalls: false }).warned).toEqual([
      ['dropped-param', 'parallelToolCalls'],
    ]);
    expect(wire({ model: 'gemma-3-4b-it', tools: [tool] }).warned).toEqual([
      ['dropped-param', 'tools'],
    ]);
    expect(wire({ toolChoice: 'required' }).warned).toEqual([['dropped-param', 'toolChoice']]);
  });

  it('merges extraBody over the body', () => {
    const { body } = wire({
      temperature: 0.5,
      extraBody: { generationConfig: { mediaResolution: 'LOW' }, safetySettings: [] },
    });
    expect(body).toMatchObject({
      generationConfig: { temperature: 0.5, mediaResolution: 'LOW' },
      safetySettings: [],
    });
  });
});

describe('Gemini thinking', () => {
  it.each<
    [string, string, NonNullable<ProviderRequest['reasoning']>, object | undefined, string[]]
  >([
    ['a level as it is', model, { effort: 'medium' }, { thinkingLevel: 'MEDIUM' }, []],
    [
      'the nearest level',
      'gemini-3-pro',
      { effort: 'max' },
      { thinkingLevel: 'HIGH' },
      ['adjusted-param'],
    ],
    [
      'the lowest level',
      model,
      { effort: 'none' },
      { thinkingLevel: 'MINIMAL' },
      ['adjusted-param'],
    ],
    ['a budget of a recent model', model, { budgetTokens: 99 }, { thinkingBudget: 99 }, []],
    ['an effort as a budget', 'gemini-2.5-pro', { effort: 'low' }, { thinkingBudget: 1024 }, []],
    [
      'a budget within the limits',
      'gemini-2.5-pro',
      { budgetTokens: 9 },
      { thinkingBudget: 128 },
      ['adjusted-param'],
    ],
    ['no thinking', 'gemini-2.5-flash', { effort: 'none' }, { thinkingBudget: 0 }, []],
    [
      'the least thinking',
      'gemini-2.5-pro',
      { effort: 'none' },
      { thinkingBudget: 128 },
      ['adjusted-param'],
    ],
    ['thoughts to be shown', model, { include: true }, { includeThoughts: true }, []],
    [
      'nothing for a model that does not think',
      'gemini-2.0-flash',
      { effort: 'low' },
      undefined,
      ['dropped-param'],
    ],
    ['nothing by default', model, {}, undefined, []],
  ])('sends %s', (_what, of, reasoning, expected, codes) => {
    const { body, warned } = wire({ model: of, reasoning });
    const config = body.generationConfig as { thinkingConfig?: object } | undefined;
    expect(config?.thinkingConfig).toEqual(expected);
    expect(warned.map(([code]) => code)).toEqual(codes);
  });
});
