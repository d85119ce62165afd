import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/protocol/json.ts';
import type { Opaque } from '../../src/protocol/message.ts';
import { servedMessages } from '../../src/wires/anthropic/serve.ts';
import { encodeOpaque } from '../../src/wires/common/client-opaque.ts';
import { RequestProblem } from '../../src/wires/common/serve.ts';
import { createRandom } from '../simulation/virtual-time.ts';

const user = { role: 'user', content: 'Hi' };
const read = (fields: object) =>
  servedMessages.read({ model: 'fast', max_tokens: 100, messages: [user], ...fields });
const readContent = (content: unknown, role = 'user') =>
  read({ messages: [{ role, content }] }).messages;

const image = (url: string) => ({ type: 'image', source: { type: 'url', url } });

const deep: unknown = JSON.parse(`${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`);

function problemOf(fields: object): RequestProblem {
  try {
    read(fields);
  } catch (error) {
    if (error instanceof RequestProblem) return error;
    throw error;
  }
  throw new Error('was accepted');
}

const opaque: Opaque = {
  wire: 'gemini',
  provider: 'google',
  model: 'gemini-3-pro',
  kind: 'thought-signature',
  data: 'c2lnbmF0dXJl',
};
const signature = encodeOpaque(opaque) ?? '';

const cached = { cache_control: { type: 'ephemeral', ttl: '5m' } };

/** A request with a field of each kind. */
const full: JsonObject = {
  model: 'fast',
  max_tokens: 100,
  stream: true,
  temperature: 1,
  stop_sequences: ['END'],
  system: [{ type: 'text', text: 'S', ...cached }],
  thinking: { type: 'enabled', budget_tokens: 2000, display: 'summarized' },
  output_config: { effort: 'high', format: { type: 'json_schema', schema: { type: 'object' } } },
  metadata: { user_id: 'u' },
  tools: [{ type: 'custom', name: 'f', input_schema: { type: 'object' }, ...cached }],
  tool_choice: { type: 'tool', name: 'f', disable_parallel_tool_use: true },
  messages: [
    { role: 'user', content: [{ type: 'image', source: { type: 'url', url: 'https://x/y' } }] },
    {
      role: 'assistant',
      content: [
        { type: 'thinking', thinking: 'hm', signature },
        { type: 'redacted_thinking', data: `call:${signature}:a` },
        { type: 'tool_use', id: 'a', name: 'f', input: { x: 1 } },
      ],
    },
    {
      role: 'user',
      content: [
        { type: 'tool_result', tool_use_id: 'a', content: [{ type: 'text', text: 'r' }] },
        { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'd' } },
        { type: 'search_result', title: 't', source: 's', content: [{ type: 'text', text: 'x' }] },
      ],
    },
  ],
};

