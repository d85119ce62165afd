import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemRuntime } from '../src/runtime.ts';

const dayMs = 86_400_000;

describe('sleep', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('resolves after the given time and not before', async () => {
    const resolved = vi.fn();
    void systemRuntime.sleep(1_000).then(resolved);
    await vi.advanceTimersByTimeAsync(999);
    expect(resolved).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(resolved).toHaveBeenCalledOnce();
  });

  test('rejects with the abort reason immediately and leaves no listener or timer', async () => {
    const controller = new AbortController();
    const sleeping = systemRuntime.sleep(1_000, controller.signal);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
    const reason = new Error('enough');
    controller.abort(reason);
    await expect(sleeping).rejects.toBe(reason);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('leaves no listener after it resolves', async () => {
    const { signal } = new AbortController();
    const sleeping = systemRuntime.sleep(10, signal);
    await vi.advanceTimersByTimeAsync(10);
    await sleeping;
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  test('rejects immediately when the signal is already aborted', async () => {
    await expect(systemRuntime.sleep(10, AbortSignal.abort('gone'))).rejects.toBe('gone');
    expect(vi.getTimerCount()).toBe(0);
  });

  test('supports delays longer than a Node timer', async () => {
    const resolved = vi.fn();
    void systemRuntime.sleep(60 * dayMs).then(resolved);
    await vi.advanceTimersByTimeAsync(60 * dayMs - 1);
    expect(resolved).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(resolved).toHaveBeenCalledOnce();
  });

  test('can be aborted late in a very long sleep', async () => {
    const controller = new AbortController();
    const sleeping = systemRuntime.sleep(Number.POSITIVE_INFINITY, controller.signal);
    await vi.advanceTimersByTimeAsync(30 * dayMs);
    controller.abort('up');
    await expect(sleeping).rejects.toBe('up');
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('alarm', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test.each([1_000, 60 * dayMs])('calls back once after %i ms and not before', async (ms) => {
    const ring = vi.fn();
    systemRuntime.alarm(ms, ring);
    await vi.advanceTimersByTimeAsync(ms - 1);
    expect(ring).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(ring).toHaveBeenCalledOnce();
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each([0, 30 * dayMs])('can be cancelled after %i ms, whatever its delay', async (ms) => {
    const ring = vi.fn();
    const cancel = systemRuntime.alarm(Number.POSITIVE_INFINITY, ring);
    await vi.advanceTimersByTimeAsync(ms);
    cancel();
    expect(vi.getTimerCount()).toBe(0);
    expect(ring).not.toHaveBeenCalled();
  });
});

test('now returns monotonic epoch time', () => {
  const first = systemRuntime.now();
  expect(systemRuntime.now()).toBeGreaterThanOrEqual(first);
  expect(Math.abs(first - Date.now())).toBeLessThan(60_000);
});

test('createId returns unique ids with the prefix', () => {
  const ids = new Set(Array.from({ length: 100 }, () => systemRuntime.createId('call')));
  expect(ids.size).toBe(100);
  for (const id of ids) expect(id).toMatch(/^call_[0-9a-f]{32}[0-9a-z]+$/);
});
