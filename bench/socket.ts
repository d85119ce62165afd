import { connect, type Socket } from 'node:net';
import type { Contender } from './contenders.ts';

/** A request with a serialized body. */
export type SocketRequest = { readonly path: string; readonly body: string };

const lastChunk = Buffer.from('0\r\n\r\n');

/** Shared read buffer of all connections. The fastest way in Node: no buffer or event per read. */
const buffer = Buffer.allocUnsafe(65_536);

/** Length of a response in bytes, from its first chunk; `undefined` with chunked transfer encoding. */
function lengthOf(head: string): number | undefined {
  const length = /^content-length: *(\d+)/im.exec(head)?.[1];
  return length === undefined ? undefined : Number(length) + head.indexOf('\r\n\r\n') + 4;
}

/** A connection with one request at a time. */
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

  send(request: string): Promise<number> {
    this.#received = 0;
    this.#socket.write(request);
    return new Promise((done) => {
      this.#done = done;
    });
  }

  #take(chunk: Uint8Array): void {
    if (this.#received === 0) this.#expected = lengthOf(Buffer.from(chunk).toString('latin1'));
    this.#received += chunk.length;
    const isComplete =
      this.#expected === undefined
        ? lastChunk.equals(chunk.subarray(-lastChunk.length))
        : this.#received === this.#expected;
    if (isComplete) this.#done(this.#received);
  }
}

/**
 * Reads bytes from a socket and counts them, without parsing events or JSON. HTTP is parsed only to find the end of the
 * response. This is the lower bound for every client.
 */
export function bareSocket(url: string, json: SocketRequest, streamed: SocketRequest): Contender {
  const target = new URL(url);
  const idle: Connection[] = [];
  function sender({ path, body }: SocketRequest): () => Promise<number> {
    const request =
      `POST ${target.pathname}${path} HTTP/1.1\r\nhost: ${target.host}\r\n` +
      `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    return async () => {
      const connection = idle.pop() ?? new Connection(target);
      const received = await connection.send(request);
      idle.push(connection);
      return received;
    };
  }
  return { name: 'socket, counting', complete: sender(json), stream: sender(streamed) };
}
