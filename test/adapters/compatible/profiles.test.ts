import { afterEach, describe, expect, it, vi } from 'vitest';
import * as presets from '../../../src/adapters/compatible/presets.ts';
import type { ProfileName } from '../../../src/adapters/compatible/profile.ts';
import { profiles } from '../../../src/adapters/compatible/profiles.ts';
import type { CompatibleSettings, Fetch } from '../../../src/compatible.ts';
import type { NormalMessage } from '../../../src/protocol/message.ts';
import type { Provider } from '../../../src/protocol/provider.ts';
import type { ProviderRequest } from '../../../src/protocol/request.ts';
import { callProvider, contentOf, finishOf, requestOf } from '../../support/provider-calls.ts';
import {
  answerEvents,
  answerJson,
  type ScriptedServer,
  startScriptedServer,
} from '../../support/scripted-server.ts';

type Row = {
  /** The URL of requests, and the variable of the key. */
  readonly url: string;
  readonly variable: string | undefined;
  /** A model and a request that show the vendor's quirks, and what the body must and must not contain. */
  readonly model: string;
  readonly request: Partial<ProviderRequest>;
  readonly sends: object;
  readonly unsaid?: readonly string[];
  readonly warned?: readonly (string | undefined)[];
};

const tools = [{ name: 'look', inputSchema: { type: 'object', properties: {} } }];
const schema = { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] };
const output = { name: 'answer', schema: { ...schema, additionalProperties: false } };
const textPart = (words: string) => ({ type: 'text' as const, text: words });
const effort = (wanted: 'low' | 'high') => ({ reasoning: { effort: wanted } }) as const;

const okBody = {
  id: 'c',
  object: 'chat.completion',
  model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content: 'ok' }, finish_reason: 'stop' }],
};

