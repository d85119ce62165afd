import type { Runtime } from '../../src/protocol/runtime.ts';

/** The simulation's clock and random numbers. Faster than `fakeRuntime`, because nothing waits for sockets. */
export interface VirtualTime extends Runtime {
  /** Runs until no sleeper is left that would wake. */
  run(): Promise<void>;
  /** The process stands still: whoever should have woken meanwhile wakes late, in order. */
  freeze(ms: number): void;
  /** Number of sleepers, including those without an end. */
  readonly pending: number;
}

type Sleeper = { readonly at: number; readonly order: number; wake: (() => void) | undefined };

/** One turn runs all ready promises; the second is for work that goes through a stream. */
const turns = 2;

/** Mulberry32 (Tommy Ettinger, public domain). */
export function createRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A binary heap, ordered by wake time and then by insertion. */
function createHeap() {
  const items: Sleeper[] = [];
  const isBefore = (a: Sleeper, b: Sleeper) => a.at < b.at || (a.at === b.at && a.order < b.order);
  function swap(a: number, b: number): void {
    const [first, second] = [items[a], items[b]];
    if (first === undefined || second === undefined) return;
    items[a] = second;
    items[b] = first;
  }
  const isMisplaced = (a: number, b: number): boolean => {
    const [first, second] = [items[a], items[b]];
    return first !== undefined && second !== undefined && isBefore(first, second);
  };
  return {
    push(sleeper: Sleeper): void {
      items.push(sleeper);
      let at = items.length - 1;
      for (let up = (at - 1) >> 1; at > 0 && isMisplaced(at, up); up = (at - 1) >> 1) {
        swap(at, up);
        at = up;
      }
    },
    pop(): Sleeper | undefined {
      swap(0, items.length - 1);
      const first = items.pop();
      for (let at = 0; ; ) {
        const [left, right] = [2 * at + 1, 2 * at + 2];
        const down = isMisplaced(right, left) ? right : left;
        if (!isMisplaced(down, at)) return first;
        swap(down, at);
        at = down;
      }
    },
  };
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export function virtualTime(seed: number, beganAt: number = Date.UTC(2026, 0, 1)): VirtualTime {
  const heap = createHeap();
  const issued = new Map<string, number>();
  let now = beganAt;
  let order = 0;
  let pending = 0;

  function wakeAfter(ms: number, wake: () => void): () => void {
    pending += 1;
    const sleeper: Sleeper = { at: now + ms, order: order++, wake };
    if (ms !== Number.POSITIVE_INFINITY) heap.push(sleeper);
    return () => {
      if (sleeper.wake === undefined) return;
      sleeper.wake = undefined;
      pending -= 1;
    };
  }

  return {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        if (!(ms > 0)) return resolve();
        const stop = (): void => {
          remove();
          reject(signal?.reason);
        };
        const remove = wakeAfter(ms, () => {
          signal?.removeEventListener('abort', stop);
          resolve();
        });
        signal?.addEventListener('abort', stop, { once: true });
      }),
    alarm: (ms, ring) => wakeAfter(ms, ring),
    random: createRandom(seed),
    createId(prefix) {
      const count = (issued.get(prefix) ?? 0) + 1;
      issued.set(prefix, count);
      return `${prefix}_${count}`;
    },
    async run() {
      for (;;) {
        for (let turn = 0; turn < turns; turn++) await nextTurn();
        let next = heap.pop();
        while (next !== undefined && next.wake === undefined) next = heap.pop();
        if (next?.wake === undefined) return;
        now = Math.max(now, next.at);
        pending -= 1;
        const { wake } = next;
        next.wake = undefined;
        wake();
      }
    },
    freeze(ms) {
      now += ms;
    },
    get pending() {
      return pending;
    },
  };
}
