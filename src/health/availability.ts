import { timestamp } from '../internal/timestamp.ts';
import { longestWaitMs } from '../internal/vendor-data.ts';
import type { Unavailability } from '../protocol/events.ts';
import type { Unavailable } from './circuit-breaker.ts';

const reasons: Record<Unavailability, string> = {
  limited: 'rate limited',
  exhausted: 'quota exhausted',
  credential: 'key rejected',
  model: 'model not found',
};

/**
 * Until when a target, a provider or one of its keys is unavailable without having failed. Each reason has its own
 * time. Being rate limited or out of quota is not a failure and does not touch the circuit.
 */
export class Availability {
  readonly #now: () => number;
  #untils: Partial<Record<Unavailability, number>> | undefined;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Epoch milliseconds for each reason, past ones included. */
  get untils(): Readonly<Partial<Record<Unavailability, number>>> {
    return this.#untils ?? {};
  }

  /** The reason that lasts longest; `undefined` when it is available. */
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

  /** Unavailable until a time, at most a day from now. A later time that is set already stays. */
  mark(kind: Unavailability, until: number): void {
    const bounded = Math.min(until, this.#now() + longestWaitMs);
    this.#untils = { ...this.#untils, [kind]: Math.max(bounded, this.#untils?.[kind] ?? 0) };
  }

  /** A success proves that key, account and model work. A rate limit still holds until its time. */
  restore(): void {
    const limited = this.#untils?.limited;
    this.#untils = limited === undefined ? undefined : { limited };
  }
}
