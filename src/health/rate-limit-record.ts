import { createSendWindow, isTargetLimited, type Sent } from '../internal/send-window.ts';

/** A 429 of the vendor's. */
type RateLimited = {
  /** See {@link RateLimitRecord.sent}. */
  readonly attempt: Sent;
  /** The vendor's `Retry-After`, if it sent one. */
  readonly retryAfterMs: number | undefined;
  /** The vendor's headers say that nothing is left for any request. */
  readonly nothingLeft: boolean;
};

/** How long a rate limit without `Retry-After` lasts: doubled for each in a row. */
type UsualWait = { readonly minMs: number; readonly maxMs: number };

/** Which of the latest attempts with one key of a target were rate limited. */
export class RateLimitRecord {
  readonly #now: () => number;
  readonly #window = createSendWindow();
  /** Rate limits without `Retry-After` in a row, with no answer in between. */
  #row = 0;
  /** Until when the latest of them lasts. */
  #until = 0;
  #avoidUntil = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Counts an attempt that is sent now. */
  sent(): Sent {
    return this.#window.send(this.#now());
  }

  /**
   * Records a 429. Returns until when the target is limited; `undefined` when it binds only the call that received it.
   */
  limited(
    { attempt, retryAfterMs, nothingLeft }: RateLimited,
    { minMs, maxMs }: UsualWait,
  ): number | undefined {
    const share = this.#window.rejected(attempt);
    if (!nothingLeft && !isTargetLimited(share)) return undefined;
    const now = this.#now();
    if (retryAfterMs !== undefined) return now + retryAfterMs;
    // What was sent before the limit says nothing new about it.
    if (attempt.batch.at < this.#until) return this.#until;
    this.#until = now + Math.min(maxMs, minMs * 2 ** this.#row);
    this.#row += 1;
    return this.#until;
  }

  answered({ batch }: Sent): void {
    if (batch.at >= this.#until) this.#row = 0;
  }

  /** Another key of the pool is preferred until then. */
  avoid(until: number): void {
    this.#avoidUntil = Math.max(this.#avoidUntil, until);
  }

  get isAvoided(): boolean {
    return this.#avoidUntil > this.#now();
  }
}
