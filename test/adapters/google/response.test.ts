import { afterEach, describe, expect, it } from 'vitest';
import { google } from '../../../src/adapters/google/index.ts';
import {
  type CallOptions,
  callProvider,
  contentOf,
  finishOf,
  requestOf,
} from '../../support/provider-calls.ts';
import {
  answerEvents,
  answerJson,
  type ScriptedServer,
  startScriptedServer,
} from '../../support/scripted-server.ts';

const model = 'gemini-3-flash';
let server: ScriptedServer | undefined;

afterEach(async () => {
  await server?.stop();
  server = undefined;
});

async function ask(
  answer: Parameters<typeof startScriptedServer>[0],
  options: CallOptions = {},
): ReturnType<typeof callProvider> {
  server = await startScriptedServer(answer);
  return callProvider(google({ apiKey: 'k', baseURL: server.url }), requestOf({ model }), options);
}

const chunk = (parts: readonly object[], more: object = {}, fields: object = {}) => ({
  candidates: [{ content: { role: 'model', parts }, index: 0, ...more }],
  modelVersion: 'gemini-3-flash-1',
  responseId: 'r1',
  ...fields,
});
const stop = { finishReason: 'STOP' };
const issued = { wire: 'gemini', provider: 'mine', model, kind: 'thought-signature' };

