import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { isSignalboxError, SignalboxError } from '../../src/errors.ts';
import type { AttemptContext, Provider } from '../../src/protocol/provider.ts';
import type { ProviderRequest } from '../../src/protocol/request.ts';
import type { ProviderPart } from '../../src/protocol/stream-part.ts';
import { type FakeScript, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { partsIn } from '../support/batches.ts';

const request: ProviderRequest = {
  provider: 'fake',
  model: 'small',
  messages: [{ role: 'user', content: [{ type: 'text', text: 'Say hello.' }] }],
};

function contextOf(more: Partial<AttemptContext> = {}): AttemptContext {
  return {
    signal: new AbortController().signal,
    transfer: 'stream',
    keepRaw: false,
    watch: { connected: () => undefined, bytes: () => undefined, limits: () => undefined },
    ...more,
  };
}

type Outcome = { readonly parts: readonly ProviderPart[]; readonly error?: unknown };

async function ask(
  provider: Provider,
  more: Partial<AttemptContext> = {},
  sent: ProviderRequest = request,
): Promise<Outcome> {
  const parts: ProviderPart[] = [];
  try {
    for await (const part of partsIn(provider.prepare(sent).send(contextOf(more))))
      parts.push(part);
  } catch (error) {
    return { parts, error };
  }
  return { parts };
}

function textOf({ parts }: Outcome): string {
  return parts.map((part) => (part.type === 'text-delta' ? part.delta : '')).join('');
}

function finishOf({ parts }: Outcome) {
  return parts.find((part) => part.type === 'finish');
}

function codeOf({ error }: Outcome): string {
  return isSignalboxError(error) ? error.code : 'ok';
}

const typesOf = ({ parts }: Outcome): readonly string[] => parts.map(({ type }) => type);

describe('the answer of a fake provider', () => {
  test('names the target without a script', async () => {
    const outcome = await ask(fakeProvider());
    expect(textOf(outcome)).toBe('Fake answer of fake/small.');
    expect(typesOf(outcome).at(-1)).toBe('finish');
  });

  test('fits the schema of the call without a script', async () => {
    const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
    const outcome = await ask(fakeProvider(), {}, { ...request, output: { name: 'o', schema } });
    expect(JSON.parse(textOf(outcome))).toEqual({ city: expect.any(String) });
  });

  test('is the same text for every call when the script is a string', async () => {
    const provider = fakeProvider('hello');
    expect([textOf(await ask(provider)), textOf(await ask(provider))]).toEqual(['hello', 'hello']);
  });

  test('is streamed in the given chunks, and as one delta for unary', async () => {
    const provider = fakeProvider({ chunks: ['Hel', 'lo'] });
    const stream = await ask(provider);
    expect(typesOf(stream)).toEqual(['open', 'text-delta', 'text-delta', 'part-end', 'finish']);
    const unary = await ask(provider, { transfer: 'unary' });
    expect(typesOf(unary)).toEqual(['open', 'text-delta', 'part-end', 'finish']);
    expect(textOf(unary)).toBe('Hello');
  });

  test('yields reasoning, text and tool calls in this order', async () => {
    const outcome = await ask(
      fakeProvider({
        text: 'Let me see.',
        reasoning: 'Hm.',
        toolCalls: [
          { name: 'weather', input: { city: 'Oslo' } },
          { id: 'mine', name: 'weather', rawInput: '{"city":' },
        ],
        warnings: [{ code: 'compat', message: 'odd' }],
      }),
    );
    const parts = outcome.parts.flatMap((part) => (part.type === 'part-end' ? [part.part] : []));
    expect(parts).toEqual([
      { type: 'reasoning', text: 'Hm.' },
      { type: 'text', text: 'Let me see.' },
      { type: 'tool-call', id: 'call_1', name: 'weather', input: { city: 'Oslo' } },
      {
        type: 'tool-call',
        id: 'mine',
        name: 'weather',
        input: '{"city":',
        rawInput: '{"city":',
        invalid: true,
      },
    ]);
    expect(outcome.parts).toContainEqual({
      type: 'warning',
      warning: { code: 'compat', message: 'odd' },
    });
    expect(finishOf(outcome)).toMatchObject({ finishReason: 'tool_calls' });
  });

  test('is JSON text for an object', async () => {
    const outcome = await ask(fakeProvider({ object: { city: 'Oslo' } }));
    expect(textOf(outcome)).toBe('{"city":"Oslo"}');
  });

  test('reports the served model, the finish reason and the usage', async () => {
    const outcome = await ask(
      fakeProvider({
        text: 'x',
        servedModel: 'small-2',
        requestId: 'req_1',
        finishReason: 'length',
        rawFinishReason: 'max_tokens',
        usage: { inputTokens: 3, outputTokens: 4, reasoningTokens: 2 },
      }),
    );
    expect(outcome.parts[0]).toEqual({ type: 'open', servedModel: 'small-2', requestId: 'req_1' });
    expect(finishOf(outcome)).toEqual({
      type: 'finish',
      finishReason: 'length',
      rawFinishReason: 'max_tokens',
      servedModel: 'small-2',
      usage: { inputTokens: 3, outputTokens: 4, reasoningTokens: 2, totalTokens: 7 },
    });
  });

  test('estimates usage by default, and reports none with usage none', async () => {
    const counted = finishOf(await ask(fakeProvider('12345678')));
    expect(counted?.usage).toMatchObject({ outputTokens: 2 });
    expect(counted?.usage?.inputTokens).toBeGreaterThan(0);
    const none = finishOf(await ask(fakeProvider({ text: 'x', usage: 'none' })));
    expect(none).not.toHaveProperty('usage');
  });
});

describe('a script of several entries', () => {
  test('plays a list once and repeats its last entry', async () => {
    const provider = fakeProvider(['one', { error: 'rate_limited' }, 'three']);
    const outcomes = [];
    for (let n = 0; n < 4; n++) outcomes.push(await ask(provider));
    expect(outcomes.map(textOf)).toEqual(['one', '', 'three', 'three']);
    expect(outcomes.map(codeOf)).toEqual(['ok', 'rate_limited', 'ok', 'ok']);
  });

  test('can be a function of the request and the attempt number', async () => {
    const script: FakeScript = async ({ model }, attempt) =>
      attempt === 3 ? undefined : attempt === 1 ? { error: 'overloaded' } : `${model} ${attempt}`;
    const provider = fakeProvider(script);
    expect(codeOf(await ask(provider))).toBe('overloaded');
    expect(textOf(await ask(provider))).toBe('small 2');
    expect(textOf(await ask(provider))).toBe('Fake answer of fake/small.');
  });
});

describe('the failure of a fake provider', () => {
  test('is a SignalboxError with the given code, status and wait', async () => {
    const { error, parts } = await ask(
      fakeProvider({ error: 'rate_limited', status: 429, retryAfterMs: 7_000 }),
    );
    expect(isSignalboxError(error, 'rate_limited')).toBe(true);
    expect(error).toMatchObject({ status: 429, retryAfterMs: 7_000 });
    expect(parts).toEqual([]);
  });

  test('is the given error', async () => {
    const own = new SignalboxError('content_filter', 'blocked', { requestId: 'req_9' });
    const { error } = await ask(fakeProvider({ error: own }));
    expect(error).toMatchObject({ code: 'content_filter', message: 'blocked', requestId: 'req_9' });
  });

  test('can occur in the middle of an answer', async () => {
    const outcome = await ask(fakeProvider({ chunks: ['Hel', 'lo'], error: 'overloaded' }));
    expect(typesOf(outcome)).toEqual(['open', 'text-delta', 'text-delta']);
    expect(codeOf(outcome)).toBe('overloaded');
  });

  test.each([
    [0, ''],
    [1, 'a'],
    [9, 'abc'],
  ])('interrupts the answer after %i chunks, without a finish', async (cutAfter, text) => {
    const outcome = await ask(fakeProvider({ chunks: ['a', 'b', 'c'], cutAfter }));
    expect(codeOf(outcome)).toBe('stream_interrupted');
    expect(textOf(outcome)).toBe(text);
    expect(finishOf(outcome)).toBeUndefined();
  });
});

describe('delays and aborts', () => {
  test('uses the given runtime for delays', async () => {
    const runtime = fakeRuntime({ now: 0, time: 'auto' });
    const provider = fakeProvider(
      { chunks: ['a', 'b', 'c'], firstTokenDelayMs: 1_000, chunkDelayMs: 10 },
      { runtime },
    );
    const times: number[] = [];
    for await (const part of partsIn(provider.prepare(request).send(contextOf()))) {
      if (part.type === 'text-delta') times.push(runtime.now());
    }
    expect(times).toEqual([1_000, 1_010, 1_020]);
    expect(provider.calls).toMatchObject([{ at: 0, outcome: 'ok' }]);
  });

  test.each([
    ['hang', { hang: true }, ''],
    ['stall', { chunks: ['a', 'b'], stallAfter: 1 }, 'a'],
    ['be slow', { text: 'x', firstTokenDelayMs: 1_000 }, ''],
  ])('ends an answer that would %s with the reason of the abort', async (_name, entry, text) => {
    const runtime = fakeRuntime();
    const provider = fakeProvider(entry, { runtime });
    const caller = new AbortController();
    const asking = ask(provider, { signal: caller.signal });
    await runtime.settle();
    expect(provider.calls).toMatchObject([{ outcome: 'running' }]);
    const reason = new SignalboxError('aborted', 'enough');
    caller.abort(reason);
    const outcome = await asking;
    expect(outcome.error).toBe(reason);
    expect(textOf(outcome)).toBe(text);
    expect(provider.calls).toMatchObject([{ outcome: 'aborted' }]);
    expect(runtime.pending).toBe(0);
    expect(getEventListeners(caller.signal, 'abort')).toHaveLength(0);
  });

  test('checks the signal between two parts without a delay', async () => {
    const caller = new AbortController();
    const provider = fakeProvider({ chunks: ['a', 'b', 'c'] });
    const parts = provider.prepare(request).send(contextOf({ signal: caller.signal }));
    const reading = (async () => {
      for await (const part of partsIn(parts)) {
        if (part.type === 'text-delta') caller.abort('left');
      }
    })();
    await expect(reading).rejects.toBe('left');
  });

  test('records no call after an abort before the first read', async () => {
    const provider = fakeProvider();
    expect(await ask(provider, { signal: AbortSignal.abort('early') })).toEqual({
      parts: [],
      error: 'early',
    });
    expect(provider.calls).toEqual([]);
  });

  test('distinguishes a reader that stops from one that reads to the finish', async () => {
    const provider = fakeProvider('hello');
    for await (const part of partsIn(provider.prepare(request).send(contextOf()))) {
      if (part.type === 'text-delta') break;
    }
    for await (const part of partsIn(provider.prepare(request).send(contextOf()))) {
      if (part.type === 'finish') break;
    }
    expect(provider.calls.map(({ outcome }) => outcome)).toEqual(['aborted', 'ok']);
  });
});

describe('the state of a fake provider', () => {
  test('has every attempt with its request and transfer', async () => {
    const provider = fakeProvider(['ok', { error: 'auth' }]);
    await ask(provider);
    await ask(provider, { transfer: 'unary' });
    expect(provider.calls).toMatchObject([
      { request, transfer: 'stream', outcome: 'ok' },
      { request, transfer: 'unary', outcome: 'error' },
    ]);
  });

  test('has its wire, price list and capabilities', () => {
    const plain = fakeProvider();
    expect(plain.wire).toBe('fake');
    expect(plain).not.toHaveProperty('priceList');
    expect(plain.capabilities('any').has('vision')).toBe(true);
    const configured = fakeProvider('x', {
      wire: 'anthropic',
      priceList: 'anthropic',
      capabilities: (model) => (model === 'sees' ? ['vision'] : []),
    });
    expect(configured).toMatchObject({ wire: 'anthropic', priceList: 'anthropic' });
    expect([...configured.capabilities('sees')]).toEqual(['vision']);
    expect([...configured.capabilities('text-only')]).toEqual([]);
  });

  test('reports its connection and bytes to the watch', async () => {
    const reports: string[] = [];
    const watch = {
      connected: () => void reports.push('connected'),
      bytes: () => void reports.push('bytes'),
      limits: () => undefined,
    };
    await ask(fakeProvider({ chunks: ['a', 'b'] }), { watch });
    expect(reports[0]).toBe('connected');
    expect(reports.filter((each) => each === 'bytes').length).toBeGreaterThanOrEqual(3);
  });
});
