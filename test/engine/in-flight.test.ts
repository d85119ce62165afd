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
  const start = (): Running => {
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
  return { runtime, calls, aborted, start };
}

describe('createInFlight', () => {
  test('counts running calls', () => {
    const { calls, start } = setUp();
    const first = start();
    start();
    expect(calls.size).toBe(2);
    calls.leave(first);
    calls.leave(first);
    expect(calls.size).toBe(1);
  });

  test('aborts all calls immediately without time to drain', async () => {
    const { calls, aborted, start, runtime } = setUp();
    start();
    start();
    await calls.close(0);
    expect(aborted.map(({ code }) => code)).toEqual(['closed', 'closed']);
    expect(calls.size).toBe(0);
    expect(runtime.pending).toBe(0);
  });

  test('waits for drainMs, then aborts the remaining calls', async () => {
    const { calls, aborted, start, runtime } = setUp();
    const quick = start();
    start();
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

  test('ends the drain when the last call ends, and leaves no timer', async () => {
    const { calls, aborted, start, runtime } = setUp();
    const last = start();
    const closing = calls.close(60_000);
    await runtime.settle();
    calls.leave(last);
    await closing;
    await runtime.settle();
    expect(aborted).toEqual([]);
    expect(runtime.now()).toBe(0);
    expect(runtime.pending).toBe(0);
  });

  test('closes immediately without calls', async () => {
    const { calls, runtime } = setUp();
    await calls.close(60_000);
    expect(runtime.pending).toBe(0);
  });

  test('ignores calls that fail while they end', async () => {
    const { calls } = setUp();
    calls.enter({ abort: () => undefined, end: () => Promise.reject(new Error('x')) });
    await expect(calls.close(0)).resolves.toBeUndefined();
    expect(calls.size).toBe(0);
  });

  test('throws for new calls after close, even if closed twice', async () => {
    const { calls, start } = setUp();
    await calls.close(0);
    await calls.close(10);
    expect(start).toThrow('the router is closed');
    expect(calls.size).toBe(0);
  });
});
