import { countedAmount } from './budget.ts';

/** `maxUsd` of one call. Its attempts, and the calls that plugins make for it, spend it together. */
export class CallCap {
  readonly unit = 'usd';
  readonly limit: number;
  /** Nano-dollars. */
  settled = 0;
  reserved = 0;
  readonly #listeners = new Set<() => void>();

  constructor(maxUsd: number) {
    this.limit = countedAmount('usd', maxUsd);
  }

  /** Reserves that much more; false when there is no room. */
  reserve(amount: number): boolean {
    if (this.settled + this.reserved + amount > this.limit) return false;
    this.reserved += amount;
    return true;
  }

  /** Ends a reservation of `amount`, of which `used` was spent. */
  settle(amount: number, used: number): void {
    this.reserved -= amount;
    this.settled += used;
    for (const listener of [...this.#listeners]) listener();
  }

  watch(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

/** The spending of one call. */
export class Spending {
  /** Its own, and those of the calls on whose behalf it is made. */
  readonly caps: readonly CallCap[];
  /** Open reservations of its attempts. */
  held = 0;
  readonly #parent: Spending | undefined;

  constructor(maxUsd: number | undefined, parent: Spending | undefined) {
    const own = maxUsd === undefined ? [] : [new CallCap(maxUsd)];
    this.caps = parent === undefined ? own : [...own, ...parent.caps];
    this.#parent = parent;
  }

  /** Whether a call on whose behalf it is made holds a reservation, and waits for it: it must not wait for that one. */
  get isAwaited(): boolean {
    for (let each = this.#parent; each !== undefined; each = each.#parent) {
      if (each.held > 0) return true;
    }
    return false;
  }
}
