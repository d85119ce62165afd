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

const says = (delta: string): ProviderPart => ({ type: 'text-delta', delta });

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

describe('the usage of an answer that breaks off', () => {
  const cases: readonly (readonly [string, readonly ProviderPart[], Partial<Usage>])[] = [
    ['the output that was seen', [usage(10, 1), says('x'.repeat(40))], { outputTokens: 10 }],
    ['what was reported, where that is more', [usage(10, 50), says('abcd')], { outputTokens: 50 }],
    ['the last report', [usage(10, 1), usage(20, 60), says('x')], { inputTokens: 20 }],
  ];
  it.each(cases)('is %s', async (_, parts, expected) => {
    const { partial, trail } = await read({ a: cutAfter(...parts) }, 'fail');
    expect(partial?.usage).toMatchObject({ ...expected, estimated: true });
    expect(trail[0]?.usage).toMatchObject(expected);
  });

  it('is for its own words alone, where it continues another answer', async () => {
    const first = cutAfter(says('x'.repeat(400)));
    const second = cutAfter(usage(10, 1), says('y'.repeat(40)));
    const { types, trail } = await read({ a: first, b: second }, 'continue');
    expect(types).toContain('continue');
    expect(trail.at(-1)).toMatchObject({ target: 'b/m', usage: { outputTokens: 10 } });
  });
});

describe('what an answer that breaks off leaves', () => {
  it('is a refusal once, not as text again', async () => {
    const refusal: ProviderPart = { type: 'part-end', part: { type: 'refusal', text: 'No.' } };
    const { partial } = await read({ a: cutAfter(says('No.'), refusal) }, 'fail');
    expect(partial).toMatchObject({ text: 'No.', content: [{ type: 'refusal', text: 'No.' }] });
  });

  it('is nothing to continue once a tool call has begun', async () => {
    const begun: ProviderPart = { type: 'tool-call-start', id: '1', name: 'f' };
    const { types } = await read(
      { a: cutAfter(says('Let me look.'), begun), b: fakeProvider('Fine.') },
      'continue',
    );
    expect(types).toContain('restart');
    expect(types).not.toContain('continue');
  });
});

describe('a continued answer', () => {
  /** What a second target makes of the parts that it continues with, and what it was asked. */
  async function continued(before: readonly ProviderPart[], after: readonly ProviderPart[]) {
    const asked: NormalMessage[] = [];
    const second: Provider = {
      ...cutAfter(),
      prepare: ({ messages }) => ({
        warnings: [],
        async *send() {
          asked.push(...messages);
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
    return { types, shown, asked, completion: await stream.completion };
  }
  const whole = (text: string, more: Partial<TextPart> = {}): ProviderPart => ({
    type: 'part-end',
    part: { type: 'text', text, ...more },
  });

  it('moves citations with their text, less the white space that came twice', async () => {
    const cited = { start: 1, end: 4, raw: null };
    const { completion } = await continued(
      [says('One ')],
      [says(' two'), whole(' two', { citations: [cited] })],
    );
    expect(completion.content).toEqual([
      { type: 'text', text: 'One two', citations: [{ start: 4, end: 7, raw: null }] },
    ]);
  });

  it('loses no white space but that at the joint', async () => {
    const { completion, shown } = await continued(
      [says('One ')],
      [says('two'), says(' three'), whole('two three')],
    );
    expect(completion.text).toBe('One two three');
    expect(shown).toBe('One two three');
  });

  it('sends no reasoning of one model as the beginning of a turn of another', async () => {
    const thought: ProviderPart = { type: 'part-end', part: { type: 'reasoning', text: 'hm' } };
    const { asked, types } = await continued([thought, says('One')], [says(' two'), whole(' two')]);
    expect(types).toContain('continue');
    expect(asked.at(-1)).toEqual({ role: 'assistant', content: [{ type: 'text', text: 'One' }] });
  });

  it('restarts where only white space had come', async () => {
    const { types, asked } = await continued([says(' \n')], [says('Fine.'), whole('Fine.')]);
    expect(types).toContain('restart');
    expect(asked.map(({ role }) => role)).toEqual(['user']);
  });
});

describe('an answer without usage', () => {
  it('is estimated with the results of tools as part of its input', async () => {
    const router = createRouter({
      providers: { a: fakeProvider({ text: 'Fine.', usage: 'none' }) },
      tiers: { t: ['a/m'] },
    });
    const messages: readonly Message[] = [
      { role: 'user', content: 'hi' },
      { role: 'assistant', content: [{ type: 'tool-call', id: '1', name: 'f', input: {} }] },
      {
        role: 'tool',
        content: [{ type: 'tool-result', id: '1', name: 'f', output: 'z'.repeat(4_000) }],
      },
    ];
    const { usage: estimated, warnings } = await router.complete('t', messages);
    expect(estimated.inputTokens).toBeGreaterThan(1_000);
    expect(estimated.estimated).toBe(true);
    expect(warnings).toMatchObject([{ code: 'usage-missing' }]);
  });
});
