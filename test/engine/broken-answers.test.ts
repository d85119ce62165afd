import { describe, expect, it } from 'vitest';
import { isSignalboxError, SignalboxError } from '../../src/errors.ts';
import type { MidStream } from '../../src/protocol/config.ts';
import type { Message, NormalMessage, TextPart } from '../../src/protocol/message.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import type { ProviderPart, StreamPart } from '../../src/protocol/stream-part.ts';
import type { Usage } from '../../src/protocol/usage.ts';
import { createRouter } from '../../src/router.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';

const tools = [{ name: 'f', inputSchema: { type: 'object' } }];

function usage(inputTokens: number, outputTokens: number): ProviderPart {
  const totalTokens = inputTokens + outputTokens;
  return { type: 'usage', usage: { inputTokens, outputTokens, totalTokens } };
}

const textDelta = (delta: string): ProviderPart => ({ type: 'text-delta', delta });

/** A provider whose answers break off after the parts. */
function cutAfter(...parts: readonly ProviderPart[]): Provider {
  return {
    wire: 'mine',
    capabilities: () => new Set(['tools', 'prefill']),
    preload: async () => undefined,
    prepare: () => ({
      warnings: [],
      async *send() {
        yield [{ type: 'open' }];
        for (const part of parts) yield [part];
        throw new SignalboxError('stream_interrupted', 'broke off');
      },
    }),
  };
}

/** Reads a stream of the providers, in order, to its end or failure. */
async function read(providers: Readonly<Record<string, Provider>>, midStream: MidStream) {
  const router = createRouter({
    runtime: fakeRuntime({ time: 'auto' }),
    providers,
    tiers: {
      t: {
        targets: Object.keys(providers).map((name) => `${name}/m` as const),
        midStream,
        retry: { attempts: 0 },
      },
    },
  });
  const types: StreamPart['type'][] = [];
  try {
    for await (const part of router.stream('t', 'hi', { tools })) types.push(part.type);
  } catch (error) {
    if (!isSignalboxError(error)) throw error;
    return { types, error, partial: error.partial, trail: error.trail };
  }
  return { types, trail: [] };
}

describe('the usage of an interrupted answer', () => {
  const cases: readonly (readonly [string, readonly ProviderPart[], Partial<Usage>])[] = [
    ['the output seen so far', [usage(10, 1), textDelta(' word'.repeat(10))], { outputTokens: 10 }],
    [
      'the reported usage if it is higher',
      [usage(10, 50), textDelta('abcd')],
      { outputTokens: 50 },
    ],
    ['the last report', [usage(10, 1), usage(20, 60), textDelta('x')], { inputTokens: 20 }],
  ];
  it.each(cases)('is %s', async (_, parts, expected) => {
    const { partial, trail } = await read({ a: cutAfter(...parts) }, 'fail');
    expect(partial?.usage).toMatchObject({ ...expected, estimated: true });
    expect(trail[0]?.usage).toMatchObject(expected);
  });

  it('excludes the text of the answer that it continues', async () => {
    const first = cutAfter(textDelta(`one${' word'.repeat(100)}`));
    const second = cutAfter(usage(10, 1), textDelta(' word'.repeat(10)));
    const { types, trail } = await read({ a: first, b: second }, 'continue');
    expect(types).toContain('continue');
    expect(trail.at(-1)).toMatchObject({ target: 'b/m', usage: { outputTokens: 10 } });
  });
});

describe('the partial content of an interrupted answer', () => {
  it('contains a refusal once, not as text too', async () => {
    const refusal: ProviderPart = { type: 'part-end', part: { type: 'refusal', text: 'No.' } };
    const { partial } = await read({ a: cutAfter(textDelta('No.'), refusal) }, 'fail');
    expect(partial).toMatchObject({ text: 'No.', content: [{ type: 'refusal', text: 'No.' }] });
  });

  it('is not continued after a tool call has started', async () => {
    const started: ProviderPart = { type: 'tool-call-start', id: '1', name: 'f' };
    const { types } = await read(
      { a: cutAfter(textDelta('Let me look.'), started), b: fakeProvider('Fine.') },
      'continue',
    );
    expect(types).toContain('restart');
    expect(types).not.toContain('continue');
  });
});

