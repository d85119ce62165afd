import { setTimeout as wait } from 'node:timers/promises';
import type { RouterEvent } from '../../src/protocol/events.ts';
import type { FakeRuntime } from '../../src/testing/fake-runtime.ts';
import type { SimulatedProvider } from '../../src/testing/simulate-providers.ts';

/** Faults that keep a request open until the client closes it. */
const holdingFaults: ReadonlySet<string | undefined> = new Set([
  'silence',
  'slow-first-token',
  'stall',
]);

/** How far time moves at once while attempts are held. Shorter than every timeout in use. */
const stepMs = 500;

type EventSource = { on(name: '*', listener: (event: RouterEvent) => unknown): void };

/**
 * Runs calls over real sockets in virtual time, so that a slow machine does not look like a slow vendor. Time moves
 * only while every running attempt is held by a fault of a simulated vendor, or while a call waits to retry.
 */
export class SocketTime {
  readonly #runtime: FakeRuntime;
  readonly #vendors: readonly SimulatedProvider[];
  readonly #attempts = new Set<string>();
  /** When each waiting call retries, by its id. */
  readonly #retries = new Map<string, number>();

  constructor(runtime: FakeRuntime, vendors: readonly SimulatedProvider[]) {
    this.#runtime = runtime;
    this.#vendors = vendors;
  }

  /** Follows the attempts of a router that runs on the same runtime. Returns the router. */
  follow<Router extends EventSource>(router: Router): Router {
    router.on('*', (event) => {
      if (event.type === 'attempt-start') {
        this.#attempts.add(`${event.callId} ${event.attempt}`);
        this.#retries.delete(event.callId);
      } else if (event.type === 'attempt-end') {
        this.#attempts.delete(`${event.callId} ${event.attempt}`);
      } else if (event.type === 'retry') {
        this.#retries.set(event.callId, event.at + event.delayMs);
      } else if (event.type === 'call-end') this.#retries.delete(event.callId);
    });
    return router;
  }

  /** Waits for a call, moving time when nothing else can happen. */
  async settle<Value>(call: Promise<Value>): Promise<Value> {
    let isSettled = false;
    const settle = (): void => {
      isSettled = true;
    };
    call.then(settle, settle);
    while (!isSettled) {
      if (await this.#isQuiet()) await this.#advance();
      else await wait(1);
    }
    return call;
  }

  #held(): number {
    const log = this.#vendors.flatMap((vendor) => vendor.log);
    return log.filter(({ fault, aborted }) => holdingFaults.has(fault) && !aborted).length;
  }

  /** Whether all attempts are held, or all calls wait to retry. */
  #isWaiting(): boolean {
    const isRetrying = this.#attempts.size === 0 && this.#retries.size > 0;
    return isRetrying || (this.#attempts.size > 0 && this.#held() >= this.#attempts.size);
  }

  #eventsSent(): number {
    const log = this.#vendors.flatMap((vendor) => vendor.log);
    return log.reduce((sum, { eventsSent }) => sum + eventsSent, 0);
  }

  async #isQuiet(): Promise<boolean> {
    if (!this.#isWaiting()) return false;
    const before = this.#eventsSent();
    await this.#runtime.settle();
    return this.#isWaiting() && this.#eventsSent() === before;
  }

  async #advance(): Promise<void> {
    const untilRetry = Math.min(...this.#retries.values()) - this.#runtime.now();
    await this.#runtime.advance(this.#attempts.size > 0 ? stepMs : Math.max(0, untilRetry));
  }
}
