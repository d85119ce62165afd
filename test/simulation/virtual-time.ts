import type { Runtime } from '../../src/protocol/runtime.ts';

/** A clock and a chance of the simulation's own: nothing in it waits for sockets, so time flies. */
export interface VirtualTime extends Runtime {
  /** Runs everything, from one sleeper to the next, until nobody sleeps who would ever wake. */
  run(): Promise<void>;
  /** How many sleep, those for ever included. */
  readonly pending: number;
}

type Sleeper = { readonly at: number; readonly order: number; wake: (() => void) | undefined };

/** All promises that are ready run within one turn; a second one, as work may come by way of a stream. */
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

/** A binary heap: first who wakes first, and of those who fell asleep first. */
function createHeap() {
  const items: Sleeper[] = [];
  const isBefore = (a: Sleeper, b: Sleeper) => a.at < b.at || (a.at === b.at && a.order < b.order);
  function swap(a: number, b: number): void {
    const [first, second] = [items[a], items[b]];
    if (first === undefined || second === undefined) return;
    items[a] = second;
    items[b] = first;
  }
  const isOut = (a: number, b: number): boolean => {
    const [first, second] = [items[a], items[b]];
    return first !== undefined && second !== undefined && isBefore(first, second);
  };
  return {
    push(sleeper: Sleeper): void {
      items.push(sleeper);
      let at = items.length - 1;
      for (let up = (at - 1) >> 1; at > 0 && isOut(at, up); up = (at - 1) >> 1) {
        swap(at, up);
        at = up;
      }
    },
    pop(): Sleeper | undefined {
      swap(0, items.length - 1);
      const first = items.pop();
      for (let at = 0; ; ) {
        const [left, right] = [2 * at + 1, 2 * at + 2];
        const down = isOut(right, left) ? right : left;
        if (!isOut(down, at)) return first;
        swap(down, at);
        at = down;
      }
    },
  };
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export function virtualTime(seed: number): VirtualTime {
  const heap = createHeap();
  const issued = new Map<string, number>();
  let now = Date.UTC(2026, 0, 1);
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
          forget();
          reject(signal?.reason);
        };
        const forget = wakeAfter(ms, () => {
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
    get pending() {
      return pending;
    },
  };
}
