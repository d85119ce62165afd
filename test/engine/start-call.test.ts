import { describe, expect, it } from 'vitest';
import { isSignalboxError } from '../../src/errors.ts';
import type { StreamPart } from '../../src/protocol/stream-part.ts';
import { createRouter } from '../../src/router.ts';
import { type FakeScript, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';

function setUp(script: FakeScript) {
  const runtime = fakeRuntime({ time: 'auto' });
  const fake = fakeProvider(script, { runtime });
  const router = createRouter({ runtime, providers: { fake }, tiers: { t: ['fake/m'] } });
  return { runtime, router, events: recordEvents(router) };
}

type Reader = AsyncIterator<StreamPart>;

/** Reads until the first text. */
async function readText(reader: Reader): Promise<void> {
  for (;;) {
    const next = await reader.next();
    if (next.done === true) throw new Error('the stream ended before its first text');
    if (next.value.type === 'text-delta') return;
  }
}

/** Reads to the end. Returns how the stream ends. */
async function nextValue(reader: Reader): Promise<'end' | 'finish' | string> {
  try {
    for (;;) {
      const next = await reader.next();
      if (next.done === true) return 'end';
      if (next.value.type === 'finish') return 'finish';
    }
  } catch (error) {
    return isSignalboxError(error) ? error.code : String(error);
  }
}

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};

const long = { chunks: ['one', ' two', ' three'] };

describe('a stream that is not being read', () => {
  it('throws closed at the next read after the router was closed', async () => {
    const { router, events } = setUp(long);
    const stream = router.stream('t', 'hi');
    const reader = stream[Symbol.asyncIterator]();
    await readText(reader);
    await router.close();
    expect(await nextValue(reader)).toBe('closed');
    await expect(stream.completion).rejects.toMatchObject({
      code: 'closed',
      message: expect.stringContaining('while the call was in flight'),
      partial: { text: expect.stringContaining('one') },
    });
    expect(events.of('call-end')).toMatchObject([{ status: 'aborted' }]);
  });

  it('throws closed in a readable stream too', async () => {
    const { router } = setUp(long);
    const body = router.stream('t', 'hi').toReadableStream().getReader();
    await body.read();
    await router.close();
    const rest = async (): Promise<void> => {
      for (let next = await body.read(); !next.done; next = await body.read());
    };
    await expect(rest()).rejects.toMatchObject({ code: 'closed' });
  });

  it('ends when its signal aborts and throws aborted at the next read', async () => {
    const { router, runtime, events } = setUp(long);
    const controller = new AbortController();
    const reader = router.stream('t', 'hi', { signal: controller.signal })[Symbol.asyncIterator]();
    await readText(reader);
    controller.abort();
    await settled();
    expect(router.snapshot().callsInFlight).toBe(0);
    expect(runtime.pending).toBe(0);
    expect(events.of('attempt-end')).toMatchObject([{ outcome: 'aborted' }]);
    expect(events.of('call-end')).toMatchObject([{ status: 'aborted' }]);
    expect(await nextValue(reader)).toBe('aborted');
  });

  it('ends its attempt once when the answer was complete before its parts were read', async () => {
    // Held back to its end: a stream shows a part without text only when it is whole.
    const { router, events } = setUp({ reasoning: 'hm', text: '', finishReason: 'length' });
    const controller = new AbortController();
    const reader = router.stream('t', 'hi', { signal: controller.signal })[Symbol.asyncIterator]();
    await reader.next();
    controller.abort();
    await settled();
    await nextValue(reader);
    expect(events.of('attempt-end').length).toBe(events.of('attempt-start').length);
    expect(events.of('call-end')).toHaveLength(1);
  });

  it('is complete after finish, even if it is aborted then', async () => {
    const { router } = setUp('one');
    const controller = new AbortController();
    const stream = router.stream('t', 'hi', { signal: controller.signal });
    const reader = stream[Symbol.asyncIterator]();
    expect(await nextValue(reader)).toBe('finish');
    controller.abort();
    await settled();
    expect(await nextValue(reader)).toBe('end');
    expect((await stream.completion).text).toBe('one');
  });
});
