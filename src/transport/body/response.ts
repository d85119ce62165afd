import { PullReader, type Read } from '../../internal/read.ts';

/** The headers of a response; a `Headers` fits. Names are in lower case. */
export interface AnswerHeaders {
  get(name: string): string | null;
  keys(): Iterable<string>;
  /** Whether the text repeats a part of a credential of the request, verbatim or in base64. */
  repeatsCredential?(text: string): boolean;
  /** Returns the text without the credentials of the request. */
  withoutCredentials?(text: string): string;
}

/** Wraps headers that another library returns as an object. Ignores values that are not strings. */
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

/** The bytes of a response, for one reader. */
export interface Body {
  /** Whether all of it has arrived, read or not. The connection is then free for the next request. */
  readonly hasArrived: boolean;
  /**
   * The next chunk; `undefined` at the end. Ends at the latest when the attempt's signal aborts.
   * @throws the reason why the connection was cut, after the chunks that arrived before
   */
  read(): Read<Uint8Array | undefined>;
  /** Closes the connection, unless the whole body has arrived. */
  cancel(): void;
}

/** A vendor's response whose headers have arrived. */
export type Answer = {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly body: Body;
};

const noBody: Body = { hasArrived: true, read: () => undefined, cancel: () => undefined };

function bodyOf(stream: ReadableStream<Uint8Array>, signal: AbortSignal): Body {
  const reader = stream.getReader();
  let closed: { readonly reason: unknown } | undefined;
  const removeListener = (): void => signal.removeEventListener('abort', abort);
  const chunks = new PullReader(async () => {
    let isLast = true;
    try {
      const { done, value } = await reader.read();
      isLast = done;
      if (!done) return value;
      if (closed !== undefined) throw closed.reason;
      return undefined;
    } finally {
      if (isLast) removeListener();
    }
  });
  /** Ends the pending read. A chunk that has already arrived is still returned. */
  function close(reason: unknown): void {
    removeListener();
    closed ??= { reason };
    // Rejects when the socket is already closed.
    reader.cancel().catch(() => undefined);
  }
  // The fetch has the signal too, but a custom one may ignore it.
  const abort = (): void => close(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  return {
    hasArrived: false,
    read: () => chunks.read(),
    cancel: () => close(new Error('the reader stopped reading')),
  };
}

/** Converts the response of a `fetch` that was called with `signal`. */
export function answerOf({ status, headers, body }: Response, signal: AbortSignal): Answer {
  return { status, headers, body: body === null ? noBody : bodyOf(body, signal) };
}
