import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fromAiSdk } from '../../src/ai-sdk.ts';
import { anthropic } from '../../src/anthropic.ts';
import { google } from '../../src/google.ts';
import { openai, openaiChat } from '../../src/openai.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import { createRouter } from '../../src/router.ts';
import { recordEvents } from '../../src/testing/record-events.ts';
import { simulateProviders } from '../../src/testing/simulate-providers.ts';
import { type ScriptedServer, startScriptedServer } from '../support/scripted-server.ts';
import { vendorsOf } from '../support/vendors.ts';

let server: ScriptedServer;
let events: readonly object[] = [];
let whole: object = {};
beforeAll(async () => {
  server = await startScriptedServer((response, { body, path }) => {
    const isStream = body.stream === true || path.includes('streamGenerateContent');
    const type = isStream ? 'text/event-stream' : 'application/json';
    response.writeHead(200, { 'content-type': type });
    if (isStream) for (const event of events) response.write(`data: ${JSON.stringify(event)}\n\n`);
    response.end(isStream ? '' : JSON.stringify(whole));
  });
});
beforeEach(() => {
  events = [];
  whole = {};
});
afterAll(() => server.stop());

type Changed = {
  readonly wire: string;
  readonly open: (settings: { apiKey: string; baseURL: string }) => Provider;
  readonly events: readonly object[];
  readonly whole: object;
  /** The paths in the stream, and in the answer in one piece. */
  readonly streamed: readonly string[];
  readonly unary: readonly string[];
};

const responsesAnswer = {
  id: 'resp_1',
  model: 'm',
  status: 'completed',
  output: [
    { type: 'message', mood: 'fine', content: [{ type: 'output_text', text: 'Hi', tone: 1 }] },
    { type: 'daydream_call', id: 'd' },
  ],
  usage: { input_tokens: 1, output_tokens: 1, thought_units: 3 },
};

const message = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'm',
  stop_reason: 'end_turn',
  content: [{ type: 'text', text: 'Hi', tone: 1 }],
  usage: { input_tokens: 1, output_tokens: 1, thought_units: 3 },
};

const geminiAnswer = {
  candidates: [
    { content: { role: 'model', parts: [{ text: 'Hi', tone: 1 }] }, finishReason: 'STOP', mood: 1 },
  ],
  usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 1, thoughtUnits: 3 },
  weather: 'fine',
};

