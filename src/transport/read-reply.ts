import { SignalboxError } from '../errors.ts';
import { nextValue, type Read } from '../internal/read.ts';
import type { Watch } from '../protocol/provider.ts';
import { systemRuntime } from '../runtime.ts';
import { type Answer, type AnswerHeaders, type Body, requestIdOf } from './answer.ts';
import {
  answerTooLarge,
  ByteCollector,
  defaultMaxAnswerBytes,
  parseJson,
  TextCollector,
} from './answer-bound.ts';
import { createFrameDecoder, isFrameType } from './aws-event-stream.ts';
import { interruptedError } from './network-error.ts';
import { EventDecoder, type ServerSentEvent, type TextEvent } from './server-sent-events.ts';

/** A response with a status other than 2xx. `body` is decoded JSON, or the text as it arrived. */
export type HttpError = {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly body: unknown;
};

/** What the vendor sent, which may differ from what was requested. */
export type Reply = {
  readonly requestId: string | undefined;
  readonly headers: AnswerHeaders;
} & (
  | {
      readonly kind: 'events';
      readonly events: AnswerEvents;
    }
  | { readonly kind: 'json'; readonly body: unknown }
  | { readonly kind: 'http-error'; readonly error: HttpError }
);

type ReplyMetadata = Pick<Reply, 'requestId' | 'headers'>;

/**
 * Reads a response by its first bytes rather than by what was requested, because servers ignore `stream`, proxies answer
 * with a web page and status 200, and content types are wrong. AWS's binary event stream must also have its content
 * type; its events are unwrapped. Synchronous if the bytes it needs have arrived. `maxBytes` limits the decompressed
 * body.
 *
 * @throws SignalboxError `invalid_response` for a 2xx that is neither JSON nor an event stream or exceeds `maxBytes`,
 * and `stream_interrupted` when the connection breaks.
 */
export function readReply(
  answer: Answer,
  watch: Watch,
  maxBytes: number = defaultMaxAnswerBytes,
): Reply | Promise<Reply> {
  const { status, headers } = answer;
  const metadata: ReplyMetadata = { requestId: requestIdOf(headers), headers };
  const reader = new BodyReader(answer.body, watch, maxBytes);
  if (status < 200 || status > 299) {
    return readHttpError(answer, reader).then((error) => ({
      ...metadata,
      kind: 'http-error',
      error,
    }));
  }
  const chunk = reader.next();
  if (chunk instanceof Promise) return chunk.then((first) => readFrom(first, reader, metadata));
  return readFrom(chunk, reader, metadata);
}

/** Reads the rest of a 2xx by its first chunk. */
function readFrom(
  chunk: Uint8Array | undefined,
  reader: BodyReader,
  metadata: ReplyMetadata,
): Reply | Promise<Reply> {
  if (chunk !== undefined && isJsonStart(chunk[0])) {
    const json = jsonFrom(chunk, reader);
    if (json instanceof Promise) return json.then((body) => ({ ...metadata, kind: 'json', body }));
    return { ...metadata, kind: 'json', body: json };
  }
  const hasFrames = isFrameStart(chunk?.[0]) && isFrameType(metadata.headers.get('content-type'));
  if (chunk !== undefined && hasFrames) {
    const frames = createFrameDecoder(reader.maxBytes);
    frames.take(chunk);
    const events = new AnswerEvents(reader, frames, frames.take);
    return { ...metadata, kind: 'events', events };
  }
  return readText(chunk, reader, metadata);
}

/** Whether the byte is `{` or `[`. */
function isJsonStart(byte: number | undefined): boolean {
  return byte === 0x7b || byte === 0x5b;
}

/** Whether a body that begins with this byte may consist of AWS frames: they begin with zero, and no text does. */
function isFrameStart(byte: number | undefined): boolean {
  return byte === 0;
}

/** Enough to classify an error, and a limit for proxies that answer with a web page. */
const maxErrorBodyBytes = 65_536;

async function readHttpError({ status, headers }: Answer, reader: BodyReader): Promise<HttpError> {
  const bytes = new ByteCollector();
  try {
    while (bytes.length < maxErrorBodyBytes) {
      const chunk = await reader.next();
      if (chunk === undefined) break;
      // A chunk of the caller's fetch may have any size.
      bytes.add(chunk.subarray(0, maxErrorBodyBytes));
    }
  } catch {
    // The status is enough when the body of the error is cut.
  } finally {
    reader.leave();
  }
  const text = textOf(bytes.take());
  return { status, headers, body: parseJson(text, reader.maxBytes) ?? text };
}

/** Reads the whole body as JSON, synchronously if it is a single chunk. */
function jsonFrom(first: Uint8Array, reader: BodyReader): unknown {
  const second = reader.next();
  if (second === undefined) {
    return parseWhole(textOf(first), reader);
  }
  return collectFrom(first, second, reader);
}

