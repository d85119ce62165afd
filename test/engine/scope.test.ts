import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { openScope, scopeWithin } from '../../src/engine/core/scope.ts';
import { SignalboxError } from '../../src/errors.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';

describe('openScope', () => {
  test('ends with a timeout at the deadline', async () => {
    const runtime = fakeRuntime({ now: 0 });
    const scope = openScope(runtime, undefined, 1_000);
    await runtime.advance(999);
    expect(scope.signal.aborted).toBe(false);
    expect(scope.remainingMs()).toBe(1);
    await runtime.advance(1);
    expect(scope.signal.reason).toMatchObject({ code: 'timeout', phase: 'total' });
    await runtime.advance(1_000);
    expect(scope.remainingMs()).toBe(0);
  });

  test("ends with the caller's reason as the cause", () => {
    const caller = new AbortController();
    const scope = openScope(fakeRuntime(), caller.signal, 1_000);
    const reason = new Error('the user went away');
    caller.abort(reason);
    expect(scope.signal.reason).toMatchObject({ code: 'aborted', cause: reason });
    scope.close();
  });

  test('has ended if the signal is already aborted', () => {
    const scope = openScope(fakeRuntime(), AbortSignal.abort('gone'), 1_000);
    expect(scope.signal.reason).toMatchObject({ code: 'aborted', cause: 'gone' });
    scope.close();
  });

  test('keeps the first reason', () => {
    const caller = new AbortController();
    const scope = openScope(fakeRuntime(), caller.signal, 1_000);
    const closed = new SignalboxError('closed', 'the router is closed');
    scope.abort(closed);
    caller.abort('late');
    expect(scope.signal.reason).toBe(closed);
    scope.close();
  });

  test('leaves no timer and no listener after close, and no longer ends', async () => {
    const runtime = fakeRuntime();
    const caller = new AbortController();
    const scope = openScope(runtime, caller.signal, 1_000);
    expect(runtime.pending).toBe(1);
    expect(getEventListeners(caller.signal, 'abort')).toHaveLength(1);
    scope.close();
    scope.close();
    await runtime.settle();
    expect(runtime.pending).toBe(0);
    expect(getEventListeners(caller.signal, 'abort')).toHaveLength(0);
    caller.abort();
    await runtime.advance(2_000);
    expect(scope.signal.aborted).toBe(false);
  });

  test('calls its listeners once, with the reason set', () => {
    const scope = openScope(fakeRuntime(), undefined, 1_000);
    const calls: string[] = [];
    const gone = (): void => void calls.push('gone');
    scope.listen(() => calls.push(`a ${scope.reason?.message}`));
    scope.listen(gone);
    scope.listen(() => calls.push('b'));
    scope.unlisten(gone);
    scope.abort(new SignalboxError('closed', 'closing'));
    scope.abort(new SignalboxError('closed', 'again'));
    expect(calls).toEqual(['a closing', 'b']);
    scope.close();
  });

  test('returns the same signal before and after it ended', () => {
    const reason = new SignalboxError('closed', 'closing');
    const early = openScope(fakeRuntime(), undefined, 1_000);
    const { signal } = early;
    early.abort(reason);
    expect(signal.reason).toBe(reason);
    const late = openScope(fakeRuntime(), undefined, 1_000);
    late.abort(reason);
    expect(late.signal.reason).toBe(reason);
    expect(late.signal).toBe(late.signal);
    for (const scope of [early, late]) scope.close();
  });
});

describe('scopeWithin', () => {
  test('ends with the outer scope and has its deadline', async () => {
    const runtime = fakeRuntime({ now: 0 });
    const call = openScope(runtime, undefined, 1_000);
    await runtime.advance(400);
    const inner = scopeWithin(runtime, call);
    expect(inner.remainingMs()).toBe(600);
    expect(inner.startedAt).toBe(0);
    await runtime.advance(600);
    expect(inner.reason).toBe(call.reason);
    expect(inner.signal.reason).toMatchObject({ code: 'timeout' });
    expect(scopeWithin(runtime, call).reason).toBe(call.reason);
  });

  test('ends without ending the outer scope', () => {
    const call = openScope(fakeRuntime(), undefined, 1_000);
    const inner = scopeWithin(fakeRuntime(), call);
    inner.abort(new SignalboxError('aborted', 'the other was first'));
    expect(inner.signal.aborted).toBe(true);
    expect(call.reason).toBeUndefined();
    call.close();
  });
});