describe('Gemini answer', () => {
  it('emits text deltas, then the whole part', async () => {
    const parts = await ask(
      answerEvents([chunk([{ text: 'Hel' }]), chunk([{ text: 'lo' }], stop)]),
    );
    expect(parts).toMatchObject([
      { type: 'open', id: 'r1', servedModel: 'gemini-3-flash-1', requestId: 'r1' },
      { type: 'text-delta', delta: 'Hel' },
      { type: 'text-delta', delta: 'lo' },
      { type: 'part-end', part: { type: 'text', text: 'Hello' } },
      { type: 'finish', finishReason: 'stop', rawFinishReason: 'STOP', id: 'r1' },
    ]);
  });

  it('includes thoughts in the output and tool input in the input', async () => {
    const usageMetadata = {
      promptTokenCount: 20,
      cachedContentTokenCount: 8,
      toolUsePromptTokenCount: 3,
      candidatesTokenCount: 5,
      thoughtsTokenCount: 7,
      totalTokenCount: 35,
      serviceTier: 'standard',
    };
    const parts = await ask(answerEvents([chunk([{ text: 'Hi' }], stop, { usageMetadata })]));
    expect(finishOf(parts)).toMatchObject({
      serviceTier: 'standard',
      usage: {
        inputTokens: 23,
        outputTokens: 12,
        totalTokens: 35,
        cachedInputTokens: 8,
        reasoningTokens: 7,
        raw: usageMetadata,
      },
    });
  });

  it('separates thoughts from text and keeps their signatures', async () => {
    const parts = await ask(
      answerEvents([
        chunk([{ text: 'H', thought: true }]),
        chunk([{ text: 'm', thought: true }, { text: 'Hel' }]),
        chunk([{ text: 'lo' }]),
        chunk([{ text: '', thoughtSignature: 's1' }], stop),
      ]),
    );
    expect(contentOf(parts)).toEqual([
      { type: 'reasoning', text: 'Hm' },
      { type: 'text', text: 'Hello', opaque: { ...issued, data: 's1' } },
    ]);
  });

  it('starts a new part after a signature', async () => {
    const parts = await ask(
      answerEvents([chunk([{ text: 'One', thoughtSignature: 's1' }, { text: 'Two' }], stop)]),
    );
    expect(contentOf(parts)).toEqual([
      { type: 'text', text: 'One', opaque: { ...issued, data: 's1' } },
      { type: 'text', text: 'Two' },
    ]);
  });

  it('generates missing call ids, and maps STOP with calls to tool_calls', async () => {
    const parts = await ask(
      answerEvents([
        chunk([{ functionCall: { name: 'add', args: { a: 1 } }, thoughtSignature: 's1' }]),
        chunk([{ functionCall: { id: 'x9', name: 'add', args: { a: 2 } } }]),
        chunk([{ functionCall: { name: 'now' } }], stop),
      ]),
    );
    expect(contentOf(parts)).toEqual([
      {
        type: 'tool-call',
        id: 'call_1',
        name: 'add',
        input: { a: 1 },
        opaque: { ...issued, data: 's1' },
      },
      { type: 'tool-call', id: 'x9', name: 'add', input: { a: 2 } },
      { type: 'tool-call', id: 'call_3', name: 'now', input: {} },
    ]);
    expect(finishOf(parts)).toMatchObject({ finishReason: 'tool_calls', rawFinishReason: 'STOP' });
  });

  it('emits images, and keeps the steps of server tools as replay data', async () => {
    const code = { executableCode: { language: 'PYTHON', code: '1+1' } };
    const parts = await ask(
      answerEvents([chunk([code, { inlineData: { mimeType: 'image/png', data: 'AA==' } }], stop)]),
    );
    expect(contentOf(parts)).toMatchObject([
      { type: 'reasoning', text: '', opaque: { kind: 'item', data: JSON.stringify(code) } },
      { type: 'image', source: { mediaType: 'image/png', data: 'AA==' } },
    ]);
  });

  it.each([
    ['MAX_TOKENS', 'length'],
    ['SAFETY', 'content_filter'],
    ['RECITATION', 'content_filter'],
    ['PROHIBITED_CONTENT', 'content_filter'],
    ['MALFORMED_FUNCTION_CALL', 'error'],
    ['NO_IMAGE', 'error'],
    ['OTHER', 'other'],
    ['SOMETHING_NEW', 'other'],
  ])('maps the finish reason %s to %s', async (word, finishReason) => {
    const parts = await ask(answerEvents([chunk([], { finishReason: word })]));
    expect(finishOf(parts)).toMatchObject({ finishReason, rawFinishReason: word });
  });

  it.each(['stream', 'unary'] as const)(
    'maps a blocked prompt to content_filter (%s)',
    async (transfer) => {
      const body = { promptFeedback: { blockReason: 'PROHIBITED_CONTENT' }, responseId: 'r1' };
      const answer = transfer === 'stream' ? answerEvents([body]) : answerJson(body);
      const parts = await ask(answer, { transfer });
      expect(finishOf(parts)).toMatchObject({
        finishReason: 'content_filter',
        rawFinishReason: 'PROHIBITED_CONTENT',
      });
    },
  );

  it('continues when every chunk has a finish reason', async () => {
    const parts = await ask(
      answerEvents([chunk([{ text: 'Hel' }], stop), chunk([{ text: 'lo' }], stop)]),
    );
    expect(contentOf(parts)).toEqual([{ type: 'text', text: 'Hello' }]);
  });

  it.each(['stream', 'unary'] as const)('reads a JSON body with transfer %s', async (transfer) => {
    const body = chunk([{ text: 'Hello' }], stop);
    const parts = await ask(answerJson(body), { transfer, keepRaw: true });
    const method = transfer === 'stream' ? 'streamGenerateContent?alt=sse' : 'generateContent';
    expect(server?.seen[0]?.path).toBe(`/v1beta/models/${model}:${method}`);
    expect(contentOf(parts)).toEqual([{ type: 'text', text: 'Hello' }]);
    expect(finishOf(parts).raw).toEqual(body);
  });

  it('reads a list of chunks, and events with transfer unary', async () => {
    const chunks = [chunk([{ text: 'Hel' }]), chunk([{ text: 'lo' }], stop)];
    expect(contentOf(await ask(answerJson(chunks)))).toEqual([{ type: 'text', text: 'Hello' }]);
    await server?.stop();
    const parts = await ask(answerEvents(chunks), { transfer: 'unary', keepRaw: true });
    expect(finishOf(parts).raw).toEqual(chunks);
  });

  it.each(['end', 'cut'] as const)(
    'is interrupted without a finish reason (%s)',
    async (ending) => {
      await expect(ask(answerEvents([chunk([{ text: 'Hel' }])], { ending }))).rejects.toMatchObject(
        {
          code: 'stream_interrupted',
        },
      );
    },
  );

  it('is complete when the stream is cut after its finish reason', async () => {
    const parts = await ask(answerEvents([chunk([{ text: 'Hi' }], stop)], { ending: 'cut' }));
    expect(finishOf(parts).finishReason).toBe('stop');
  });

  it.each<[string, unknown]>([
    ['an empty object', {}],
    ['no candidates', { candidates: [], usageMetadata: { promptTokenCount: 1 } }],
    ['another wire’s answer', { choices: [] }],
  ])('throws for %s', async (_what, body) => {
    await expect(ask(answerJson(body))).rejects.toMatchObject({ code: 'invalid_response' });
    await server?.stop();
    await expect(ask(answerEvents([body]))).rejects.toMatchObject({ code: 'invalid_response' });
  });

  it('ignores malformed chunks', async () => {
    const odd = [
      { candidates: [null, 7], usageMetadata: 'x' },
      { candidates: [{ content: null }] },
      chunk([{}, { text: 7 }, { functionCall: null }]),
    ];
    const parts = await ask(answerEvents([...odd, chunk([{ text: 'Hi' }], stop)]));
    expect(contentOf(parts)).toContainEqual({ type: 'text', text: 'Hi' });
  });

  it('closes the socket when the call is aborted, with the caller’s reason', async () => {
    const controller = new AbortController();
    server = await startScriptedServer(
      answerEvents([chunk([{ text: 'Hel' }])], { ending: 'stall' }),
    );
    const closed = server.closed();
    const provider = google({ apiKey: 'k', baseURL: server.url });
    const call = callProvider(provider, requestOf({ model }), { signal: controller.signal });
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), 50);
    await expect(call).rejects.toBe(reason);
    await closed;
  });

  const call = (args: object) => ({ functionCall: { id: 'x', name: 't', args } });

  it('gives calls with one id different ids, and drops a call that comes again', async () => {
    const parts = await ask(
      answerEvents([chunk([call({ a: 1 }), call({ b: 2 })]), chunk([call({ a: 1 })], stop)]),
    );
    expect(contentOf(parts)).toMatchObject([
      { id: 'x', input: { a: 1 } },
      { id: 'x_2', input: { b: 2 } },
    ]);
  });

  it('keeps the counts that zeros follow, and ignores keep-alive events', async () => {
    const usageMetadata = { promptTokenCount: 3, candidatesTokenCount: 2 };
    const zeros = { promptTokenCount: 0, candidatesTokenCount: 0 };
    const parts = await ask(
      answerEvents([
        { type: 'ping' },
        chunk([{ text: 'a' }], {}, { usageMetadata }),
        chunk([{ text: 'b' }], stop, { usageMetadata: zeros }),
      ]),
    );
    expect(parts[0]).toMatchObject({ type: 'open', id: 'r1' });
    expect(finishOf(parts).usage).toMatchObject({ inputTokens: 3, outputTokens: 2 });
  });
});
