import { generateText, jsonSchema, Output, streamText, tool } from 'ai';
import { describe, expect, it } from 'vitest';
import { type TierModelOptions, tierModel } from '../../../src/ai-sdk.ts';
import type { LanguageModelCall } from '../../../src/apps/ai-sdk/specification.ts';
import { createRouter, isSignalboxError, type Part, type Provider } from '../../../src/index.ts';
import { guardTools } from '../../../src/policies.ts';
import {
  type FakeProvider,
  type FakeScript,
  fakeProvider,
} from '../../../src/testing/fake-provider.ts';

Reflect.set(globalThis, 'AI_SDK_LOG_WARNINGS', false);

const png =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

function setUp(script: FakeScript = 'Hello.', defaults: TierModelOptions<'a'> = {}) {
  const provider: FakeProvider = fakeProvider(script);
  const router = createRouter({
    providers: { a: provider },
    tiers: { t: { targets: ['a/m'], retry: { attempts: 0 } } },
  });
  const model = tierModel(router, 't', defaults);
  const sent = () => provider.calls.at(-1)?.request;
  return { router, provider, model, sent };
}

type Prompt = LanguageModelCall['prompt'];

/** The messages that a target gets for a prompt, and the warnings of the answer. */
async function converted(prompt: Prompt) {
  const { model, sent } = setUp();
  const { warnings } = await model.doGenerate({ prompt });
  return { messages: sent()?.messages, warnings };
}

/** A provider whose answer has these parts. */
function answering(...parts: readonly Part[]): Provider {
  return {
    wire: 'mine',
    capabilities: () => new Set(['tools']),
    preload: async () => undefined,
    prepare: () => ({
      warnings: [],
      async *send({ watch }) {
        watch.connected();
        yield parts.map((part) => ({ type: 'part-end', part }) as const);
        yield [{ type: 'finish', finishReason: 'stop' }];
      },
    }),
  };
}

const modelWith = (provider: Provider) =>
  tierModel(createRouter({ providers: { a: provider }, tiers: { t: ['a/m'] } }), 't');

describe('the prompt of a tier model', () => {
  it('has text, images and files of every form', async () => {
    const bytes = new Uint8Array([1, 2, 3]);
    const { messages, warnings } = await converted([
      {
        role: 'system',
        content: 'Be brief.',
        providerOptions: { signalbox: { cache: true } },
      },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Look.', providerOptions: { signalbox: { cache: { ttl: '1h' } } } },
          { type: 'file', mediaType: 'image/*', data: { type: 'data', data: png } },
          { type: 'file', mediaType: 'image', data: { type: 'data', data: bytes } },
          {
            type: 'file',
            mediaType: 'image/png',
            data: { type: 'url', url: new URL('https://example.com/a.png') },
          },
          { type: 'file', mediaType: 'audio/wav', data: { type: 'data', data: bytes } },
          {
            type: 'file',
            mediaType: 'application/pdf',
            filename: 'a.pdf',
            data: { type: 'reference', reference: { openai: 'file-1' } },
          },
          { type: 'file', mediaType: 'text/plain', data: { type: 'text', text: 'inline' } },
        ],
        providerOptions: { signalbox: { cache: true } },
      },
    ]);
    expect(messages).toEqual([
      { role: 'system', content: [{ type: 'text', text: 'Be brief.', cache: true }] },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Look.', cache: { ttl: '1h' } },
          { type: 'image', source: { data: png, mediaType: 'image/*' } },
          { type: 'image', source: { data: bytes, mediaType: 'image/*' } },
          { type: 'image', source: { url: 'https://example.com/a.png', mediaType: 'image/png' } },
          { type: 'audio', source: { data: bytes, mediaType: 'audio/wav' } },
          {
            type: 'file',
            filename: 'a.pdf',
            source: { ref: { provider: 'openai', id: 'file-1' }, mediaType: 'application/pdf' },
          },
          { type: 'text', text: 'inline', cache: true },
        ],
      },
    ]);
    expect(warnings).toEqual([]);
  });

  it('has results of tools of every kind', async () => {
    const outputs = [
      [{ type: 'text', value: 'warm' }, { output: 'warm' }],
      [{ type: 'json', value: { degrees: 21 } }, { output: { degrees: 21 } }],
      [
        { type: 'json', value: [{ type: 'text', text: 'a row' }] },
        { output: '[{"type":"text","text":"a row"}]' },
      ],
      [
        { type: 'error-text', value: 'no' },
        { output: 'no', isError: true },
      ],
      [
        { type: 'error-json', value: { code: 1 } },
        { output: { code: 1 }, isError: true },
      ],
      [
        { type: 'execution-denied', reason: 'not today' },
        { output: 'not today', isError: true },
      ],
      [{ type: 'execution-denied' }, { output: 'The user denied this tool call.', isError: true }],
      [
        {
          type: 'content',
          value: [
            { type: 'text', text: 'see' },
            { type: 'file', mediaType: 'image/png', data: { type: 'data', data: png } },
            { type: 'custom' },
          ],
        },
        {
          output: [
            { type: 'text', text: 'see' },
            { type: 'image', source: { data: png, mediaType: 'image/png' } },
          ],
        },
      ],
    ] as const;
    for (const [output, expected] of outputs) {
      const { messages, warnings } = await converted([
        { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
        {
          role: 'assistant',
          content: [{ type: 'tool-call', toolCallId: '1', toolName: 'look', input: { a: 1 } }],
        },
        {
          role: 'tool',
          content: [{ type: 'tool-result', toolCallId: '1', toolName: 'look', output }],
        },
      ]);
      expect(messages?.slice(1)).toEqual([
        {
          role: 'assistant',
          content: [{ type: 'tool-call', id: '1', name: 'look', input: { a: 1 } }],
        },
        { role: 'tool', content: [{ type: 'tool-result', id: '1', name: 'look', ...expected }] },
      ]);
      expect(warnings).toHaveLength(output.type === 'content' ? 1 : 0);
    }
  });

  it('drops parts that the router has none for, with warnings', async () => {
    const { messages, warnings } = await converted([
      { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
      { role: 'assistant', content: [{ type: 'custom' }, { type: 'reasoning-file' }] },
      { role: 'user', content: [{ type: 'text', text: 'And?' }] },
    ]);
    expect(messages?.map(({ role }) => role)).toEqual(['user', 'user']);
    expect(warnings).toMatchObject([
      { type: 'unsupported', feature: 'a part "custom"' },
      { type: 'unsupported', feature: 'a part "reasoning-file"' },
    ]);
  });

  it('is rejected with the field if replay data from outside is not such data', async () => {
    const content = [
      { type: 'reasoning', text: '', providerOptions: { signalbox: { opaque: { wire: 1 } } } },
    ] as const;
    const error = await converted([{ role: 'assistant', content }]).catch((thrown) => thrown);
    expect(isSignalboxError(error, 'config')).toBe(true);
    expect(error.message).toContain('messages[0].content[0].opaque.wire');
  });
});

