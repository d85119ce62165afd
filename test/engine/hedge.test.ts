import { describe, expect, it } from 'vitest';
import type { Hedge } from '../../src/protocol/config.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import type { ProviderPart, StreamPart } from '../../src/protocol/stream-part.ts';
import { createRouter } from '../../src/router.ts';
import type { FakeAnswer } from '../../src/testing/fake-answer.ts';
import { type FakeScript, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';

const usage = { inputTokens: 10, outputTokens: 5 };
const late: FakeAnswer = { text: 'late', firstTokenDelayMs: 2_000, usage };
const prompt: FakeAnswer = { text: 'prompt', firstTokenDelayMs: 50, usage };

function setUp(a: FakeScript, b: FakeScript, hedge: Hedge = { afterMs: 300, maxExtra: 1 }) {
  const runtime = fakeRuntime({ time: 'auto' });
  const providers = {
    a: fakeProvider(a, { runtime }),
    b: fakeProvider(b, { runtime }),
  };
  const router = createRouter({
    runtime,
    providers,
    prices: { 'a/m': { input: 1, output: 1 }, 'b/m': { input: 1, output: 1 } },
    tiers: { t: { targets: ['a/m', 'b/m'], hedge } },
  });
  const timed = async (): Promise<{ text: string; tookMs: number }> => {
    const startedAt = runtime.now();
    const { text } = await router.complete('t', 'hi');
    return { text, tookMs: runtime.now() - startedAt };
  };
  return { router, runtime, providers, timed, events: recordEvents(router) };
}

/** A provider that yields all parts of an answer in one batch. */
function atOnce(provider: Provider): Provider {
  return {
    ...provider,
    prepare(request) {
      const prepared = provider.prepare(request);
      return {
        ...prepared,
        async *send(context) {
          const parts: ProviderPart[] = [];
          for await (const batch of prepared.send(context)) parts.push(...batch);
          yield parts;
        },
      };
    },
  };
}

async function textOf(parts: AsyncIterable<StreamPart>): Promise<string> {
  let text = '';
  for await (const part of parts) if (part.type === 'text-delta') text += part.delta;
  return text;
}

describe('a hedge', () => {
  it('is not sent when the first token is in time', async () => {
    const { timed, providers, events } = setUp(prompt, prompt);
    expect(await timed()).toEqual({ text: 'prompt', tookMs: 50 });
    expect(providers.b.calls).toHaveLength(0);
    expect(events.of('hedge')).toHaveLength(0);
  });

  it('answers when the first token of the first target is late, and closes its socket', async () => {
    const { router, timed, providers, runtime, events } = setUp(late, prompt);
    expect(await timed()).toEqual({ text: 'prompt', tookMs: 350 });
    expect(providers.a.calls.map(({ outcome }) => outcome)).toEqual(['aborted']);
    expect(events.of('hedge')).toMatchObject([{ from: 'a/m', to: 'b/m', afterMs: 300 }]);
    expect(events.of('attempt-end').map(({ target, outcome }) => [target, outcome])).toEqual([
      ['a/m', 'aborted'],
      ['b/m', 'ok'],
    ]);
    expect(router.snapshot()).toMatchObject({ callsInFlight: 0 });
    expect(router.snapshot().targets['a/m']).toMatchObject({ circuit: 'closed', failures: 0 });
    expect(runtime.pending).toBe(0);
  });

  it('records the losing attempt when the answer arrives in one batch', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const router = createRouter({
      runtime,
      providers: {
        a: fakeProvider(late, { runtime }),
        b: atOnce(fakeProvider(prompt, { runtime })),
      },
      tiers: { t: { targets: ['a/m', 'b/m'], hedge: { afterMs: 300, maxExtra: 1 } } },
    });
    const { trail } = await router.complete('t', 'hi');
    expect(trail.map(({ target, outcome }) => [target, outcome])).toEqual([
      ['b/m', 'ok'],
      ['a/m', 'aborted'],
    ]);
  });

  it('does not abort the first target when both start at the same time', async () => {
    const runtime = fakeRuntime({ time: 'manual' });
    const gate = Promise.withResolvers<void>();
    const answering = (text: string): Provider => ({
      ...fakeProvider(text, { runtime }),
      prepare: () => ({
        warnings: [],
        async *send() {
          await gate.promise;
          yield [{ type: 'text-delta', delta: text }];
          for (let turn = 0; turn < 10; turn += 1) await undefined;
          yield [{ type: 'part-end', part: { type: 'text', text } }];
          yield [{ type: 'finish', finishReason: 'stop' }];
        },
      }),
    });
    const router = createRouter({
      runtime,
      providers: { a: answering('a'), b: answering('b') },
      tiers: { t: { targets: ['a/m', 'b/m'], hedge: { afterMs: 300, maxExtra: 1 } } },
    });
    const calling = router.complete('t', 'hi');
    await runtime.advance(400);
    gate.resolve();
    expect((await calling).text).toBe('a');
    expect(runtime.pending).toBe(0);
  });

  it('prefers a target of another provider', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const router = createRouter({
      runtime,
      providers: {
        a: fakeProvider(late, { runtime }),
        b: fakeProvider(prompt, { runtime }),
      },
      tiers: { t: { targets: ['a/m', 'a/n', 'b/m'], hedge: { afterMs: 300, maxExtra: 1 } } },
    });
    const events = recordEvents(router);
    expect((await router.complete('t', 'hi')).text).toBe('prompt');
    expect(events.of('hedge')).toMatchObject([{ from: 'a/m', to: 'b/m' }]);
  });

  it('records the wait for the losing target in its statistics', async () => {
    const { timed, router } = setUp(late, prompt);
    await timed();
    expect(router.snapshot().targets['a/m']?.p50FirstTokenMs).toBe(350);
  });

  it('is not sent and takes no token when no attempt is left', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const router = createRouter({
      runtime,
      providers: { a: fakeProvider(late, { runtime }), b: fakeProvider(prompt, { runtime }) },
      tiers: {
        t: {
          targets: ['a/m', 'b/m'],
          hedge: { afterMs: 300, maxExtra: 1 },
          maxAttempts: 1,
        },
      },
    });
    const events = recordEvents(router);
    const before = router.snapshot().retryBudget;
    expect((await router.complete('t', 'hi')).text).toBe('late');
    expect(events.of('hedge')).toHaveLength(0);
    expect(router.snapshot().retryBudget).toBeGreaterThanOrEqual(before);
  });

  it('answers a stream too', async () => {
    const { router } = setUp(late, prompt);
    expect(await textOf(router.stream('t', 'hi'))).toBe('prompt');
  });

  it('loses to a late target that starts first', async () => {
    const first = { ...late, firstTokenDelayMs: 400 };
    const { timed, providers } = setUp(first, { ...prompt, firstTokenDelayMs: 5_000 });
    expect(await timed()).toEqual({ text: 'late', tookMs: 400 });
    expect(providers.b.calls.map(({ outcome }) => outcome)).toEqual(['aborted']);
  });

  it('wins with its first token, even if the rest is slow', async () => {
    const slow: FakeAnswer = {
      chunks: ['one', ' two'],
      firstTokenDelayMs: 50,
      chunkDelayMs: 9_000,
    };
    const { timed } = setUp(late, slow);
    expect(await timed()).toEqual({ text: 'one two', tookMs: 9_350 });
  });

  it('leaves the call to the first target when it fails', async () => {
    const { timed, events } = setUp(late, { error: 'invalid_request' });
    expect(await timed()).toEqual({ text: 'late', tookMs: 2_000 });
    expect(events.of('call-end')).toMatchObject([{ status: 'ok', attempts: 2 }]);
  });

  it('continues alone when the first target fails', async () => {
    const failing = { error: 'overloaded', firstTokenDelayMs: 320 } as const;
    const { timed } = setUp(failing, { ...prompt, firstTokenDelayMs: 5_000 });
    expect((await timed()).text).toBe('prompt');
  });

  it('does not hide an invalid_request of the first target', async () => {
    const invalid = { error: 'invalid_request', firstTokenDelayMs: 320 } as const;
    const { timed, providers, runtime } = setUp(invalid, { ...prompt, firstTokenDelayMs: 5_000 });
    await expect(timed()).rejects.toMatchObject({ code: 'invalid_request' });
    expect(providers.b.calls.map(({ outcome }) => outcome)).toEqual(['aborted']);
    expect(runtime.pending).toBe(0);
  });

  it('is not sent after the first target failed, because that is a failover', async () => {
    const { timed, events } = setUp([{ error: 'auth' }], prompt);
    await timed();
    expect(events.of('hedge')).toHaveLength(0);
    expect(events.of('failover')).toHaveLength(1);
  });

  it('is aborted with the call and leaves no timer', async () => {
    const { router, runtime, providers } = setUp(late, { ...late, firstTokenDelayMs: 9_000 });
    const controller = new AbortController();
    const calling = router.complete('t', 'hi', { signal: controller.signal });
    calling.catch(() => undefined);
    void runtime.sleep(1_000).then(() => controller.abort());
    await expect(calling).rejects.toMatchObject({ code: 'aborted' });
    expect(providers.a.calls[0]?.outcome).toBe('aborted');
    expect(providers.b.calls[0]?.outcome).toBe('aborted');
    expect(runtime.pending).toBe(0);
    expect(router.snapshot().callsInFlight).toBe(0);
  });

  it('takes a token of the retry budget', async () => {
    const { timed, events, router } = setUp(late, prompt);
    const before = router.snapshot().retryBudget;
    await timed();
    expect(router.snapshot().retryBudget).toBeLessThan(before);
    expect(events.of('hedge')).toHaveLength(1);
  });

  it('leaves no attempt for a queued target when it takes the last one', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const answers = (text: string, firstTokenDelayMs: number): FakeAnswer => ({
      text,
      firstTokenDelayMs,
    });
    const a = fakeProvider([answers('a', 400), 'a'], { runtime });
    const b = fakeProvider([answers('b', 200), answers('b', 5_000)], { runtime });
    const router = createRouter({
      runtime,
      providers: { a, b },
      tiers: {
        t: {
          targets: [
            { target: 'a/m', limits: { concurrency: 1 } },
            { target: 'b/m', limits: { concurrency: 1 } },
          ],
          hedge: { afterMs: 300, maxExtra: 1 },
          maxAttempts: 1,
        },
      },
    });
    const callOn = (only: readonly ('a' | 'b')[]) =>
      router.complete('t', 'hi', { route: { only } });
    const [, , { text, trail }] = await Promise.all([
      callOn(['a']),
      callOn(['b']),
      callOn(['a', 'b']),
    ]);
    expect(text).toBe('b');
    expect([a.calls.length, b.calls.length]).toEqual([1, 2]);
    expect(trail.map(({ target, outcome }) => `${target} ${outcome}`)).toEqual([
      'a/m skipped',
      'b/m ok',
    ]);
  });

  it('is sent for at most maxExtra of the calls', async () => {
    const everyThird: FakeScript = (_, attempt) => (attempt % 3 === 0 ? late : prompt);
    const { timed, events } = setUp(everyThird, prompt, { afterMs: 300, maxExtra: 0.1 });
    for (let call = 0; call < 60; call += 1) await timed();
    // One initial hedge, plus a tenth of sixty.
    expect(events.of('hedge')).toHaveLength(7);
  });

  it('is not sent while most calls are late', async () => {
    const { timed, events } = setUp(late, late);
    for (let call = 0; call < 40; call += 1) await timed();
    expect(events.of('hedge').length).toBeLessThanOrEqual(6);
  });

  it('waits for the percentile of the first tokens, after 20 of them', async () => {
    const script: FakeScript = (_, attempt) => (attempt === 22 ? late : prompt);
    const { timed, events } = setUp(script, prompt, { percentile: 95 });
    for (let call = 0; call < 21; call += 1) await timed();
    expect(await timed()).toEqual({ text: 'prompt', tookMs: 111 });
    expect(events.of('hedge')).toMatchObject([{ afterMs: 61 }]);
  });
});