describe('a continued answer', () => {
  /** Interrupts an answer after `before` and continues it with `after`. Returns the result and the second request. */
  async function continued(before: readonly ProviderPart[], after: readonly ProviderPart[]) {
    const sent: NormalMessage[] = [];
    const second: Provider = {
      ...cutAfter(),
      prepare: ({ messages }) => ({
        warnings: [],
        async *send() {
          sent.push(...messages);
          for (const part of after) yield [part];
          yield [{ type: 'finish', finishReason: 'stop' }];
        },
      }),
    };
    const router = createRouter({
      runtime: fakeRuntime({ time: 'auto' }),
      providers: { a: cutAfter(...before), b: second },
      tiers: { t: { targets: ['a/m', 'b/m'], midStream: 'continue', retry: { attempts: 0 } } },
    });
    const types: StreamPart['type'][] = [];
    let shown = '';
    const stream = router.stream('t', 'hi');
    for await (const part of stream) {
      types.push(part.type);
      if (part.type === 'text-delta') shown += part.delta;
    }
    return { types, shown, sent, completion: await stream.completion };
  }
  const whole = (text: string, more: Partial<TextPart> = {}): ProviderPart => ({
    type: 'part-end',
    part: { type: 'text', text, ...more },
  });

  it('shifts citations with their text, without duplicated white space', async () => {
    const cited = { start: 1, end: 4, raw: null };
    const { completion } = await continued(
      [textDelta('One ')],
      [textDelta(' two'), whole(' two', { citations: [cited] })],
    );
    expect(completion.content).toEqual([
      { type: 'text', text: 'One two', citations: [{ start: 4, end: 7, raw: null }] },
    ]);
  });

  it('keeps all white space except at the joint', async () => {
    const { completion, shown } = await continued(
      [textDelta('One ')],
      [textDelta('two'), textDelta(' three'), whole('two three')],
    );
    expect(completion.text).toBe('One two three');
    expect(shown).toBe('One two three');
  });

  it('does not send the reasoning of one model to another', async () => {
    const thought: ProviderPart = { type: 'part-end', part: { type: 'reasoning', text: 'hm' } };
    const { sent, types } = await continued(
      [thought, textDelta('One')],
      [textDelta(' two'), whole(' two')],
    );
    expect(types).toContain('continue');
    expect(sent.at(-1)).toEqual({ role: 'assistant', content: [{ type: 'text', text: 'One' }] });
  });

  it('restarts when only white space had arrived', async () => {
    const { types, sent } = await continued(
      [textDelta(' \n')],
      [textDelta('Fine.'), whole('Fine.')],
    );
    expect(types).toContain('restart');
    expect(sent.map(({ role }) => role)).toEqual(['user']);
  });
});

describe('an answer without usage', () => {
  it('is estimated including tool results in the input', async () => {
    const router = createRouter({
      providers: { a: fakeProvider({ text: 'Fine.', usage: 'none' }) },
      tiers: { t: ['a/m'] },
    });
    const messages: readonly Message[] = [
      { role: 'user', content: 'hi' },
      { role: 'assistant', content: [{ type: 'tool-call', id: '1', name: 'f', input: {} }] },
      {
        role: 'tool',
        content: [{ type: 'tool-result', id: '1', name: 'f', output: 'word '.repeat(1_100) }],
      },
    ];
    const { usage: estimated, warnings } = await router.complete('t', messages);
    expect(estimated.inputTokens).toBeGreaterThan(1_000);
    expect(estimated.estimated).toBe(true);
    expect(warnings).toMatchObject([{ code: 'usage-missing' }]);
  });
});
