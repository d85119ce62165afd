import type { Runtime } from './protocol/runtime.ts';

/** Node's timers fire immediately for longer delays. */
const maxTimerMs = 2 ** 31 - 1;

/** Constant. Read on first use, because reading it makes Node load its performance module. */
let timeOrigin: number | undefined;

/** Makes ids unique across processes; the counter makes them unique within one. */
let processId: string | undefined;
let idCount = 0;

function longAlarm(ms: number, ring: () => void): () => void {
  let cancel = systemRuntime.alarm(maxTimerMs, () => {
    cancel = systemRuntime.alarm(ms - maxTimerMs, ring);
  });
  return () => cancel();
}

/** The system's clock, timers and randomness. */
export const systemRuntime: Required<Runtime> = {
  now() {
    timeOrigin ??= performance.timeOrigin;
    return timeOrigin + performance.now();
  },
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      let timer: ReturnType<typeof setTimeout>;
      const abort = (): void => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const wait = (leftMs: number): void => {
        timer = setTimeout(
          () => {
            if (leftMs > maxTimerMs) return wait(leftMs - maxTimerMs);
            signal?.removeEventListener('abort', abort);
            resolve();
          },
          Math.min(leftMs, maxTimerMs),
        );
      };
      wait(ms);
      signal?.addEventListener('abort', abort, { once: true });
    }),
  alarm(ms, ring) {
    if (ms > maxTimerMs) return longAlarm(ms, ring);
    const timer = setTimeout(ring, ms);
    return () => clearTimeout(timer);
  },
  random: Math.random,
  createId(prefix) {
    processId ??= crypto.randomUUID().replaceAll('-', '');
    idCount += 1;
    return `${prefix}_${processId}${idCount.toString(36)}`;
  },
};