const rows: Readonly<Record<ProfileName, Row>> = {
  mistral: {
    url: 'https://api.mistral.ai/v1',
    variable: 'MISTRAL_API_KEY',
    model: 'mistral-large-latest',
    request: { tools, toolChoice: 'required', seed: 7, maxOutputTokens: 9, userId: 'u' },
    sends: { tool_choice: 'any', random_seed: 7, max_tokens: 9 },
    unsaid: ['seed', 'user', 'stream_options'],
    warned: ['userId'],
  },
  xai: {
    url: 'https://api.x.ai/v1',
    variable: 'XAI_API_KEY',
    model: 'grok-4-fast-reasoning',
    request: { stop: ['x'], presencePenalty: 1, ...effort('high') },
    sends: { model: 'grok-4-fast-reasoning' },
    unsaid: ['stop', 'presence_penalty', 'reasoning_effort'],
    warned: ['reasoning.effort', 'presencePenalty', 'stop'],
  },
  deepseek: {
    url: 'https://api.deepseek.com',
    variable: 'DEEPSEEK_API_KEY',
    model: 'deepseek-v4-flash',
    request: { output, seed: 7, ...effort('high') },
    sends: {
      response_format: { type: 'json_object' },
      thinking: { type: 'enabled' },
      reasoning_effort: 'high',
    },
    unsaid: ['seed'],
    warned: ['seed', 'schema'],
  },
  groq: {
    url: 'https://api.groq.com/openai/v1',
    variable: 'GROQ_API_KEY',
    model: 'openai/gpt-oss-120b',
    request: { tools, output, maxOutputTokens: 9, reasoning: { effort: 'xhigh' } },
    sends: { max_completion_tokens: 9, reasoning_effort: 'high' },
    unsaid: ['response_format', 'max_tokens'],
    warned: ['reasoning.effort', 'schema'],
  },
  together: {
    url: 'https://api.together.xyz/v1',
    variable: 'TOGETHER_API_KEY',
    model: 'meta-llama/Llama-3.3-70B-Instruct-Turbo',
    request: { output, userId: 'u' },
    sends: { response_format: { type: 'json_schema' } },
    unsaid: ['user'],
    warned: ['userId'],
  },
  fireworks: {
    url: 'https://api.fireworks.ai/inference/v1',
    variable: 'FIREWORKS_API_KEY',
    model: 'accounts/fireworks/models/kimi-k2',
    request: { topK: 3 },
    sends: { top_k: 3 },
  },
  cohere: {
    url: 'https://api.cohere.ai/compatibility/v1',
    variable: 'CO_API_KEY',
    model: 'command-a-03-2025',
    request: { tools, toolChoice: { name: 'look' }, messages: [system('Be brief'), user('Hello')] },
    sends: { tool_choice: 'required', messages: [{ role: 'developer' }, { role: 'user' }] },
    warned: ['toolChoice'],
  },
  ai21: {
    url: 'https://api.ai21.com/studio/v1',
    variable: 'AI21_API_KEY',
    model: 'jamba-large',
    request: { output, frequencyPenalty: 1 },
    sends: { response_format: { type: 'json_object' } },
    unsaid: ['frequency_penalty', 'stream_options'],
    warned: ['frequencyPenalty', 'schema'],
  },
  meta: {
    url: 'https://api.meta.ai/v1',
    variable: 'META_API_KEY',
    model: 'muse-spark-1.3',
    request: { maxOutputTokens: 9, reasoning: { effort: 'none' } },
    sends: { max_tokens: 9, reasoning_effort: 'minimal' },
    warned: ['reasoning.effort'],
  },
  openrouter: {
    url: 'https://openrouter.ai/api/v1',
    variable: 'OPENROUTER_API_KEY',
    model: 'deepseek/deepseek-r1',
    request: { topK: 3, reasoning: { budgetTokens: 500, include: false } },
    sends: { top_k: 3, reasoning: { max_tokens: 500, exclude: true } },
    unsaid: ['reasoning_effort'],
  },
  perplexity: {
    url: 'https://api.perplexity.ai',
    variable: 'PERPLEXITY_API_KEY',
    model: 'sonar',
    request: { stop: ['x'], messages: [user('One'), system('Now'), user('Two')] },
    sends: { messages: [{ role: 'user' }] },
    unsaid: ['stop', 'stream_options'],
    warned: [undefined, 'stop'],
  },
  moonshot: {
    url: 'https://api.moonshot.ai/v1',
    variable: 'MOONSHOT_API_KEY',
    model: 'kimi-k3',
    request: { tools, toolChoice: 'required', temperature: 0.5, reasoning: { effort: 'none' } },
    sends: { tool_choice: 'auto', thinking: { type: 'disabled' } },
    unsaid: ['temperature', 'reasoning_effort'],
    warned: ['temperature', 'toolChoice'],
  },
  qwen: {
    url: 'https://dashscope-intl.aliyuncs.com/compatible-mode/v1',
    variable: 'DASHSCOPE_API_KEY',
    model: 'qwen3-max',
    request: { topK: 3, frequencyPenalty: 1, reasoning: { budgetTokens: 100 } },
    sends: { top_k: 3, enable_thinking: true, thinking_budget: 100 },
    unsaid: ['frequency_penalty', 'reasoning_effort'],
    warned: ['frequencyPenalty'],
  },
  cerebras: {
    url: 'https://api.cerebras.ai/v1',
    variable: 'CEREBRAS_API_KEY',
    model: 'zai-glm-4.7',
    request: { maxOutputTokens: 9, presencePenalty: 1, reasoning: { effort: 'none' } },
    sends: { max_completion_tokens: 9, reasoning_effort: 'none' },
    unsaid: ['presence_penalty'],
    warned: ['presencePenalty'],
  },
  ollama: {
    url: 'http://localhost:11434/v1',
    variable: undefined,
    model: 'qwen3',
    request: { tools, toolChoice: 'required', parallelToolCalls: false },
    sends: { tool_choice: 'auto' },
    unsaid: ['parallel_tool_calls'],
    warned: ['toolChoice', 'parallelToolCalls'],
  },
  vllm: {
    url: 'http://localhost:8000/v1',
    variable: undefined,
    model: 'qwen3',
    request: { topK: 3, messages: [system('A'), user('Hello'), system('B')] },
    sends: { top_k: 3, messages: [{ role: 'system' }, { role: 'user' }, { role: 'user' }] },
    warned: [undefined],
  },
  llamacpp: {
    url: 'http://localhost:8080/v1',
    variable: undefined,
    model: 'qwen3',
    request: { topK: 3, tools: [{ ...tools[0], name: 'look', inputSchema: {}, strict: true }] },
    sends: { top_k: 3 },
    warned: ['tools.look'],
  },
  lmstudio: {
    url: 'http://localhost:1234/v1',
    variable: undefined,
    model: 'qwen3',
    request: { tools, toolChoice: { name: 'look' }, topK: 3 },
    sends: { tool_choice: 'required', top_k: 3 },
    warned: ['toolChoice'],
  },
};

