/** Time and chance. Injected everywhere; nothing else touches `Date`, timers or `Math.random`. */
export interface Runtime {
  /** Epoch milliseconds, monotonic within the process. */
  now(): number;
  /** Resolves after `ms`; rejects with the signal's reason as soon as it aborts. Leaves no listener behind. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /**
   * Calls `ring` once after `ms`; returns what calls it off. A `sleep` that nobody awaits, without the promise and
   * the signal. @default made of `sleep`
   */
  alarm?(ms: number, ring: () => void): () => void;
  /** A number in [0, 1). */
  random(): number;
  /** A new id that starts with `prefix`. */
  createId(prefix: string): string;
}
