import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinedTo } from '../../src/engine/attempt/attempt-request.ts';
import type { AttemptParts } from '../../src/engine/attempt/attempt-stream.ts';
import type { Capability } from '../../src/protocol/provider.ts';
import type { ProviderPart, StreamPart } from '../../src/protocol/stream-part.ts';
import { createRouter } from '../../src/router.ts';
import { type FakeScript, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';
import { readAttempt } from '../support/read-attempt.ts';

const withPrefill: readonly Capability[] = ['tools', 'structured-output', 'prefill'];
const without: readonly Capability[] = ['tools', 'structured-output'];
const price = { input: 1, output: 1 };

function setUp(a: FakeScript, b: FakeScript, capabilities = withPrefill) {
  const runtime = fakeRuntime({ time: 'auto' });
  const providers = {
    a: fakeProvider(a, { runtime, capabilities }),
    b: fakeProvider(b, { runtime, capabilities }),
  };
  const router = createRouter({
    runtime,
    providers,
    prices: { 'a/m': price, 'b/m': price },
    tiers: { t: { targets: ['a/m', 'b/m'], midStream: 'continue' } },
  });
  return { router, providers, events: recordEvents(router) };
}

async function read(parts: AsyncIterable<StreamPart>) {
  const types: string[] = [];
  let text = '';
  for await (const part of parts) {
    types.push(part.type);
    if (part.type === 'restart') text = '';
    if (part.type === 'text-delta') text += part.delta;
    if (part.type === 'finish') return { types, text, completion: part.completion };
  }
  throw new Error('the stream ended without a finish');
}

const cut = { chunks: ['One two ', 'three ', 'four'], cutAfter: 2 };

describe('a continued answer', () => {
  it('is the text shown plus its continuation, and the second target gets the text so far', async () => {
    const { router, providers } = setUp(cut, { chunks: ['four ', 'five'] });
    const { types, text, completion } = await read(router.stream('t', 'hi'));
    expect(text).toBe('One two three four five');
    expect(completion).toMatchObject({ text, target: 'b/m' });
    expect(completion.content).toEqual([{ type: 'text', text }]);
    expect(types.filter((type) => type !== 'text-delta')).toEqual([
      'start',
      'continue',
      'start',
      'part-end',
      'finish',
    ]);
    expect(providers.b.calls[0]?.request.messages.at(-1)).toEqual({
      role: 'assistant',
      content: [{ type: 'text', text: 'One two three' }],
    });
  });

  it('is seamless in textStream', async () => {
    const { router } = setUp(cut, 'four five');
    let text = '';
    for await (const delta of router.stream('t', 'hi').textStream) text += delta;
    expect(text).toBe('One two three four five');
  });

  it('has separate usage and cost for both attempts', async () => {
    const usage = { inputTokens: 7, outputTokens: 3 };
    const { router, events } = setUp({ ...cut, usage }, { text: 'four', usage });
    const { completion } = await read(router.stream('t', 'hi'));
    expect(completion.usage).toMatchObject(usage);
    const costs = events.of('cost');
    expect(completion.trail.map(({ cost }) => cost)).toEqual(
      completion.trail.map(({ target }) => costs.find((each) => each.target === target)?.usd),
    );
    expect(completion.cost.attemptsUsd).toBeCloseTo(
      costs.reduce((sum, { usd }) => sum + (usd ?? 0), 0),
      9,
    );
  });

  it('continues from all text so far after a second interruption', async () => {
    const { router, providers } = setUp(cut, [{ chunks: ['four ', 'x'], cutAfter: 1 }, 'five']);
    const { text } = await read(router.stream('t', 'hi'));
    expect(text).toBe('One two three four five');
    expect(providers.b.calls[1]?.request.messages.at(-1)?.content).toEqual([
      { type: 'text', text: 'One two three four' },
    ]);
  });

  it('restarts if the target does not support prefill', async () => {
    const { router, providers } = setUp(cut, 'whole', without);
    const { text, types } = await read(router.stream('t', 'hi'));
    expect(text).toBe('whole');
    expect(types).toContain('restart');
    expect(providers.b.calls[0]?.request.messages).toHaveLength(1);
  });

  it.each(['invalid_request', 'unsupported'] as const)(
    'restarts on a target that fails with %s',
    async (error) => {
      const { router, providers, events } = setUp(cut, [{ error }, 'whole']);
      const { text, types } = await read(router.stream('t', 'hi'));
      expect(text).toBe('whole');
      expect(types.filter((type) => type === 'continue' || type === 'restart')).toEqual([
        'restart',
      ]);
      expect(providers.b.calls.map(({ request }) => request.messages.length)).toEqual([2, 1]);
      expect(events.of('call-end')).toMatchObject([{ status: 'ok', attempts: 3 }]);
    },
  );

  it('reports the first failure first, and the text shown, when it fails', async () => {
    const { router } = setUp([cut, { error: 'auth' }], { error: 'invalid_request' });
    const stream = router.stream('t', 'hi');
    const error = await read(stream).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'all_targets_failed',
      partial: { target: 'a/m', text: 'One two three ' },
    });
    expect(Reflect.get(error as object, 'errors')[0]).toMatchObject({
      code: 'stream_interrupted',
      target: 'a/m',
    });
  });

  it('restarts with a schema', async () => {
    const { router } = setUp({ chunks: ['{"a":', '1}'], cutAfter: 1 }, '{"a":2}');
    const schema = { type: 'object', properties: { a: { type: 'number' } } };
    const { completion, types } = await read(router.stream('t', 'hi', { schema }));
    expect(completion.object).toEqual({ a: 2 });
    expect(types).toContain('restart');
  });

  it('restarts after a tool call', async () => {
    const calling: FakeScript = (_, attempt) => ({
      text: 'Let me look.',
      toolCalls: [{ name: 'look', input: { at: attempt } }],
    });
    const runtime = fakeRuntime({ time: 'auto' });
    const whole = fakeProvider(calling, { runtime, capabilities: withPrefill });
    const broken = {
      ...whole,
      prepare: (request: Parameters<typeof whole.prepare>[0]) => {
        const prepared = whole.prepare(request);
        return {
          ...prepared,
          async *send(context: Parameters<typeof prepared.send>[0]) {
            for await (const batch of prepared.send(context)) {
              if (batch.some(({ type }) => type === 'finish')) throw new Error('cut');
              yield batch;
            }
          },
        };
      },
    };
    const router = createRouter({
      runtime,
      providers: { broken, whole },
      tiers: { t: { targets: ['broken/m', 'whole/m'], midStream: 'continue' } },
    });
    const tools = [{ name: 'look', inputSchema: { type: 'object' } }];
    const { types } = await read(router.stream('t', 'hi', { tools }));
    expect(types).toContain('restart');
    expect(types).not.toContain('continue');
  });
});