describe('the options of a tier model', () => {
  it("are those of the AI SDK in the router's words", async () => {
    const { model, sent } = setUp({ object: { a: 1 } });
    await generateText({
      model,
      prompt: 'Hi',
      maxOutputTokens: 10,
      temperature: 0.1,
      topP: 0.2,
      topK: 3,
      presencePenalty: 0.4,
      frequencyPenalty: 0.5,
      stopSequences: ['END'],
      seed: 6,
      reasoning: 'high',
      output: Output.json(),
    });
    expect(sent()).toMatchObject({
      ...{ maxOutputTokens: 10, temperature: 0.1, topP: 0.2, topK: 3, presencePenalty: 0.4 },
      ...{ frequencyPenalty: 0.5, stop: ['END'], seed: 6, reasoning: { effort: 'high' } },
      output: { schema: { type: 'object' } },
    });
  });

  it('are the defaults with those of the call', async () => {
    const defaults = { tags: { team: 'a', feature: 'x' }, reasoning: { include: true } } as const;
    const { model, router, sent } = setUp('Hello.', defaults);
    const tags: unknown[] = [];
    router.on('call-start', (event) => void tags.push(event.tags));
    await generateText({
      model,
      prompt: 'Hi',
      reasoning: 'low',
      providerOptions: { signalbox: { tags: { feature: 'y' } }, openai: { user: 'ignored' } },
    });
    expect(tags).toEqual([{ team: 'a', feature: 'y' }]);
    expect(sent()?.reasoning).toEqual({ include: true, effort: 'low' });
  });

  it('are rejected if they are unknown or wrong', async () => {
    const { model, provider } = setUp();
    const failed = (signalbox: Record<string, never> | object) =>
      generateText({
        model,
        prompt: 'Hi',
        providerOptions: { signalbox: signalbox as Record<string, string> },
      }).catch((error: unknown) => error);
    expect(String(await failed({ tagz: {} }))).toContain(
      'providerOptions.signalbox: "tagz" is not an option; did you mean "tags"?',
    );
    expect(String(await failed({ temperature: 1 }))).toContain('"temperature" is not an option');
    const wrong = await failed({ maxUsd: 'much' });
    expect(isSignalboxError(wrong, 'config')).toBe(true);
    expect(String(wrong)).toContain('maxUsd');
    expect(provider.calls).toEqual([]);
    expect(() => setUp('', { temprature: 1 } as object)).toThrow('tierModel(): "temprature"');
  });

  it('warn of what the router has no word for', async () => {
    const { model, sent } = setUp();
    const { warnings } = await model.doGenerate({
      prompt: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
      tools: [{ type: 'provider', id: 'openai.web_search' }],
      toolChoice: { type: 'auto' },
      headers: { 'user-agent': 'ai/7', authorization: 'Bearer secret' },
      includeRawChunks: true,
    });
    expect(warnings.map((each) => 'feature' in each && each.feature)).toEqual([
      'headers',
      'includeRawChunks',
      'provider-defined tool openai.web_search',
    ]);
    expect(sent()?.tools).toBeUndefined();
    expect(JSON.stringify(warnings)).not.toContain('secret');
  });

  it('have tools and the choice of one', async () => {
    const { model, sent } = setUp({ toolCalls: [{ name: 'look', input: {} }] });
    const schema = jsonSchema({ type: 'object', properties: {} });
    await generateText({
      model,
      prompt: 'Hi',
      tools: {
        look: tool({ description: 'Looks', inputSchema: schema, strict: true }),
        see: tool({ inputSchema: schema }),
      },
      toolChoice: { type: 'tool', toolName: 'look' },
    });
    expect(sent()).toMatchObject({
      tools: [
        { name: 'look', description: 'Looks', strict: true, inputSchema: { type: 'object' } },
        { name: 'see' },
      ],
      toolChoice: { name: 'look' },
    });
  });
});

