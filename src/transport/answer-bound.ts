import { SignalboxError } from '../errors.ts';
import { memoryOf } from '../internal/vendor-data.ts';

/** The default of `maxAnswerBytes`: 64 MB, more than the longest answers with images. */
export const defaultMaxAnswerBytes = 64 * 1024 * 1024;

/**
 * Most complete parts, tool calls, items or citations of one answer. Each takes hundreds of bytes of memory even when it
 * is a few bytes of JSON, so a limit on bytes alone is not enough.
 */
export const maxAnswerItems = 100_000;

/** Most parts of one answer, including deltas of text and arguments. Several times what the longest answers have. */
export const maxAnswerParts = 1_000_000;

/** Size in bytes up to which an answer's memory use is not checked. */
const smallAnswerBytes = 1_048_576;

/**
 * The bytes of memory that an answer may use in addition to its text, for a limit of `maxBytes`: lists and objects take
 * more memory than their JSON.
 */
export function memoryBoundOf(maxBytes: number): number {
  return 2 * Math.max(maxBytes, smallAnswerBytes);
}

/** The error for an answer that exceeds `maxAnswerBytes`. */
export function answerTooLarge(maxBytes: number): SignalboxError {
  return new SignalboxError(
    'invalid_response',
    `the answer is larger than ${maxBytes} bytes (maxAnswerBytes)`,
  );
}

/** @throws SignalboxError `invalid_response` when an answer has more than `max` of `what` */
export function checkCount(count: number, what: string, max: number = maxAnswerItems): void {
  if (count <= max) return;
  throw new SignalboxError('invalid_response', `the answer has more than ${max} ${what}`);
}

/** Most bytes of memory per object or array, per object member and per array element. */
const containerBytes = 64;
const memberBytes = 64;
const elementBytes = 8;

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const openBracket = 0x5b;
const openBrace = 0x7b;

/** Estimates the memory of the parsed JSON, without its strings. */
function structureBytesOf(text: string): number {
  let bytes = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case quote:
        at = stringEnd(text, at + 1);
        break;
      case comma:
        bytes += elementBytes;
        break;
      case colon:
        bytes += memberBytes;
        break;
      case openBracket:
      case openBrace:
        bytes += containerBytes;
        break;
      default:
    }
  }
  return bytes;
}

/** Index of the closing quote of the string that starts at `from`, or the end of the text. */
function stringEnd(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) return at;
    if (code === backslash) at++;
  }
  return text.length;
}

/**
 * Parses a vendor's JSON; returns `undefined` when it is invalid. A few bytes of text can take 100 bytes of memory
 * (`[{},{},…]`), so a long text is measured before it is parsed.
 * @throws SignalboxError `invalid_response` when it would take several times `maxBytes`
 */
export function parseJson(text: string, maxBytes: number): unknown {
  const isLong = text.length > smallAnswerBytes;
  if (isLong && structureBytesOf(text) > memoryBoundOf(maxBytes)) throw answerTooLarge(maxBytes);
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const minBlockBytes = 4_096;
const maxBlockBytes = 1_048_576;

/**
 * Collects bytes that arrive in chunks. Copies them into blocks, because a chunk of one byte is an object of about 100
 * bytes, and a slice of a larger buffer keeps the whole buffer in memory.
 */
export class ByteCollector {
  #full: Buffer[] = [];
  #block = Buffer.alloc(0);
  #used = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#used === this.#block.length) this.#open(chunk.length - at);
      const count = Math.min(chunk.length - at, this.#block.length - this.#used);
      this.#block.set(chunk.subarray(at, at + count), this.#used);
      this.#used += count;
      at += count;
    }
    this.#length += chunk.length;
  }

  /** Returns all that was added, and empties the collector. */
  take(): Buffer {
    const last = this.#block.subarray(0, this.#used);
    const whole = this.#full.length === 0 ? last : Buffer.concat([...this.#full, last]);
    this.#full = [];
    this.#block = Buffer.alloc(0);
    this.#used = 0;
    this.#length = 0;
    return whole;
  }

  #open(needed: number): void {
    if (this.#used > 0) this.#full.push(this.#block);
    // Doubles, so that small bodies take little memory and large ones few blocks.
    const size = Math.max(minBlockBytes, needed, this.#length);
    this.#block = Buffer.allocUnsafe(Math.min(size, maxBlockBytes));
    this.#used = 0;
  }
}

const maxLooseChunks = 1_024;

/**
 * Collects text that arrives in chunks. Joins them in batches, because `+=` allocates 32 bytes per chunk, which is a lot
 * for a chunk of one character.
 */
export class TextCollector {
  #joined = '';
  #loose: string[] = [];

  get isEmpty(): boolean {
    return this.#joined === '' && this.#loose.length === 0;
  }

  add(chunk: string): void {
    if (chunk === '') return;
    this.#loose.push(chunk);
    if (this.#loose.length >= maxLooseChunks) this.#join();
  }

  /** Returns all that was added, and empties the collector. */
  take(): string {
    if (this.isEmpty) return '';
    this.#join();
    const whole = this.#joined;
    this.#joined = '';
    return whole;
  }

  #join(): void {
    this.#joined += this.#loose.join('');
    this.#loose = [];
  }
}

/** The raw events of a stream. Parsed events take several times the memory of the bytes received. */
export class RawEvents {
  readonly events: unknown[] = [];
  readonly #maxBytes: number;
  readonly #maxMemory: number;
  #memory = 0;

  constructor(maxBytes: number = defaultMaxAnswerBytes) {
    this.#maxBytes = maxBytes;
    this.#maxMemory = memoryBoundOf(maxBytes);
  }

  /** @throws SignalboxError `invalid_response` when the events take too much memory */
  add(event: unknown): void {
    this.events.push(event);
    this.#memory += memoryOf(event, this.#maxMemory);
    if (this.#memory > this.#maxMemory) throw answerTooLarge(this.#maxBytes);
  }
}
