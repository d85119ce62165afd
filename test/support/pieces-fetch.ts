import type { Fetch } from '../../src/transport/guarded-fetch.ts';

/** An answer in pieces of any size. */
export type AnswerInPieces = {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly pieces: Iterable<string | Uint8Array>;
};

/** Counts what a body has given out. */
export type Served = { bytes: number; isCancelled: boolean };

/**
 * A `fetch` that answers in the pieces that it is given, with no streams in between, so that a hundred thousand of them
 * cost little. `served` says how much was read.
 */
export function piecesFetch(answer: () => AnswerInPieces, served?: Served): Fetch {
  return async () => {
    const { status = 200, headers = {}, pieces } = answer();
    const iterator = pieces[Symbol.iterator]();
    const reader = {
      async read() {
        const next = iterator.next();
        if (next.done === true) return { done: true, value: undefined };
        const value = typeof next.value === 'string' ? Buffer.from(next.value) : next.value;
        if (served !== undefined) served.bytes += value.length;
        return { done: false, value };
      },
      async cancel() {
        if (served !== undefined) served.isCancelled = true;
      },
    };
    const body = { getReader: () => reader };
    return { status, headers: new Headers(headers), body } as unknown as Response;
  };
}

/** Bytes in pieces of `size`. */
export function* piecewise(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** A text in pieces of one byte. */
export function bytewise(text: string): Generator<Uint8Array> {
  return piecewise(Buffer.from(text), 1);
}
