import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { isSignalboxError, type SignalboxError } from '../../src/errors.ts';
import type { CallOptions } from '../../src/protocol/call-options.ts';
import type { TierSettings } from '../../src/protocol/config.ts';
import type { NormalMessage } from '../../src/protocol/message.ts';
import type { Capability, Provider } from '../../src/protocol/provider.ts';
import type { ProviderPart, StreamPart } from '../../src/protocol/stream-part.ts';
import { createRouter } from '../../src/router.ts';
import { type FakeScript, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';

const capabilities: readonly Capability[] = ['tools', 'structured-output', 'prefill'];
const weather = { name: 'weather', inputSchema: { type: 'object' } } as const;
const time = { name: 'time', inputSchema: { type: 'object' } } as const;
const tools = [weather, time];

const calls = (...names: readonly string[]) => ({ toolCalls: names.map((name) => ({ name })) });

function setUp(scripts: Record<string, FakeScript>, tier: Omit<TierSettings, 'targets'> = {}) {
  const runtime = fakeRuntime({ time: 'auto' });
  const names = Object.keys(scripts);
  const fakes = Object.fromEntries(
    names.map((name) => [name, fakeProvider(scripts[name] ?? '', { runtime, capabilities })]),
  );
  const router = createRouter({
    runtime,
    providers: fakes,
    prices: Object.fromEntries(names.map((name) => [`${name}/m`, { input: 1, output: 10 }])),
    tiers: { t: { ...tier, targets: names.map((name) => `${name}/m` as const) } },
  });
  const requestsTo = (name: string) => fakes[name]?.calls.map(({ request }) => request) ?? [];
  return { router, runtime, requestsTo, events: recordEvents(router) };
}

type Outcome = {
  readonly parts: readonly StreamPart[];
  readonly types: readonly string[];
  readonly error: SignalboxError | undefined;
};

async function read(stream: AsyncIterable<StreamPart>): Promise<Outcome> {
  const parts: StreamPart[] = [];
  const types = () => parts.map(({ type }) => type);
  try {
    for await (const part of stream) parts.push(part);
  } catch (error) {
    if (!isSignalboxError(error)) throw error;
    return { parts, types: types(), error };
  }
  return { parts, types: types(), error: undefined };
}

async function failureOf(answer: Promise<unknown>): Promise<SignalboxError> {
  const error: unknown = await answer.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isSignalboxError(error)) throw new Error('the call did not fail');
  return error;
}

function hintIn(messages: readonly NormalMessage[] = []): string {
  const part = messages.at(-1)?.content[0];
  return part?.type === 'text' ? part.text : '';
}

/** A custom provider that yields parts one by one and counts aborted answers. */
function partsProvider(...answers: readonly (readonly ProviderPart[])[]) {
  const state = { sent: 0, closed: 0, hints: [] as string[] };
  const provider: Provider = {
    wire: 'mine',
    capabilities: () => new Set(capabilities),
    preload: async () => undefined,
    prepare: ({ messages }) => ({
      warnings: [],
      async *send({ signal }) {
        state.hints.push(hintIn(messages));
        const answer = answers[state.sent++] ?? answers.at(-1) ?? [];
        signal.addEventListener('abort', () => state.closed++);
        for (const part of answer) yield [part];
        if (answer.at(-1)?.type !== 'finish') await new Promise(() => undefined);
      },
    }),
  };
  return { provider, state };
}

