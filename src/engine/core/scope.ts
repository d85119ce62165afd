import { isSignalboxError, SignalboxError } from '../../errors.ts';
import type { Runtime } from '../../protocol/runtime.ts';

/** The early end of something. */
export interface Ending {
  /** Why it was ended early; `undefined` while it was not. */
  readonly reason: SignalboxError | undefined;
  /** Calls the listener when it is ended early; not if it was already. */
  listen(listener: () => void): void;
  unlisten(listener: () => void): void;
}

/** The lifetime of one call, or of one of its hedges: its deadline and its abort. */
export interface Scope extends Ending {
  /** Epoch milliseconds. */
  readonly startedAt: number;
  remainingMs(): number;
  /** Its early end as a signal. Made on first use, because signals are expensive. */
  readonly signal: AbortSignal;
  /** Ends it: the router was closed, the reader left. The first reason stays. */
  abort(reason: SignalboxError): void;
}

/** The scope of a whole call. */
export interface CallScope extends Scope {
  /** Stops the timer and the listener on the caller's signal. */
  close(): void;
}

const cancelled = new Error('the alarm was cancelled');

/**
 * Calls `ring` after `ms`; returns what cancels it. For a runtime without `alarm` it is made of `sleep`.
 */
export function setAlarm(runtime: Runtime, ms: number, ring: () => void): () => void {
  if (runtime.alarm !== undefined) return runtime.alarm(ms, ring);
  const clock = new AbortController();
  runtime.sleep(ms, clock.signal).then(ring, () => undefined);
  return () => clock.abort(cancelled);
}

/** Resolves with `work`, or rejects with the reason as soon as the scope ends. The work itself goes on. */
export function untilEnded<Value>(work: Promise<Value>, scope: Ending): Promise<Value> {
  return new Promise((resolve, reject) => {
    const end = (): void => reject(scope.reason);
    if (scope.reason === undefined) scope.listen(end);
    else end();
    work.then(resolve, reject).finally(() => scope.unlisten(end));
  });
}

function abortedBy(reason: unknown): SignalboxError {
  return new SignalboxError('aborted', "aborted by the caller's signal", { cause: reason });
}

/** The abort of a signal. It keeps no listener on it, except while somebody waits. */
export function endingOf(signal: AbortSignal): Ending {
  let reason: SignalboxError | undefined;
  return {
    get reason() {
      if (!signal.aborted) return undefined;
      reason ??= isSignalboxError(signal.reason) ? signal.reason : abortedBy(signal.reason);
      return reason;
    },
    listen: (listener) => signal.addEventListener('abort', listener),
    unlisten: (listener) => signal.removeEventListener('abort', listener),
  };
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

/** A scope within another: it ends with that one, or before. */
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
class WholeCallScope extends OpenScope implements CallScope {
  readonly #caller: AbortSignal | undefined;
  readonly #stopTimer: () => void;
  readonly #onAbort = (): void => {
    this.abort(abortedBy(this.#caller?.reason));
  };

  constructor(runtime: Runtime, caller: AbortSignal | undefined, totalMs: number) {
    const startedAt = runtime.now();
    super(runtime, startedAt, startedAt + totalMs);
    this.#caller = caller;
    if (caller?.aborted) this.#onAbort();
    else caller?.addEventListener('abort', this.#onAbort, { once: true });
    this.#stopTimer = setAlarm(runtime, totalMs, () => {
      const message = `no answer within ${totalMs} ms (totalMs)`;
      this.abort(new SignalboxError('timeout', message, { phase: 'total' }));
    });
  }

  close(): void {
    this.#caller?.removeEventListener('abort', this.#onAbort);
    this.#stopTimer();
  }
}

/** The scope of a call that its caller can abort, and that ends after `totalMs`. */
export function openScope(
  runtime: Runtime,
  caller: AbortSignal | undefined,
  totalMs: number,
): CallScope {
  return new WholeCallScope(runtime, caller, totalMs);
}
