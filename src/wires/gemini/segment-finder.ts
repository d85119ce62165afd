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
