import { SignalboxError } from '../../errors.ts';
import type { Read } from '../../internal/reads.ts';
import type { Watch } from '../../protocol/provider.ts';
import { defaultMaxAnswerBytes } from '../answer-bound.ts';
import { interruptedError } from '../network-error.ts';
import { createFrameDecoder, isFrameStart, isFrameType } from '../sse/aws-event-stream.ts';
import type { TextEvent } from '../sse/event-template.ts';
import {
  createEventDecoder,
  type EventDecoder,
  type ServerSentEvent,
} from '../sse/server-sent-events.ts';
import { Pieces } from './body-reader.ts';
import { readStart } from './body-start.ts';
import { ByteCollector, TextCollector } from './collectors.ts';
import { parseJson } from './parse-json.ts';
import type { Answer, AnswerHeaders } from './response.ts';
import { requestIdOf } from './response-facts.ts';

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
const maxErrorBodyBytes = 65_536;

/**
 * The events of a body, as they come. Reading and decoding are apart, so that who reads can wait for the body's
 * own promise and needs no other: thousands of streams wait at the same time.
 */
export interface EventSource {
  /**
   * The next event that has come whole. To be asked until there is none: before the first `read`, and after each `take`.
   * @throws SignalboxError `stream_interrupted` when the bytes are damaged
   */
  next(): ServerSentEvent | undefined;
  /** See {@link EventDecoder.canExpect}. */
  canExpect(): boolean;
  /** Says what the event told last was: see {@link EventDecoder.expectAgain}. */
  expectAgain(event: TextEvent): void;
  /**
   * The next piece; `undefined` at the end. To be handed to `take`.
   * @throws whatever broke the connection, to be handed to `cut`
   */
  read(): Read<Uint8Array | undefined>;
  /** Takes a piece, or the end: `next` then tells the events that it completes. */
  take(piece: Uint8Array | undefined): void;
  /** The error for a reading that failed. */
  cut(cause: unknown): SignalboxError;
  /** Says that the wire's terminal marker has come: what is left is read out, not cut off. */
  complete(): void;
  /** Closes the connection, or reads it out. */
  leave(): void;
}

/** Tells the events of what it is fed. */
type Decoder = Pick<EventSource, 'next' | 'canExpect' | 'expectAgain'>;

/** Feeds a decoder a piece; `undefined` at the end. */
type Feed = (piece: Uint8Array | undefined) => void;

class DecodedEvents implements EventSource {
  readonly #pieces: Pieces;
  readonly #decoder: Decoder;
  readonly #feed: Feed;

  constructor(pieces: Pieces, decoder: Decoder, feed: Feed) {
    this.#pieces = pieces;
    this.#decoder = decoder;
    this.#feed = feed;
  }

  next(): ServerSentEvent | undefined {
    return this.#decoder.next();
  }

  canExpect(): boolean {
    return this.#decoder.canExpect();
  }

  expectAgain(event: TextEvent): void {
    this.#decoder.expectAgain(event);
  }

  read(): Read<Uint8Array | undefined> {
    return this.#pieces.read();
  }

