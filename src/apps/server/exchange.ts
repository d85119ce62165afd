/** What a request asked for, and what became of it. Reported as it becomes known, for logs. */
export type ServedFacts = {
  /** As the client named it: there may be no such tier. */
  readonly tier?: string;
  readonly target?: string;
  /** The kind of the failure that ended a stream. */
  readonly failure?: string;
};

/** A request as the handler reads it, from the web's `Request` or from Node. */
export interface Exchange {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** The value of a header, by its name in lower case. */
  header(name: string): string | undefined;
  /** The bytes of the body. Ending the iteration early stops the upload. */
  body(): AsyncIterable<Uint8Array>;
  /** The body, if the program has parsed it already. */
  readonly parsedBody?: unknown;
  /** Aborts when the client leaves. */
  readonly signal: AbortSignal;
  readonly note?: ((facts: ServedFacts) => void) | undefined;
  /** The request without its body, for the program's own `authenticate`. */
  toRequest(): Request;
}

/** The events of a stream, as text to send. */
export interface EventSource {
  /** The next events, or `undefined` at the end. Never rejects: a failure is an event. */
  next(): Promise<string | undefined>;
  /** Ends the answer: its reader has left. */
  cancel(): void;
  /** A comment to send when there was no event for `heartbeatMs`. */
  readonly heartbeat: string;
  readonly heartbeatMs: number;
}

export type Reply = {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | EventSource;
};
