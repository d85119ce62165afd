import { SignalboxError } from '../errors.ts';

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
export const smallAnswerBytes = 1_048_576;

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
