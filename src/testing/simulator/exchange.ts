import type { ServerResponse } from 'node:http';
import type { ReceivedRequest } from '../../wires/common/write.ts';
import type { Fault } from './faults.ts';

/** A request that arrived, and its state. The fields after `at` change until it is done. */
export type LoggedRequest = ReceivedRequest & {
  /** When it arrived, in epoch milliseconds. */
  readonly at: number;
  /** HTTP status of the response; `undefined` until there is one. */
  readonly status: number | undefined;
  /** The fault that was applied to it. */
  readonly fault: Fault['type'] | 'down' | undefined;
  /** Whether the client closed the socket before the answer was complete. */
  readonly aborted: boolean;
  /** Server-sent events written so far. */
  readonly eventsSent: number;
  /** Resolves when the answer is complete or either side has closed the socket. */
  readonly done: Promise<void>;
};

type LogEntry = { -readonly [Field in keyof LoggedRequest]: LoggedRequest[Field] };

/** Writes the response to one request. */
export class Exchange {
  readonly entry: LogEntry;
  /** Aborted when the socket is closed or the answer is complete. */
  readonly signal: AbortSignal;
  /** Resolves when `signal` aborts. */
  readonly closed: Promise<void>;
  readonly #response: ServerResponse;
  #chunkBytes: number | undefined;
  #buffered: Buffer = Buffer.alloc(0);
  #isEnded = false;

  constructor(request: ReceivedRequest, at: number, response: ServerResponse) {
    const controller = new AbortController();
    this.signal = controller.signal;
    this.closed = new Promise((resolve) => {
      controller.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.#response = response;
    this.entry = {
      ...request,
      at,
      status: undefined,
      fault: undefined,
      aborted: false,
      eventsSent: 0,
      done: this.closed,
    };
    const close = (): void => {
      this.entry.aborted = !this.#isEnded;
      controller.abort();
    };
    if (response.closed) close();
    else response.once('close', close);
  }

  /** Splits the rest of the body into chunks of this many bytes. */
  splitInto(chunkBytes: number): void {
    this.#chunkBytes = chunkBytes;
  }

  /** Sends the headers immediately. */
  head(status: number, headers: Readonly<Record<string, string>>): void {
    if (this.signal.aborted) return;
    this.entry.status = status;
    this.#response.writeHead(status, headers);
    this.#response.flushHeaders();
  }

  /** Resolves when the bytes have been written, or the socket is closed. */
  async write(text: string): Promise<void> {
    const size = this.#chunkBytes;
    if (size === undefined) return this.#send(Buffer.from(text));
    let rest = Buffer.concat([this.#buffered, Buffer.from(text)]);
    while (rest.length >= size && !this.signal.aborted) {
      await this.#send(rest.subarray(0, size));
      // A turn of the event loop, so that the chunks are sent separately.
      await new Promise((resolve) => setImmediate(resolve));
      rest = rest.subarray(size);
    }
    this.#buffered = rest;
  }

  /** Ends the body normally. */
  async end(): Promise<void> {
    if (this.#buffered.length > 0) await this.#send(this.#buffered);
    if (this.signal.aborted) return;
    this.#isEnded = true;
    this.#response.end();
    await this.closed;
  }

  /** Closes the socket before the end. What was written still arrives. */
  cut(): void {
    this.#isEnded = true;
    this.#response.destroy();
  }

  /** Resets the connection: the client sees ECONNRESET. */
  reset(): void {
    this.#isEnded = true;
    this.#response.socket?.resetAndDestroy();
  }

  async #send(bytes: Buffer): Promise<void> {
    if (this.signal.aborted) return;
    const sent = new Promise<void>((resolve) => {
      this.#response.write(bytes, () => resolve());
    });
    await Promise.race([sent, this.closed]);
  }
}
