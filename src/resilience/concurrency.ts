import pLimit, { type LimitFunction } from 'p-limit';

/** Gives the place back. Calling it twice does nothing. */
export type Release = () => void;

export interface Concurrency {
  /**
   * Waits for a place under each of the limits (a provider's first, then a target's), and holds them until
   * released. Rejects with the signal's reason as soon as it aborts; the place is then not taken.
   */
  acquire(
    limits: readonly {
      readonly key: string;
      readonly limit: number | undefined;
    }[],
    signal: AbortSignal,
  ): Promise<Release>;
}

/** One place under one limit, held until the promise that p-limit waits for is resolved. */
function place(limit: LimitFunction, signal: AbortSignal): Promise<Release> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const leave = (): void => reject(signal.reason);
    signal.addEventListener('abort', leave, { once: true });
    // p-limit cannot take a waiting task back: one whose caller has left lets the next one in at once.
    void limit(() => {
      signal.removeEventListener('abort', leave);
      if (signal.aborted) return undefined;
      return new Promise<void>((release) => resolve(release));
    });
  });
}

/** Concurrency limits by name. A limit that is not set costs nothing. */
export function createConcurrency(): Concurrency {
  const limiters = new Map<string, LimitFunction>();

  function limiter(key: string, concurrency: number): LimitFunction {
    const known = limiters.get(key);
    if (known === undefined) {
      const created = pLimit(concurrency);
      limiters.set(key, created);
      return created;
    }
    if (known.concurrency !== concurrency) known.concurrency = concurrency;
    return known;
  }

  return {
    async acquire(limits, signal) {
      const held: Release[] = [];
      const releaseAll = (): void => {
        for (const release of held.splice(0)) release();
      };
      try {
        for (const { key, limit } of limits) {
          if (limit !== undefined) held.push(await place(limiter(key, limit), signal));
        }
      } catch (error) {
        releaseAll();
        throw error;
      }
      return releaseAll;
    },
  };
}
