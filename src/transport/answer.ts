/** What is asked of an answer's headers; a `Headers` does it too. Names are lower-case. */
export interface AnswerHeaders {
  get(name: string): string | null;
  keys(): Iterable<string>;
}

/** The bytes of an answer, for one reader. */
export interface Body {
  /** Whether all of it has arrived, read or not: the connection is then free for the next request. */
  readonly hasArrived: boolean;
  /**
   * The next piece, at once where there is one; `undefined` at the end.
   * @throws whatever cut the connection, after the pieces that came before
   */
  read(): Uint8Array | undefined | Promise<Uint8Array | undefined>;
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

function bodyOf(stream: ReadableStream<Uint8Array>): Body {
  const reader = stream.getReader();
  return {
    hasArrived: false,
    async read() {
      const { done, value } = await reader.read();
      return done ? undefined : value;
    },
    cancel() {
      // Rejects when the socket is already gone, which is what we want of it anyway.
      reader.cancel().catch(() => undefined);
    },
  };
}

/** What a `fetch` answered. */
export function answerOf({ status, headers, body }: Response): Answer {
  return { status, headers, body: body === null ? noBody : bodyOf(body) };
}
