import { longestWaitMs } from '../internal/believed-wait.ts';
import { timestamp } from '../internal/timestamp.ts';
import type { Unavailability } from '../protocol/events.ts';
import type { Unavailable } from './circuit-breaker.ts';

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
