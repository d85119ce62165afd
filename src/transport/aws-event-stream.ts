import { ByteCollector, defaultMaxAnswerBytes, parseJson } from './answer-bound.ts';
import { interruptedError } from './network-error.ts';
import type { ServerSentEvent } from './server-sent-events.ts';

/**
 * A frame consists of: total length, length of the headers, checksum of both, headers, payload, checksum of everything
 * before it. Numbers are big-endian.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html
 */
const preludeLength = 12;
const checksumLength = 4;

/** AWS limits a frame to 16 MB plus its headers. */
const maxFrameLength = 17 * 1024 * 1024;

/** AWS limits the headers of a frame to 128 kB. */
const maxHeadersLength = 128 * 1024;

/** The length of a header's value by the number of its type; `prefixed` values begin with their length. */
const valueLengths: readonly (number | 'prefixed')[] = [
  0,
  0,
  1,
  2,
  4,
  8,
  'prefixed',
  'prefixed',
  8,
  16,
];

const stringType = 7;

const decoder = new TextDecoder();

function damaged(): Error {
  return interruptedError('a frame is damaged');
}

/** Whether the `content-type` is that of frames. */
export function isFrameType(contentType: string | null): boolean {
  return /^\s*application\/vnd\.amazon\.eventstream\s*(?:;|$)/i.test(contentType ?? '');
}

/** The headers with string values. @throws RangeError when the bytes end inside a header */
function headersOf(bytes: Uint8Array): ReadonlyMap<string, string> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headers = new Map<string, string>();
  let at = 0;
  while (at < bytes.length) {
    const nameEnd = at + 1 + view.getUint8(at);
    const name = decoder.decode(bytes.subarray(at + 1, nameEnd));
    const type = view.getUint8(nameEnd);
    const length = valueLengths[type];
    if (length === undefined) throw damaged();
    at = nameEnd + 1;
    const valueLength = length === 'prefixed' ? view.getUint16(at) : length;
    if (length === 'prefixed') at += 2;
    if (type === stringType) {
      headers.set(name, decoder.decode(bytes.subarray(at, at + valueLength)));
    }
    at += valueLength;
  }
  return headers;
}

function checkedHeadersOf(bytes: Uint8Array): ReadonlyMap<string, string> {
  try {
    return headersOf(bytes);
  } catch (error) {
    if (error instanceof RangeError) throw damaged();
    throw error;
  }
}

/** The vendor's event in a frame: base64 in `bytes`, or the payload itself. */
function eventOf(name: string | undefined, payload: unknown, maxBytes: number): ServerSentEvent {
  const isWrapped = typeof payload === 'object' && payload !== null && 'bytes' in payload;
  const data =
    isWrapped && typeof payload.bytes === 'string'
      ? parseJson(Buffer.from(payload.bytes, 'base64').toString('utf8'), maxBytes)
      : payload;
  if (data === undefined) return { type: 'malformed' };
  return { type: 'event', name, data };
}

/** An exception or error, in the form that Anthropic and OpenAI use inside a stream. */
function failureOf(type: string | undefined, message: unknown): ServerSentEvent {
  const error = { type: type ?? 'unknown', message: typeof message === 'string' ? message : '' };
  return { type: 'event', name: 'error', data: { type: 'error', error } };
}

function decode(frame: Uint8Array, maxBytes: number): ServerSentEvent {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const headersLength = view.getUint32(4);
  const payloadStart = preludeLength + headersLength;
  const payloadEnd = frame.length - checksumLength;
  if (payloadStart > payloadEnd || headersLength > maxHeadersLength) throw damaged();
  if (crc32(frame.subarray(0, payloadEnd)) !== view.getUint32(payloadEnd)) throw damaged();
  const headers = checkedHeadersOf(frame.subarray(preludeLength, payloadStart));
  const text = decoder.decode(frame.subarray(payloadStart, payloadEnd));
  switch (headers.get(':message-type')) {
    case 'exception': {
      const body = parseJson(text, maxBytes);
      const message =
        typeof body === 'object' && body !== null && 'message' in body && body.message;
      return failureOf(headers.get(':exception-type'), message);
    }
    case 'error':
      return failureOf(headers.get(':error-code'), headers.get(':error-message'));
    default:
      return eventOf(headers.get(':event-type'), parseJson(text, maxBytes), maxBytes);
  }
}

