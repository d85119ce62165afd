/** How many characters lie between two known positions. */
const stride = 256;

/** How many characters may be searched for an answer's quotes. */
const maxSearched = 50_000_000;

/** How many bytes of UTF-8 the character at `at` takes, and how many units of a string. */
function sizeAt(text: string, at: number): { readonly bytes: number; readonly units: number } {
  const code = text.codePointAt(at) ?? 0;
  if (code < 0x80) return { bytes: 1, units: 1 };
  if (code < 0x800) return { bytes: 2, units: 1 };
  return code < 0x10000 ? { bytes: 3, units: 1 } : { bytes: 4, units: 2 };
}

/** The byte at which every {@link stride}th character or so begins. */
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
 * Finds segments of a text, which Gemini gives in bytes of UTF-8 and as quotes. An answer may have thousands, so a text
 * is looked through once for all of them.
 */
export class SegmentFinder {
  #text = '';
  #marks: Marks = [];
  #searched = 0;

  /** The character at which a byte is; inside of a character, the one behind it. */
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
   * Where a quote is: at `start`, where it should be, or wherever it comes first. -1 when it is of another text, or when
   * so much has been searched for an answer's quotes that the vendor makes them up.
   */
  quoteAt(text: string, quote: string, start: number): number {
    if (text.startsWith(quote, start)) return start;
    // The worst case of `indexOf` grows with both.
    this.#searched += text.length * (1 + quote.length / stride);
    return this.#searched > maxSearched ? -1 : text.indexOf(quote);
  }
}
