import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { untilAborted } from '../../src/internal/until-aborted.ts';

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
  ])('hands on %s, and leaves the signal', async (_, work, expected) => {
    const { signal } = new AbortController();
    expect(await untilAborted<unknown>(work, signal).catch((error: unknown) => error)).toBe(
      expected,
    );
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('ends with the reason of an abort, and leaves the signal', async () => {
    const controller = new AbortController();
    const waiting = untilAborted(() => new Promise(() => undefined), controller.signal);
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  it('does not begin after an abort', async () => {
    let begun = false;
    const work = async (): Promise<void> => {
      begun = true;
    };
    await expect(untilAborted(work, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(begun).toBe(false);
  });
});
