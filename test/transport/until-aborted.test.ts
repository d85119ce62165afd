import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { untilAborted } from '../../src/transport/guarded-fetch.ts';

const reason = new Error('enough');

describe('untilAborted', () => {
  it.each([
    ['a value', async () => 'done', 'done'],
    ['a failure', () => Promise.reject(reason), reason],
    [
      'a failure before any promise',
      () => {
        throw reason;
      },
      reason,
    ],
  ])('returns %s and removes its listener', async (_, work, expected) => {
    const { signal } = new AbortController();
    expect(await untilAborted<unknown>(work, signal).catch((error: unknown) => error)).toBe(
      expected,
    );
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('rejects with the reason of an abort and removes its listener', async () => {
    const controller = new AbortController();
    const waiting = untilAborted(() => new Promise(() => undefined), controller.signal);
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  it('does not start the work after an abort', async () => {
    let hasStarted = false;
    const work = async (): Promise<void> => {
      hasStarted = true;
    };
    await expect(untilAborted(work, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(hasStarted).toBe(false);
  });
});