describe('a request of a client of Anthropic', () => {
  it('is read with all of its settings', () => {
    const request = read({
      stream: true,
      temperature: 0.5,
      top_p: 0.9,
      top_k: 3,
      stop_sequences: ['END'],
      metadata: { user_id: 'u1' },
      cache_control: { type: 'ephemeral' },
      thinking: { type: 'enabled', budget_tokens: 2000 },
      tools: [
        {
          name: 'f',
          description: 'd',
          input_schema: { type: 'object' },
          cache_control: { type: 'ephemeral', ttl: '1h' },
          eager_input_streaming: true,
        },
      ],
      tool_choice: { type: 'any', disable_parallel_tool_use: true },
      output_config: {
        effort: 'high',
        format: { type: 'json_schema', schema: { type: 'object' } },
      },
      context_management: { edits: [] },
      mcp_servers: [],
    });
    expect(request).toEqual({
      model: 'fast',
      stream: true,
      messages: [{ role: 'user', content: 'Hi' }],
      options: {
        tools: [
          { name: 'f', description: 'd', inputSchema: { type: 'object' }, cache: { ttl: '1h' } },
        ],
        toolChoice: 'required',
        parallelToolCalls: false,
        schema: { type: 'object' },
        maxOutputTokens: 100,
        temperature: 0.5,
        topP: 0.9,
        topK: 3,
        stop: ['END'],
        reasoning: { effort: 'high', budgetTokens: 2000, include: true },
        userId: 'u1',
        cache: true,
      },
    });
  });

  it.each<[object, object | undefined]>([
    [{}, undefined],
    [{ thinking: { type: 'disabled' } }, { effort: 'none' }],
    [{ thinking: { type: 'adaptive' } }, { include: true }],
    [{ thinking: { type: 'adaptive', display: 'omitted' } }, { include: false }],
    [{ output_config: { effort: 'low' } }, { effort: 'low' }],
  ])('%j has the reasoning %j', (fields, reasoning) => {
    expect(read(fields).options.reasoning).toEqual(reasoning);
  });

  it.each<[object, unknown]>([
    [{ type: 'auto' }, 'auto'],
    [{ type: 'none' }, 'none'],
    [{ type: 'tool', name: 'f' }, { name: 'f' }],
  ])('has the tool choice %j', (tool_choice, expected) => {
    expect(read({ tool_choice }).options.toolChoice).toEqual(expected);
  });

  it('shortens the id of a user that vendors do not accept', () => {
    const { userId = '' } = read({ metadata: { user_id: 'user_'.repeat(40) } }).options;
    expect(userId).toMatch(/^[0-9a-f]{64}$/);
    expect(read({ metadata: { user_id: 'user_'.repeat(40) } }).options.userId).toBe(userId);
  });

  it('accepts the former name of the schema', () => {
    const output_format = { type: 'json_schema', schema: { type: 'object' } };
    expect(read({ output_format }).options.schema).toEqual({ type: 'object' });
  });

  it('has the system prompt first, with its hints', () => {
    const block = { type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } };
    expect(read({ system: 'S' }).messages[0]).toEqual({ role: 'system', content: 'S' });
    expect(read({ system: [block] }).messages[0]).toEqual({
      role: 'system',
      content: [{ type: 'text', text: 'Be brief.', cache: true }],
    });
  });

  it('has images and documents', () => {
    const png = { type: 'base64', media_type: 'image/png', data: 'aGk=' };
    const pdf = { type: 'base64', media_type: 'application/pdf', data: 'aGk=' };
    const text = { type: 'text', media_type: 'text/plain', data: 'hi' };
    const plain = { data: Buffer.from('hi'), mediaType: 'text/plain' };
    const blocks = [
      { type: 'image', source: png },
      { type: 'image', source: { type: 'url', url: 'https://x/y.png' } },
      { type: 'document', source: pdf, title: 'a.pdf', citations: { enabled: true } },
      { type: 'document', source: { type: 'url', url: 'https://x/y.pdf' } },
      { type: 'document', source: text },
      { type: 'document', source: { type: 'content', content: [{ type: 'text', text: 'hi' }] } },
    ];
    expect(readContent(blocks)).toEqual([
      {
        role: 'user',
        content: [
          { type: 'image', source: { mediaType: 'image/png', data: 'aGk=' } },
          { type: 'image', source: { url: 'https://x/y.png' } },
          {
            type: 'file',
            source: { mediaType: 'application/pdf', data: 'aGk=' },
            filename: 'a.pdf',
            citations: true,
          },
          { type: 'file', source: { url: 'https://x/y.pdf', mediaType: 'application/pdf' } },
          { type: 'file', source: plain },
          { type: 'file', source: plain },
        ],
      },
    ]);
  });

  it('has calls with their results, and the replay data next to them', () => {
    const { messages } = read({
      messages: [
        user,
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'hm', signature },
            { type: 'redacted_thinking', data: `call:${signature}:b` },
            { type: 'tool_use', id: 'a', name: 'f', input: { x: 1 } },
            { type: 'tool_use', id: 'b', name: 'g', input: {} },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 'b', content: 'no', is_error: true },
            { type: 'tool_result', tool_use_id: 'a', content: [{ type: 'text', text: 'yes' }] },
            { type: 'text', text: 'Go on.' },
          ],
        },
      ],
    });
    expect(messages.slice(1)).toEqual([
      {
        role: 'assistant',
        content: [
          { type: 'reasoning', text: 'hm', opaque },
          { type: 'tool-call', id: 'a', name: 'f', input: { x: 1 } },
          { type: 'tool-call', id: 'b', name: 'g', input: {}, opaque },
        ],
      },
      {
        role: 'tool',
        content: [
          { type: 'tool-result', id: 'b', name: 'g', output: 'no', isError: true },
          { type: 'tool-result', id: 'a', name: 'f', output: [{ type: 'text', text: 'yes' }] },
        ],
      },
      { role: 'user', content: [{ type: 'text', text: 'Go on.' }] },
    ]);
  });

  it('leaves out reasoning that no vendor behind the router wrote', () => {
    const foreign = [
      { type: 'thinking', thinking: 'hm', signature: 'EqQBCgIYAg==' },
      { type: 'redacted_thinking', data: 'EmwKAhgBEgy3va3p' },
      { type: 'redacted_thinking', data: 'call:sb1.nonsense:x' },
      { type: 'text', text: 'Hello' },
    ];
    expect(readContent(foreign, 'assistant')).toEqual([
      { role: 'assistant', content: [{ type: 'text', text: 'Hello' }] },
    ]);
  });

  it.each<[object, string, RegExp]>([
    [{ model: 3 }, 'model', /must be a string/],
    [{ messages: undefined }, 'messages', /is required/],
    [{ messages: {} }, 'messages', /must be a list/],
    [{ messages: ['x'] }, 'messages[0]', /must be an object/],
    [{ messages: [{ role: 'bot' }] }, 'messages[0].role', /one of user, assistant, system/],
    [{ messages: [{ role: 'user' }] }, 'messages[0].content', /is required/],
    [
      { messages: [{ role: 'user', content: [{ type: 'text', text: 1 }] }] },
      'messages[0].content[0].text',
      /must be a string/,
    ],
    [
      { messages: [{ role: 'user', content: [{ type: 'web_search_tool_result' }] }] },
      'messages[0].content[0].type',
      /a block of this type is not supported/,
    ],
    [
      { messages: [{ role: 'user', content: [{ type: 'tool_result', tool_use_id: 'a' }] }] },
      'messages[0].content[0].tool_use_id',
      /no tool_use block/,
    ],
    [
      {
        messages: [
          { role: 'user', content: [{ type: 'image', source: { type: 'file', file_id: 'f' } }] },
        ],
      },
      'messages[0].content[0].source.type',
      /a source of this type is not supported/,
    ],
    [
      { messages: [{ role: 'user', content: [image('file:///etc/passwd')] }] },
      'messages[0].content[0].source.url',
      /a URL with https:/,
    ],
    [{ thread: { type: 'create' } }, 'thread', /send the whole history/],
    [{ max_tokens: 0 }, 'max_tokens', /integer of at least 1/],
    [{ temperature: 'hot' }, 'temperature', /must be a number/],
    [{ stream: 'yes' }, 'stream', /true or false/],
    [{ system: 1 }, 'system', /must be a list/],
    [{ tools: [{ type: 'web_search_20250305' }] }, 'tools[0].type', /not supported/],
    [{ tools: [{ name: 'f' }] }, 'tools[0].input_schema', /is required/],
    [{ tool_choice: { type: 'all' } }, 'tool_choice.type', /one of auto, any, tool, none/],
    [{ tool_choice: { type: 'tool' } }, 'tool_choice.name', /is required/],
    [{ tools: [{ name: 'f', input_schema: deep }] }, 'tools[0].input_schema', /too deeply/],
    [{ stop_sequences: 'END' }, 'stop_sequences', /must be a list/],
    [{ metadata: { user_id: 1 } }, 'metadata.user_id', /must be a string/],
    [{ output_config: { effort: 'huge' } }, 'output_config.effort', /one of low/],
    [{ output_config: { format: { type: 'xml' } } }, 'output_config.format.type', /json_schema/],
    [{ thinking: { type: 'enabled', budget_tokens: -1 } }, 'thinking.budget_tokens', /integer/],
  ])('$1 is rejected if it is wrong', (fields, path, message) => {
    const problem = problemOf(fields);
    expect(problem.path).toBe(path);
    expect(problem.message).toMatch(message);
  });

  it('is read or rejected, whatever is in it', () => {
    const random = createRandom(11);
    const junk = [null, 0, -1, 1.5, '', 'x', true, [], {}, [[]], [null], { type: 'text' }, deep];
    let rejected = 0;
    for (let round = 0; round < 2_000; round++) {
      const mutated = structuredClone(full);
      const places = placesIn(mutated);
      const { owner, name } = places[Math.floor(random() * places.length)] ?? never();
      owner[name] = junk[Math.floor(random() * junk.length)];
      try {
        servedMessages.read(mutated);
      } catch (error) {
        expect(error).toBeInstanceOf(RequestProblem);
        rejected++;
      }
    }
    expect(rejected).toBeGreaterThan(500);
  });
});

type Place = { readonly owner: Record<string, unknown>; readonly name: string };

function placesIn(value: unknown): readonly Place[] {
  if (typeof value !== 'object' || value === null) return [];
  const owner = value as Record<string, unknown>;
  return Object.keys(owner).flatMap((name) => [{ owner, name }, ...placesIn(owner[name])]);
}

function never(): never {
  throw new Error('the request is empty');
}
