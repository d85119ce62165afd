import { answerTooLarge, memoryBoundOf, smallAnswerBytes } from '../answer-bound.ts';

/** What a value takes in memory at most, in bytes: an object or array and its place, a member, an element. */
const containerBytes = 64;
const memberBytes = 64;
const elementBytes = 8;

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const openBracket = 0x5b;
const openBrace = 0x7b;

/** The bytes in memory of everything but strings, for a text that is JSON. */
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

/** Where the string ends whose first character is at `from`: at its quote, or behind the text. */
function stringEnd(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) return at;
    if (code === backslash) at++;
  }
  return text.length;
}

/**
 * Parses JSON of a vendor's; `undefined` for what is none. A few bytes of text can become a hundred in memory
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
