import { describe, expect, it, vi } from 'vitest';
import type { Answer } from '../../src/transport/answer.ts';
import { ResponseCapture } from '../../src/transport/exchange.ts';

const answer: Answer = {
  status: 200,
  headers: new Headers(),
  body: { hasArrived: true, read: () => undefined, cancel: () => undefined },
};

/** A capture with the listeners of its signal. */
function open() {
  const controller = new AbortController();
  const { signal } = controller;
  const listening = new Set<unknown>();
  signal.addEventListener = vi.fn((_, listener) => void listening.add(listener));
  signal.removeEventListener = vi.fn((_, listener) => void listening.delete(listener));
  const connected = vi.fn();
  const watch = { connected, bytes: () => undefined, limits: () => undefined };
  const capture = new ResponseCapture({ signal, watch, key: 1 });
  const abort = (reason: unknown): void => {
    controller.abort(reason);
    for (const listener of listening) (listener as () => void)();
  };
  return { capture, waiting: capture.wait(), listening, connected, abort };
}

describe('ResponseCapture', () => {
  it('resolves with the answer, and removes its listener on release', async () => {
    const { capture, waiting, listening } = open();
    expect(capture.start().key).toBe(1);
    capture.resolve(answer);
    expect(await waiting).toBe(answer);
    expect(listening.size).toBe(1);
    capture.release();
    expect(listening.size).toBe(0);
  });

  it('is unsent until the request starts', () => {
    const { capture } = open();
    expect(capture.isUnsent).toBe(true);
    capture.start();
    expect(capture.isUnsent).toBe(false);
  });

  it('rejects and removes its listener', async () => {
    const { capture, waiting, listening } = open();
    const reason = new Error('reset');
    capture.start();
    capture.reject(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(listening.size).toBe(0);
    expect(() => capture.start()).toThrow('the attempt has ended');
  });

  it('keeps its answer after a later failure', async () => {
    const { capture, waiting } = open();
    capture.resolve(answer);
    capture.reject(new Error('reset'));
    expect(await waiting).toBe(answer);
  });

  it('rejects with the reason of an abort before the request is sent', async () => {
    const { capture, waiting, abort, listening } = open();
    const reason = new Error('enough');
    abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(capture.isUnsent).toBe(false);
    expect(listening.size).toBe(0);
  });

  it('aborts the connection until it is released', () => {
    for (const isReleased of [false, true]) {
      const { capture, abort } = open();
      const abortConnection = vi.fn();
      capture.setConnection({ abort: abortConnection });
      capture.resolve(answer);
      if (isReleased) capture.release();
      const reason = new Error('enough');
      abort(reason);
      expect(abortConnection.mock.calls).toEqual(isReleased ? [] : [[reason]]);
    }
  });

  it('reports the connection until it is released', () => {
    const { capture, connected } = open();
    capture.connected();
    capture.release();
    capture.connected();
    expect(connected).toHaveBeenCalledOnce();
  });
});