function system(words: string): NormalMessage {
  return { role: 'system', content: [textPart(words)] };
}

function user(words: string): NormalMessage {
  return { role: 'user', content: [textPart(words)] };
}

const names = Object.keys(rows) as readonly ProfileName[];
const byName: Readonly<Record<ProfileName, (settings?: CompatibleSettings) => Provider>> = presets;
const make = (name: ProfileName, settings?: CompatibleSettings) => byName[name](settings);

const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };
const whole = answerJson({
  choices: [{ index: 0, message: { content: 'Hi there' }, finish_reason: 'stop' }],
  usage,
});
const streamed = answerEvents([
  { choices: [{ index: 0, delta: { content: 'Hi ' } }] },
  { choices: [{ index: 0, delta: { content: 'there' }, finish_reason: 'stop' }] },
  { choices: [], usage },
]);
const unavailable = answerJson({ error: { message: 'no', type: 'x' } }, 503);

let server: ScriptedServer | undefined;

async function start(answering = whole): Promise<string> {
  server = await startScriptedServer(answering);
  return `${server.url}/base`;
}

afterEach(async () => {
  await server?.stop();
  server = undefined;
});

describe.each(names)('%s()', (name) => {
  const row = rows[name];
  const request = requestOf({ model: row.model });

  it('uses its URL by default', async () => {
    const urls: string[] = [];
    const fetch: Fetch = async (input) => {
      urls.push(String(input instanceof Request ? input.url : input));
      return new Response(JSON.stringify({ choices: [{ message: { content: 'Hi' } }] }), {
        headers: { 'content-type': 'application/json' },
      });
    };
    await callProvider(make(name, { apiKey: 'k', fetch }), request);
    expect(urls).toEqual([`${row.url}/chat/completions`]);
  });

  it('reads the key from its variable, if any', async () => {
    vi.stubEnv('OPENAI_API_KEY', 'secret');
    vi.stubEnv('OPENAI_CUSTOM_HEADERS', 'Authorization: Bearer evil');
    if (row.variable !== undefined) vi.stubEnv(row.variable, 'theirs');
    const baseURL = await start();
    await callProvider(make(name, { baseURL }), request);
    const key = row.variable === undefined ? 'none' : 'theirs';
    expect(server?.seen[0]?.headers.authorization).toBe(`Bearer ${key}`);
  });

  it('writes requests in its dialect', async () => {
    const provider = make(name, { apiKey: 'k', baseURL: await start() });
    const fullRequest = requestOf({ model: row.model, ...row.request });
    const { warnings } = provider.prepare(fullRequest);
    await callProvider(provider, fullRequest);
    const body = server?.seen[0]?.body;
    expect(body).toMatchObject(row.sends);
    for (const field of row.unsaid ?? []) expect(body).not.toHaveProperty(field);
    expect(warnings.map((warning) => warning.param).toSorted()).toEqual(
      (row.warned ?? []).toSorted(),
    );
  });

  it('reads whole answers and streams', async () => {
    for (const [transfer, answering] of [
      ['unary', whole],
      ['stream', streamed],
    ] as const) {
      const baseURL = await start(answering);
      const parts = await callProvider(make(name, { apiKey: 'k', baseURL }), request, { transfer });
      expect(contentOf(parts)).toEqual([{ type: 'text', text: 'Hi there' }]);
      expect(finishOf(parts)).toMatchObject({
        finishReason: 'stop',
        usage: { inputTokens: 3, outputTokens: 2, totalTokens: 5 },
      });
      await server?.stop();
    }
  });

  it('maps an error response to its code', async () => {
    const baseURL = await start(unavailable);
    await expect(callProvider(make(name, { apiKey: 'k', baseURL }), request)).rejects.toMatchObject(
      { code: 'overloaded', status: 503 },
    );
  });
});

