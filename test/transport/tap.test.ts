import { describe, expect, it, vi } from 'vitest';
import type { Answer } from '../../src/transport/body/response.ts';
import { Tap } from '../../src/transport/response-capture.ts';

const answer: Answer = {
  status: 200,
  headers: new Headers(),
  body: { hasArrived: true, read: () => undefined, cancel: () => undefined },
};

/** A tap whose signal tells how many listen. */
function open() {
  const controller = new AbortController();
  const { signal } = controller;
  const listening = new Set<unknown>();
  signal.addEventListener = vi.fn((_, listener) => void listening.add(listener));
  signal.removeEventListener = vi.fn((_, listener) => void listening.delete(listener));
  const connected = vi.fn();
  const watch = { connected, bytes: () => undefined, limits: () => undefined };
  const tap = new Tap({ signal, watch, key: 1 });
  const abort = (reason: unknown): void => {
    controller.abort(reason);
    for (const listener of listening) (listener as () => void)();
  };
  return { tap, waiting: tap.wait(), listening, connected, abort };
}

describe('a tap', () => {
  it('hands over the answer, and holds nothing once all has come', async () => {
    const { tap, waiting, listening } = open();
    expect(tap.take().key).toBe(1);
    tap.answered(answer);
    expect(await waiting).toBe(answer);
    expect(listening.size).toBe(1);
    tap.close();
    expect(listening.size).toBe(0);
  });

  it('waits until the request goes out', () => {
    const { tap } = open();
    expect(tap.isWaiting).toBe(true);
    tap.take();
    expect(tap.isWaiting).toBe(false);
  });

  it('fails the one that waits, and holds nothing from then on', async () => {
    const { tap, waiting, listening } = open();
    const reason = new Error('reset');
    tap.take();
    tap.fail(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(listening.size).toBe(0);
    expect(() => tap.take()).toThrow('the attempt has ended');
  });

  it('keeps an answer that it has, whatever comes after', async () => {
    const { tap, waiting } = open();
    tap.answered(answer);
    tap.fail(new Error('reset'));
    expect(await waiting).toBe(answer);
  });

  it('fails with the reason of an abort before the request goes out', async () => {
    const { tap, waiting, abort, listening } = open();
    const reason = new Error('enough');
    abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(tap.isWaiting).toBe(false);
    expect(listening.size).toBe(0);
  });

  it('has whoever carries the request cut it, until all has come', () => {
    for (const isOver of [false, true]) {
      const { tap, abort } = open();
      const cut = vi.fn();
      tap.carriedBy({ cut });
      tap.answered(answer);
      if (isOver) tap.close();
      const reason = new Error('enough');
      abort(reason);
      expect(cut.mock.calls).toEqual(isOver ? [] : [[reason]]);
    }
  });

  it('tells that the request is on a socket, while the attempt is under way', () => {
    const { tap, connected } = open();
    tap.connected();
    tap.close();
    tap.connected();
    expect(connected).toHaveBeenCalledOnce();
  });
});
