import { describe, expect, it } from 'vitest';
import type { Answer } from '../../src/transport/answer.ts';
import { Tap } from '../../src/transport/tap.ts';

const listener = {
  signal: new AbortController().signal,
  watch: { connected: () => undefined, bytes: () => undefined, limits: () => undefined },
  key: 0,
};

const answer: Answer = {
  status: 200,
  headers: new Headers(),
  body: { hasArrived: true, read: () => undefined, cancel: () => undefined },
};

describe('a tap', () => {
  it('hands over the answer, and holds nothing from then on', async () => {
    const tap = new Tap(listener);
    const waiting = tap.wait();
    tap.take(Promise.resolve(answer));
    expect(tap.listener).toBeUndefined();
    expect(await waiting).toBe(answer);
  });

  it('hands over why there is none', async () => {
    const tap = new Tap(listener);
    const waiting = tap.wait();
    const reason = new Error('reset');
    tap.take(Promise.reject(reason));
    await expect(waiting).rejects.toBe(reason);
  });

  it('fails the one that waits, and holds nothing from then on', async () => {
    const tap = new Tap(listener);
    const waiting = tap.wait();
    const reason = new Error('no credentials');
    tap.fail(reason);
    expect(tap.listener).toBeUndefined();
    await expect(waiting).rejects.toBe(reason);
  });

  it('keeps an answer that it has, whatever becomes of the SDK', async () => {
    const tap = new Tap(listener);
    const waiting = tap.wait();
    tap.take(Promise.resolve(answer));
    tap.fail(new Error('the SDK chokes on its empty answer'));
    expect(await waiting).toBe(answer);
  });
});
