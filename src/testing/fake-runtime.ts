import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Runtime } from '../protocol/runtime.ts';
import { checkOptions, invalidArgument } from './check-arguments.ts';

export type FakeRuntimeOptions = {
  /** Start of the clock in epoch milliseconds. @default 2026-01-01T00:00:00Z */
  readonly now?: number | undefined;
  /** Seed of the random numbers. @default 1 */
  readonly seed?: number | undefined;
  /**
   * `manual`: only `advance` moves time. `auto`: time jumps to the next sleeper when nothing else is ready to run, so that
   * a call with retries can be awaited. It does not wait for sockets: use `auto` with `fakeProvider`, not with
   * `simulateProviders`.
   * @default 'manual'
   */
  readonly time?: 'manual' | 'auto' | undefined;
};

/** A runtime whose clock and random numbers are under the test's control. */
export interface FakeRuntime extends Runtime {
  /**
   * Moves the clock forward by `ms` milliseconds. Sleepers wake in order, each at its time, and the code after each runs
   * as far as it can before the next one wakes.
   * @throws RangeError when `ms` is negative or not a number.
   */
  advance(ms: number): Promise<void>;
  /** Runs everything that is ready, without moving the clock. */
  settle(): Promise<void>;
  /** Number of sleepers, including those without an end. 0 after a call means that it left no timer behind. */
  readonly pending: number;
}

type Sleeper = { readonly wakeAt: number; readonly wake: () => void };

const defaultNow = Date.UTC(2026, 0, 1);

/** Each turn runs all ready promises. Several turns let the file reads of a first `import()` finish. */
const turnsUntilIdle = 10;

/** Mulberry32 (Tommy Ettinger, public domain): 32 bits of state are enough for jitter. */
function createRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * A virtual clock, seeded random numbers and counted ids (`call_1`, `call_2`), for reproducible tests that run hours of
 * traffic in milliseconds. Does not replace `Date`, `setTimeout` or `Math.random`.
 */
export function fakeRuntime(options: FakeRuntimeOptions = {}): FakeRuntime {
  checkOptions('fakeRuntime()', options, ['now', 'seed', 'time']);
  for (const name of ['now', 'seed'] as const) {
    const value = options[name];
    if (value !== undefined && !Number.isFinite(value)) {
      throw invalidArgument(`fakeRuntime().${name}`, 'a number');
    }
  }
  let now = options.now ?? defaultNow;
  const sleepers = new Set<Sleeper>();
  const issued = new Map<string, number>();
  /** Counts sleeps and aborts, which show that code is still running. */
  let activity = 0;
  let jumping = false;

  function nextSleeper(): Sleeper | undefined {
    let next: Sleeper | undefined;
    for (const sleeper of sleepers) {
      if (
        sleeper.wakeAt !== Number.POSITIVE_INFINITY &&
        sleeper.wakeAt < (next?.wakeAt ?? Infinity)
      ) {
        next = sleeper;
      }
    }
    return next;
  }

  function wake(sleeper: Sleeper): void {
    now = Math.max(now, sleeper.wakeAt);
    sleepers.delete(sleeper);
    sleeper.wake();
  }

  /** Waits until no sleep has started and none was aborted for several turns. */
  async function idle(): Promise<void> {
    for (let turn = 0, seen = activity; turn < turnsUntilIdle; turn++) {
      await nextTurn();
      if (activity === seen) continue;
      seen = activity;
      turn = 0;
    }
  }

  async function jump(): Promise<void> {
    if (jumping) return;
    jumping = true;
    for (;;) {
      await idle();
      const next = nextSleeper();
      if (next === undefined) break;
      wake(next);
    }
    jumping = false;
  }

  return {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        activity++;
        if (signal?.aborted) return reject(signal.reason);
        if (!(ms > 0)) return resolve();
        const stop = (): void => {
          activity++;
          sleepers.delete(sleeper);
          reject(signal?.reason);
        };
        const sleeper: Sleeper = {
          wakeAt: now + ms,
          wake() {
            signal?.removeEventListener('abort', stop);
            resolve();
          },
        };
        sleepers.add(sleeper);
        signal?.addEventListener('abort', stop, { once: true });
        if (options.time === 'auto') void jump();
      }),
    random: createRandom(options.seed ?? 1),
    createId(prefix) {
      const count = (issued.get(prefix) ?? 0) + 1;
      issued.set(prefix, count);
      return `${prefix}_${count}`;
    },
    async advance(ms) {
      if (!(ms >= 0)) throw new RangeError(`advance(${ms}): must be 0 or more milliseconds`);
      const until = now + ms;
      await idle();
      for (let next = nextSleeper(); next && next.wakeAt <= until; next = nextSleeper()) {
        wake(next);
        await idle();
      }
      now = Math.max(now, until);
    },
    settle: idle,
    get pending() {
      return sleepers.size;
    },
  };
}
