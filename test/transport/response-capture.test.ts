import { describe, expect, it, vi } from 'vitest';
import type { Answer } from '../../src/transport/body/response.ts';
import { ResponseCapture } from '../../src/transport/response-capture.ts';

const answer: Answer = {
  status: 200,
  headers: new Headers(),
  body: { hasArrived: true, read: () => undefined, cancel: () => undefined },
};

/** A capture whose signal tells how many listen. */
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

describe('a capture', () => {
  it('hands over the answer, and holds nothing once all has come', async () => {
    const { capture, waiting, listening } = open();
    expect(capture.start().key).toBe(1);
    capture.resolve(answer);
    expect(await waiting).toBe(answer);
    expect(listening.size).toBe(1);
    capture.release();
    expect(listening.size).toBe(0);
  });

  it('waits until the request goes out', () => {
    const { capture } = open();
    expect(capture.isUnsent).toBe(true);
    capture.start();
    expect(capture.isUnsent).toBe(false);
  });

  it('fails the one that waits, and holds nothing from then on', async () => {
    const { capture, waiting, listening } = open();
    const reason = new Error('reset');
    capture.start();
    capture.reject(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(listening.size).toBe(0);
    expect(() => capture.start()).toThrow('the attempt has ended');
  });

  it('keeps an answer that it has, whatever comes after', async () => {
    const { capture, waiting } = open();
    capture.resolve(answer);
    capture.reject(new Error('reset'));
    expect(await waiting).toBe(answer);
  });

  it('fails with the reason of an abort before the request goes out', async () => {
    const { capture, waiting, abort, listening } = open();
    const reason = new Error('enough');
    abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(capture.isUnsent).toBe(false);
    expect(listening.size).toBe(0);
  });

  it('has whoever carries the request cut it, until all has come', () => {
    for (const isOver of [false, true]) {
      const { capture, abort } = open();
      const abortConnection = vi.fn();
      capture.setConnection({ abort: abortConnection });
      capture.resolve(answer);
      if (isOver) capture.release();
      const reason = new Error('enough');
      abort(reason);
      expect(abortConnection.mock.calls).toEqual(isOver ? [] : [[reason]]);
    }
  });

  it('tells that the request is on a socket, while the attempt is under way', () => {
    const { capture, connected } = open();
    capture.connected();
    capture.release();
    capture.connected();
    expect(connected).toHaveBeenCalledOnce();
  });
});
