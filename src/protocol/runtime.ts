/** Clock, timers and randomness. The router uses nothing else: no `Date`, no timers, no `Math.random`. */
export interface Runtime {
  /** Epoch milliseconds, monotonic within the process. */
  now(): number;
  /**
   * Resolves after `ms` milliseconds. Rejects with the signal's reason when it aborts. Leaves no listener on the
   * signal.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /**
   * Calls `ring` once after `ms` milliseconds. Returns a function that cancels it. Like `sleep`, without a promise and
   * a signal.
   * @default implemented with `sleep`
   */
  alarm?(ms: number, ring: () => void): () => void;
  /** A number in [0, 1). */
  random(): number;
  /** A new id that starts with `prefix`. */
  createId(prefix: string): string;
}
