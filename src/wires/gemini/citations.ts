import { own } from '../../internal/own.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { countOf, isObject, listOf, objectOf, textOf } from '../common/read.ts';
import type { ResolveCitation } from '../common/read-answer.ts';
import { citation } from '../common/read-answer.ts';

/** The number of characters between two marks. */
const stride = 256;

/** The most characters that are searched for the quotes of one answer. */
const maxSearched = 50_000_000;

/** The size of the character at `at`, in bytes of UTF-8 and in UTF-16 units. */
function sizeAt(text: string, at: number): { readonly bytes: number; readonly units: number } {
  const code = text.codePointAt(at) ?? 0;
  if (code < 0x80) return { bytes: 1, units: 1 };
  if (code < 0x800) return { bytes: 2, units: 1 };
  return code < 0x10000 ? { bytes: 3, units: 1 } : { bytes: 4, units: 2 };
}

/** The byte offset of about every {@link stride}th character. */
type Marks = readonly { readonly at: number; readonly byte: number }[];

function marksOf(text: string): Marks {
  const marks = [{ at: 0, byte: 0 }];
  let byte = 0;
  let next = stride;
  for (let at = 0; at < text.length; ) {
    if (at >= next) {
      marks.push({ at, byte });
      next = at + stride;
    }
    const { bytes, units } = sizeAt(text, at);
    byte += bytes;
    at += units;
  }
  return marks;
}

/** The last mark at or before a byte. */
function markBefore(marks: Marks, byte: number): Marks[number] {
  let low = 0;
  let high = marks.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((marks[middle]?.byte ?? 0) <= byte) low = middle;
    else high = middle - 1;
  }
  return marks[low] ?? { at: 0, byte: 0 };
}

/**
 * Finds segments of a text, which Gemini gives as UTF-8 byte offsets and as quotes. An answer may have thousands, so
 * the text is indexed once.
 */
export class SegmentFinder {
  #text = '';
  #marks: Marks = [];
  #searched = 0;

  /** The index of the character at a byte offset. Inside a character, the index of the next one. */
  characterAt(text: string, byte: number): number {
    if (text !== this.#text) {
      this.#text = text;
      this.#marks = marksOf(text);
    }
    const mark = markBefore(this.#marks, byte);
    let { at } = mark;
    for (let reached = mark.byte; reached < byte && at < text.length; ) {
      const { bytes, units } = sizeAt(text, at);
      if (reached + bytes > byte) return at + 1;
      reached += bytes;
      at += units;
    }
    return at;
  }

  /**
   * The position of a quote: `start` if it is there, else its first occurrence. -1 when it is not in the text, or when
   * the search limit of the answer is reached.
   */
  quoteAt(text: string, quote: string, start: number): number {
    if (text.startsWith(quote, start)) return start;
    // The worst case of `indexOf` grows with both lengths.
    this.#searched += text.length * (1 + quote.length / stride);
    return this.#searched > maxSearched ? -1 : text.indexOf(quote);
  }
}

const groundingNames = ['groundingChunks', 'groundingSupports', 'citations', 'citationSources'];

/** The grounding fields of a candidate. */
export function groundingOf({ groundingMetadata, citationMetadata }: JsonObject): JsonObject {
  const fields = { ...objectOf(groundingMetadata), ...objectOf(citationMetadata) };
  // Only known names, because the fields of all events are merged and must not grow without limit.
  return Object.fromEntries(
    groundingNames.filter((name) => name in fields).map((name) => [name, fields[name]]),
  );
}

/** The range of a segment in the text, in characters. `undefined` when the segment belongs to another part. */
function rangeOf(segment: JsonObject, text: string, finder: SegmentFinder) {
  const quoted = textOf(segment.text);
  const start = finder.characterAt(text, countOf(segment.startIndex) ?? 0);
  if (quoted === undefined)
    return { start, end: finder.characterAt(text, countOf(segment.endIndex) ?? 0) };
  const at = finder.quoteAt(text, quoted, start);
  return at < 0 ? undefined : { start: at, end: at + quoted.length };
}

function fieldsOf(chunk: JsonObject) {
  const [kind] = ['web', 'retrievedContext', 'maps', 'image'].filter((name) => name in chunk);
  const { uri, title, text } = objectOf(own(chunk, kind ?? ''));
  return { url: textOf(uri), title: textOf(title), citedText: textOf(text) };
}

function supportCites(
  chunks: readonly JsonObject[],
  support: JsonObject,
  finder: SegmentFinder,
): readonly ResolveCitation[] {
  return listOf(support.groundingChunkIndices).flatMap((index): readonly ResolveCitation[] => {
    const chunk = chunks[countOf(index) ?? -1];
    if (chunk === undefined) return [];
    return [
      (text) => {
        const range = rangeOf(objectOf(support.segment), text, finder);
        return range && citation({ ...fieldsOf(chunk), ...range }, { chunk, support });
      },
    ];
  });
}

/** The citations of a text: grounding sources of its segments or of the whole text, and sources it was recited from. */
export function citationsOf(
  grounding: JsonObject,
  finder: SegmentFinder,
): readonly ResolveCitation[] {
  const chunks = listOf(grounding.groundingChunks).filter(isObject);
  const supports = listOf(grounding.groundingSupports).filter(isObject);
  const recited = listOf(grounding.citations ?? grounding.citationSources).filter(isObject);
  const grounded =
    supports.length > 0
      ? supports.flatMap((support) => supportCites(chunks, support, finder))
      : chunks.map((chunk) => () => citation(fieldsOf(chunk), chunk));
  return [
    ...grounded,
    ...recited.map(
      (source): ResolveCitation =>
        (text) => {
          const { uri, title } = source;
          return citation(
            { url: textOf(uri), title: textOf(title), ...rangeOf(source, text, finder) },
            source,
          );
        },
    ),
  ];
}
