import { SignalboxError } from '../../errors.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import { setAlarm } from './alarm.ts';

/** The life of one call, or of one of its hedges: its deadline and its abort. All that it waits for goes by it. */
export interface Scope {
  /** Epoch milliseconds. */
  readonly startedAt: number;
  remainingMs(): number;
  /** Why it was ended before its time; `undefined` as long as it was not. */
  readonly reason: SignalboxError | undefined;
  /** The same as a signal, for those who need one: made on first use, since it is dear. */
  readonly signal: AbortSignal;
  /** Has the listener called when it is ended; never, where it was ended before. */
  listen(listener: () => void): void;
  unlisten(listener: () => void): void;
  /** Ends it from our side: `closed` router, reader gone. The first reason stays. */
  abort(reason: SignalboxError): void;
}

/** The scope of a whole call. */
export interface CallScope extends Scope {
  /** Stops the clock and lets go of the caller's signal. */
  close(): void;
}

class OpenScope implements Scope {
  readonly startedAt: number;
  readonly #runtime: Runtime;
  readonly #endsAt: number;
  #listeners: (() => void)[] = [];
  #controller: AbortController | undefined;
  reason: SignalboxError | undefined;

  constructor(runtime: Runtime, startedAt: number, endsAt: number) {
    this.#runtime = runtime;
    this.startedAt = startedAt;
    this.#endsAt = endsAt;
  }

  remainingMs(): number {
    return Math.max(0, this.#endsAt - this.#runtime.now());
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.reason !== undefined) this.#controller.abort(this.reason);
    }
    return this.#controller.signal;
  }

  listen(listener: () => void): void {
    this.#listeners.push(listener);
  }

  unlisten(listener: () => void): void {
    this.#listeners = this.#listeners.filter((each) => each !== listener);
  }

  abort(reason: SignalboxError): void {
    if (this.reason !== undefined) return;
    this.reason = reason;
    for (const listener of this.#listeners) listener();
    this.#listeners = [];
    this.#controller?.abort(reason);
  }
}

/** A scope of its own within another: it ends with that, or before. */
export function scopeWithin(runtime: Runtime, outer: Scope): Scope {
  const scope = new OpenScope(runtime, outer.startedAt, runtime.now() + outer.remainingMs());
  const end = (): void => {
    if (outer.reason !== undefined) scope.abort(outer.reason);
  };
  end();
  outer.listen(end);
  return scope;
}

/** See {@link openScope}. */
class WholeScope extends OpenScope implements CallScope {
  readonly #caller: AbortSignal | undefined;
  readonly #stopClock: () => void;
  readonly #onAbort = (): void => {
    const cause: unknown = this.#caller?.reason;
    this.abort(new SignalboxError('aborted', "aborted by the caller's signal", { cause }));
  };

  constructor(runtime: Runtime, caller: AbortSignal | undefined, totalMs: number) {
    const startedAt = runtime.now();
    super(runtime, startedAt, startedAt + totalMs);
    this.#caller = caller;
    if (caller?.aborted) this.#onAbort();
    else caller?.addEventListener('abort', this.#onAbort, { once: true });
    this.#stopClock = setAlarm(runtime, totalMs, () => {
      const message = `no answer within ${totalMs} ms (totalMs)`;
      this.abort(new SignalboxError('timeout', message, { phase: 'total' }));
    });
  }

  close(): void {
    this.#caller?.removeEventListener('abort', this.#onAbort);
    this.#stopClock();
  }
}

/** The scope of a call that its caller may abort, and that ends after `totalMs`. */
export function openScope(
  runtime: Runtime,
  caller: AbortSignal | undefined,
  totalMs: number,
): CallScope {
  return new WholeScope(runtime, caller, totalMs);
}
