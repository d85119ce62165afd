import type { TimeoutPhase } from '../../protocol/error-code.ts';

/** The clocks of one attempt, by the phase in which they run. */
export type DuePhase = Extract<TimeoutPhase, 'connect' | 'first-token' | 'idle'>;

/** The clocks of one attempt, in milliseconds; one that is `undefined` does not run. */
export type Clocks = {
  readonly connectMs: number;
  readonly firstTokenMs: number | undefined;
  readonly idleMs: number;
};

/** When an attempt has run out of time, and by which of its clocks. A plain value: it sets no timer. */
export interface Deadline {
  connected(): void;
  /** The answer has begun: the idle clock takes over. */
  firstPart(now: number): void;
  bytes(now: number): void;
  /** Whether we wait for the vendor; a slow reader of ours is not the vendor's silence. */
  reading(now: number): void;
  paused(): void;
  /** The next time at which a clock runs out unless something happens; `undefined` when none runs. */
  due(now: number): { readonly at: number; readonly phase: DuePhase } | undefined;
}

class RunningDeadline implements Deadline {
  readonly #clocks: Clocks;
  readonly #startedAt: number;
  #phase: 'connecting' | 'waiting' | 'answering' = 'connecting';
  #lastBytesAt: number;
  #isReading = true;

  constructor(clocks: Clocks, startedAt: number) {
    this.#clocks = clocks;
    this.#startedAt = startedAt;
    this.#lastBytesAt = startedAt;
  }

  connected(): void {
    if (this.#phase === 'connecting') this.#phase = 'waiting';
  }

  firstPart(now: number): void {
    this.#phase = 'answering';
    this.#lastBytesAt = now;
  }

  bytes(now: number): void {
    this.#lastBytesAt = now;
  }

  reading(now: number): void {
    if (!this.#isReading) this.#lastBytesAt = now;
    this.#isReading = true;
  }

  paused(): void {
    this.#isReading = false;
  }

  due(now: number): ReturnType<Deadline['due']> {
    const { connectMs, firstTokenMs = Number.POSITIVE_INFINITY, idleMs } = this.#clocks;
    if (this.#phase === 'answering') {
      return { at: (this.#isReading ? this.#lastBytesAt : now) + idleMs, phase: 'idle' };
    }
    const connectAt = this.#startedAt + connectMs;
    const firstTokenAt = this.#startedAt + firstTokenMs;
    if (this.#phase === 'connecting' && connectAt <= firstTokenAt) {
      return { at: connectAt, phase: 'connect' };
    }
    return Number.isFinite(firstTokenAt) ? { at: firstTokenAt, phase: 'first-token' } : undefined;
  }
}

/** A class, as is all that every stream has: closures would be one set for each of thousands. */
export function createDeadline(clocks: Clocks, startedAt: number): Deadline {
  return new RunningDeadline(clocks, startedAt);
}
