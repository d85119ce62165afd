import { crc32 } from '../../internal/crc32.ts';
import { defaultMaxAnswerBytes } from '../answer-bound.ts';
import { ByteCollector } from '../body/collectors.ts';
import { parseJson } from '../body/parse-json.ts';
import { interruptedError } from '../network-error.ts';
import type { ServerSentEvent } from './server-sent-events.ts';

/**
 * One frame: total length, length of the headers, checksum of these two, headers, payload, checksum of all
 * before it. Numbers are big-endian.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html
 */
const preludeLength = 12;
const checksumLength = 4;

/** AWS promises that no frame is larger than 16 MB and its headers. */
const maxFrameLength = 17 * 1024 * 1024;

/** Nor its headers than 128 kB. */
const maxHeadersLength = 128 * 1024;

/** By the number of a header's type: the length of its value, or that the value begins with its length. */
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
  return interruptedError('a frame of it is damaged');
}

/** Whether a body that begins with this byte may be one of frames: no text begins with zero, every frame does. */
export function isFrameStart(byte: number | undefined): boolean {
  return byte === 0;
}

/** Whether a body of this `content-type` says that it is one of frames. */
export function isFrameType(contentType: string | null): boolean {
  return /^\s*application\/vnd\.amazon\.eventstream\s*(?:;|$)/i.test(contentType ?? '');
}

/** The headers that hold text, which are all that matter. @throws RangeError when they end inside one */
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

function wholeHeadersOf(bytes: Uint8Array): ReadonlyMap<string, string> {
  try {
    return headersOf(bytes);
  } catch (error) {
    if (error instanceof RangeError) throw damaged();
    throw error;
  }
}

/** The vendor's event inside a frame: base64 in `bytes`, or the payload itself. */
function eventOf(name: string | undefined, payload: unknown, maxBytes: number): ServerSentEvent {
  const isWrapped = typeof payload === 'object' && payload !== null && 'bytes' in payload;
  const data =
    isWrapped && typeof payload.bytes === 'string'
      ? parseJson(Buffer.from(payload.bytes, 'base64').toString('utf8'), maxBytes)
      : payload;
  if (data === undefined) return { type: 'malformed' };
  return { type: 'event', name, data };
}

/** An exception or error, in the form in which Anthropic and OpenAI tell theirs inside a stream. */
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
  const headers = wholeHeadersOf(frame.subarray(preludeLength, payloadStart));
  const text = decoder.decode(frame.subarray(payloadStart, payloadEnd));
  switch (headers.get(':message-type')) {
    case 'exception': {
      const said = parseJson(text, maxBytes);
      const message =
        typeof said === 'object' && said !== null && 'message' in said && said.message;
      return failureOf(headers.get(':exception-type'), message);
    }
    case 'error':
      return failureOf(headers.get(':error-code'), headers.get(':error-message'));
    default:
      return eventOf(headers.get(':event-type'), parseJson(text, maxBytes), maxBytes);
  }
}

/** The length of the frame whose first {@link preludeLength} bytes these are. */
function frameLengthOf(prelude: Uint8Array): number {
  const view = new DataView(prelude.buffer, prelude.byteOffset, prelude.byteLength);
  const length = view.getUint32(0);
  const isWhole = crc32(prelude.subarray(0, 8)) === view.getUint32(8);
  if (!isWhole || length < preludeLength + checksumLength || length > maxFrameLength) {
    throw damaged();
  }
  return length;
}

/**
 * A decoder of AWS's binary event stream (`application/vnd.amazon.eventstream`), in which Bedrock wraps the events
 * of the vendors whose models it serves. An exception of AWS's becomes an `error` event whose type is the
 * exception's name. Knows no terminal marker: that is the wire's business. `maxBytes` bounds what an event takes once
 * it is parsed.
 *
 * Throws a SignalboxError `stream_interrupted` when a checksum is wrong, a frame says that it is longer than AWS's can
 * be, or the bytes end inside a frame.
 */
export function createFrameDecoder(maxBytes: number = defaultMaxAnswerBytes) {
  /** The piece under way, and what of it has been read. */
  let piece: Uint8Array = new Uint8Array();
  let at = 0;
  /** A frame that began in a piece before, and how many bytes of it are known to be needed. */
  const open = new ByteCollector();
  let needed = preludeLength;
  let hasEnded = false;

  /** The next frame that lies in the piece as a whole. */
  function frameInPiece(): Uint8Array | undefined {
    if (open.length > 0 || piece.length - at < preludeLength) return undefined;
    const length = frameLengthOf(piece.subarray(at, at + preludeLength));
    if (length > piece.length - at) return undefined;
    at += length;
    return piece.subarray(at - length, at);
  }

  /** The next frame whose bytes come in several pieces; copied once. */
  function collectedFrame(): Uint8Array | undefined {
    for (;;) {
      const end = Math.min(piece.length, at + needed - open.length);
      open.add(piece.subarray(at, end));
      at = end;
      if (open.length < needed) return undefined;
      if (needed > preludeLength) {
        needed = preludeLength;
        return open.take();
      }
      const prelude = open.take();
      needed = frameLengthOf(prelude);
      open.add(prelude);
    }
  }

  return {
    /** Takes the next bytes, once `next` has told all frames of the ones before; `undefined` at their end. */
    take(bytes: Uint8Array | undefined): void {
      if (bytes === undefined) {
        hasEnded = true;
        return;
      }
      piece = bytes;
      at = 0;
    },

    /** The next event that is whole. */
    next(): ServerSentEvent | undefined {
      const frame = frameInPiece() ?? collectedFrame();
      if (frame !== undefined) return decode(frame, maxBytes);
      if (hasEnded && open.length > 0) throw interruptedError('it ended inside a frame');
      return undefined;
    },

    /** Frames carry their text encoded: none is told as `again`. */
    canExpect: () => false,
    expectAgain(): void {},
  };
}