const cited: Part = {
  type: 'text',
  text: 'Bern is the capital.',
  citations: [
    { url: 'https://example.com', title: 'A page', start: 0, end: 4, citedText: 'Bern', raw: {} },
    { source: 'file-1', raw: {} },
  ],
};

describe('the answer of a tier model', () => {
  it('has sources and files', async () => {
    const picture: Part = { type: 'image', source: { data: png, mediaType: 'image/png' } };
    const model = modelWith(answering(cited, picture));
    const whole = await generateText({ model, prompt: 'Hi' });
    const streamed = streamText({ model, prompt: 'Hi' });
    for (const result of [whole, streamed]) {
      expect(await result.text).toBe('Bern is the capital.');
      expect(await result.sources).toMatchObject([
        { sourceType: 'url', url: 'https://example.com', title: 'A page' },
        { sourceType: 'document', title: 'file-1' },
      ]);
      expect((await result.files).map(({ base64 }) => base64)).toEqual([png]);
    }
  });

  it('does not run a call that a plugin denied, and tells the model', async () => {
    const provider = fakeProvider(({ messages }) =>
      messages.length > 1 ? 'Then not.' : { toolCalls: [{ id: '1', name: 'drop', input: {} }] },
    );
    const router = createRouter({
      providers: { a: provider },
      tiers: { t: ['a/m'] },
      plugins: [guardTools({ destructive: ['drop'] })],
    });
    const ran: unknown[] = [];
    const model = tierModel(router, 't');
    const tools = {
      drop: tool({
        inputSchema: jsonSchema({ type: 'object', properties: {} }),
        execute: async () => void ran.push('drop'),
      }),
    };
    const whole = await generateText({ model, prompt: 'Hi', tools });
    const streamed = streamText({ model, prompt: 'Hi', tools });
    for (const result of [whole, streamed]) {
      expect(await result.content).toContainEqual(
        expect.objectContaining({ type: 'tool-error', error: 'This call is not allowed.' }),
      );
      const { messages } = await result.response;
      const next = await generateText({
        model,
        messages: [{ role: 'user', content: 'Hi' }, ...messages, { role: 'user', content: 'And?' }],
      });
      expect(next.text).toBe('Then not.');
      expect(provider.calls.at(-1)?.request.messages.slice(1, 3)).toMatchObject([
        { role: 'assistant', content: [{ type: 'tool-call', id: '1', name: 'drop' }] },
        { role: 'tool', content: [{ type: 'tool-result', id: '1' }] },
      ]);
    }
    expect(ran).toEqual([]);
  });

  it('is one answer if another target continues it', async () => {
    const capabilities = ['prefill'] as const;
    const router = createRouter({
      providers: {
        a: fakeProvider({ chunks: ['One, ', 'two, '], cutAfter: 2 }, { capabilities }),
        b: fakeProvider('three.', { capabilities }),
      },
      tiers: { t: { targets: ['a/m', 'b/m'], midStream: 'continue', retry: { attempts: 0 } } },
    });
    const result = streamText({ model: tierModel(router, 't'), prompt: 'Count.' });
    expect(await result.text).toBe('One, two, three.');
    expect(await result.finishReason).toBe('stop');
    expect(await result.content).toHaveLength(1);
  });

  it('has no prompt in its metadata', async () => {
    const { model } = setUp();
    const result = await generateText({ model, prompt: 'the secret of the house' });
    const metadata = result.finalStep.providerMetadata;
    expect(Object.keys(metadata?.signalbox ?? {})).toEqual(
      expect.arrayContaining(['callId', 'target', 'cost', 'trail']),
    );
    expect(JSON.stringify(metadata)).not.toContain('secret');
    expect(structuredClone(metadata)).toEqual(JSON.parse(JSON.stringify(metadata)));
  });
});
