import type { ConfigSource, ConfigSourceContext } from '../../protocol/config-source.ts';

/** The longest pause after failures in a row, as a multiple of the usual pause. */
const maxBackoff = 16;

/** Pauses differ by up to this share, so that the processes of a fleet do not read at the same time. */
const jitter = 0.2;

/** What a read needs of the router that follows. */
export type ReadContext = Pick<ConfigSourceContext, 'signal' | 'runtime'>;

/** Reads a document again and again, for one router. */
export interface DocumentReader {
  /** Returns the document, or `undefined` if it is the one of the last read. Rejects if it cannot be read. */
  read(context: ReadContext): Promise<unknown>;
  /** Calls `wake` when the document may have changed, until the signal aborts. */
  watch?(wake: () => void, signal: AbortSignal): void;
}

/** Milliseconds to wait after a read. The pause doubles with each failure in a row. */
function pauseMs(everyMs: number, failures: number, random: number): number {
  const usual = everyMs * Math.min(2 ** failures, maxBackoff);
  return usual * (1 - jitter + 2 * jitter * random);
}

/** Resolves with the value, or rejects as soon as the signal aborts. */
async function unlessAborted<Value>(value: Promise<Value>, signal: AbortSignal): Promise<Value> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([value, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Sleeps until the time is over, `woken` resolves or the signal aborts. */
async function pause(
  ms: number,
  woken: Promise<void>,
  { runtime, signal }: ReadContext,
): Promise<void> {
  const over = new AbortController();
  const sleeping = runtime.sleep(ms, AbortSignal.any([signal, over.signal])).catch(() => undefined);
  await Promise.race([woken, sleeping]);
  over.abort();
  await sleeping;
}

/** A source that is read about every `everyMs` milliseconds, less often while reads fail. */
export function pollingSource(
  name: string,
  everyMs: number,
  open: () => DocumentReader,
): ConfigSource {
  return {
    name,
    async run({ signal, runtime, deliver, fail }) {
      const context = { signal, runtime };
      const reader = open();
      let wake = (): void => {};
      reader.watch?.(() => wake(), signal);
      let failures = 0;
      while (!signal.aborted) {
        // Before the read, so that a change during the read is not missed.
        const { promise: woken, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        try {
          const document = await unlessAborted(reader.read(context), signal);
          failures = 0;
          if (document !== undefined) deliver(document);
        } catch (error) {
          failures += 1;
          fail(error);
        }
        await pause(pauseMs(everyMs, failures, runtime.random()), woken, context);
      }
    },
  };
}
