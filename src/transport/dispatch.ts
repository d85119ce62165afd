import type { Transform } from 'node:stream';
import { own } from '../internal/own.ts';
import { nextValue, PullReader, type Read } from '../internal/read.ts';
import type { AnswerHeaders, Body } from './answer.ts';
import type { Connection, ResponseCapture } from './exchange.ts';

/**
 * What signalbox uses of an undici dispatcher. `Agent`, `ProxyAgent` and all others have it, in every version.
 */
export interface Dispatcher {
  dispatch(options: object, handler: object): boolean;
}

export function isDispatcher(value: unknown): value is Dispatcher {
  return (
    typeof value === 'object' &&
    value !== null &&
    'dispatch' in value &&
    typeof value.dispatch === 'function'
  );
}

/** Undici's registry of the process-wide dispatcher. The number is the version of the handler interface. */
const processWideKeys = [
  Symbol.for('undici.globalDispatcher.2'),
  Symbol.for('undici.globalDispatcher.1'),
];

/**
 * The dispatcher under Node's `fetch`: Node's agent, or the one set for the process, such as a proxy.
 * `undefined` when this Node does not expose one or its `fetch` was replaced; requests then go through `fetch`.
 */
export function processDispatcher(): Dispatcher | undefined {
  if (!isFetchNodes()) return undefined;
  const registered = registeredDispatcher();
  if (registered !== undefined) return registered;
  // Node loads undici on the first use of one of its globals; there is no dispatcher before that.
  new Headers();
  return registeredDispatcher();
}

function registeredDispatcher(): Dispatcher | undefined {
  for (const key of processWideKeys) {
    const value: unknown = Reflect.get(globalThis, key);
    if (isDispatcher(value)) return value;
  }
  return undefined;
}

/**
 * Whether the process-wide `fetch` is Node's. A replacement (a mock, an instrumentation) must be called, not bypassed.
 * Node's is recognized by its source, which names undici; it has no better mark.
 */
function isFetchNodes(): boolean {
  return Function.prototype.toString.call(globalThis.fetch).includes('internal/deps/undici');
}

/** A request as it is sent. */
export type HttpRequest = {
  readonly url: string;
  readonly method: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
};

/**
 * Sends a request directly through a dispatcher, because `fetch` and its web streams cost several times what the
 * request costs. Follows no redirects and asks for no compression. The dispatcher's header and body timeouts are off.
 * The response goes to `capture`, and so does undici's error for a connection that fails.
 */
export function dispatchRequest(
  dispatcher: Dispatcher,
  request: HttpRequest,
  capture: ResponseCapture,
): void {
  const { origin, pathname, search } = new URL(request.url);
  const options = {
    origin,
    path: pathname + search,
    method: request.method,
    headers: { 'accept-encoding': 'identity', ...request.headers },
    body: request.body,
    headersTimeout: 0,
    bodyTimeout: 0,
  };
  dispatcher.dispatch(options, new Receiver(capture));
}

/** Most unread bytes before the socket is paused. */
const maxUnreadBytes = 65_536;

/** Memory overhead of a chunk, which counts as unread too: a vendor may send one byte at a time. */
const chunkOverheadBytes = 128;

/** The socket's end of a request; undici 7 and later call it the controller. */
type Controller = { abort(reason: unknown): void; pause?(): void; resume?(): void };

type HeaderTable = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * Undici's handler of one request, and the body that it receives. It implements both handler interfaces: `onConnect`
 * and so on for undici 6, `onRequestStart` and so on for later versions.
 *
 * It drops its reference to the attempt as early as possible: undici and Node keep their request objects until the next
 * full garbage collection, and would keep the whole call with them.
 */
class Receiver implements Body, Connection {
  #capture: ResponseCapture | undefined;
  #controller: Controller | undefined;
  #chunks: Uint8Array[] = [];
  /** Index of the next chunk to read. `shift` would move all the others. */
  #next = 0;
  #unreadBytes = 0;
  #isPaused = false;
  /** Resolves when there is a chunk, the end or a failure to read. */
  #waiting: PromiseWithResolvers<void> | undefined;
  #failure: { readonly reason: unknown } | undefined;
  hasArrived = false;

  constructor(capture: ResponseCapture) {
    this.#capture = capture;
    capture.setConnection(this);
  }

