import { timestamp } from '../internal/timestamp.ts';
import { longestWaitMs } from '../internal/vendor-data.ts';
import { createSendWindow, isTargetLimited, type Sent } from '../internal/windows.ts';
import type { Unavailability } from '../protocol/events.ts';
import type { Unavailable } from './circuit.ts';

const reasons: Record<Unavailability, string> = {
  limited: 'rate limited',
  exhausted: 'quota exhausted',
  credential: 'key rejected',
  model: 'model not found',
};

/**
 * Until when a target, a provider or a key is unavailable without having failed, by reason. A rate limit or an empty
 * quota is not a failure and does not affect the circuit.
 */
export class Availability {
  readonly #now: () => number;
  #untils: Partial<Record<Unavailability, number>> | undefined;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Epoch milliseconds by reason. May be in the past. */
  get untils(): Readonly<Partial<Record<Unavailability, number>>> {
    return this.#untils ?? {};
  }

  /** The reason that lasts longest; `undefined` if it is available. */
  check(): Unavailable | undefined {
    if (this.#untils === undefined) return undefined;
    const now = this.#now();
    let last: Unavailable | undefined;
    for (const [kind, until] of Object.entries(this.#untils)) {
      if (until <= now || until <= (last?.until ?? 0)) continue;
      const reason = `${reasons[kind as Unavailability]} until ${timestamp(until)}`;
      last = { reason, until };
    }
    return last;
  }

  /** Marks it as unavailable until `until`, at most one day from now. Does not shorten an existing mark. */
  mark(kind: Unavailability, until: number): void {
    const bounded = Math.min(until, this.#now() + longestWaitMs);
    this.#untils = { ...this.#untils, [kind]: Math.max(bounded, this.#untils?.[kind] ?? 0) };
  }

  /** After a success, removes all reasons except the rate limit: the key, the account and the model work. */
  restore(): void {
    const limited = this.#untils?.limited;
    this.#untils = limited === undefined ? undefined : { limited };
  }
}

/** A 429 of the vendor. */
type RateLimited = {
  /** See {@link RateLimitRecord.sent}. */
  readonly attempt: Sent;
  /** The vendor's `Retry-After`, if it sent one. */
  readonly retryAfterMs: number | undefined;
  /** Whether the vendor's headers report that nothing is left for any request. */
  readonly nothingLeft: boolean;
};

/** How long a rate limit without `Retry-After` lasts. Doubles with each consecutive one, from `minMs` to `maxMs`. */
type LimitDuration = { readonly minMs: number; readonly maxMs: number };

/** Records which of the latest attempts with one key of a target were rate limited. */
export class RateLimitRecord {
  readonly #now: () => number;
  readonly #window = createSendWindow();
  /** Consecutive rate limits without `Retry-After`, with no answer in between. */
  #consecutive = 0;
  /** When the latest of them ends, in epoch milliseconds. */
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
   * Records a 429. Returns until when the target is limited; `undefined` if it applies only to the call that received
   * it.
   */
  limited(
    { attempt, retryAfterMs, nothingLeft }: RateLimited,
    { minMs, maxMs }: LimitDuration,
  ): number | undefined {
    const share = this.#window.rejected(attempt);
    if (!nothingLeft && !isTargetLimited(share)) return undefined;
    const now = this.#now();
    if (retryAfterMs !== undefined) return now + retryAfterMs;
    // An attempt sent before the limit shows nothing new about it.
    if (attempt.batch.at < this.#until) return this.#until;
    this.#until = now + Math.min(maxMs, minMs * 2 ** this.#consecutive);
    this.#consecutive += 1;
    return this.#until;
  }

  /** Records that the vendor answered the attempt. */
  answered({ batch }: Sent): void {
    if (batch.at >= this.#until) this.#consecutive = 0;
  }

  /** Prefers other keys of the pool until `until`. */
  avoid(until: number): void {
    this.#avoidUntil = Math.max(this.#avoidUntil, until);
  }

  get isAvoided(): boolean {
    return this.#avoidUntil > this.#now();
  }
}