describe.each(names.filter((name) => rows[name].variable !== undefined))('%s()', (name) => {
  it('fails with auth without a key', async () => {
    const { model, variable = '' } = rows[name];
    for (const each of profiles[name].keyVariables) vi.stubEnv(each, '');
    await expect(callProvider(make(name), requestOf({ model }))).rejects.toMatchObject({
      code: 'auth',
      message: expect.stringContaining(variable),
    });
  });
});

describe('options that the vendor rejects while the model thinks', () => {
  const high = { effort: 'high' } as const;
  const off = { effort: 'none' } as const;
  const look = { name: 'look' };

  async function sent(name: ProfileName, model: string, request: Partial<ProviderRequest>) {
    const baseURL = await start(answerJson(okBody));
    const provider = make(name, { apiKey: 'k', baseURL });
    const prepared = provider.prepare(requestOf({ model, ...request }));
    await callProvider(provider, requestOf({ model, ...request }), { transfer: 'unary' });
    return {
      body: server?.seen[0]?.body ?? {},
      warned: prepared.warnings.map(({ param }) => param),
    };
  }

  it.each<[ProfileName, string, Partial<ProviderRequest>, object, string[]]>([
    // Thinking by default is turned off.
    [
      'deepseek',
      'deepseek-v4-pro',
      { toolChoice: 'required' },
      { tool_choice: 'required', thinking: { type: 'disabled' } },
      ['reasoning'],
    ],
    [
      'moonshot',
      'kimi-k2.5',
      { toolChoice: look },
      { thinking: { type: 'disabled' } },
      ['reasoning'],
    ],
    ['qwen', 'qwen3.5-plus', { toolChoice: look }, { enable_thinking: false }, ['reasoning']],
    // Thinking that was requested, or cannot be turned off, is kept.
    [
      'deepseek',
      'deepseek-v4-pro',
      { toolChoice: look, reasoning: high },
      { tool_choice: 'auto', thinking: { type: 'enabled' } },
      ['toolChoice'],
    ],
    [
      'deepseek',
      'deepseek-reasoner',
      { toolChoice: 'required' },
      { tool_choice: 'auto' },
      ['toolChoice'],
    ],
    [
      'moonshot',
      'kimi-k2.6',
      { toolChoice: look, reasoning: high },
      { tool_choice: 'auto' },
      ['toolChoice', 'reasoning.effort'],
    ],
    ['moonshot', 'kimi-k2-thinking', { toolChoice: look }, { tool_choice: 'auto' }, ['toolChoice']],
    [
      'qwen',
      'qwen3-max',
      { toolChoice: look, reasoning: { budgetTokens: 9 } },
      { tool_choice: 'auto', enable_thinking: true },
      ['toolChoice'],
    ],
    // Without thinking, nothing is changed.
    [
      'deepseek',
      'deepseek-v4-pro',
      { toolChoice: 'required', reasoning: off },
      { tool_choice: 'required' },
      [],
    ],
    ['deepseek', 'deepseek-chat', { toolChoice: 'required' }, { tool_choice: 'required' }, []],
    ['qwen', 'qwen3-max', { toolChoice: look }, { tool_choice: { function: look } }, []],
  ])('are sent in a form that works: %s/%s %j', async (name, model, request, body, warned) => {
    const result = await sent(name, model, { tools, ...request });
    expect(result.body).toMatchObject(body);
    expect(result.warned).toEqual(warned);
  });

  it('are sent as a schema in the prompt when thinking was requested', async () => {
    const { body, warned } = await sent('qwen', 'qwen-plus', {
      output,
      reasoning: { budgetTokens: 9 },
    });
    expect(body.response_format).toBeUndefined();
    expect(JSON.stringify(body.messages)).toContain('JSON Schema');
    expect(warned).toEqual(['schema']);
  });

  it.each<[string, Partial<ProviderRequest>, boolean]>([
    ['qwen-plus', { reasoning: { budgetTokens: 9 } }, true],
    ['qwq-plus', {}, true],
    ['qwen3-32b', {}, true],
    ['qwen3-32b', { reasoning: off }, false],
    ['qwen-plus', {}, false],
  ])(
    'are sent as a stream where only streams are accepted: %s %j',
    async (model, request, streams) => {
      const { body } = await sent('qwen', model, request);
      expect(body.stream).toBe(streams);
    },
  );

  it('add a warning when the answer is streamed instead', async () => {
    const baseURL = await start(answerJson(okBody));
    const parts = await callProvider(
      make('qwen', { apiKey: 'k', baseURL }),
      requestOf({ model: 'qwq-plus' }),
      { transfer: 'unary' },
    );
    const warnings = parts.flatMap((part) => (part.type === 'warning' ? [part.warning.param] : []));
    expect(warnings).toEqual(['transfer']);
  });
});