  read(): Read<Uint8Array | undefined> {
    const chunk = this.#chunks[this.#next];
    if (chunk !== undefined) {
      this.#next += 1;
      if (this.#next === this.#chunks.length) this.#resume();
      return chunk;
    }
    if (this.#failure !== undefined) throw this.#failure.reason;
    if (this.hasArrived) return undefined;
    this.#waiting ??= Promise.withResolvers();
    return this.#waiting.promise;
  }

  /** Empties the buffer and resumes the socket. */
  #resume(): void {
    this.#chunks = [];
    this.#next = 0;
    this.#unreadBytes = 0;
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#controller?.resume?.();
  }

  cancel(): void {
    this.abort(new Error('the reader stopped reading'));
  }

  abort(reason: unknown): void {
    if (this.hasArrived || this.#failure !== undefined) return;
    this.#fail(reason);
    this.#controller?.abort(reason);
  }

  #fail(reason: unknown): void {
    if (this.hasArrived || this.#failure !== undefined) return;
    this.#failure = { reason };
    this.#capture?.reject(reason);
    this.#capture = undefined;
    this.#wake();
  }

  #wake(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }

  #start(controller: Controller): void {
    this.#controller = controller;
    // The request may have been aborted while it waited for its connection.
    if (this.#failure !== undefined) controller.abort(this.#failure.reason);
    else this.#capture?.connected();
  }

  #answer(status: number, table: HeaderTable): void {
    // 103 Early Hints and other informational responses precede the final one.
    if (status < 200) return;
    const headers = headersFrom(table);
    const body = decoded(this, headers.get('content-encoding'));
    this.#capture?.resolve({ status, headers, body });
  }

  /** Returns whether the socket may send more. */
  #push(chunk: Uint8Array): boolean {
    this.#chunks.push(chunk);
    this.#unreadBytes += chunk.length + chunkOverheadBytes;
    // A waiting reader takes the chunk in this turn.
    this.#isPaused ||= this.#waiting === undefined && this.#unreadBytes > maxUnreadBytes;
    this.#wake();
    return !this.#isPaused;
  }

  #end(): void {
    if (this.#failure !== undefined) return;
    this.hasArrived = true;
    this.#controller = undefined;
    this.#capture?.release();
    this.#capture = undefined;
    this.#wake();
  }

  onRequestStart(controller: Controller): void {
    this.#start(controller);
  }

  onResponseStart(_: Controller, status: number, headers: HeaderTable): void {
    this.#answer(status, headers);
  }

  onResponseData(controller: Controller, chunk: Uint8Array): void {
    if (!this.#push(chunk)) controller.pause?.();
  }

  onResponseEnd(): void {
    this.#end();
  }

  onResponseError(_: Controller, error: unknown): void {
    this.#fail(error);
  }

  onConnect(abort: (reason: unknown) => void): void {
    this.#start({ abort });
  }

  onHeaders(status: number, raw: readonly (Uint8Array | string)[], resume: () => void): boolean {
    if (this.#controller !== undefined) this.#controller.resume = resume;
    this.#answer(status, tableOf(raw));
    return true;
  }

  onData(chunk: Uint8Array): boolean {
    return this.#push(chunk);
  }

  onComplete(): void {
    this.#end();
  }

  onError(error: unknown): void {
    this.#fail(error);
  }

  /** Required by undici 6. */
  onBodySent(): void {}
}

function headersFrom(table: HeaderTable): AnswerHeaders {
  return {
    get(name) {
      const value = own(table, name);
      return typeof value === 'string' ? value : (value?.join(', ') ?? null);
    },
    keys: () => Object.keys(table),
  };
}

/** Builds the table from undici 6's flat list, in which names and values alternate as bytes. */
function tableOf(raw: readonly (Uint8Array | string)[]): HeaderTable {
  const table: Record<string, string> = {};
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = String(raw[at]).toLowerCase();
    const value = Buffer.from(raw[at + 1] ?? '').toString('latin1');
    const known = own(table, name);
    table[name] = known === undefined ? value : `${known}, ${value}`;
  }
  return table;
}

type Zlib = typeof import('node:zlib');

/** A decompressor per encoding. A truncated stream is decoded as far as it goes, as `fetch` does. */
const decoders: Readonly<Record<string, (zlib: Zlib) => Transform>> = {
  gzip: ({ createGunzip, constants }) =>
    createGunzip({ flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH }),
  deflate: ({ createInflate, constants }) =>
    createInflate({ flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH }),
  br: ({ createBrotliDecompress, constants }) =>
    createBrotliDecompress({
      flush: constants.BROTLI_OPERATION_FLUSH,
      finishFlush: constants.BROTLI_OPERATION_FLUSH,
    }),
};

/**
 * Undoes the body's `content-encoding`. Requests ask for none, but some servers compress anyway. An unknown encoding is
 * left as it is.
 */
export function decoded(body: Body, contentEncoding: string | null): Body {
  const name = contentEncoding?.trim().toLowerCase().replace(/^x-/, '');
  const decoder = name === undefined ? undefined : own(decoders, name);
  if (decoder === undefined) return body;
  // Loaded on first use, because few servers compress.
  const stream = decoder(process.getBuiltinModule('node:zlib'));
  const { pipeline } = process.getBuiltinModule('node:stream');
  pipeline(chunksOf(body), stream, () => undefined);
  const iterator = stream[Symbol.asyncIterator]();
  const chunks = new PullReader<Uint8Array | undefined>(async () => {
    const { done, value } = await iterator.next();
    return done === true ? undefined : value;
  });
  return {
    hasArrived: false,
    read: () => chunks.read(),
    cancel() {
      stream.destroy();
      // `chunksOf` may be waiting for bytes that never arrive.
      body.cancel();
    },
  };
}

async function* chunksOf(body: Body): AsyncGenerator<Uint8Array, void> {
  try {
    const next = () => nextValue(() => body.read());
    for (let chunk = await next(); chunk !== undefined; chunk = await next()) yield chunk;
  } finally {
    body.cancel();
  }
}