const changed: readonly Changed[] = [
  {
    wire: 'Chat Completions',
    open: openaiChat,
    events: [
      { id: 'c', choices: [{ index: 0, delta: { content: 'H', mood: 'fine' } }] },
      { id: 'c', choices: [{ index: 0, delta: { content: 'i', mood: 'fine' } }] },
      { id: 'c', weather: 1, choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
      { id: 'c', choices: [], usage: { prompt_tokens: 1, completion_tokens: 1, thought_units: 3 } },
    ],
    whole: {
      id: 'c',
      choices: [{ message: { role: 'assistant', content: 'Hi', mood: 1 }, finish_reason: 'stop' }],
    },
    streamed: ['choices[].delta.mood', 'weather', 'usage.thought_units'],
    unary: ['choices[].message.mood'],
  },
  {
    wire: 'Responses',
    open: openai,
    events: [
      { type: 'response.created', response: { id: 'resp_1', output: [] } },
      { type: 'response.mood.delta', delta: 'fine' },
      { type: 'response.output_text.delta', output_index: 0, content_index: 0, delta: 'Hi' },
      { type: 'response.completed', weather: 1, response: responsesAnswer },
    ],
    whole: responsesAnswer,
    streamed: [
      'type=response.mood.delta',
      'weather',
      'response.output[].mood',
      'response.output[].content[].tone',
      'response.output[].type=daydream_call',
      'response.usage.thought_units',
    ],
    unary: [
      'output[].mood',
      'output[].content[].tone',
      'output[].type=daydream_call',
      'usage.thought_units',
    ],
  },
  {
    wire: 'Messages',
    open: anthropic,
    events: [
      { type: 'message_start', message: { ...message, content: [], stop_reason: null } },
      { type: 'mood_update', mood: 'fine' },
      { type: 'content_block_start', index: 0, content_block: { type: 'daydream' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'daydream_delta', dream: 'z' } },
      { type: 'content_block_stop', index: 0 },
      { type: 'content_block_start', index: 1, content_block: { type: 'text', text: 'Hi' } },
      { type: 'content_block_stop', index: 1 },
      { type: 'message_delta', delta: { stop_reason: 'end_turn', mood: 1 }, usage: {} },
      { type: 'message_stop' },
    ],
    whole: message,
    streamed: [
      'message.usage.thought_units',
      'type=mood_update',
      'content_block.type=daydream',
      'delta.type=daydream_delta',
      'delta.mood',
    ],
    unary: ['content[].tone', 'usage.thought_units'],
  },
  {
    wire: 'Gemini',
    open: google,
    events: [geminiAnswer],
    whole: geminiAnswer,
    streamed: [
      'candidates[].content.parts[].tone',
      'candidates[].mood',
      'usageMetadata.thoughtUnits',
      'weather',
    ],
    unary: [
      'candidates[].content.parts[].tone',
      'candidates[].mood',
      'usageMetadata.thoughtUnits',
      'weather',
    ],
  },
];

describe.each(changed)('an answer on $wire with names that it had not before', (vendor) => {
  it.each(['stream', 'unary'] as const)(
    'is told once a path, and counted: %s',
    async (transfer) => {
      ({ events, whole } = vendor);
      const router = createRouter({
        providers: { v: vendor.open({ apiKey: 'k', baseURL: server.url }) },
        tiers: { t: { targets: ['v/m'], transfer } },
      });
      const seen = recordEvents(router);
      const { text } = await router.complete('t', 'Hello');
      await router.complete('t', 'Hello');

      const paths = transfer === 'stream' ? vendor.streamed : vendor.unary;
      const told = seen.of('shape-changed');
      expect(told.map(({ path }) => path).sort()).toEqual([...paths].sort());
      expect(told.every(({ target, tier }) => target === 'v/m' && tier === 't')).toBe(true);
      const counts = Object.fromEntries(paths.map((path) => [path, 2]));
      expect(router.snapshot().targets['v/m']?.unknownNames).toEqual(counts);
      expect(text).toBe('Hi');
      await router.close();
    },
  );
});

it('tells unknown names in vectors and images', async () => {
  const settings = { apiKey: 'k', baseURL: server.url };
  const router = createRouter({
    providers: { o: openai(settings), g: google(settings) },
    tiers: { o: ['o/m'], g: ['g/m'] },
  });
  whole = { data: [{ embedding: [1], mood: 1 }], usage: { prompt_tokens: 1, thought_units: 1 } };
  await router.embed('o', 'a');
  whole = { data: [{ b64_json: 'aGk=', tone: 1 }], weather: 1 };
  await router.image('o', 'a');
  whole = { embeddings: [{ values: [1], mood: 1 }] };
  await router.embed('g', 'a');
  const { targets } = router.snapshot();
  expect(targets['o/m']?.unknownNames).toEqual({
    'data[].mood': 1,
    'usage.thought_units': 1,
    'data[].tone': 1,
    weather: 1,
  });
  expect(targets['g/m']?.unknownNames).toEqual({ 'embeddings[].mood': 1 });
  await router.close();
});

it('tells unknown parts of an AI SDK model', async () => {
  const usage = { inputTokens: { total: 1 }, outputTokens: { total: 1 } };
  const model = {
    specificationVersion: 'v3' as const,
    provider: 'p',
    modelId: 'm',
    supportedUrls: {},
    doGenerate: async () => ({
      content: [{ type: 'daydream' }, { type: 'text', text: 'Hi' }],
      finishReason: { unified: 'stop', raw: 'stop' },
      usage,
      warnings: [],
    }),
    doStream: async () => ({
      stream: ReadableStream.from<object>([
        { type: 'daydream' },
        { type: 'text-start', id: '1' },
        { type: 'text-delta', id: '1', delta: 'Hi', mood: 1 },
        { type: 'text-end', id: '1' },
        { type: 'finish', finishReason: { unified: 'stop', raw: 'stop' }, usage },
      ]),
    }),
  };
  const router = createRouter({ providers: { v: fromAiSdk(model) }, tiers: { t: ['v/m'] } });
  await router.complete('t', 'Hello');
  await router.complete('t', 'Hello', { transfer: 'unary' });
  expect(router.snapshot().targets['v/m']?.unknownNames).toEqual({
    'type=daydream': 1,
    mood: 1,
    '[].type=daydream': 1,
  });
  await router.close();
});

it('compares the names of an endless choice with the prompt for a bounded time, and counts few', async () => {
  const router = createRouter({
    providers: { v: openaiChat({ apiKey: 'k', baseURL: server.url }) },
    tiers: { t: { targets: ['v/m'], transfer: 'unary' } },
  });
  const seen = recordEvents(router);
  for (let call = 0; call < 20; call++) {
    const names = Array.from({ length: 500 }, (_, index) => [`n${call}x${index}`, 1] as const);
    const choices = [{ message: { role: 'assistant', content: 'Hi' }, finish_reason: 'stop' }];
    whole = { ...Object.fromEntries(names), choices };
    await router.complete('t', 'Hello');
  }
  expect(seen.of('shape-changed')).toHaveLength(64);
  const { unknownNames = {} } = router.snapshot().targets['v/m'] ?? {};
  expect(Object.keys(unknownNames)).toHaveLength(64);
  await router.close();
});

it('tells nothing of answers as the vendors send them', async () => {
  const simulators = await simulateProviders();
  afterAll(() => simulators.close());
  for (const { provider, model } of vendorsOf(simulators)) {
    const router = createRouter({ providers: { v: provider }, tiers: { t: [`v/${model}`] } });
    const tools = [{ name: 'look', description: 'Looks', inputSchema: { type: 'object' } }];
    for (const transfer of ['stream', 'unary'] as const) {
      await router.complete('t', 'Hello', { transfer });
      await router.complete('t', 'Hello', { transfer, tools, toolChoice: 'required' });
    }
    expect(router.snapshot().targets[`v/${model}`]?.unknownNames).toBeUndefined();
    await router.close();
  }
});