const text = ['tools', 'structured-output'];
const vision = ['vision', ...text];

describe('the capabilities of a model', () => {
  it.each<[ProfileName, string, readonly string[]]>([
    ['mistral', 'codestral-latest', text],
    ['mistral', 'voxtral-small-latest', ['audio', ...text]],
    ['mistral', 'mistral-small-latest', ['vision', 'audio', 'files', ...text]],
    ['xai', 'grok-3-mini', text],
    ['xai', 'grok-2-vision-1212', vision],
    ['xai', 'grok-4-fast', vision],
    ['groq', 'openai/gpt-oss-120b', text],
    ['groq', 'meta-llama/llama-4-scout-17b-16e-instruct', vision],
    ['groq', 'groq/compound', ['structured-output']],
    ['groq', 'meta-llama/llama-guard-4-12b', []],
    ['together', 'meta-llama/Llama-3.3-70B-Instruct-Turbo', text],
    ['together', 'meta-llama/Llama-3.2-90B-Vision-Instruct-Turbo', vision],
    ['fireworks', 'accounts/fireworks/models/kimi-k2-instruct', text],
    ['fireworks', 'accounts/fireworks/models/kimi-k2.6', ['vision', 'audio', 'files', ...text]],
    ['cohere', 'command-a-03-2025', text],
    ['cohere', 'command-a-vision-07-2025', ['vision', 'structured-output']],
    ['moonshot', 'moonshot-v1-8k', text],
    ['moonshot', 'moonshot-v1-8k-vision-preview', vision],
    ['moonshot', 'kimi-k2.5', vision],
    ['qwen', 'qwen3-max', text],
    ['qwen', 'qwen3-vl-plus', vision],
    ['qwen', 'qwen3-omni-flash', ['vision', 'audio', ...text]],
    ['ollama', 'llama3.2', text],
    ['ollama', 'llama3.2-vision', vision],
    ['ollama', 'qwen2.5vl:7b', vision],
    ['ollama', 'nomic-embed-text', []],
    ['vllm', 'Qwen/Qwen3-32B', text],
    ['llamacpp', 'my-own-model', ['vision', 'audio', ...text]],
    ['lmstudio', 'openai/gpt-oss-20b', text],
    ['deepseek', 'deepseek-v4-flash', text],
  ])('of %s: %s', (name, model, expected) => {
    expect([...make(name).capabilities(model)].toSorted()).toEqual(expected.toSorted());
  });
});
