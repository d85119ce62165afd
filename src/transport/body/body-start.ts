import type { Pieces } from './body-reader.ts';

/** Decodes bytes that may be cut within a character; `node:string_decoder` has one. */
type TextDecoding = { write(piece: Uint8Array): string; end(): string };

const fieldNames = ['data', 'event', 'id', 'retry'];

/** Whether it is nothing yet, or the beginning of a field name of an event stream. */
function isUndecided(start: string): boolean {
  return fieldNames.some((name) => name !== start && name.startsWith(start));
}

/** Whether the line under way is indented after this white space. */
function isIndentedAfter(blank: string, wasIndented: boolean): boolean {
  if (blank === '') return wasIndented;
  return blank.at(-1) !== '\n' && blank.at(-1) !== '\r';
}

/** What a body begins with. */
export type BodyStart = {
  /** From its first character that is not white space. */
  readonly text: string;
  /** Whether white space stands before it in its line, where a field of an event stream must not have any. */
  readonly isIndented: boolean;
};

/**
 * Reads on until something other than white space shows what the body is. White space is dropped piece by piece: a
 * vendor can send any amount of it, and it says nothing.
 */
export async function readStart(
  first: Uint8Array | undefined,
  pieces: Pieces,
  decoding: TextDecoding,
): Promise<BodyStart> {
  let start = '';
  let isIndented = false;
  let hasBegun = false;
  for (let piece = first; ; piece = await pieces.next()) {
    let more = piece === undefined ? decoding.end() : decoding.write(piece);
    if (!hasBegun && more.startsWith('\uFEFF')) more = more.slice(1);
    hasBegun ||= more !== '';
    if (start === '') {
      const begin = more.trimStart();
      isIndented = isIndentedAfter(more.slice(0, more.length - begin.length), isIndented);
      start = begin;
    } else start += more;
    if (piece === undefined || !isUndecided(start)) return { text: start, isIndented };
  }
}