describe('complete', () => {
  const cases: readonly (readonly [string, CallOptions])[] = [
    ['other tools offered', { tools }],
    ['no tools offered', {}],
    ['an empty list of tools', { tools: [] }],
  ];
  it.each(cases)('repairs a call of an unoffered tool, with %s', async (_, options) => {
    const { router, requestsTo } = setUp({ a: [calls('search'), 'Fine.'] });
    const answer = await router.complete('t', 'hi', options);
    expect(answer).toMatchObject({ text: 'Fine.', toolCalls: [] });
    expect(answer.trail.map(({ verdict, error }) => [verdict, error?.code])).toEqual([
      ['retry', 'invalid_output'],
      ['done', undefined],
    ]);
    const offered = options.tools?.length ? 'the tools are "weather", "time"' : 'no tools';
    expect(hintIn(requestsTo('a')[1]?.messages)).toContain('it called the tool "search"');
    expect(hintIn(requestsTo('a')[1]?.messages)).toContain(offered);
  });

  it('tries the next target after repairAttempts repairs', async () => {
    const { router, requestsTo } = setUp({ a: calls('search'), b: 'Fine.' });
    const { target } = await router.complete('t', 'hi', { tools, repairAttempts: 2 });
    expect(target).toBe('b/m');
    expect(requestsTo('a')).toHaveLength(3);
  });

  it("fails when no target answers, without the model's tool name in the message", async () => {
    const { router } = setUp({ a: calls('secret_of_the_prompt') });
    const error = await failureOf(router.complete('t', 'hi', { tools }));
    expect(error).toMatchObject({
      code: 'all_targets_failed',
      cause: { code: 'invalid_output', cause: expect.any(Error) },
    });
    expect(JSON.stringify([error.message, error.trail])).not.toContain('secret_of_the_prompt');
  });

  it('rejects an answer that calls an offered tool and another one', async () => {
    const { router } = setUp({ a: calls('weather', 'search'), b: calls('weather') });
    const { target, toolCalls } = await router.complete('t', 'hi', { tools, repairAttempts: 0 });
    expect(target).toBe('b/m');
    expect(toolCalls.map(({ name }) => name)).toEqual(['weather']);
  });

  it.each(['Weather', 'functions.weather', 'default_api.weather', 'weather ', ''])(
    'distinguishes %j from "weather"',
    async (name) => {
      const { router } = setUp({ a: calls(name) });
      await expect(router.complete('t', 'hi', { tools })).rejects.toMatchObject({
        cause: { code: 'invalid_output' },
      });
    },
  );

  it('truncates a long name in the hint', async () => {
    const { router, requestsTo } = setUp({ a: [calls('x'.repeat(100_000)), 'Fine.'] });
    await router.complete('t', 'hi', { tools });
    const hint = hintIn(requestsTo('a')[1]?.messages);
    expect(hint).toContain(`"${'x'.repeat(64)}"`);
    expect(hint.length).toBeLessThan(400);
  });

  it('bills a rejected answer', async () => {
    const usage = { inputTokens: 100, outputTokens: 20 };
    const { router } = setUp({ a: [{ ...calls('search'), usage }, 'Fine.'] });
    const { trail } = await router.complete('t', 'hi', { tools });
    expect(trail[0]).toMatchObject({ verdict: 'retry', usage: { ...usage, totalTokens: 120 } });
  });

  it('allows calls of other tools in the history', async () => {
    const { router } = setUp({ a: 'Fine.' });
    const answer = await router.complete('t', [
      { role: 'user', content: 'hi' },
      { role: 'assistant', content: [{ type: 'tool-call', id: '1', name: 'old', input: {} }] },
      { role: 'tool', content: [{ type: 'tool-result', id: '1', name: 'old', output: 5 }] },
    ]);
    expect(answer.text).toBe('Fine.');
  });
});

describe('toolChoice', () => {
  it("'none' excludes every tool, set on the call or on the tier", async () => {
    for (const tier of [{}, { toolChoice: 'none' }] as const) {
      const { router, requestsTo } = setUp({ a: [calls('weather'), 'Fine.'] }, tier);
      const choice = 'toolChoice' in tier ? {} : ({ toolChoice: 'none' } as const);
      const answer = await router.complete('t', 'hi', { tools, ...choice });
      expect(answer).toMatchObject({ text: 'Fine.', toolCalls: [] });
      expect(hintIn(requestsTo('a')[1]?.messages)).toContain('no tool may be called now');
    }
  });

  it('of one tool excludes the others', async () => {
    const toolChoice = { name: 'time' };
    const { router, requestsTo } = setUp({ a: [calls('weather'), calls('time')] });
    const { toolCalls } = await router.complete('t', 'hi', { tools, toolChoice });
    expect(toolCalls.map(({ name }) => name)).toEqual(['time']);
    expect(hintIn(requestsTo('a')[1]?.messages)).toContain(
      'only the tool "time" may be called now',
    );
  });

  it('of one tool excludes nothing when the target does not support it and warns', async () => {
    const inner = fakeProvider(calls('weather'));
    const provider: Provider = {
      ...inner,
      prepare: (request) => ({
        ...inner.prepare(request),
        warnings: [{ code: 'adjusted-param', param: 'toolChoice', message: 'cannot' }],
      }),
    };
    const router = createRouter({ providers: { a: provider }, tiers: { t: ['a/m'] } });
    const options = { tools, toolChoice: { name: 'time' } };
    expect((await router.complete('t', 'hi', options)).toolCalls).toHaveLength(1);
  });

  it('of a tier is ignored when the call does not offer that tool', async () => {
    const { router } = setUp({ a: calls('weather') }, { toolChoice: { name: 'extract' } });
    expect((await router.complete('t', 'hi', { tools })).toolCalls).toHaveLength(1);
  });
});

