import { SignalboxError } from '../errors.ts';
import type { Runtime } from '../protocol/runtime.ts';
import { setAlarm } from '../resilience/alarm.ts';

/** The life of one call: its deadline and its abort. Everything the call waits for listens to `signal`. */
export interface Scope {
  readonly signal: AbortSignal;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  remainingMs(): number;
  /** Ends the call from our side: `closed` router, reader gone. */
  abort(reason: SignalboxError): void;
  /** Stops the clock and lets go of the caller's signal. */
  close(): void;
}

export function openScope(
  runtime: Runtime,
  caller: AbortSignal | undefined,
  totalMs: number,
): Scope {
  const controller = new AbortController();
  const startedAt = runtime.now();
  const endsAt = startedAt + totalMs;
  const onAbort = (): void => {
    controller.abort(
      new SignalboxError('aborted', "aborted by the caller's signal", { cause: caller?.reason }),
    );
  };
  if (caller?.aborted) onAbort();
  else caller?.addEventListener('abort', onAbort, { once: true });
  const stopClock = setAlarm(runtime, totalMs, () => {
    const message = `no answer within ${totalMs} ms (totalMs)`;
    controller.abort(new SignalboxError('timeout', message, { phase: 'total' }));
  });
  return {
    signal: controller.signal,
    startedAt,
    remainingMs: () => Math.max(0, endsAt - runtime.now()),
    abort: (reason) => controller.abort(reason),
    close() {
      caller?.removeEventListener('abort', onAbort);
      stopClock();
    },
  };
}
