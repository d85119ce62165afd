import { isPending } from '../internal/eventually.ts';
import type { Runtime } from '../protocol/runtime.ts';
import type { CounterState, Store } from '../protocol/store.ts';
import { type AnyCap, statesOf } from './ledger.ts';
import { CallCap } from './spending.ts';

/** How often a line is looked at when nothing is reported: a window may end, or a reservation expire. */
const reviewMs = 1_000;

/** What a waiting attempt needs, as its cap counts it. */
export type Need = {
  readonly amount: number;
  /** The least it can do with, when nothing else is reserved. */
  readonly least: number;
};

/** What can end a wait. */
type Ending = {
  readonly reason: Error | undefined;
  listen(listener: () => void): void;
  unlisten(listener: () => void): void;
};

type Waiter = Need & { readonly wake: () => void };

/** The attempts that wait for room under one cap, the oldest first. */
class Line {
  readonly #store: Store;
  readonly #runtime: Runtime;
  readonly #cap: AnyCap;
  readonly #unwatch: () => void;
  readonly #over = new AbortController();
  #waiters: readonly Waiter[] = [];
  #isReviewing = false;
  #hasChanged = false;

  constructor(store: Store, runtime: Runtime, cap: AnyCap) {
    this.#store = store;
    this.#runtime = runtime;
    this.#cap = cap;
    const review = (): void => this.review();
    this.#unwatch =
      cap instanceof CallCap ? cap.watch(review) : store.watch(cap.counter.key, review);
    void this.#keepReviewing();
  }

  get isEmpty(): boolean {
    return this.#waiters.length === 0;
  }

  add(waiter: Waiter): void {
    this.#waiters = [...this.#waiters, waiter];
    // Room may have become free since it was refused.
    this.review();
  }

  remove(waiter: Waiter): void {
    this.#waiters = this.#waiters.filter((each) => each !== waiter);
  }

  close(): void {
    this.#unwatch();
    this.#over.abort();
  }

  async #keepReviewing(): Promise<void> {
    const { signal } = this.#over;
    while (!signal.aborted) {
      await this.#runtime.sleep(reviewMs, signal).catch(() => undefined);
      if (!signal.aborted) this.review();
    }
  }

  /** Reads the state once for all changes that are reported meanwhile. */
  review(): void {
    this.#hasChanged = true;
    if (this.#isReviewing) return;
    this.#isReviewing = true;
    void this.#readAndWake().then(() => {
      this.#isReviewing = false;
      // Reported after the state was read.
      if (this.#hasChanged && !this.isEmpty) this.review();
    });
  }

  async #readAndWake(): Promise<void> {
    while (this.#hasChanged && !this.isEmpty) {
      this.#hasChanged = false;
      try {
        const read = statesOf(this.#store, [this.#cap], this.#runtime.now());
        const [state] = isPending(read) ? await read : read;
        if (state !== undefined) this.#wakeFor(state);
      } catch {
        // The next attempt reports that the store fails.
        for (const waiter of this.#waiters) waiter.wake();
      }
    }
  }

  /** Wakes those for whom there is room, or for whom there will be none. */
  #wakeFor({ settled, reserved }: CounterState): void {
    const left = this.#cap.limit - settled;
    const isOver = !(this.#cap instanceof CallCap) && this.#runtime.now() >= this.#cap.resetsAt;
    let room = left - reserved;
    let isFirst = reserved === 0;
    for (const waiter of this.#waiters) {
      if (waiter.amount <= room) room -= waiter.amount;
      else if (waiter.least <= left && !isFirst && !isOver) break;
      isFirst = false;
      waiter.wake();
    }
  }
}

/** The attempts that wait for room under caps. */
export class Lines {
  readonly #store: Store;
  readonly #runtime: Runtime;
  /** By the key of a counter, or by the cap of a call. */
  readonly #lines = new Map<unknown, Line>();

  constructor(store: Store, runtime: Runtime) {
    this.#store = store;
    this.#runtime = runtime;
  }

  /** Whether others wait for room under the cap: they come first. */
  isWaitedFor(cap: AnyCap): boolean {
    return this.#lines.has(keyOf(cap));
  }

  /** An attempt that was woken has not taken the room: the next ones may. */
  passOn(caps: readonly AnyCap[]): void {
    for (const cap of caps) this.#lines.get(keyOf(cap))?.review();
  }

  /** Resolves when it is worth to try again. Rejects with the reason as soon as the scope ends. */
  wait(cap: AnyCap, need: Need, scope: Ending): Promise<void> {
    if (scope.reason !== undefined) return Promise.reject(scope.reason);
    const key = keyOf(cap);
    const line = this.#lines.get(key) ?? new Line(this.#store, this.#runtime, cap);
    this.#lines.set(key, line);
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        scope.unlisten(onEnd);
        line.remove(waiter);
        if (!line.isEmpty || this.#lines.get(key) !== line) return;
        this.#lines.delete(key);
        line.close();
      };
      const onEnd = (): void => {
        leave();
        reject(scope.reason);
      };
      const waiter = {
        ...need,
        wake: () => {
          leave();
          resolve();
        },
      };
      scope.listen(onEnd);
      line.add(waiter);
    });
  }
}

function keyOf(cap: AnyCap): unknown {
  return cap instanceof CallCap ? cap : cap.counter.key;
}
