import type { SignalboxError } from '../../errors.ts';
import { type Read, readOn } from '../../internal/reads.ts';
import type { Watch } from '../../protocol/provider.ts';
import { systemRuntime } from '../../runtime.ts';
import { answerTooLarge } from '../answer-bound.ts';
import { interruptedError } from '../network-error.ts';
import type { Body } from './response.ts';

/** How long a vendor may take to end a body after its terminal marker before the socket is closed. */
const readOutMs = 1_000;

/** What it may send by then: a terminal marker is followed by a few bytes at most. */
const readOutBytes = 262_144;

/**
 * Reads a body to its end in the background, so that its connection can be used for the next request. A body
 * that does not end is cut off. (The clock is the socket's, not the call's: the call is over.)
 */
async function readOut(body: Body): Promise<void> {
  if (body.hasArrived) return;
  const callOff = systemRuntime.alarm(readOutMs, () => body.cancel());
  try {
    let left = readOutBytes;
    for (;;) {
      const piece = await readOn(() => body.read());
      if (piece === undefined) return;
      left -= piece.length;
      if (left < 0) return body.cancel();
    }
  } catch {
    // The connection broke after the answer was whole: nobody needs it any more.
  } finally {
    callOff();
  }
}

/** A body, whose every piece feeds the idle clock, and whose pieces together do not exceed a bound. */
export class Pieces {
  /** Most bytes that the body may have, decompressed. */
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

  /** The next piece; `undefined` at the end. To be handed to {@link Pieces.took}, and a failure to `cut`. */
  read(): Read<Uint8Array | undefined> {
    return this.#hasEnded ? undefined : this.#body.read();
  }

  /** @throws SignalboxError `invalid_response` when the body exceeds its bound; the connection is closed then */
  took(piece: Uint8Array | undefined): void {
    if (piece === undefined) {
      this.#hasEnded = true;
      return;
    }
    this.#watch.bytes();
    this.#bytes += piece.length;
    if (this.#bytes <= this.maxBytes) return;
    this.leave();
    throw answerTooLarge(this.maxBytes);
  }

  /** The error for a reading that failed. */
  cut(cause: unknown): SignalboxError {
    this.#hasEnded = true;
    return interruptedError('the connection was cut', cause);
  }

  /** All that matters has come: what is left is read out, not cut off. */
  complete(): void {
    this.#isComplete = true;
  }

  /** Closes the connection, or reads it out when all that matters has come. */
  leave(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (this.#isComplete) void readOut(this.#body);
    else this.#body.cancel();
  }

  /** Reads and takes the next piece; at once where it is there. @throws SignalboxError `stream_interrupted` */
  next(): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    const piece = this.#taken();
    return piece instanceof Promise ? piece.then(() => this.next()) : piece;
  }

  #taken(): Read<Uint8Array | undefined> {
    try {
      const piece = this.read();
      if (!(piece instanceof Promise)) this.took(piece);
      return piece;
    } catch (error) {
      throw this.cut(error);
    }
  }
}
