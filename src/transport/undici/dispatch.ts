import { own } from '../../internal/own.ts';
import type { Read } from '../../internal/reads.ts';
import { decoded } from '../body/content-encoding.ts';
import type { AnswerHeaders, Body } from '../body/response.ts';
import type { Carrier, Tap } from '../response-capture.ts';
import type { Dispatcher } from './dispatcher.ts';

/** A request as it goes on the wire. */
export type WireRequest = {
  readonly url: string;
  readonly method: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
};

/** Bytes that may lie unread before the socket is told to wait. */
const maxUnreadBytes = 65_536;

/** What a piece takes beside its bytes: a vendor may send one byte at a time. */
const pieceBytes = 128;

/** The socket's end of a request; undici 7 and later call it the controller. */
type Control = { abort(reason: unknown): void; pause?(): void; resume?(): void };

type HeaderTable = Readonly<Record<string, string | readonly string[] | undefined>>;

function headersFrom(table: HeaderTable): AnswerHeaders {
  return {
    get(name) {
      const value = own(table, name);
      return typeof value === 'string' ? value : (value?.join(', ') ?? null);
    },
    keys: () => Object.keys(table),
  };
}

/** Undici 6 tells names and values in turn, as bytes. */
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

/**
 * Undici's handler of one request, and the body that it receives. It speaks both generations of the interface:
 * `onConnect` and so on are undici 6's, `onRequestStart` and so on those of all later ones.
 *
 * It lets go of the attempt as soon as it can: undici's and Node's own objects for a request live on until the next
 * full collection of garbage, and would take the whole call along.
 */
class Receiver implements Body, Carrier {
  #tap: Tap | undefined;
  #control: Control | undefined;
  #pieces: Uint8Array[] = [];
  /** The next piece to be read. Not shifted out: that moves all others. */
  #at = 0;
  #unreadBytes = 0;
  #isPaused = false;
  /** Who waits for a piece, or the end. */
  #waiting: PromiseWithResolvers<void> | undefined;
  #failure: { readonly reason: unknown } | undefined;
  hasArrived = false;

  constructor(tap: Tap) {
    this.#tap = tap;
    tap.carriedBy(this);
  }

  read(): Read<Uint8Array | undefined> {
    const piece = this.#pieces[this.#at];
    if (piece !== undefined) {
      this.#at += 1;
      if (this.#at === this.#pieces.length) this.#drained();
      return piece;
    }
    if (this.#failure !== undefined) throw this.#failure.reason;
    if (this.hasArrived) return undefined;
    this.#waiting ??= Promise.withResolvers();
    return this.#waiting.promise;
  }

  #drained(): void {
    this.#pieces = [];
    this.#at = 0;
    this.#unreadBytes = 0;
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#control?.resume?.();
  }

  cancel(): void {
    this.cut(new Error('the reader left'));
  }

  cut(reason: unknown): void {
    if (this.hasArrived || this.#failure !== undefined) return;
    this.#fail(reason);
    this.#control?.abort(reason);
  }

  #fail(reason: unknown): void {
    if (this.hasArrived || this.#failure !== undefined) return;
    this.#failure = { reason };
    this.#tap?.fail(reason);
    this.#tap = undefined;
    this.#wake();
  }

  #wake(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }

  #start(control: Control): void {
    this.#control = control;
    // Given up while the request waited for its connection.
    if (this.#failure !== undefined) control.abort(this.#failure.reason);
    else this.#tap?.connected();
  }

  #answer(status: number, table: HeaderTable): void {
    // 103 Early Hints and the like: the answer is still to come.
    if (status < 200) return;
    const headers = headersFrom(table);
    const body = decoded(this, headers.get('content-encoding'));
    this.#tap?.answered({ status, headers, body });
  }

  #take(piece: Uint8Array): boolean {
    this.#pieces.push(piece);
    this.#unreadBytes += piece.length + pieceBytes;
    // Who waits takes it in this turn.
    this.#isPaused ||= this.#waiting === undefined && this.#unreadBytes > maxUnreadBytes;
    this.#wake();
    return !this.#isPaused;
  }

  #end(): void {
    if (this.#failure !== undefined) return;
    this.hasArrived = true;
    this.#control = undefined;
    this.#tap?.close();
    this.#tap = undefined;
    this.#wake();
  }

  onRequestStart(controller: Control): void {
    this.#start(controller);
  }

  onResponseStart(controller: Control, status: number, headers: HeaderTable): void {
    // Undici keeps them as bytes beside, for as long as the body is on its way: three kilobytes for each stream.
    // Where a controller does not let go of them, nothing is lost but that.
    if (status >= 200) Reflect.set(controller, 'rawHeaders', null);
    this.#answer(status, headers);
  }

  onResponseData(controller: Control, piece: Uint8Array): void {
    if (!this.#take(piece)) controller.pause?.();
  }

  onResponseEnd(): void {
    this.#end();
  }

  onResponseError(_: Control, error: unknown): void {
    this.#fail(error);
  }

  onConnect(abort: (reason: unknown) => void): void {
    this.#start({ abort });
  }

  onHeaders(status: number, raw: readonly (Uint8Array | string)[], resume: () => void): boolean {
    if (this.#control !== undefined) this.#control.resume = resume;
    this.#answer(status, tableOf(raw));
    return true;
  }

  onData(piece: Uint8Array): boolean {
    return this.#take(piece);
  }

  onComplete(): void {
    this.#end();
  }

  onError(error: unknown): void {
    this.#fail(error);
  }

  /** Undici 6 insists on it. */
  onBodySent(): void {}
}

type Address = { readonly url: string; readonly origin: string; readonly path: string };

/** The last one taken apart: requests go to the same one again and again. */
let lastAddress: Address | undefined;

function addressOf(url: string): Address {
  if (lastAddress?.url === url) return lastAddress;
  const { origin, pathname, search } = new URL(url);
  lastAddress = { url, origin, path: pathname + search };
  return lastAddress;
}

/**
 * Sends a request straight through a dispatcher, without the `fetch` and the web streams on top of it, which
 * cost several times what the request itself costs. Follows no redirects and asks for no compression. The
 * dispatcher's own header and body clocks are off. The answer goes to the tap, and so does whatever undici says of
 * a connection that fails.
 */
export function dispatchRequest(dispatcher: Dispatcher, request: WireRequest, tap: Tap): void {
  const { origin, path } = addressOf(request.url);
  const options = {
    origin,
    path,
    method: request.method,
    headers: { 'accept-encoding': 'identity', ...request.headers },
    body: request.body,
    headersTimeout: 0,
    bodyTimeout: 0,
  };
  dispatcher.dispatch(options, new Receiver(tap));
}
