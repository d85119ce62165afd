import type { Counter, CounterState } from '../protocol/store.ts';
import type { Expiring } from './expiry-queue.ts';

/** A rolling window keeps the amounts of this share of it together. */
const partsPerWindow = 60;

/** Amounts that are forgotten together, with the latest. */
type Part = { readonly index: number; at: number; amount: number };

/** What is used and reserved in a window. */
export class WindowCounter implements Expiring, CounterState {
  readonly key: string;
  readonly window: Counter['window'];
  settled = 0;
  reserved = 0;
  expiresAt: number;
  isGone = false;
  /** Of a rolling window, oldest first. */
  #parts: Part[] = [];

  constructor({ key, window }: Counter, now: number) {
    this.key = key;
    this.window = window;
    this.expiresAt = 'until' in window ? window.until : now + window.lastMs;
  }

  add(amount: number, now: number): void {
    this.settled += amount;
    if ('until' in this.window || amount === 0) return;
    const { lastMs } = this.window;
    const index = partIndex(now, lastMs);
    const last = this.#parts.at(-1);
    if (last !== undefined && last.index >= index) {
      last.amount += amount;
      last.at = Math.max(last.at, now);
    } else this.#parts.push({ index, at: now, amount });
    this.expiresAt = Math.max(this.expiresAt, now + lastMs);
  }

  /** Forgets what a rolling window no longer holds. */
  forget(now: number): void {
    const last = this.#parts.at(-1);
    if (last === undefined || 'until' in this.window) return;
    const { lastMs } = this.window;
    if (last.at - now > lastMs) {
      // The clock was set back. As of now, or it would be kept until the clock is there again.
      this.#parts = [{ index: partIndex(now, lastMs), at: now, amount: this.settled }];
      return;
    }
    let expired = 0;
    for (const part of this.#parts) {
      if (part.at + lastMs > now) break;
      this.settled -= part.amount;
      expired += 1;
    }
    if (expired > 0) this.#parts.splice(0, expired);
  }

  /** Lets a rolling window that still holds something live on. Returns whether it does. */
  extend(now: number): boolean {
    this.forget(now);
    if ('until' in this.window || (this.settled === 0 && this.reserved === 0)) return false;
    this.expiresAt = now + this.window.lastMs;
    return true;
  }

  /** What was settled, with the times that give this state again. */
  amounts(now: number): readonly { readonly at: number; readonly amount: number }[] {
    this.forget(now);
    if ('lastMs' in this.window) return this.#parts;
    return this.settled > 0 ? [{ at: now, amount: this.settled }] : [];
  }
}

function partIndex(now: number, lastMs: number): number {
  return Math.floor(now / (lastMs / partsPerWindow));
}
