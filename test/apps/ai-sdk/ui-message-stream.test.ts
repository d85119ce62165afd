import {
  AbstractChat,
  type ChatInit,
  type ChatState,
  createUIMessageStreamResponse,
  DefaultChatTransport,
  type UIMessage,
} from 'ai';
import { describe, expect, it } from 'vitest';
import { toUIMessageStream } from '../../../src/apps/ai-sdk/ui-message-stream.ts';
import {
  type CallOptions,
  createRouter,
  type Provider,
  type ProviderPart,
} from '../../../src/index.ts';
import { openai } from '../../../src/openai.ts';
import { type FakeScript, fakeProvider } from '../../../src/testing/fake-provider.ts';
import { simulateProviders } from '../../../src/testing.ts';

/** The chat that `useChat` has, without React. */
class Chat extends AbstractChat<UIMessage> {
  constructor({ messages = [], ...init }: ChatInit<UIMessage>) {
    const state: ChatState<UIMessage> = {
      status: 'ready',
      error: undefined,
      messages,
      pushMessage: (message) => void state.messages.push(message),
      popMessage: () => void state.messages.pop(),
      replaceMessage: (index, message) => void state.messages.splice(index, 1, message),
      snapshot: (thing) => structuredClone(thing),
    };
    super({ ...init, state });
  }
}

type Stream = Parameters<typeof toUIMessageStream>[0];

/** What the chat of the AI SDK makes of a stream that it reads from a response. */
async function chatWith(stream: Stream) {
  const toolCalls: unknown[] = [];
  let body = '';
  const chat = new Chat({
    transport: new DefaultChatTransport({
      api: 'http://localhost/chat',
      fetch: async () => {
        const response = createUIMessageStreamResponse({ stream: toUIMessageStream(stream) });
        body = await response.text();
        return new Response(body, response);
      },
    }),
    onToolCall: ({ toolCall }) => void toolCalls.push(toolCall),
    onError: () => undefined,
  });
  await chat.sendMessage({ text: 'hi' });
  const parts = chat.lastMessage?.role === 'assistant' ? chat.lastMessage.parts : [];
  return { chat, parts, toolCalls, body };
}

const tools = [{ name: 'weather', inputSchema: { type: 'object' } }];

function streamOf(
  a: FakeScript,
  b: FakeScript = 'from b',
  options: Pick<CallOptions, 'tools' | 'reasoning' | 'signal'> = {},
) {
  const router = createRouter({
    providers: { a: fakeProvider(a), b: fakeProvider(b) },
    tiers: { t: { targets: ['a/m', 'b/m'], midStream: 'restart', retry: { attempts: 0 } } },
  });
  return router.stream('t', 'hi', options);
}

function streamOfParts(...parts: readonly ProviderPart[]) {
  const provider: Provider = {
    wire: 'test',
    capabilities: () => new Set(['tools']),
    preload: async () => undefined,
    prepare: () => ({
      warnings: [],
      async *send({ watch }) {
        watch.connected();
        yield [...parts, { type: 'finish', finishReason: 'stop' }];
      },
    }),
  };
  const router = createRouter({ providers: { a: provider }, tiers: { t: ['a/m'] } });
  return router.stream('t', 'hi', { tools });
}

