import type { Runtime } from './protocol/runtime.ts';

/** Longer delays make Node's timers fire at once. */
const maxTimerMs = 2 ** 31 - 1;

/** Of the process, and constant. Read on first use: Node loads its clock for it. */
let timeOrigin: number | undefined;

/** Makes the ids of this process unlike those of all others; with a number behind, they are unlike each other. */
let processId: string | undefined;
let idsMade = 0;

function longAlarm(ms: number, ring: () => void): () => void {
  let callOff = systemRuntime.alarm(maxTimerMs, () => {
    callOff = systemRuntime.alarm(ms - maxTimerMs, ring);
  });
  return () => callOff();
}

/** The system's own clock and chance. */
export const systemRuntime: Required<Runtime> = {
  now() {
    timeOrigin ??= performance.timeOrigin;
    return timeOrigin + performance.now();
  },
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      let timer: ReturnType<typeof setTimeout>;
      const stop = (): void => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const wait = (leftMs: number): void => {
        timer = setTimeout(
          () => {
            if (leftMs > maxTimerMs) return wait(leftMs - maxTimerMs);
            signal?.removeEventListener('abort', stop);
            resolve();
          },
          Math.min(leftMs, maxTimerMs),
        );
      };
      wait(ms);
      signal?.addEventListener('abort', stop, { once: true });
    }),
  alarm(ms, ring) {
    if (ms > maxTimerMs) return longAlarm(ms, ring);
    const timer = setTimeout(ring, ms);
    return () => clearTimeout(timer);
  },
  random: Math.random,
  createId(prefix) {
    processId ??= crypto.randomUUID().replaceAll('-', '');
    idsMade += 1;
    return `${prefix}_${processId}${idsMade.toString(36)}`;
  },
};
