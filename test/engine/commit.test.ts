import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSignalboxError, SignalboxError } from '../../src/errors.ts';
import type { Completion } from '../../src/protocol/completion.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import type { Reasoning } from '../../src/protocol/request.ts';
import type { ProviderPart, StreamPart } from '../../src/protocol/stream-part.ts';
import { createRouter } from '../../src/router.ts';
import { type FakeEntry, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';

const codes = ['server_error', 'rate_limited', 'connection', 'auth', 'stream_interrupted'] as const;

/** One attempt: an answer, a failure before or after some text, a stall, or silence. */
const entry: fc.Arbitrary<FakeEntry> = fc.oneof(
  fc.record({ chunks: fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 4 }) }),
  fc.record({
    error: fc.constantFrom(...codes),
    chunks: fc.array(fc.constantFrom('x', 'y'), { maxLength: 3 }),
  }),
  fc.record({
    chunks: fc.constant(['p', 'q', 'r']),
    stallAfter: fc.integer({ min: 0, max: 2 }),
  }),
  fc.constant({ hang: true }),
);

const scripts = fc.array(fc.array(entry, { minLength: 1, maxLength: 3 }), {
  minLength: 1,
  maxLength: 3,
});

describe('a stream that commits to a target', () => {
  it('never mixes answers, loses parts, or reports a partial answer as complete', async () => {
    await fc.assert(
      fc.asyncProperty(
        scripts,
        fc.constantFrom('fail' as const, 'restart' as const),
        fc.constantFrom('stream' as const, 'complete' as const),
        fc.integer(),
        async (script, midStream, mode, seed) => {
          const runtime = fakeRuntime({ time: 'auto', seed });
          const names = script.map((_, index) => `p${index}`);
          const fakes = script.map((entries) => fakeProvider(entries, { runtime }));
          const router = createRouter({
            runtime,
            providers: Object.fromEntries(
              names.map((name, index) => [name, fakes[index] ?? fakeProvider()]),
            ),
            prices: Object.fromEntries(names.map((name) => [`${name}/m`, { input: 1, output: 1 }])),
            tiers: { t: { targets: names.map((name) => `${name}/m` as const), midStream } },
          });
          const events = recordEvents(router);
          let shown = '';
          let completion: Completion | undefined;
          let failure: unknown;
          try {
            if (mode === 'complete') completion = await router.complete('t', 'hi');
            else {
              for await (const part of router.stream('t', 'hi')) {
                if (part.type === 'restart') shown = '';
                if (part.type === 'text-delta') shown += part.delta;
                if (part.type === 'finish') completion = part.completion;
              }
            }
          } catch (error) {
            failure = error;
          }

          const attempts = fakes.reduce((sum, fake) => sum + fake.calls.length, 0);
          expect(attempts).toBeLessThanOrEqual(6);
          expect(runtime.pending).toBe(0);
          expect(router.snapshot().callsInFlight).toBe(0);
          expect(events.of('attempt-start')).toHaveLength(attempts);
          expect(events.of('attempt-end')).toHaveLength(attempts);
          expect(events.of('call-end')).toHaveLength(1);
          if (completion === undefined) {
            if (!isSignalboxError(failure)) throw failure;
            expect(failure.trail.filter((line) => line.outcome !== 'skipped')).toHaveLength(
              attempts,
            );
            if (mode === 'stream' && midStream === 'fail' && shown !== '') {
              expect(failure.partial?.text).toBe(shown);
            }
          } else {
            if (mode === 'stream') expect(shown).toBe(completion.text);
            // Only complete answers consist of these letters.
            expect(completion.text).toMatch(/^[abc]+$/);
            const billed = events.of('cost').reduce((sum, event) => sum + (event.usd ?? 0), 0);
            expect(completion.cost.attemptsUsd).toBeCloseTo(billed, 12);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

/** A provider that yields parts and then fails. */
function failingAfter(...parts: readonly ProviderPart[]): Provider {
  return {
    wire: 'mine',
    capabilities: () => new Set(['tools']),
    preload: async () => undefined,
    prepare: () => ({
      warnings: [],
      async *send() {
        for (const part of parts) yield [part];
        throw new SignalboxError('server_error', 'broke off');
      },
    }),
  };
}

async function readTo(stream: AsyncIterable<StreamPart>) {
  const parts: StreamPart[] = [];
  try {
    for await (const part of stream) parts.push(part);
  } catch (error) {
    if (!isSignalboxError(error)) throw error;
    return { parts, error };
  }
  return { parts, error: undefined };
}

describe('the part that commits a stream to its target', () => {
  const thought: readonly ProviderPart[] = [
    { type: 'open' },
    { type: 'usage', usage: { inputTokens: 1, outputTokens: 0, totalTokens: 1 } },
    { type: 'warning', warning: { code: 'compat', message: 'odd' } },
    { type: 'reasoning-delta', delta: 'hm' },
  ];
  const wholeThought: ProviderPart = {
    type: 'part-end',
    part: { type: 'reasoning', text: 'hm' },
  };
  function routerOf(provider: Provider, reasoning?: Reasoning) {
    const runtime = fakeRuntime({ time: 'auto' });
    return createRouter({
      runtime,
      providers: { a: provider, b: fakeProvider('two', { runtime }) },
      tiers: {
        t: {
          targets: [{ target: 'a/m', ...(reasoning !== undefined && { reasoning }) }, 'b/m'],
          retry: { attempts: 0 },
        },
      },
    });
  }

  it.each<[string, Reasoning | undefined]>([
    ['no reasoning is requested', undefined],
    ['an effort is requested', { effort: 'high' }],
    ['it is not included', { include: false }],
  ])('is not reasoning when %s', async (_, reasoning) => {
    for (const parts of [thought, [...thought, wholeThought], [wholeThought]]) {
      const router = routerOf(failingAfter(...parts));
      const options = reasoning === undefined ? {} : { reasoning };
      const result = await readTo(router.stream('t', 'hi', options));
      expect(result.error).toBeUndefined();
      expect(result.parts.map(({ type }) => type)).not.toContain('reasoning-delta');
      expect(result.parts.at(-1)).toMatchObject({ completion: { target: 'b/m', text: 'two' } });
    }
  });

  it('is reasoning that the call or the target requests', async () => {
    const include = { include: true };
    for (const [ofTarget, ofCall] of [
      [undefined, { reasoning: include }],
      [include, {}],
    ] as const) {
      const result = await readTo(
        routerOf(failingAfter(...thought), ofTarget).stream('t', 'hi', ofCall),
      );
      expect(result.parts.map(({ type }) => type)).toEqual(['start', 'reasoning-delta']);
      expect(result.error).toMatchObject({ code: 'server_error', target: 'a/m' });
    }
  });

  it.each<[string, ProviderPart]>([
    ['text', { type: 'text-delta', delta: 'one' }],
    ['the start of a tool call', { type: 'tool-call-start', id: '1', name: 'f' }],
    ['a delta of its input', { type: 'tool-call-delta', id: '1', delta: '{' }],
    ['a whole text', { type: 'part-end', part: { type: 'text', text: 'one' } }],
    ['a refusal', { type: 'part-end', part: { type: 'refusal', text: 'no' } }],
    [
      'an image',
      {
        type: 'part-end',
        part: { type: 'image', source: { data: 'AA==', mediaType: 'image/png' } },
      },
    ],
  ])('is %s', async (_, part) => {
    const router = routerOf(failingAfter({ type: 'open' }, part));
    const tools = [{ name: 'f', inputSchema: { type: 'object' } }];
    const result = await readTo(router.stream('t', 'hi', { tools }));
    expect(result.parts.map(({ type }) => type)).toEqual(['start', part.type]);
    expect(result.error).toMatchObject({ code: 'server_error', target: 'a/m' });
  });
});
