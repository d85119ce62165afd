import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { CallOptions } from '../../src/protocol/call-options.ts';
import type { StreamPart } from '../../src/protocol/stream-part.ts';
import { createRouter } from '../../src/router.ts';
import { type FakeScript, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';

const answer = { chunks: ['one', ' two', ' three'], firstTokenDelayMs: 100, chunkDelayMs: 100 };

function setUp(script: FakeScript = answer) {
  const runtime = fakeRuntime();
  const fake = fakeProvider(script, { runtime });
  const router = createRouter({
    runtime,
    providers: { fake },
    prices: { 'fake/m': { input: 1, output: 1 } },
    tiers: {
      t: { targets: ['fake/m'], singleFlight: true, retry: { attempts: 0 } },
      alone: ['fake/m'],
    },
  });
  return { runtime, fake, router, events: recordEvents(router) };
}

async function textOf(parts: AsyncIterable<StreamPart>): Promise<string> {
  let text = '';
  for await (const part of parts) if (part.type === 'text-delta') text += part.delta;
  return text;
}

describe('identical concurrent calls', () => {
  it('share one request, and each gets the complete answer with separate tags', async () => {
    const { runtime, fake, router, events } = setUp();
    const calls = ['a', 'b', 'c'].map((user) => router.complete('t', 'hi', { tags: { user } }));
    await runtime.advance(1_000);
    const answers = await Promise.all(calls);
    expect(fake.calls).toHaveLength(1);
    expect(answers.map(({ text }) => text)).toEqual(Array(3).fill('one two three'));
    expect(answers.map(({ tags }) => tags.user)).toEqual(['a', 'b', 'c']);
    expect(answers.map(({ shared }) => shared)).toEqual([undefined, true, true]);
    expect(events.of('cost')).toMatchObject([{ tags: { user: 'a' } }]);
  });

  it('share a stream from its start, even if one joins late', async () => {
    const { runtime, fake, router } = setUp();
    const first = textOf(router.stream('t', 'hi'));
    await runtime.advance(250);
    const second = textOf(router.stream('t', 'hi'));
    await runtime.advance(1_000);
    expect(await first).toBe('one two three');
    expect(await second).toBe('one two three');
    expect(fake.calls).toHaveLength(1);
  });

  it('share a failure', async () => {
    const { runtime, fake, router } = setUp({ error: 'auth', firstTokenDelayMs: 100 });
    const calls = [router.complete('t', 'hi'), router.complete('t', 'hi')];
    const failing = calls.map((call) =>
      expect(call).rejects.toMatchObject({ code: 'all_targets_failed' }),
    );
    await runtime.advance(1_000);
    await Promise.all(failing);
    expect(fake.calls).toHaveLength(1);
  });

  it('no longer share after the answer ended', async () => {
    const { runtime, fake, router } = setUp();
    for (let each = 0; each < 2; each += 1) {
      const call = router.complete('t', 'hi');
      await runtime.advance(1_000);
      await call;
    }
    expect(fake.calls).toHaveLength(2);
  });

  it('abort the request when the last of them is aborted', async () => {
    const { runtime, fake, router } = setUp();
    const controllers = [new AbortController(), new AbortController()];
    const calls = controllers.map(({ signal }) => router.complete('t', 'hi', { signal }));
    const failing = calls.map((call, index) =>
      expect(call).rejects.toMatchObject({ code: 'aborted', cause: `left ${index}` }),
    );
    await runtime.advance(50);
    controllers[0]?.abort('left 0');
    await runtime.advance(50);
    expect(fake.calls.map(({ outcome }) => outcome)).toEqual(['running']);
    controllers[1]?.abort('left 1');
    await Promise.all(failing);
    await runtime.advance(0);
    expect(fake.calls.map(({ outcome }) => outcome)).toEqual(['aborted']);
    expect(router.snapshot().callsInFlight).toBe(0);
    expect(runtime.pending).toBe(0);
  });

  it.each(['before its first part', 'during the answer'])(
    'continue for the others when the first caller aborts: %s',
    async (when) => {
      const { runtime, fake, router, events } = setUp();
      const controller = new AbortController();
      const { signal } = controller;
      const first = router.complete('t', 'hi', { signal });
      const aborted = expect(first).rejects.toMatchObject({ code: 'aborted', cause: 'left' });
      const joiner = router.complete('t', 'hi', { tags: { user: 'b' } });
      const unused = new AbortController();
      const third = router.complete('t', 'hi', { signal: unused.signal });
      await runtime.advance(when === 'before its first part' ? 50 : 250);
      controller.abort('left');
      await aborted;
      // A call that starts only now joins too.
      const late = router.complete('t', 'hi');
      await runtime.advance(1_000);
      for (const answer of await Promise.all([joiner, third, late])) {
        expect(answer).toMatchObject({ text: 'one two three', shared: true });
      }
      expect(fake.calls.map(({ outcome }) => outcome)).toEqual(['ok']);
      expect(events.of('call-end')).toMatchObject([{ status: 'ok' }]);
    },
  );

  it('continue streaming for the others when the first reader leaves or aborts', async () => {
    for (const way of ['leaves', 'aborts'] as const) {
      const { runtime, fake, router } = setUp();
      const controller = new AbortController();
      const reader = router
        .stream('t', 'hi', { signal: controller.signal })
        [Symbol.asyncIterator]();
      const started = reader.next();
      const joiner = textOf(router.stream('t', 'hi'));
      await runtime.advance(150);
      await started;
      if (way === 'aborts') controller.abort();
      else await reader.return?.();
      await runtime.advance(1_000);
      expect(await joiner).toBe('one two three');
      expect(fake.calls.map(({ outcome }) => outcome)).toEqual(['ok']);
    }
  });

  it('do not join an aborted request', async () => {
    const { runtime, fake, router } = setUp();
    const controller = new AbortController();
    router.complete('t', 'hi', { signal: controller.signal }).catch(() => undefined);
    await runtime.advance(50);
    controller.abort();
    await runtime.advance(0);
    const call = router.complete('t', 'hi');
    await runtime.advance(1_000);
    expect((await call).text).toBe('one two three');
    expect(fake.calls).toHaveLength(2);
  });

  it('do not join an aborted request that has not ended yet', async () => {
    const { runtime, fake, router } = setUp();
    const controller = new AbortController();
    const first = router.complete('t', 'hi', { signal: controller.signal });
    const aborted = expect(first).rejects.toMatchObject({ code: 'aborted' });
    await runtime.advance(50);
    controller.abort();
    await aborted;
    const next = router.complete('t', 'hi');
    await runtime.advance(1_000);
    expect((await next).text).toBe('one two three');
    expect(fake.calls).toHaveLength(2);
  });

  it('fail for a reader that aborted, even if more parts have arrived', async () => {
    const { runtime, router } = setUp();
    const controller = new AbortController();
    const parts = router.stream('t', 'hi', { signal: controller.signal })[Symbol.asyncIterator]();
    const other = textOf(router.stream('t', 'hi'));
    const first = parts.next();
    await runtime.advance(1_000);
    expect(await first).toMatchObject({ value: { type: 'start' } });
    expect(await other).toBe('one two three');
    controller.abort('left');
    await expect(parts.next()).rejects.toMatchObject({ code: 'aborted', cause: 'left' });
  });

  const schema = z.object({ a: z.number() });
  it.each<[string, CallOptions<'fake'>, CallOptions<'fake'>, number]>([
    ['the same options', { temperature: 1, seed: 2 }, { temperature: 1, seed: 2 }, 1],
    ['other options', { temperature: 1 }, { temperature: 0 }, 2],
    ['the same schema', { schema }, { schema }, 1],
    ['a schema that looks the same', { schema }, { schema: z.object({ a: z.number() }) }, 2],
    ['other functions', { validate: () => true }, { validate: () => true }, 2],
    ['singleFlight disabled', {}, { singleFlight: false }, 2],
  ])('with %s share or do not share the request', async (_, first, second, requests) => {
    const { runtime, fake, router } = setUp({ object: { a: 1 }, firstTokenDelayMs: 10 });
    const calls = [router.complete('t', 'hi', first), router.complete('t', 'hi', second)];
    await runtime.advance(100);
    await Promise.all(calls);
    expect(fake.calls).toHaveLength(requests);
  });

  it('with other bytes or another configuration do not share', async () => {
    const { runtime, fake, router } = setUp();
    const send = (byte: number) => {
      const source = { data: new Uint8Array([byte]), mediaType: 'image/png' };
      return router.complete('t', [{ role: 'user', content: [{ type: 'image', source }] }]);
    };
    const calls = [send(1), send(1), send(2)];
    router.reconfigure({
      tiers: { t: { targets: ['fake/m'], singleFlight: true }, alone: ['fake/m'] },
    });
    calls.push(send(1));
    await runtime.advance(1_000);
    await Promise.all(calls);
    expect(fake.calls).toHaveLength(3);
  });

  it('do not share without singleFlight', async () => {
    const { runtime, fake, router } = setUp();
    const calls = [router.complete('alone', 'hi'), router.complete('alone', 'hi')];
    await runtime.advance(1_000);
    await Promise.all(calls);
    expect(fake.calls).toHaveLength(2);
  });

  it("get a request of their own when the first caller's deadline ends the shared one", async () => {
    const slow = setUp([{ hang: true }, answer]);
    const first = slow.router.complete('t', 'hi', { timeouts: { totalMs: 10_000 } });
    const failing = expect(first).rejects.toMatchObject({ code: 'timeout', phase: 'total' });
    await slow.runtime.advance(9_500);
    const joined = slow.router.complete('t', 'hi', { timeouts: { totalMs: 10_000 } });
    await slow.runtime.advance(2_000);
    await failing;
    expect((await joined).text).toBe('one two three');
    expect((await joined).shared).toBeUndefined();
    expect(slow.fake.calls).toHaveLength(2);
  });

  it('never lose or duplicate a part, for any sequence of joins and aborts', async () => {
    const visit = fc.record({
      joinMs: fc.nat(400),
      abortMs: fc.option(fc.nat(400), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(visit, { minLength: 1, maxLength: 8 }), async (visits) => {
        const { runtime, fake, router } = setUp();
        const running = visits.map(async ({ joinMs, abortMs }) => {
          await runtime.sleep(joinMs);
          const controller = new AbortController();
          if (abortMs !== undefined) void runtime.sleep(abortMs).then(() => controller.abort());
          try {
            return await textOf(router.stream('t', 'hi', { signal: controller.signal }));
          } catch {
            return controller.signal.aborted ? 'left' : 'failed';
          }
        });
        await runtime.advance(2_000);
        for (const text of await Promise.all(running))
          expect(['left', 'one two three']).toContain(text);
        expect(fake.calls.every(({ outcome }) => outcome !== 'running')).toBe(true);
        expect(router.snapshot().callsInFlight).toBe(0);
        expect(runtime.pending).toBe(0);
      }),
      { numRuns: 100 },
    );
  });
});