async function collectFrom(
  first: Uint8Array,
  second: Uint8Array | Promise<Uint8Array | undefined>,
  reader: BodyReader,
): Promise<unknown> {
  const bytes = new ByteCollector();
  bytes.add(first);
  for (let chunk = await second; chunk !== undefined; chunk = await reader.next()) bytes.add(chunk);
  return parseWhole(textOf(bytes.take()), reader);
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
}

function parseWhole(text: string, { maxBytes }: BodyReader): unknown {
  const body = parseJson(text, maxBytes);
  if (body === undefined) throw interruptedError('its JSON is incomplete');
  return body;
}

async function readText(
  chunk: Uint8Array | undefined,
  reader: BodyReader,
  metadata: ReplyMetadata,
): Promise<Reply> {
  const decoding = createTextDecoder();
  const start = await readStart(chunk, reader, decoding);
  const first = start.text.charAt(0);
  if (first === '{' || first === '[') {
    const whole = await collectText(start.text, reader, decoding);
    return { ...metadata, kind: 'json', body: parseWhole(whole, reader) };
  }
  if (!/^(:|data|event|id|retry)/.test(start.text)) {
    reader.leave();
    throw invalid(describeBody(first));
  }
  const decoder = new EventDecoder(reader.maxBytes);
  decoder.take(start.isIndented ? ` ${start.text}` : start.text);
  const feed: Feed = (bytes) =>
    bytes === undefined ? decoder.end(decoding.end()) : decoder.take(decoding.write(bytes));
  const events = new AnswerEvents(reader, decoder, feed);
  return { ...metadata, kind: 'events', events };
}

const fieldNames = ['data', 'event', 'id', 'retry'];

/** Whether `start` is empty or an incomplete field name of an event stream. */
function isUndecided(start: string): boolean {
  return fieldNames.some((name) => name !== start && name.startsWith(start));
}

/** Whether the current line is indented after this white space. */
function isIndentedAfter(blank: string, wasIndented: boolean): boolean {
  if (blank === '') return wasIndented;
  return blank.at(-1) !== '\n' && blank.at(-1) !== '\r';
}

type BodyStart = {
  /** The text read so far, from its first character that is not white space. */
  readonly text: string;
  /** Whether white space precedes it in its line, which a field of an event stream must not have. */
  readonly isIndented: boolean;
};

/** Several times as fast as a TextDecoder. Not imported, so that bundlers for other platforms do not need it. */
function createTextDecoder() {
  const { StringDecoder } = process.getBuiltinModule('node:string_decoder');
  return new StringDecoder('utf8');
}

type TextDecoding = ReturnType<typeof createTextDecoder>;

/**
 * Reads until something other than white space shows what the body is. White space is dropped chunk by chunk, because a
 * vendor can send any amount of it.
 */
export async function readStart(
  first: Uint8Array | undefined,
  reader: BodyReader,
  decoding: TextDecoding,
): Promise<BodyStart> {
  let start = '';
  let isIndented = false;
  let hasBegun = false;
  for (let chunk = first; ; chunk = await reader.next()) {
    let more = chunk === undefined ? decoding.end() : decoding.write(chunk);
    if (!hasBegun && more.startsWith('\uFEFF')) more = more.slice(1);
    hasBegun ||= more !== '';
    if (start === '') {
      const begin = more.trimStart();
      isIndented = isIndentedAfter(more.slice(0, more.length - begin.length), isIndented);
      start = begin;
    } else start += more;
    if (chunk === undefined || !isUndecided(start)) return { text: start, isIndented };
  }
}

async function collectText(
  head: string,
  reader: BodyReader,
  decoding: TextDecoding,
): Promise<string> {
  const text = new TextCollector();
  text.add(head);
  for (let chunk = await reader.next(); chunk !== undefined; chunk = await reader.next()) {
    text.add(decoding.write(chunk));
  }
  text.add(decoding.end());
  return text.take();
}

function invalid(what: string): SignalboxError {
  return new SignalboxError(
    'invalid_response',
    `the vendor answered with ${what} instead of a completion: check baseURL and any proxy in between`,
  );
}

/** Describes a body that is not an answer, by its first character. */
function describeBody(first: string): string {
  if (first === '') return 'an empty body';
  return first === '<' ? 'a web page' : 'something that is neither JSON nor an event stream';
}

type Decoder = Pick<EventDecoder, 'next' | 'canExpect' | 'expectAgain'>;

/** Passes a chunk to a decoder; `undefined` at the end. */
type Feed = (chunk: Uint8Array | undefined) => void;

/**
 * The events of a body as they arrive. Reading and decoding are separate, so that the caller can await the body's promise
 * directly: thousands of streams wait at the same time.
 */
