import { connect, type Socket } from 'node:net';
import type { Contender } from './contenders.ts';

/** Where to ask, and what for. */
export type SocketRequest = { readonly path: string; readonly body: string };

const lastChunk = Buffer.from('0\r\n\r\n');

/** All connections read into this: Node's fastest way, without a buffer or an event for each read. */
const buffer = Buffer.allocUnsafe(65_536);

/** How many bytes of an answer are to come, by its first piece; `undefined` where it comes in chunks. */
function lengthOf(head: string): number | undefined {
  const length = /^content-length: *(\d+)/im.exec(head)?.[1];
  return length === undefined ? undefined : Number(length) + head.indexOf('\r\n\r\n') + 4;
}

/** A connection that carries one request at a time. */
class Connection {
  readonly #socket: Socket;
  #received = 0;
  #expected: number | undefined;
  #done: (received: number) => void = () => undefined;

  constructor(url: URL) {
    const callback = (length: number): boolean => {
      this.#take(buffer.subarray(0, length));
      return true;
    };
    this.#socket = connect({
      host: url.hostname,
      port: Number(url.port),
      noDelay: true,
      onread: { buffer, callback },
    });
  }

  ask(request: string): Promise<number> {
    this.#received = 0;
    this.#socket.write(request);
    return new Promise((done) => {
      this.#done = done;
    });
  }

  #take(piece: Uint8Array): void {
    if (this.#received === 0) this.#expected = lengthOf(Buffer.from(piece).toString('latin1'));
    this.#received += piece.length;
    const isWhole =
      this.#expected === undefined
        ? lastChunk.equals(piece.subarray(-lastChunk.length))
        : this.#received === this.#expected;
    if (isWhole) this.#done(this.#received);
  }
}

/**
 * Bytes off a socket, counted and nothing else: no HTTP but for where an answer ends, no events, no JSON. Whoever
 * reads what a vendor sends does at least this.
 */
export function bareSocket(url: string, whole: SocketRequest, streamed: SocketRequest): Contender {
  const target = new URL(url);
  const idle: Connection[] = [];
  function asks({ path, body }: SocketRequest): () => Promise<number> {
    const request =
      `POST ${target.pathname}${path} HTTP/1.1\r\nhost: ${target.host}\r\n` +
      `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    return async () => {
      const connection = idle.pop() ?? new Connection(target);
      const received = await connection.ask(request);
      idle.push(connection);
      return received;
    };
  }
  return { name: 'socket, counting', complete: asks(whole), stream: asks(streamed) };
}
