import type { ServerResponse } from 'node:http';
import type { ReceivedRequest } from '../../wires/common/write.ts';
import type { Fault } from './faults.ts';

/** A request that arrived, and what became of it. The fields after `at` change while it runs. */
export type LoggedRequest = ReceivedRequest & {
  /** Epoch milliseconds of its arrival. */
  readonly at: number;
  /** HTTP status of the answer; absent until there is one. */
  readonly status: number | undefined;
  /** The fault that struck it. */
  readonly fault: Fault['type'] | 'down' | undefined;
  /** The client closed the socket before the answer was complete. */
  readonly aborted: boolean;
  /** Server-sent events written so far. */
  readonly eventsSent: number;
  /** Resolves when the answer is complete or the socket is closed, whoever closed it. */
  readonly done: Promise<void>;
};

type LogEntry = { -readonly [Field in keyof LoggedRequest]: LoggedRequest[Field] };

/** One request's way back: everything that is written to the client goes through here. */
export class Exchange {
  readonly entry: LogEntry;
  /** Aborted when the socket is closed or the answer is complete. */
  readonly signal: AbortSignal;
  /** Resolves when `signal` aborts. */
  readonly closed: Promise<void>;
  readonly #response: ServerResponse;
  #pieceBytes: number | undefined;
  #carried: Buffer = Buffer.alloc(0);
  #endedByUs = false;

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
      this.entry.aborted = !this.#endedByUs;
      controller.abort();
    };
    if (response.closed) close();
    else response.once('close', close);
  }

  /** From now on the body goes out in pieces of this many bytes. */
  splitInto(pieceBytes: number): void {
    this.#pieceBytes = pieceBytes;
  }

  /** Sends the headers at once, before there is a body. */
  head(status: number, headers: Readonly<Record<string, string>>): void {
    if (this.signal.aborted) return;
    this.entry.status = status;
    this.#response.writeHead(status, headers);
    this.#response.flushHeaders();
  }

  /** Resolves when the bytes have left, or can no longer leave. */
  async write(text: string): Promise<void> {
    const size = this.#pieceBytes;
    if (size === undefined) return this.#send(Buffer.from(text));
    let rest = Buffer.concat([this.#carried, Buffer.from(text)]);
    while (rest.length >= size && !this.signal.aborted) {
      await this.#send(rest.subarray(0, size));
      // A turn of the event loop between two pieces, so that they travel as two.
      await new Promise((resolve) => setImmediate(resolve));
      rest = rest.subarray(size);
    }
    this.#carried = rest;
  }

  /** Ends the body as a server does that has said everything. */
  async end(): Promise<void> {
    if (this.#carried.length > 0) await this.#send(this.#carried);
    if (this.signal.aborted) return;
    this.#endedByUs = true;
    this.#response.end();
    await this.closed;
  }

  /** Closes the socket in the middle of things. What was written still arrives. */
  cut(): void {
    this.#endedByUs = true;
    this.#response.destroy();
  }

  /** Resets the connection: the client sees ECONNRESET. */
  reset(): void {
    this.#endedByUs = true;
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