export class AnswerEvents {
  readonly #reader: BodyReader;
  readonly #decoder: Decoder;
  readonly #feed: Feed;

  constructor(reader: BodyReader, decoder: Decoder, feed: Feed) {
    this.#reader = reader;
    this.#decoder = decoder;
    this.#feed = feed;
  }

  /**
   * The next complete event. Call it until there is none: before the first `read` and after each `take`.
   * @throws SignalboxError `stream_interrupted` when the bytes are damaged
   */
  next(): ServerSentEvent | undefined {
    return this.#decoder.next();
  }

  /** See {@link EventDecoder.canExpect}. */
  canExpect(): boolean {
    return this.#decoder.canExpect();
  }

  /** Describes the event returned last: see {@link EventDecoder.expectAgain}. */
  expectAgain(event: TextEvent): void {
    this.#decoder.expectAgain(event);
  }

  /**
   * The next chunk; `undefined` at the end. Pass it to `take`.
   * @throws the reason why the connection broke; pass it to `cut`
   */
  read(): Read<Uint8Array | undefined> {
    return this.#reader.read();
  }

  /** Takes a chunk, or the end. `next` then returns the events that it completes. */
  take(chunk: Uint8Array | undefined): void {
    this.#reader.count(chunk);
    this.#feed(chunk);
  }

  /** Ends the body after a read failed, and returns the error to throw. */
  cut(cause: unknown): SignalboxError {
    return this.#reader.fail(cause);
  }

  /** Marks the answer as complete, after the wire's terminal marker: the rest is drained instead of cancelled. */
  complete(): void {
    this.#reader.complete();
  }

  /** Closes the connection, or drains it when the answer is complete. */
  leave(): void {
    this.#reader.leave();
  }
}

/** How long a vendor may take to end a body after its terminal marker before the socket is closed. */
const drainMs = 1_000;

/** Most bytes to read after the terminal marker; normally a few bytes follow it. */
const maxDrainBytes = 262_144;

/** Reads a body in chunks. Each chunk resets the idle timeout, and all of them together must not exceed `maxBytes`. */
export class BodyReader {
  /** Most bytes of the decompressed body. */
  readonly maxBytes: number;
  readonly #body: Body;
  readonly #watch: Watch;
  #bytes = 0;
  #isComplete = false;
  #hasEnded = false;

  constructor(body: Body, watch: Watch, maxBytes: number) {
    this.maxBytes = maxBytes;
    this.#body = body;
    this.#watch = watch;
  }

  /** The next chunk; `undefined` at the end. Pass it to {@link BodyReader.count}, and a failure to `fail`. */
  read(): Read<Uint8Array | undefined> {
    return this.#hasEnded ? undefined : this.#body.read();
  }

  /** @throws SignalboxError `invalid_response` when the body exceeds `maxBytes`, after closing the connection */
  count(chunk: Uint8Array | undefined): void {
    if (chunk === undefined) {
      this.#hasEnded = true;
      return;
    }
    this.#watch.bytes();
    this.#bytes += chunk.length;
    if (this.#bytes <= this.maxBytes) return;
    this.leave();
    throw answerTooLarge(this.maxBytes);
  }

  /** Ends the body after a read failed, and returns the error to throw. */
  fail(cause: unknown): SignalboxError {
    this.#hasEnded = true;
    return interruptedError('the connection was cut', cause);
  }

  /** Marks the answer as complete: the rest of the body is drained instead of cancelled. */
  complete(): void {
    this.#isComplete = true;
  }

  /** Closes the connection, or drains it when the answer is complete. */
  leave(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (this.#isComplete) void drain(this.#body);
    else this.#body.cancel();
  }

  /** Reads and counts the next chunk, synchronously if it has arrived. @throws SignalboxError `stream_interrupted` */
  next(): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    const chunk = this.#readAndCount();
    return chunk instanceof Promise ? chunk.then(() => this.next()) : chunk;
  }

  #readAndCount(): Read<Uint8Array | undefined> {
    try {
      const chunk = this.read();
      if (!(chunk instanceof Promise)) this.count(chunk);
      return chunk;
    } catch (error) {
      throw this.fail(error);
    }
  }
}

/**
 * Reads a body to its end in the background, so that its connection can be reused. A body that does not end is
 * cancelled. Uses the system clock, because the call is already over.
 */
async function drain(body: Body): Promise<void> {
  if (body.hasArrived) return;
  const clearAlarm = systemRuntime.alarm(drainMs, () => body.cancel());
  try {
    let left = maxDrainBytes;
    for (;;) {
      const chunk = await nextValue(() => body.read());
      if (chunk === undefined) return;
      left -= chunk.length;
      if (left < 0) return body.cancel();
    }
  } catch {
    // The connection broke after the answer was complete.
  } finally {
    clearAlarm();
  }
}
