import { SignalboxError } from '../errors.ts';

/**
 * The default of `maxAnswerBytes`, in bytes: 64 MB. Far more than the longest answers with images in them take, and
 * little enough for a small process to survive several at a time.
 */
export const defaultMaxAnswerBytes = 64 * 1024 * 1024;

/**
 * Most whole parts, tool calls, items or citations of one answer. Each takes some hundred bytes of memory however few it
 * takes on the wire, so the bound in bytes alone would let an answer take many times that.
 */
export const maxAnswerItems = 100_000;

/** Most parts of one answer, pieces of text and of arguments included. Several times what the longest answers have. */
export const maxAnswerParts = 1_000_000;

/** Below this, in bytes, it does not matter how much an answer takes in memory. */
export const smallAnswerBytes = 1_048_576;

/**
 * How many bytes of memory an answer may take besides its text, for a bound of so many bytes: lists and objects take
 * more than their JSON does.
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

/** Checks a count of what an answer has. @throws SignalboxError `invalid_response` when there are too many */
export function checkCount(count: number, what: string, max: number = maxAnswerItems): void {
  if (count <= max) return;
  throw new SignalboxError('invalid_response', `the answer has more than ${max} ${what}`);
}
