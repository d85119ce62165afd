/** Passes on the promise until the signal aborts: a promise of the user's code may never settle. */
export function untilAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  return Promise.race([aborted.promise, promise]).finally(() =>
    signal.removeEventListener('abort', abort),
  );
}
