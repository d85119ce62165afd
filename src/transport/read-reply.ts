import { SignalboxError } from '../errors.ts';
import type { Watch } from '../protocol/provider.ts';
import type { Answer, AnswerHeaders, Body } from './answer.ts';
import { createFrameDecoder, isFrameStart } from './aws-event-stream.ts';
import { interruptedError } from './network-error.ts';
import { requestIdOf } from './response-facts.ts';
import { createEventDecoder, type ServerSentEvent } from './server-sent-events.ts';

/** A vendor's answer with a status other than 2xx. `body` is decoded JSON, or the text as it came. */
export type Refusal = {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly body: unknown;
};

/** What the vendor sent, whatever it had been asked for. */
export type Reply = {
  readonly requestId: string | undefined;
  readonly headers: AnswerHeaders;
} & (
  | {
      readonly kind: 'events';
      readonly events: EventSource;
    }
  | { readonly kind: 'json'; readonly body: unknown }
  | { readonly kind: 'refusal'; readonly refusal: Refusal }
);

/** Enough to classify an error by, and too little to be a burden when a proxy answers with a website. */
const maxErrorBodyLength = 65_536;

/** How long a vendor may take to end a body after its terminal marker before the socket is closed. */
const readOutMs = 1_000;

/**
 * Reads a body to its end in the background, so that its connection can be used for the next request. A body
 * that does not end is cut off. (The clock is the socket's, not the call's: the call is over.)
 */
async function readOut(body: Body): Promise<void> {
  if (body.hasArrived) return;
  const grace = AbortSignal.timeout(readOutMs);
  const cut = (): void => body.cancel();
  grace.addEventListener('abort', cut, { once: true });
  try {
    while ((await body.read()) !== undefined);
  } catch {
    // The connection broke after the answer was whole: nobody needs it any more.
  } finally {
    grace.removeEventListener('abort', cut);
  }
}

/** A body, whose every piece feeds the idle clock. */
class Pieces {
  readonly #body: Body;
  readonly #watch: Watch;
  #isComplete = false;
  #hasEnded = false;

  constructor(body: Body, watch: Watch) {
    this.#body = body;
    this.#watch = watch;
  }

  /** The next piece; `undefined` at the end. To be handed to {@link Pieces.took}, and a failure to `cut`. */
  read(): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    return this.#hasEnded ? undefined : this.#body.read();
  }

  took(piece: Uint8Array | undefined): void {
    if (piece === undefined) this.#hasEnded = true;
    else this.#watch.bytes();
  }

  /** The error for a reading that failed. */
  cut(cause: unknown): SignalboxError {
    this.#hasEnded = true;
    return interruptedError('the connection was cut', cause);
  }

  /** All that matters has come: what is left is read out, not cut off. */
  complete(): void {
    this.#isComplete = true;
  }

  /** Closes the connection, or reads it out when all that matters has come. */
  leave(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (this.#isComplete) void readOut(this.#body);
    else this.#body.cancel();
  }

  /** Reads and takes the next piece; at once where it is there. @throws SignalboxError `stream_interrupted` */
  next(): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    let piece: ReturnType<Body['read']>;
    try {
      piece = this.read();
    } catch (error) {
      throw this.cut(error);
    }
    if (piece instanceof Promise) return this.#arriving(piece);
    this.took(piece);
    return piece;
  }

  async #arriving(piece: Promise<Uint8Array | undefined>): Promise<Uint8Array | undefined> {
    try {
      const arrived = await piece;
      this.took(arrived);
      return arrived;
    } catch (error) {
      throw this.cut(error);
    }
  }
}

/**
 * The events of a body, as they come. Reading and decoding are apart, so that who reads can wait for the body's
 * own promise and needs no other: thousands of streams wait at the same time.
 */
export interface EventSource {
  /** What came before the first read; once. */
  takeHead(): readonly ServerSentEvent[];
  /**
   * The next piece, at once where it is there; `undefined` at the end. To be handed to `decode`.
   * @throws whatever broke the connection, to be handed to `cut`
   */
  read(): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** The events that a piece completes, maybe none; at the end, those that were not completed. */
  decode(piece: Uint8Array | undefined): readonly ServerSentEvent[];
  /** The error for a reading that failed. */
  cut(cause: unknown): SignalboxError;
  /** Says that the wire's terminal marker has come: what is left is read out, not cut off. */
  complete(): void;
  /** Closes the connection, or reads it out. */
  leave(): void;
}

/** Makes events of pieces. */
type Decoder = {
  decode(piece: Uint8Array): readonly ServerSentEvent[];
  end(): readonly ServerSentEvent[];
};

class DecodedEvents implements EventSource {
  readonly #pieces: Pieces;
  readonly #decoder: Decoder;
  #head: readonly ServerSentEvent[];

  constructor(pieces: Pieces, decoder: Decoder, head: readonly ServerSentEvent[]) {
    this.#pieces = pieces;
    this.#decoder = decoder;
    this.#head = head;
  }

  takeHead(): readonly ServerSentEvent[] {
    const head = this.#head;
    this.#head = [];
    return head;
  }

