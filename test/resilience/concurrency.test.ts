import { getEventListeners } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createConcurrency, type Release } from '../../src/resilience/concurrency.ts';

const one = [{ key: 'a', limit: 1 }];
const { signal } = new AbortController();

/** Whether a promise has settled by the next turn. */
async function isWaiting(promise: Promise<unknown>): Promise<boolean> {
  const settled = promise.then(
    () => false,
    () => false,
  );
  return Promise.race([settled, nextTurn(true)]);
}

describe('acquire', () => {
  test('waits for a place and gets it when one is given back', async () => {
    const concurrency = createConcurrency();
    const release = await concurrency.acquire(one, signal);
    const second = concurrency.acquire(one, signal);
    expect(await isWaiting(second)).toBe(true);
    release();
    expect(await second).toBeTypeOf('function');
  });

  test('lets any number through where no limit is set', async () => {
    const concurrency = createConcurrency();
    const open = [{ key: 'a', limit: undefined }];
    const all = Array.from({ length: 100 }, () => concurrency.acquire(open, signal));
    expect(await Promise.all(all)).toHaveLength(100);
  });

  test('does not mind a release that is called twice', async () => {
    const concurrency = createConcurrency();
    const release = await concurrency.acquire(one, signal);
    release();
    release();
    const second = await concurrency.acquire(one, signal);
    expect(await isWaiting(concurrency.acquire(one, signal))).toBe(true);
    second();
  });

  test('leaves the place to the next when its caller has left the queue', async () => {
    const concurrency = createConcurrency();
    const release = await concurrency.acquire(one, signal);
    const leaver = new AbortController();
    const second = concurrency.acquire(one, leaver.signal);
    const third = concurrency.acquire(one, signal);
    await nextTurn();
    leaver.abort('gone');
    await expect(second).rejects.toBe('gone');
    expect(await isWaiting(third)).toBe(true);
    release();
    expect(await third).toBeTypeOf('function');
  });

  test('rejects at once under a signal that has aborted, and takes nothing', async () => {
    const concurrency = createConcurrency();
    await expect(concurrency.acquire(one, AbortSignal.abort('gone'))).rejects.toBe('gone');
    expect(await concurrency.acquire(one, signal)).toBeTypeOf('function');
  });

  test('leaves no listener on the signal', async () => {
    const concurrency = createConcurrency();
    const mine = new AbortController();
    const release = await concurrency.acquire(one, mine.signal);
    expect(getEventListeners(mine.signal, 'abort')).toHaveLength(0);
    release();
  });

  test('gives back what it holds already when it is aborted at the second limit', async () => {
    const concurrency = createConcurrency();
    const both = [
      { key: 'provider', limit: 1 },
      { key: 'target', limit: 1 },
    ];
    const held = await concurrency.acquire([{ key: 'target', limit: 1 }], signal);
    const leaver = new AbortController();
    const waiting = concurrency.acquire(both, leaver.signal);
    await nextTurn();
    leaver.abort('gone');
    await expect(waiting).rejects.toBe('gone');
    const provider = concurrency.acquire([{ key: 'provider', limit: 1 }], signal);
    expect(await isWaiting(provider)).toBe(false);
    held();
  });

  test('lets more through when the limit has been raised', async () => {
    const concurrency = createConcurrency();
    await concurrency.acquire(one, signal);
    const waiting = concurrency.acquire(one, signal);
    await concurrency.acquire([{ key: 'a', limit: 3 }], signal);
    expect(await isWaiting(waiting)).toBe(false);
  });

  test('never admits more than the limit, whoever leaves or gives back, and in the end all', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.constantFrom('enter', 'release', 'abort', 'turn'), { maxLength: 40 }),
        async (limit, steps) => {
          const concurrency = createConcurrency();
          const held: Release[] = [];
          const waiting = new Set<AbortController>();
          let entered = 0;
          for (const step of steps) {
            if (step === 'turn') await nextTurn();
            if (step === 'release') held.shift()?.();
            if (step === 'abort') for (const each of [...waiting].slice(0, 1)) each.abort('gone');
            if (step === 'enter') {
              entered += 1;
              const controller = new AbortController();
              waiting.add(controller);
              void concurrency.acquire([{ key: 'a', limit }], controller.signal).then(
                (release) => {
                  waiting.delete(controller);
                  held.push(release);
                  expect(held.length).toBeLessThanOrEqual(limit);
                },
                () => {
                  waiting.delete(controller);
                },
              );
            }
            expect(held.length).toBeLessThanOrEqual(limit);
          }
          let served = 0;
          for (await nextTurn(); waiting.size > 0 || held.length > 0; await nextTurn()) {
            expect(held.length).toBeLessThanOrEqual(limit);
            held.shift()?.();
            served += 1;
            if (served > entered + 2) throw new Error(`${waiting.size} wait for ever`);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