/** The length of a frame, from its first {@link preludeLength} bytes. */
function frameLengthOf(prelude: Uint8Array): number {
  const view = new DataView(prelude.buffer, prelude.byteOffset, prelude.byteLength);
  const length = view.getUint32(0);
  const isIntact = crc32(prelude.subarray(0, 8)) === view.getUint32(8);
  if (!isIntact || length < preludeLength + checksumLength || length > maxFrameLength) {
    throw damaged();
  }
  return length;
}

/**
 * Creates a decoder of AWS's binary event stream (`application/vnd.amazon.eventstream`), in which Bedrock wraps the
 * events of the vendors whose models it serves. An AWS exception becomes an `error` event whose type is the exception's
 * name. Terminal markers are left to the wire. `maxBytes` limits the parsed size of an event.
 *
 * The decoder throws a SignalboxError `stream_interrupted` when a checksum is wrong, a frame's length exceeds AWS's
 * limit, or the bytes end inside a frame.
 */
export function createFrameDecoder(maxBytes: number = defaultMaxAnswerBytes) {
  /** The current chunk, and the index of its next unread byte. */
  let chunk: Uint8Array = new Uint8Array();
  let at = 0;
  /** A frame that began in an earlier chunk, and how many of its bytes are needed next. */
  const partial = new ByteCollector();
  let needed = preludeLength;
  let hasEnded = false;

  /** The next frame, if the current chunk contains all of it. */
  function frameInChunk(): Uint8Array | undefined {
    if (partial.length > 0 || chunk.length - at < preludeLength) return undefined;
    const length = frameLengthOf(chunk.subarray(at, at + preludeLength));
    if (length > chunk.length - at) return undefined;
    at += length;
    return chunk.subarray(at - length, at);
  }

  /** The next frame, if its bytes are spread over several chunks; copied once. */
  function collectedFrame(): Uint8Array | undefined {
    for (;;) {
      const end = Math.min(chunk.length, at + needed - partial.length);
      partial.add(chunk.subarray(at, end));
      at = end;
      if (partial.length < needed) return undefined;
      if (needed > preludeLength) {
        needed = preludeLength;
        return partial.take();
      }
      const prelude = partial.take();
      needed = frameLengthOf(prelude);
      partial.add(prelude);
    }
  }

  return {
    /** Takes the next bytes, after `next` has returned all frames of the previous ones; `undefined` at the end. */
    take(bytes: Uint8Array | undefined): void {
      if (bytes === undefined) {
        hasEnded = true;
        return;
      }
      chunk = bytes;
      at = 0;
    },

    /** The next complete event. */
    next(): ServerSentEvent | undefined {
      const frame = frameInChunk() ?? collectedFrame();
      if (frame !== undefined) return decode(frame, maxBytes);
      if (hasEnded && partial.length > 0) throw interruptedError('it ended inside a frame');
      return undefined;
    },

    /** Frames encode their text, so none is returned as `again`. */
    canExpect: () => false,
    expectAgain(): void {},
  };
}

/** Lookup table by byte; made on first use. */
let table: Uint32Array | undefined;

function makeTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) {
      value = (value & 1) === 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    }
    return value;
  });
}

/** The CRC-32 of zlib, PNG and Ethernet. Not taken from `node:zlib`, so that other platforms can bundle it. */
export function crc32(bytes: Uint8Array): number {
  table ??= makeTable();
  let value = 0xffffffff;
  for (const byte of bytes) value = (value >>> 8) ^ (table[(value ^ byte) & 0xff] ?? 0);
  return (value ^ 0xffffffff) >>> 0;
}
