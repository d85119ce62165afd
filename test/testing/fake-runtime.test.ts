import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';

describe('manual time', () => {
  test('does not move until it is advanced', async () => {
    const runtime = fakeRuntime();
    expect(runtime.now()).toBe(Date.UTC(2026, 0, 1));
    await runtime.settle();
    expect(runtime.now()).toBe(Date.UTC(2026, 0, 1));
    await runtime.advance(1_500);
    expect(runtime.now()).toBe(Date.UTC(2026, 0, 1) + 1_500);
  });

  test('wakes sleepers in order, each at its time', async () => {
    const runtime = fakeRuntime({ now: 0 });
    const woken: string[] = [];
    const sleeper = async (name: string, ms: number): Promise<void> => {
      await runtime.sleep(ms);
      woken.push(`${name} at ${runtime.now()}`);
    };
    void sleeper('late', 300);
    void sleeper('early', 100);
    void sleeper('also early', 100);
    void sleeper('beyond', 1_001);
    await runtime.advance(1_000);
    expect(woken).toEqual(['early at 100', 'also early at 100', 'late at 300']);
    expect(runtime.now()).toBe(1_000);
    expect(runtime.pending).toBe(1);
  });

  test('also wakes sleepers that start while it is advanced', async () => {
    const runtime = fakeRuntime({ now: 0 });
    const times: number[] = [];
    const ticking = (async () => {
      for (let tick = 0; tick < 5; tick++) {
        await runtime.sleep(10);
        await new Promise(setImmediate);
        times.push(runtime.now());
      }
    })();
    await runtime.advance(35);
    expect(times).toEqual([10, 20, 30]);
    await runtime.advance(15);
    await ticking;
    expect(times).toEqual([10, 20, 30, 40, 50]);
  });

  test('counts a sleeper without an end, but never wakes it', async () => {
    const runtime = fakeRuntime();
    let woken = false;
    void runtime.sleep(Number.POSITIVE_INFINITY).then(() => {
      woken = true;
    });
    await runtime.advance(1e12);
    expect(woken).toBe(false);
    expect(runtime.pending).toBe(1);
  });

  test('resolves a sleep of 0 or fewer milliseconds immediately', async () => {
    const runtime = fakeRuntime();
    await runtime.sleep(0);
    await runtime.sleep(-5);
    expect(runtime.pending).toBe(0);
  });

  test('rejects a negative or invalid duration', async () => {
    const runtime = fakeRuntime();
    await expect(runtime.advance(-1)).rejects.toThrow(RangeError);
    await expect(runtime.advance(Number.NaN)).rejects.toThrow(RangeError);
  });
});

describe('a sleep with a signal', () => {
  test('rejects with the reason of the abort and is removed', async () => {
    const runtime = fakeRuntime();
    const caller = new AbortController();
    const sleeping = runtime.sleep(1_000, caller.signal);
    const reason = new Error('enough');
    caller.abort(reason);
    await expect(sleeping).rejects.toBe(reason);
    expect(runtime.pending).toBe(0);
  });

  test('rejects immediately when the signal has already aborted', async () => {
    const reason = new Error('too late');
    await expect(fakeRuntime().sleep(1, AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  test('leaves no listener on the signal', async () => {
    const runtime = fakeRuntime();
    const caller = new AbortController();
    const sleeping = runtime.sleep(1_000, caller.signal);
    expect(getEventListeners(caller.signal, 'abort')).toHaveLength(1);
    await runtime.advance(1_000);
    await sleeping;
    expect(getEventListeners(caller.signal, 'abort')).toHaveLength(0);
  });
});

describe('automatic time', () => {
  test('jumps to the next sleeper when nothing else runs', async () => {
    const runtime = fakeRuntime({ now: 0, time: 'auto' });
    await runtime.sleep(3_600_000);
    await runtime.sleep(60_000);
    expect(runtime.now()).toBe(3_660_000);
  });

  test('wakes two sleepers in order, but none without an end', async () => {
    const runtime = fakeRuntime({ now: 0, time: 'auto' });
    const woken: number[] = [];
    void runtime.sleep(Number.POSITIVE_INFINITY).then(() => woken.push(Number.POSITIVE_INFINITY));
    const sleepers = [20, 10].map((ms) => runtime.sleep(ms).then(() => woken.push(ms)));
    await Promise.all(sleepers);
    expect(woken).toEqual([10, 20]);
    expect(runtime.pending).toBe(1);
  });

  test('does not jump past work that takes a few turns', async () => {
    const runtime = fakeRuntime({ now: 0, time: 'auto' });
    const deadline = runtime.sleep(1_000).then(() => 'deadline');
    const work = (async () => {
      for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
      return 'work';
    })();
    expect(await Promise.race([deadline, work])).toBe('work');
    expect(runtime.now()).toBe(0);
  });
});

describe('random numbers and ids', () => {
  const draw = (seed: number): readonly number[] => {
    const { random } = fakeRuntime({ seed });
    return Array.from({ length: 1_000 }, random);
  };

  test('repeat for the same seed and differ for another', () => {
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  test('are spread over [0, 1)', () => {
    const numbers = draw(1);
    expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...numbers)).toBeLessThan(1);
    const mean = numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
    expect(mean).toBeGreaterThan(0.45);
    expect(mean).toBeLessThan(0.55);
  });

  test('are counted for each prefix', () => {
    const runtime = fakeRuntime();
    const ids = ['call', 'call', 'attempt', 'call'].map((prefix) => runtime.createId(prefix));
    expect(ids).toEqual(['call_1', 'call_2', 'attempt_1', 'call_3']);
  });
});