  take(piece: Uint8Array | undefined): void {
    this.#pieces.took(piece);
    this.#feed(piece);
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

type TextDecoding = ReturnType<typeof createTextDecoder>;

/** `{` and `[`. */
function isJsonStart(byte: number | undefined): boolean {
  return byte === 0x7b || byte === 0x5b;
}

/** All of a body; most come in one piece. */
function jsonFrom(first: Uint8Array, pieces: Pieces): unknown {
  const second = pieces.next();
  if (second === undefined) {
    return wholeJson(textOf(first), pieces);
  }
  return collectFrom(first, second, pieces);
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
}

async function collectFrom(
  first: Uint8Array,
  second: Uint8Array | Promise<Uint8Array | undefined>,
  pieces: Pieces,
): Promise<unknown> {
  const bytes = new ByteCollector();
  bytes.add(first);
  for (let piece = await second; piece !== undefined; piece = await pieces.next()) bytes.add(piece);
  return wholeJson(textOf(bytes.take()), pieces);
}

async function collectText(head: string, pieces: Pieces, decoding: TextDecoding): Promise<string> {
  const text = new TextCollector();
  text.add(head);
  for (let piece = await pieces.next(); piece !== undefined; piece = await pieces.next()) {
    text.add(decoding.write(piece));
  }
  text.add(decoding.end());
  return text.take();
}

async function readRefusal({ status, headers }: Answer, pieces: Pieces): Promise<Refusal> {
  const bytes = new ByteCollector();
  try {
    while (bytes.length < maxErrorBodyBytes) {
      const piece = await pieces.next();
      if (piece === undefined) break;
      // A piece of a caller's own fetch may be of any size.
      bytes.add(piece.subarray(0, maxErrorBodyBytes));
    }
  } catch {
    // The status alone says enough when the error's own body is cut.
  } finally {
    pieces.leave();
  }
  const told = textOf(bytes.take());
  return { status, headers, body: parseJson(told, pieces.maxBytes) ?? told };
}

function wholeJson(text: string, { maxBytes }: Pieces): unknown {
  const body = parseJson(text, maxBytes);
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

/** What is told of every answer. */
type Facts = Pick<Reply, 'requestId' | 'headers'>;

/**
 * Reads the vendor's answer for what it is rather than for what was asked: servers ignore `stream`, proxies
 * answer with a web page and status 200, and content types lie. Looks at the first bytes only. AWS's binary event
 * stream is read as the events inside it, where the content type says so too. At once, where all that takes has come.
 * `maxBytes` bounds the body, in bytes after decompression.
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
  const facts: Facts = { requestId: requestIdOf(headers), headers };
  const pieces = new Pieces(answer.body, watch, maxBytes);
  if (status < 200 || status > 299) {
    return readRefusal(answer, pieces).then((refusal) => ({ ...facts, kind: 'refusal', refusal }));
  }
  const piece = pieces.next();
  if (piece instanceof Promise) return piece.then((first) => readFrom(first, pieces, facts));
  return readFrom(piece, pieces, facts);
}

/** The rest of a 2xx, by its first piece. */
function readFrom(
  piece: Uint8Array | undefined,
  pieces: Pieces,
  facts: Facts,
): Reply | Promise<Reply> {
  if (piece !== undefined && isJsonStart(piece[0])) {
    const json = jsonFrom(piece, pieces);
    if (json instanceof Promise) return json.then((body) => ({ ...facts, kind: 'json', body }));
    return { ...facts, kind: 'json', body: json };
  }
  const isFrames = isFrameStart(piece?.[0]) && isFrameType(facts.headers.get('content-type'));
  if (piece !== undefined && isFrames) {
    const frames = createFrameDecoder(pieces.maxBytes);
    frames.take(piece);
    const events = new DecodedEvents(pieces, frames, frames.take);
    return { ...facts, kind: 'events', events };
  }
  return readText(piece, pieces, facts);
}

async function readText(
  piece: Uint8Array | undefined,
  pieces: Pieces,
  facts: Facts,
): Promise<Reply> {
  const decoding = createTextDecoder();
  const start = await readStart(piece, pieces, decoding);
  const first = start.text.charAt(0);
  if (first === '{' || first === '[') {
    const whole = await collectText(start.text, pieces, decoding);
    return { ...facts, kind: 'json', body: wholeJson(whole, pieces) };
  }
  if (!/^(:|data|event|id|retry)/.test(start.text)) {
    pieces.leave();
    throw invalid(wordsFor(first));
  }
  const decoder = createEventDecoder(pieces.maxBytes);
  decoder.take(start.isIndented ? ` ${start.text}` : start.text);
  const feed: Feed = (bytes) =>
    bytes === undefined ? decoder.end(decoding.end()) : decoder.take(decoding.write(bytes));
  const events = new DecodedEvents(pieces, decoder, feed);
  return { ...facts, kind: 'events', events };
}
