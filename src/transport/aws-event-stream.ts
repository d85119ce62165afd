import { crc32 } from '../internal/crc32.ts';
import { interruptedError } from './network-error.ts';
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

/** Whether a body that begins with this byte is one of frames: no text begins with zero, every frame does. */
export function isFrameStart(byte: number | undefined): boolean {
  return byte === 0;
}

/** The headers that hold text, which are all that matter. */
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

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The vendor's event inside a frame: base64 in `bytes`, or the payload itself. */
function eventOf(name: string | undefined, payload: unknown): ServerSentEvent {
  const isWrapped = typeof payload === 'object' && payload !== null && 'bytes' in payload;
  const data =
    isWrapped && typeof payload.bytes === 'string'
      ? parse(Buffer.from(payload.bytes, 'base64').toString('utf8'))
      : payload;
  if (data === undefined) return { type: 'malformed' };
  return { type: 'event', name, data };
}

/** An exception or error, in the form in which Anthropic and OpenAI tell theirs inside a stream. */
function failureOf(type: string | undefined, message: unknown): ServerSentEvent {
  const error = { type: type ?? 'unknown', message: typeof message === 'string' ? message : '' };
  return { type: 'event', name: 'error', data: { type: 'error', error } };
}

function decode(frame: Uint8Array): ServerSentEvent {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const payloadStart = preludeLength + view.getUint32(4);
  const payloadEnd = frame.length - checksumLength;
  if (payloadStart > payloadEnd) throw damaged();
  if (crc32(frame.subarray(0, payloadEnd)) !== view.getUint32(payloadEnd)) throw damaged();
  const headers = headersOf(frame.subarray(preludeLength, payloadStart));
  const text = decoder.decode(frame.subarray(payloadStart, payloadEnd));
  switch (headers.get(':message-type')) {
    case 'exception': {
      const said = parse(text);
      const message =
        typeof said === 'object' && said !== null && 'message' in said && said.message;
      return failureOf(headers.get(':exception-type'), message);
    }
    case 'error':
      return failureOf(headers.get(':error-code'), headers.get(':error-message'));
    default:
      return eventOf(headers.get(':event-type'), parse(text));
  }
}

/** The length of the frame that `bytes` begins with, once that much of it is there. */
function frameLengthOf(bytes: Uint8Array): number | undefined {
  if (bytes.length < preludeLength) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(0);
  const isWhole = crc32(bytes.subarray(0, 8)) === view.getUint32(8);
  if (!isWhole || length < preludeLength + checksumLength || length > maxFrameLength) {
    throw damaged();
  }
  return length;
}

/**
 * A decoder of AWS's binary event stream (`application/vnd.amazon.eventstream`), in which Bedrock wraps the events
 * of the vendors whose models it serves. An exception of AWS's becomes an `error` event whose type is the
 * exception's name. Knows no terminal marker: that is the wire's business.
 *
 * Throws a SignalboxError `stream_interrupted` when a checksum is wrong, or the bytes end inside a frame.
 */
export function createFrameDecoder() {
  let rest: Uint8Array = new Uint8Array();
  let hasEnded = false;

  return {
    /** Takes the next bytes; `undefined` at their end. */
    take(bytes: Uint8Array | undefined): void {
      if (bytes === undefined) hasEnded = true;
      else rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    },

    /** The next event that is whole. */
    next(): ServerSentEvent | undefined {
      const length = frameLengthOf(rest);
      if (length === undefined || length > rest.length) {
        if (hasEnded && rest.length > 0) throw interruptedError('it ended inside a frame');
        return undefined;
      }
      const event = decode(rest.subarray(0, length));
      rest = rest.subarray(length);
      return event;
    },

    /** Frames carry their text encoded: none is told as `again`. */
    canExpect: () => false,
    expectAgain(): void {},
  };
}
