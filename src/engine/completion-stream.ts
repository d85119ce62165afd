import { SignalboxError } from '../errors.ts';
import type { CompletionStream, StreamPart } from '../protocol/stream-part.ts';

function left(): SignalboxError {
  return new SignalboxError('aborted', 'the reader left before the answer was whole');
}

/**
 * A stream over `start()`, which is called at the first read and never before.
 * Whoever awaits `completion` without reading drives the answer; parts are then kept for a later reader, so
 * that the order of the two does not matter. `leaving` aborts when the reader goes while a part is being
 * waited for: a generator's `return()` alone would wait for that part.
 */
export function createCompletionStream<Answer>(
  start: (leaving: AbortSignal) => Promise<AsyncGenerator<StreamPart<Answer>, void>>,
): CompletionStream<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  promise.catch(() => undefined);
  let source: AsyncGenerator<StreamPart<Answer>, void> | undefined;
  const leaving = new AbortController();
  let isPulling = false;
  let isWhole = false;
  let hasReader = false;
  /** Parts that `completion` drove out before a reader came. */
  const kept: StreamPart<Answer>[] = [];
  let draining: Promise<void> | undefined;

  async function pull(): Promise<IteratorResult<StreamPart<Answer>, void>> {
    isPulling = true;
    try {
      source ??= await start(leaving.signal);
      const next = await source.next();
      if (next.done !== true && next.value.type === 'finish') {
        isWhole = true;
        resolve(next.value.completion);
      }
      if (next.done === true && !isWhole) reject(left());
      return next;
    } catch (error) {
      reject(error);
      throw error;
    } finally {
      isPulling = false;
    }
  }

  async function leave(): Promise<void> {
    hasReader = true;
    if (isPulling) leaving.abort(left());
    await source?.return();
    if (!isWhole) reject(left());
  }

  async function drain(): Promise<void> {
    while (!hasReader) {
      const next = await pull();
      if (next.done === true) return;
      kept.push(next.value);
    }
  }

  async function* read(): AsyncGenerator<StreamPart<Answer>, void> {
    if (hasReader) throw new SignalboxError('config', 'this stream is being read already');
    hasReader = true;
    try {
      // A pull of the drain may be under way: its part comes first, and its failure after all parts.
      await draining?.catch(() => undefined);
      yield* kept.splice(0);
      await draining;
      for (let next = await pull(); next.done !== true; next = await pull()) yield next.value;
    } finally {
      await leave();
    }
  }

  async function* text(): AsyncGenerator<string, void> {
    for await (const part of read()) {
      if (part.type === 'text-delta') yield part.delta;
      if (part.type === 'restart') {
        throw new SignalboxError(
          'stream_interrupted',
          `${part.from} broke off and ${part.to} answers from the start, which text alone cannot say; read the parts instead`,
          { target: part.from },
        );
      }
    }
  }

  async function* events(): AsyncGenerator<string, void> {
    for await (const part of read()) yield `event: ${part.type}\ndata: ${JSON.stringify(part)}\n\n`;
  }

  return {
    [Symbol.asyncIterator]: read,
    textStream: { [Symbol.asyncIterator]: text },
    toReadableStream(format = 'text') {
      const chunks = format === 'text' ? text() : events();
      const encoder = new TextEncoder();
      let isReader = false;
      return new ReadableStream(
        {
          async pull(controller) {
            isReader = true;
            const next = await chunks.next();
            if (next.done === true) controller.close();
            else controller.enqueue(encoder.encode(next.value));
          },
          async cancel() {
            if (isReader || !hasReader) await leave();
          },
        },
        // Nothing is pulled before somebody reads.
        { highWaterMark: 0 },
      );
    },
    get completion() {
      if (!hasReader && draining === undefined) {
        draining = drain();
        draining.catch(() => undefined);
      }
      return promise;
    },
  };
}
