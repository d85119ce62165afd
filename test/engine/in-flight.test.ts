import { describe, expect, test } from 'vitest';
import { createInFlight } from '../../src/engine/call/running-call.ts';
import type { SignalboxError } from '../../src/errors.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';

type Running = Parameters<ReturnType<typeof createInFlight>['enter']>[0];

function setUp() {
  const runtime = fakeRuntime({ now: 0 });
  const calls = createInFlight(runtime);
  const aborted: SignalboxError[] = [];
  /** A call that ends when it is aborted. */
  const begin = (): Running => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const call: Running = {
      abort(reason) {
        aborted.push(reason);
        calls.leave(call);
        resolve();
      },
      end: () => promise,
    };
    calls.enter(call);
    return call;
  };
  return { runtime, calls, aborted, begin };
}

describe('the calls under way', () => {
  test('are counted', () => {
    const { calls, begin } = setUp();
    const first = begin();
    begin();
    expect(calls.size).toBe(2);
    calls.leave(first);
    calls.leave(first);
    expect(calls.size).toBe(1);
  });

  test('are aborted at once when there is no time to drain', async () => {
    const { calls, aborted, begin, runtime } = setUp();
    begin();
    begin();
    await calls.close(0);
    expect(aborted.map(({ code }) => code)).toEqual(['closed', 'closed']);
    expect(calls.size).toBe(0);
    expect(runtime.pending).toBe(0);
  });

  test('have the time they are given, and those that are left are aborted after it', async () => {
    const { calls, aborted, begin, runtime } = setUp();
    const quick = begin();
    begin();
    let isClosed = false;
    const closing = calls.close(1_000).then(() => {
      isClosed = true;
    });
    await runtime.advance(500);
    calls.leave(quick);
    await runtime.advance(499);
    expect({ isClosed, aborted: aborted.length }).toEqual({ isClosed: false, aborted: 0 });
    await runtime.advance(1);
    await closing;
    expect(aborted).toHaveLength(1);
  });

  test('end the draining as soon as the last one is done, and leave no timer', async () => {
    const { calls, aborted, begin, runtime } = setUp();
    const last = begin();
    const closing = calls.close(60_000);
    await runtime.settle();
    calls.leave(last);
    await closing;
    await runtime.settle();
    expect(aborted).toEqual([]);
    expect(runtime.now()).toBe(0);
    expect(runtime.pending).toBe(0);
  });

  test('are none to wait for in an idle router', async () => {
    const { calls, runtime } = setUp();
    await calls.close(60_000);
    expect(runtime.pending).toBe(0);
  });

  test('may fail while they end', async () => {
    const { calls } = setUp();
    calls.enter({ abort: () => undefined, end: () => Promise.reject(new Error('x')) });
    await expect(calls.close(0)).resolves.toBeUndefined();
    expect(calls.size).toBe(0);
  });

  test('cannot begin once the router is closed, however often that is', async () => {
    const { calls, begin } = setUp();
    await calls.close(0);
    await calls.close(10);
    expect(begin).toThrow('the router is closed');
    expect(calls.size).toBe(0);
  });
});