describe('the joint of two attempts', () => {
  /** An attempt with one batch per part. */
  function from(parts: readonly ProviderPart[]): AttemptParts {
    let at = 0;
    return {
      async next() {
        const part = parts[at++];
        return part && [part];
      },
      leave: () => undefined,
    };
  }

  it('neither duplicates nor loses text, wherever it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('a', 'b', ' ', '\n'), { minLength: 2, maxLength: 30 }),
        fc.nat(),
        fc.nat(5),
        async (letters, at, size) => {
          const whole = letters.join('');
          const shown = whole.slice(0, 1 + (at % whole.length));
          if (shown.trim() === '') return;
          // The model continues the text that it received, which has no trailing white space.
          const rest = whole.slice(shown.trimEnd().length);
          const deltas = rest.match(new RegExp(`[^]{1,${size + 1}}`, 'g')) ?? [];
          const parts: ProviderPart[] = [
            ...deltas.map((delta) => ({ type: 'text-delta', delta }) as const),
            { type: 'part-end', part: { type: 'text', text: rest } },
            { type: 'finish', finishReason: 'stop' },
          ];
          let seen = shown;
          let ended = '';
          const joined = joinedTo({ content: [], text: shown }, from(parts), () => undefined);
          for (const part of await readAttempt(joined)) {
            if (part.type === 'text-delta') seen += part.delta;
            if (part.type === 'part-end' && part.part.type === 'text') ended = part.part.text;
          }
          expect(seen).toBe(whole);
          expect(ended).toBe(whole);
        },
      ),
    );
  });

  it('ends the text part when the continuation is empty', async () => {
    const parts: ProviderPart[] = [{ type: 'finish', finishReason: 'stop' }];
    const seen: ProviderPart[] = [];
    const see = (part: ProviderPart) => void seen.push(part);
    const joined = await readAttempt(joinedTo({ content: [], text: 'all' }, from(parts), see));
    expect(seen).toEqual(joined);
    expect(joined.map(({ type }) => type)).toEqual(['part-end', 'finish']);
  });
});
