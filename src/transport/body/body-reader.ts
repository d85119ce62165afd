import type { SignalboxError } from '../../errors.ts';
import { nextValue, type Read } from '../../internal/read.ts';
import type { Watch } from '../../protocol/provider.ts';
import { systemRuntime } from '../../runtime.ts';
import { answerTooLarge } from '../answer-bound.ts';
import { interruptedError } from '../network-error.ts';
import type { Body } from './response.ts';

/** How long a vendor may take to end a body after its terminal marker before the socket is closed. */
const drainMs = 1_000;

/** Most bytes to read after the terminal marker; normally a few bytes follow it. */
const maxDrainBytes = 262_144;

/**
 * Reads a body to its end in the background, so that its connection can be reused. A body that does not end is
 * cancelled. Uses the system clock, because the call is already over.
 */
async function drain(body: Body): Promise<void> {
  if (body.hasArrived) return;
  const clearAlarm = systemRuntime.alarm(drainMs, () => body.cancel());
  try {
    let left = maxDrainBytes;
    for (;;) {
      const chunk = await nextValue(() => body.read());
      if (chunk === undefined) return;
      left -= chunk.length;
      if (left < 0) return body.cancel();
    }
  } catch {
    // The connection broke after the answer was complete.
  } finally {
    clearAlarm();
  }
}

/** Reads a body in chunks. Each chunk resets the idle timeout, and all of them together must not exceed `maxBytes`. */
export class BodyReader {
  /** Most bytes of the decompressed body. */
  readonly maxBytes: number;
  readonly #body: Body;
  readonly #watch: Watch;
  #bytes = 0;
  #isComplete = false;
  #hasEnded = false;

  constructor(body: Body, watch: Watch, maxBytes: number) {
    this.maxBytes = maxBytes;
    this.#body = body;
    this.#watch = watch;
  }

  /** The next chunk; `undefined` at the end. Pass it to {@link BodyReader.count}, and a failure to `fail`. */
  read(): Read<Uint8Array | undefined> {
    return this.#hasEnded ? undefined : this.#body.read();
  }

  /** @throws SignalboxError `invalid_response` when the body exceeds `maxBytes`, after closing the connection */
  count(chunk: Uint8Array | undefined): void {
    if (chunk === undefined) {
      this.#hasEnded = true;
      return;
    }
    this.#watch.bytes();
    this.#bytes += chunk.length;
    if (this.#bytes <= this.maxBytes) return;
    this.leave();
    throw answerTooLarge(this.maxBytes);
  }

  /** Ends the body after a read failed, and returns the error to throw. */
  fail(cause: unknown): SignalboxError {
    this.#hasEnded = true;
    return interruptedError('the connection was cut', cause);
  }

  /** Marks the answer as complete: the rest of the body is drained instead of cancelled. */
  complete(): void {
    this.#isComplete = true;
  }

  /** Closes the connection, or drains it when the answer is complete. */
  leave(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (this.#isComplete) void drain(this.#body);
    else this.#body.cancel();
  }

  /** Reads and counts the next chunk, synchronously if it has arrived. @throws SignalboxError `stream_interrupted` */
  next(): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    const chunk = this.#readAndCount();
    return chunk instanceof Promise ? chunk.then(() => this.next()) : chunk;
  }

  #readAndCount(): Read<Uint8Array | undefined> {
    try {
      const chunk = this.read();
      if (!(chunk instanceof Promise)) this.count(chunk);
      return chunk;
    } catch (error) {
      throw this.fail(error);
    }
  }
}