  read(): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    return this.#pieces.read();
  }

  decode(piece: Uint8Array | undefined): readonly ServerSentEvent[] {
    this.#pieces.took(piece);
    return piece === undefined ? this.#decoder.end() : this.#decoder.decode(piece);
  }

  cut(cause: unknown): SignalboxError {
    return this.#pieces.cut(cause);
  }

  complete(): void {
    this.#pieces.complete();
  }

  leave(): void {
    this.#pieces.leave();
  }
}

/** Bytes as text. Several times as fast as a TextDecoder; not imported, so that bundlers for other places can do without. */
function createTextDecoder() {
  const { StringDecoder } = process.getBuiltinModule('node:string_decoder');
  return new StringDecoder('utf8');
}

/** Nothing yet, or the beginning of a field name of an event stream: too little to tell what the body is. */
const undecided = /^\s*(d|da|dat|e|ev|eve|even|i|r|re|ret|retr)?\s*$/;

type TextDecoding = ReturnType<typeof createTextDecoder>;

/** Reads on until something other than white space shows what the body is. */
async function peek(
  first: Uint8Array | undefined,
  pieces: Pieces,
  text: TextDecoding,
): Promise<string> {
  let head = '';
  for (let piece = first; ; piece = await pieces.next()) {
    if (piece === undefined) return head + text.end();
    head += text.write(piece);
    if (head.startsWith('\uFEFF')) head = head.slice(1);
    if (!undecided.test(head)) return head;
  }
}

/** `{` and `[`. */
function isJsonStart(byte: number | undefined): boolean {
  return byte === 0x7b || byte === 0x5b;
}

/** All of a body; most come in one piece. */
async function collectFrom(first: Uint8Array, pieces: Pieces): Promise<string> {
  const second = await pieces.next();
  if (second === undefined) {
    return Buffer.from(first.buffer, first.byteOffset, first.length).toString();
  }
  const text = createTextDecoder();
  return collect(text.write(first) + text.write(second), pieces, text);
}

async function collect(head: string, pieces: Pieces, text: TextDecoding): Promise<string> {
  let whole = head;
  for (let piece = await pieces.next(); piece !== undefined; piece = await pieces.next()) {
    whole += text.write(piece);
  }
  return whole + text.end();
}

async function readRefusal({ status, headers, body }: Answer, watch: Watch): Promise<Refusal> {
  const pieces = new Pieces(body, watch);
  const text = createTextDecoder();
  let told = '';
  try {
    while (told.length < maxErrorBodyLength) {
      const piece = await pieces.next();
      if (piece === undefined) break;
      told += text.write(piece);
    }
  } catch {
    // The status alone says enough when the error's own body is cut.
  } finally {
    pieces.leave();
  }
  return { status, headers, body: parse(told) ?? told };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function wholeJson(text: string): unknown {
  const body = parse(text);
  if (body === undefined) throw interruptedError('its JSON is not whole');
  return body;
}

function invalid(what: string): SignalboxError {
  return new SignalboxError(
    'invalid_response',
    `the vendor answered with ${what} instead of a completion: check baseURL and any proxy in between`,
  );
}

/** What a body that is no answer is instead. */
function wordsFor(first: string): string {
  if (first === '') return 'an empty body';
  return first === '<' ? 'a web page' : 'something that is neither JSON nor an event stream';
}

/**
 * Reads the vendor's answer for what it is rather than for what was asked: servers ignore `stream`, proxies
 * answer with a web page and status 200, and content types lie. Looks at the first bytes only. AWS's binary
 * event stream is read as the events inside it.
 *
 * @throws SignalboxError `invalid_response` for a 2xx that is neither JSON nor an event stream, and
 * `stream_interrupted` when the connection breaks.
 */
export async function readReply(answer: Answer, watch: Watch): Promise<Reply> {
  const { status, headers } = answer;
  const facts = { requestId: requestIdOf(headers), headers };
  if (status < 200 || status > 299) {
    return { ...facts, kind: 'refusal', refusal: await readRefusal(answer, watch) };
  }
  const pieces = new Pieces(answer.body, watch);
  const piece = await pieces.next();
  if (piece !== undefined && isFrameStart(piece[0])) {
    const frames = createFrameDecoder();
    const events = new DecodedEvents(pieces, frames, frames.decode(piece));
    return { ...facts, kind: 'events', events };
  }
  if (piece !== undefined && isJsonStart(piece[0])) {
    return { ...facts, kind: 'json', body: wholeJson(await collectFrom(piece, pieces)) };
  }
  const text = createTextDecoder();
  const head = await peek(piece, pieces, text);
  const start = head.trimStart();
  const first = start.charAt(0);
  if (first === '{' || first === '[') {
    return { ...facts, kind: 'json', body: wholeJson(await collect(head, pieces, text)) };
  }
  if (!/^(:|data|event|id|retry)/.test(start)) {
    pieces.leave();
    throw invalid(wordsFor(first));
  }
  const decoder = createEventDecoder();
  const fromBytes: Decoder = {
    decode: (bytes) => decoder.decode(text.write(bytes)),
    end: () => [...decoder.decode(text.end()), ...decoder.end()],
  };
  const events = new DecodedEvents(pieces, fromBytes, decoder.decode(head));
  return { ...facts, kind: 'events', events };
}
