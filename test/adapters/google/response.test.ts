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

const chunk = (parts: readonly object[], more: object = {}, facts: object = {}) => ({
  candidates: [{ content: { role: 'model', parts }, index: 0, ...more }],
  modelVersion: 'gemini-3-flash-1',
  responseId: 'r1',
  ...facts,
});
const stop = { finishReason: 'STOP' };
const issued = { wire: 'gemini', provider: 'mine', model, kind: 'thought-signature' };

describe('Gemini answer', () => {
  it('tells text as it comes and whole at its end', async () => {
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

  it('counts thoughts into the output and tool input into the input', async () => {
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

  it('separates thoughts from text and keeps signatures where they came', async () => {
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

  it('begins another part after a signature', async () => {
    const parts = await ask(
      answerEvents([chunk([{ text: 'One', thoughtSignature: 's1' }, { text: 'Two' }], stop)]),
    );
    expect(contentOf(parts)).toEqual([
      { type: 'text', text: 'One', opaque: { ...issued, data: 's1' } },
      { type: 'text', text: 'Two' },
    ]);
  });

  it('gives calls without an id one of ours, and STOP with calls is tool_calls', async () => {
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

  it('hands over images, and keeps the steps of server tools for replay', async () => {
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
  ])('reads the finish reason %s as %s', async (word, finishReason) => {
    const parts = await ask(answerEvents([chunk([], { finishReason: word })]));
    expect(finishOf(parts)).toMatchObject({ finishReason, rawFinishReason: word });
  });

  it.each(['stream', 'unary'] as const)(
    'reads a blocked prompt as filtered (%s)',
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

  it('reads on when every chunk has a finish reason', async () => {
    const parts = await ask(
      answerEvents([chunk([{ text: 'Hel' }], stop), chunk([{ text: 'lo' }], stop)]),
    );
    expect(contentOf(parts)).toEqual([{ type: 'text', text: 'Hello' }]);
  });

  it.each(['stream', 'unary'] as const)(
    'understands JSON when asked for a %s',
    async (transfer) => {
      const body = chunk([{ text: 'Hello' }], stop);
      const parts = await ask(answerJson(body), { transfer, keepRaw: true });
      const method = transfer === 'stream' ? 'streamGenerateContent?alt=sse' : 'generateContent';
      expect(server?.seen[0]?.path).toBe(`/v1beta/models/${model}:${method}`);
      expect(contentOf(parts)).toEqual([{ type: 'text', text: 'Hello' }]);
      expect(finishOf(parts).raw).toEqual(body);
    },
  );

  it('understands a list of chunks, and events when asked for one piece', async () => {
    const chunks = [chunk([{ text: 'Hel' }]), chunk([{ text: 'lo' }], stop)];
    expect(contentOf(await ask(answerJson(chunks)))).toEqual([{ type: 'text', text: 'Hello' }]);
    await server?.stop();
    const parts = await ask(answerEvents(chunks), { transfer: 'unary', keepRaw: true });
    expect(finishOf(parts).raw).toEqual(chunks);
  });

  it.each(['end', 'cut'] as const)(
    'takes no stream without a finish reason for an answer (%s)',
    async (ending) => {
      await expect(ask(answerEvents([chunk([{ text: 'Hel' }])], { ending }))).rejects.toMatchObject(
        {
          code: 'stream_interrupted',
        },
      );
    },
  );

  it('takes a stream that is cut after its finish reason for whole', async () => {
    const parts = await ask(answerEvents([chunk([{ text: 'Hi' }], stop)], { ending: 'cut' }));
    expect(finishOf(parts).finishReason).toBe('stop');
  });

  it.each<[string, unknown]>([
    ['an empty object', {}],
    ['no candidates', { candidates: [], usageMetadata: { promptTokenCount: 1 } }],
    ['another wire’s answer', { choices: [] }],
  ])('refuses %s as an answer', async (_what, body) => {
    await expect(ask(answerJson(body))).rejects.toMatchObject({ code: 'invalid_response' });
    await server?.stop();
    await expect(ask(answerEvents([body]))).rejects.toMatchObject({ code: 'invalid_response' });
  });

  it('survives chunks of odd shapes', async () => {
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
});