describe('tools in providerOptions', () => {
  it.each([
    ['chat', { tools: [{ type: 'function', function: { name: 'mine' } }] }],
    ['custom tools', { tools: [{ type: 'custom', custom: { name: 'mine' } }] }],
    ['flat descriptions', { tools: [{ type: 'bash_20250124', name: 'mine' }] }],
    ['namespaces', { tools: [{ type: 'namespace', name: 'n', tools: [{ name: 'mine' }] }] }],
    ['Gemini', { tools: [{ functionDeclarations: [{ name: 'mine' }] }] }],
    ['Gemini REST', { tools: [{ function_declarations: [{ name: 'mine' }] }] }],
    ['legacy functions', { functions: [{ name: 'mine' }] }],
    ['computer use', { tools: [{ computerUse: {} }] }],
    ['a cached context', { cachedContent: 'cachedContents/1' }],
    ['a stored prompt', { prompt: { id: 'pmpt_1' } }],
  ])('are offered: %s', async (_, body) => {
    const { router } = setUp({ a: calls('mine') });
    const { toolCalls } = await router.complete('t', 'hi', { providerOptions: { a: body } });
    expect(toolCalls).toMatchObject([{ name: 'mine' }]);
  });

  it.each([
    ['another name', 'a', { tools: [{ name: 'other' }] }],
    ['a built-in tool of the vendor', 'a', { tools: [{ googleSearch: {} }] }],
    ['tools of another provider', 'b', { tools: [{ name: 'mine' }] }],
    ['no list', 'a', { tools: 'mine' }],
  ])('do not offer other tools: %s', async (_, provider, body) => {
    const { router } = setUp({ a: calls('mine'), b: 'Fine.' });
    const providerOptions = { [provider]: body };
    const { target } = await router.complete('t', 'hi', { providerOptions, repairAttempts: 0 });
    expect(target).toBe('b/m');
  });

  it('keep object defined when the caller set no tools, as its type requires', async () => {
    const schema = z.object({ city: z.string() });
    const providerOptions = { a: { tools: [{ name: 'mine' }] } };
    const { router } = setUp({ a: [calls('mine'), { object: { city: 'Bern' } }] });
    const { object } = await router.complete('t', 'hi', { schema, providerOptions });
    expect(object.city).toBe('Bern');
    const other = setUp({ a: [calls('mine')] });
    const withTools = { schema, providerOptions, tools: [] };
    expect((await other.router.complete('t', 'hi', withTools)).object).toBeUndefined();
  });
});

describe('an invalid tool call before the first visible part', () => {
  it('is repaired without a visible part', async () => {
    const { router, requestsTo, events } = setUp({ a: [calls('search'), 'Fine.'] });
    const { types, error } = await read(router.stream('t', 'hi', { tools }));
    expect(error).toBeUndefined();
    expect(types).toEqual(['start', 'text-delta', 'part-end', 'finish']);
    expect(hintIn(requestsTo('a')[1]?.messages)).toContain('the tools are "weather", "time"');
    expect(events.of('call-end')).toMatchObject([{ status: 'ok', attempts: 2 }]);
  });

  it('goes to the next target', async () => {
    const { router } = setUp({ a: calls('search'), b: calls('time') }, { repairAttempts: 0 });
    const { parts, types } = await read(router.stream('t', 'hi', { tools }));
    expect(types.slice(0, 2)).toEqual(['start', 'tool-call-start']);
    expect(parts[0]).toMatchObject({ target: 'b/m' });
  });

  it('fails the stream without a part when there is no other target', async () => {
    const { router } = setUp({ a: calls('search') });
    const { types, error } = await read(router.stream('t', 'hi', { tools }));
    expect(types).toEqual([]);
    expect(error).toMatchObject({
      code: 'all_targets_failed',
      cause: { code: 'invalid_output' },
    });
  });

  it('ends the attempt and closes its socket as soon as the name is known', async () => {
    const started: ProviderPart = { type: 'tool-call-start', id: '1', name: 'search' };
    const fine: readonly ProviderPart[] = [
      { type: 'part-end', part: { type: 'text', text: 'Fine.' } },
      { type: 'finish', finishReason: 'stop' },
    ];
    const { provider, state } = partsProvider([{ type: 'open' }, started], fine);
    const router = createRouter({ providers: { a: provider }, tiers: { t: ['a/m'] } });
    const { types, error } = await read(router.stream('t', 'hi', { tools }));
    expect(error).toBeUndefined();
    expect(types).toEqual(['start', 'part-end', 'finish']);
    expect(state).toMatchObject({ sent: 2, closed: 1 });
  });

  it.each(['stream', 'unary'] as const)(
    'bills the ended attempt, transfer %s',
    async (transfer) => {
      const { router } = setUp({ a: [calls('search'), 'Fine.'] });
      const stream = router.stream('t', 'a long question', { tools, transfer });
      const { trail } = await stream.completion;
      expect(trail[0]?.usage).toMatchObject({ inputTokens: 15, estimated: true });
      expect(trail[0]?.cost).toBeGreaterThan(0);
    },
  );

  it('does not affect the health of the target', async () => {
    const { router } = setUp({ a: calls('search'), b: 'Fine.' });
    for (let call = 0; call < 6; call++) await read(router.stream('t', 'hi', { tools }));
    expect(router.snapshot().targets['a/m']?.circuit).toBe('closed');
  });
});

