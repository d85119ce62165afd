import { answerTooLarge, memoryBoundOf, smallAnswerBytes } from '../answer-bound.ts';

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
