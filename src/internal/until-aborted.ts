/**
 * Waits for `work`, but rejects with the signal's reason as soon as it aborts: for code of the caller or a vendor, which
 * may never finish. The work itself is not stopped.
 */
export async function untilAborted<Value>(
  work: () => PromiseLike<Value>,
  signal: AbortSignal,
): Promise<Value> {
  signal.throwIfAborted();
  let removeListener = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    removeListener = () => signal.removeEventListener('abort', abort);
  });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    removeListener();
  }
}