describe('an invalid tool call after a visible part', () => {
  const answer = { text: 'Let me look.', ...calls('search') };

  it.each([
    ['text', answer, 'Let me look.', []],
    ['an offered call', calls('time', 'search'), '', ['time']],
  ])(
    'ends the stream with the part and the error without restart: after %s',
    async (_, answer, text, good) => {
      const { router, requestsTo, events } = setUp({ a: answer, b: 'Fine.' });
      const { parts, types, error } = await read(router.stream('t', 'hi', { tools }));
      expect(types.filter((type) => type === 'invalid-tool-call')).toHaveLength(1);
      expect(parts.at(-1)).toEqual({
        type: 'invalid-tool-call',
        id: good.length === 0 ? 'call_1' : 'call_2',
        name: 'search',
      });
      expect(parts).not.toContainEqual(expect.objectContaining({ type: 'finish' }));
      const started = parts.flatMap((part) => (part.type === 'tool-call-start' ? [part.name] : []));
      expect(started).toEqual(good);
      expect(error).toMatchObject({ code: 'invalid_output', partial: { text, target: 'a/m' } });
      const kept = error?.partial?.content.filter((part) => part.type === 'tool-call') ?? [];
      expect(kept.map(({ name }) => name)).toEqual(good);
      expect(error?.trail).toHaveLength(1);
      expect(requestsTo('b')).toHaveLength(0);
      expect(events.of('call-end')).toMatchObject([{ status: 'error' }]);
    },
  );

  it.each(['restart', 'continue'] as const)(
    'restarts with the repair with midStream %s, even if a target could continue',
    async (midStream) => {
      const { router, requestsTo } = setUp(
        { a: [answer, calls('time')], b: 'Fine.' },
        { midStream },
      );
      const { parts, types, error } = await read(router.stream('t', 'hi', { tools }));
      expect(error).toBeUndefined();
      expect(types).not.toContain('continue');
      expect(types).not.toContain('invalid-tool-call');
      const restart = types.indexOf('restart');
      expect(parts[restart]).toMatchObject({
        from: 'a/m',
        to: 'a/m',
        error: { code: 'invalid_output' },
      });
      expect(types.slice(restart + 1, restart + 3)).toEqual(['start', 'tool-call-start']);
      expect(parts.at(-1)).toMatchObject({ completion: { toolCalls: [{ name: 'time' }] } });
      expect(requestsTo('a')[1]?.messages.slice(-2)).toMatchObject([
        { role: 'assistant', content: [{ text: 'Let me look.' }] },
        { role: 'user', content: [{ text: expect.stringContaining('"search"') }] },
      ]);
    },
  );

  it('restarts on the next target, from the start, when repairs are used up', async () => {
    const { router, requestsTo } = setUp(
      { a: answer, b: 'Fine.' },
      { midStream: 'continue', repairAttempts: 0 },
    );
    const { types, parts } = await read(router.stream('t', 'hi', { tools }));
    expect(types.filter((type) => type === 'restart' || type === 'continue')).toEqual(['restart']);
    expect(parts.at(-1)).toMatchObject({ completion: { text: 'Fine.', target: 'b/m' } });
    expect(requestsTo('b')[0]?.messages.map(({ role }) => role)).toEqual(['user']);
  });

  it('ends the stream with the part when no target is left', async () => {
    const { router } = setUp({ a: answer }, { midStream: 'restart', repairAttempts: 0 });
    const { types, error } = await read(router.stream('t', 'hi', { tools }));
    expect(types.at(-1)).toBe('invalid-tool-call');
    expect(error).toMatchObject({
      code: 'all_targets_failed',
      cause: { code: 'invalid_output' },
      partial: { text: 'Let me look.' },
    });
  });

  it('is not reported when the restarted answer fails in another way', async () => {
    const cut = { chunks: ['one ', 'two'], cutAfter: 1 };
    const { router } = setUp(
      { a: [answer, cut] },
      { midStream: 'restart', retry: { attempts: 0 } },
    );
    const { types, error } = await read(router.stream('t', 'hi', { tools }));
    expect(types).toContain('restart');
    expect(types).not.toContain('invalid-tool-call');
    expect(error).toMatchObject({ cause: { code: 'stream_interrupted' } });
  });

  it('is not reported when the caller aborts during the restart', async () => {
    const controller = new AbortController();
    const { router } = setUp(
      {
        a: (_, attempt) => {
          if (attempt === 1) return answer;
          controller.abort();
          return { hang: true };
        },
      },
      { midStream: 'restart' },
    );
    const stream = router.stream('t', 'hi', { tools, signal: controller.signal });
    const { types, error } = await read(stream);
    expect(error?.code).toBe('aborted');
    expect(types).not.toContain('invalid-tool-call');
  });

  it('fails the call even if the reader leaves at the part', async () => {
    const { router, events } = setUp({ a: answer });
    for await (const part of router.stream('t', 'hi', { tools })) {
      if (part.type === 'invalid-tool-call') break;
    }
    expect(events.of('call-end')).toMatchObject([
      { status: 'error', error: { code: 'invalid_output' } },
    ]);
    expect(router.snapshot().callsInFlight).toBe(0);
  });

  it('is detected by the name at the end of the call', async () => {
    const { provider } = partsProvider([
      { type: 'tool-call-start', id: '1', name: 'time' },
      { type: 'part-end', part: { type: 'tool-call', id: '1', name: 'search', input: {} } },
      { type: 'finish', finishReason: 'tool_calls' },
    ]);
    const router = createRouter({ providers: { a: provider }, tiers: { t: ['a/m'] } });
    const { types, error } = await read(router.stream('t', 'hi', { tools }));
    expect(types).toEqual(['start', 'tool-call-start', 'invalid-tool-call']);
    expect(error).toMatchObject({ code: 'invalid_output', partial: { content: [] } });
  });

  it('is an event of a readable stream', async () => {
    const { router } = setUp({ a: answer });
    const body = router.stream('t', 'hi', { tools }).toReadableStream('sse');
    expect(await new Response(body).text()).toMatch(
      /event: invalid-tool-call\ndata: {"type":"invalid-tool-call","id":"call_1","name":"search"}\n\nevent: error\ndata: {"type":"error","code":"invalid_output",.*}\n\n$/,
    );
  });

  it('is reported to all calls that share the request', async () => {
    const { router, requestsTo } = setUp({ a: answer }, { singleFlight: true });
    const options = { tools };
    const both = [router.stream('t', 'hi', options), router.stream('t', 'hi', options)];
    for (const { types, error } of await Promise.all(both.map(read))) {
      expect(types.at(-1)).toBe('invalid-tool-call');
      expect(error?.code).toBe('invalid_output');
    }
    expect(requestsTo('a')).toHaveLength(1);
  });

  it('ends a continued answer and closes its socket', async () => {
    const started: readonly ProviderPart[] = [
      { type: 'text-delta', delta: 'two' },
      { type: 'tool-call-start', id: '1', name: 'search' },
    ];
    const second = partsProvider(started);
    const runtime = fakeRuntime({ time: 'auto' });
    const cut = { chunks: ['One ', 'x'], cutAfter: 1 };
    const router = createRouter({
      runtime,
      providers: { a: fakeProvider(cut, { runtime, capabilities }), b: second.provider },
      tiers: { t: { targets: ['a/m', 'b/m'], midStream: 'continue', repairAttempts: 0 } },
    });
    const { types, error } = await read(router.stream('t', 'hi', { tools }));
    expect(types).toContain('continue');
    expect(types.at(-1)).toBe('invalid-tool-call');
    expect(error?.partial?.text).toBe('One two');
    expect(second.state.closed).toBe(1);
  });
});
