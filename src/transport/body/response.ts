import { Pulled, type Read } from '../../internal/reads.ts';

/** What is asked of an answer's headers; a `Headers` does it too. Names are lower-case. */
export interface AnswerHeaders {
  get(name: string): string | null;
  keys(): Iterable<string>;
  /** Whether the text repeats a part of a credential that the request was sent with, as it is or in base64. */
  repeatsCredential?(text: string): boolean;
  /** The text without the credentials that the request was sent with. */
  withoutCredentials?(text: string): string;
}

/** Headers that another library hands over as an object. What is not a string counts as absent. */
export function headersOfObject(given: unknown): AnswerHeaders {
  if (given instanceof Headers) return given;
  const values = new Map<string, string>();
  if (typeof given === 'object' && given !== null) {
    for (const [name, value] of Object.entries(given)) {
      if (typeof value === 'string') values.set(name.toLowerCase(), value);
    }
  }
  return { get: (name) => values.get(name) ?? null, keys: () => values.keys() };
}

/** The bytes of an answer, for one reader. */
export interface Body {
  /** Whether all of it has arrived, read or not: the connection is then free for the next request. */
  readonly hasArrived: boolean;
  /**
   * The next piece; `undefined` at the end. Nobody waits longer than until the attempt's signal aborts.
   * @throws whatever cut the connection, after the pieces that came before
   */
  read(): Read<Uint8Array | undefined>;
  /** Closes the connection, unless all has arrived. */
  cancel(): void;
}

/** A vendor's answer: its headers have come, its body is on the way. */
export type Answer = {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly body: Body;
};

const noBody: Body = { hasArrived: true, read: () => undefined, cancel: () => undefined };

function bodyOf(stream: ReadableStream<Uint8Array>, signal: AbortSignal): Body {
  const reader = stream.getReader();
  let closed: { readonly reason: unknown } | undefined;
  const unlisten = (): void => signal.removeEventListener('abort', abort);
  const pieces = new Pulled(async () => {
    let isLast = true;
    try {
      const { done, value } = await reader.read();
      isLast = done;
      if (!done) return value;
      if (closed !== undefined) throw closed.reason;
      return undefined;
    } finally {
      if (isLast) unlisten();
    }
  });
  /** Ends the read that is pending; a piece that has come by now is still given out. */
  function close(reason: unknown): void {
    unlisten();
    closed ??= { reason };
    // Rejects when the socket is already gone, which is what we want of it anyway.
    reader.cancel().catch(() => undefined);
  }
  // The fetch has the signal too; one that takes no notice of it must not hold up who waits.
  const abort = (): void => close(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  return {
    hasArrived: false,
    read: () => pieces.read(),
    cancel: () => close(new Error('the reader left')),
  };
}

/** What a `fetch` answered under that signal. */
export function answerOf({ status, headers, body }: Response, signal: AbortSignal): Answer {
  return { status, headers, body: body === null ? noBody : bodyOf(body, signal) };
}
