import type { BodyReader } from './body-reader.ts';

/** Decodes bytes that may be split within a character, as `node:string_decoder` does. */
type TextDecoding = { write(chunk: Uint8Array): string; end(): string };

const fieldNames = ['data', 'event', 'id', 'retry'];

/** Whether `start` is empty or an incomplete field name of an event stream. */
function isUndecided(start: string): boolean {
  return fieldNames.some((name) => name !== start && name.startsWith(start));
}

/** Whether the current line is indented after this white space. */
function isIndentedAfter(blank: string, wasIndented: boolean): boolean {
  if (blank === '') return wasIndented;
  return blank.at(-1) !== '\n' && blank.at(-1) !== '\r';
}

export type BodyStart = {
  /** The text read so far, from its first character that is not white space. */
  readonly text: string;
  /** Whether white space precedes it in its line, which a field of an event stream must not have. */
  readonly isIndented: boolean;
};

/**
 * Reads until something other than white space shows what the body is. White space is dropped chunk by chunk, because a
 * vendor can send any amount of it.
 */
export async function readStart(
  first: Uint8Array | undefined,
  reader: BodyReader,
  decoding: TextDecoding,
): Promise<BodyStart> {
  let start = '';
  let isIndented = false;
  let hasBegun = false;
  for (let chunk = first; ; chunk = await reader.next()) {
    let more = chunk === undefined ? decoding.end() : decoding.write(chunk);
    if (!hasBegun && more.startsWith('\uFEFF')) more = more.slice(1);
    hasBegun ||= more !== '';
    if (start === '') {
      const begin = more.trimStart();
      isIndented = isIndentedAfter(more.slice(0, more.length - begin.length), isIndented);
      start = begin;
    } else start += more;
    if (chunk === undefined || !isUndecided(start)) return { text: start, isIndented };
  }
}