describe('toUIMessageStream', () => {
  it('has the text and the reasoning', async () => {
    const { chat, parts } = await chatWith(
      streamOf({ reasoning: 'hm', text: 'Hello there, you.' }, '', {
        reasoning: { include: true },
      }),
    );
    expect(chat.status).toBe('ready');
    expect(parts).toEqual([
      { type: 'step-start' },
      expect.objectContaining({ type: 'reasoning', text: 'hm', state: 'done' }),
      expect.objectContaining({ type: 'text', text: 'Hello there, you.', state: 'done' }),
    ]);
  });

  it('has tool calls', async () => {
    const answer = {
      text: 'Let me see.',
      toolCalls: [{ name: 'weather', input: { city: 'Rome' } }],
    };
    const { parts, toolCalls } = await chatWith(streamOf(answer, '', { tools }));
    expect(parts.at(-1)).toMatchObject({
      type: 'tool-weather',
      state: 'input-available',
      input: { city: 'Rome' },
    });
    expect(toolCalls).toEqual([
      expect.objectContaining({ toolName: 'weather', input: { city: 'Rome' } }),
    ]);
  });

  it('reports a denied tool call as an error that no client runs', async () => {
    const router = createRouter({
      providers: { a: fakeProvider({ toolCalls: [{ name: 'weather', input: {} }] }) },
      tiers: { t: ['a/m'] },
      plugins: [{ name: 'guard', onToolCall: () => ({ deny: 'SECRET' }) }],
    });
    const { parts, toolCalls, body } = await chatWith(router.stream('t', 'hi', { tools }));
    expect(parts.at(-1)).toMatchObject({ type: 'tool-weather', state: 'output-error' });
    expect(toolCalls).toEqual([]);
    expect(body).not.toContain('SECRET');
  });

  it('has sources and files', async () => {
    const text = {
      type: 'text',
      text: 'Hello',
      citations: [
        { url: 'https://example.com', title: 'Example', raw: { encrypted: 'SECRET' } },
        { source: 'a file', raw: {} },
      ],
    } as const;
    const { parts, body } = await chatWith(
      streamOfParts(
        { type: 'text-delta', delta: 'Hello' },
        { type: 'part-end', part: text },
        {
          type: 'part-end',
          part: { type: 'image', source: { data: 'aGk=', mediaType: 'image/png' } },
        },
      ),
    );
    expect(parts).toEqual([
      { type: 'step-start' },
      expect.objectContaining({ type: 'text', text: 'Hello' }),
      expect.objectContaining({
        type: 'source-url',
        url: 'https://example.com',
        title: 'Example',
      }),
      expect.objectContaining({
        type: 'file',
        url: 'data:image/png;base64,aGk=',
        mediaType: 'image/png',
      }),
    ]);
    expect(body).not.toContain('SECRET');
  });

  it('replaces an answer that restarts', async () => {
    const { chat, parts, body } = await chatWith(
      streamOf({ chunks: ['Half', 'an answer'], cutAfter: 1 }, 'A whole answer.'),
    );
    expect(body).toContain('"delta":"Half"');
    expect(chat.status).toBe('ready');
    expect(parts).toEqual([
      { type: 'step-start' },
      expect.objectContaining({ type: 'text', text: 'A whole answer.', state: 'done' }),
    ]);
    expect(body.match(/"type":"start"/g)).toHaveLength(1);
  });

  it('is an error for users when the call fails, before and after it starts', async () => {
    const before = await chatWith(streamOf({ error: 'auth' }, { error: 'auth' }));
    expect(before.chat.status).toBe('error');
    expect(before.chat.error?.message).toBe('The server is not set up for this request.');
    const cut = { chunks: ['Half', 'an answer'], cutAfter: 1 };
    const router = createRouter({ providers: { a: fakeProvider(cut) }, tiers: { t: ['a/m'] } });
    const after = await chatWith(router.stream('t', 'hi'));
    expect(after.chat.status).toBe('error');
    expect(after.chat.error?.message).toBe('The answer broke off. Try again.');
    expect(after.parts.at(-1)).toMatchObject({ type: 'text', text: 'Half' });
    expect(before.body + after.body).not.toMatch(/a\/m|attempt|trail|cost|usage/);
  });

  it('is an abort when the call is aborted', async () => {
    const { body } = await chatWith(streamOf('hi', '', { signal: AbortSignal.abort() }));
    expect(body).toBe('data: {"type":"abort"}\n\ndata: [DONE]\n\n');
  });

  it('starts with the first read', async () => {
    const fake = fakeProvider('hi');
    const router = createRouter({ providers: { a: fake }, tiers: { t: ['a/m'] } });
    const reader = toUIMessageStream(router.stream('t', 'hi')).getReader();
    await new Promise(setImmediate);
    expect(fake.calls).toHaveLength(0);
    await reader.read();
    expect(fake.calls).toHaveLength(1);
    await router.close();
  });

  it.each([false, true])(
    "closes the vendor's socket when cancelled; started %s",
    async (started) => {
      const vendors = await simulateProviders();
      const router = createRouter({
        providers: { openai: openai({ baseURL: vendors.openai.baseURL, apiKey: 'test' }) },
        tiers: { t: ['openai/gpt-5.4-mini'] },
      });
      vendors.openai.fault({ type: 'stall', afterEvents: 6 });
      const stream = router.stream('t', 'hi');
      if (started) await stream.started;
      const response = createUIMessageStreamResponse({ stream: toUIMessageStream(stream) });
      const reader = response.body?.getReader();
      await reader?.read();
      await reader?.cancel();
      await Promise.all(vendors.openai.log.map((each) => each.done));
      expect(vendors.openai.openRequests).toBe(0);
      await router.close();
      await vendors.close();
    },
  );
});
