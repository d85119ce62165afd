import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { nextValue } from '../../src/internal/read.ts';
import { answerOf } from '../../src/transport/answer.ts';

/** The answer of a `fetch` that ignores its signal. */
function answerIgnoringSignal() {
  const caller = new AbortController();
  const state: { cancelled: boolean; controller?: ReadableStreamDefaultController<Uint8Array> } = {
    cancelled: false,
  };
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      state.controller = controller;
    },
    cancel() {
      state.cancelled = true;
    },
  });
  const { body } = answerOf(new Response(stream), caller.signal);
  const listeners = () => getEventListeners(caller.signal, 'abort').length;
  return { body, caller, state, listeners };
}

describe('the answer of a fetch', () => {
  it('is closed by an abort that the fetch ignores, and rejects the pending read', async () => {
    const { body, caller, state, listeners } = answerIgnoringSignal();
    const reading = nextValue(() => body.read());
    const reason = new Error('enough');
    caller.abort(reason);
    await expect(reading).rejects.toBe(reason);
    expect(state.cancelled).toBe(true);
    expect(listeners()).toBe(0);
  });

  it('returns the chunks that arrived before the abort', async () => {
    const { body, caller, state } = answerIgnoringSignal();
    const first = nextValue(() => body.read());
    const reason = new Error('enough');
    state.controller?.enqueue(Buffer.from('a'));
    caller.abort(reason);
    expect(await first).toEqual(Buffer.from('a'));
    await expect(nextValue(() => body.read())).rejects.toBe(reason);
  });

  it('listens for the abort until it ends', async () => {
    const { body, state, listeners } = answerIgnoringSignal();
    state.controller?.enqueue(Buffer.from('a'));
    expect(await nextValue(() => body.read())).toEqual(Buffer.from('a'));
    expect(listeners()).toBe(1);
    state.controller?.close();
    expect(await nextValue(() => body.read())).toBeUndefined();
    expect(listeners()).toBe(0);
  });

  it('listens for the abort until it fails', async () => {
    const { body, state, listeners } = answerIgnoringSignal();
    const failure = new Error('cut');
    state.controller?.error(failure);
    await expect(nextValue(() => body.read())).rejects.toBe(failure);
    expect(listeners()).toBe(0);
  });

  it('is closed when its reader stops', async () => {
    const { body, state, listeners } = answerIgnoringSignal();
    const reading = nextValue(() => body.read());
    body.cancel();
    await expect(reading).rejects.toThrow('the reader stopped reading');
    expect(state.cancelled).toBe(true);
    expect(listeners()).toBe(0);
  });
});
