/**
 * What `work` comes to, or the signal's reason as soon as it aborts: for waits on others' code, which may never
 * end. The work itself goes on.
 */
export async function untilAborted<Value>(
  work: () => PromiseLike<Value>,
  signal: AbortSignal,
): Promise<Value> {
  signal.throwIfAborted();
  let leave = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    leave = () => signal.removeEventListener('abort', abort);
  });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    leave();
  }
}
