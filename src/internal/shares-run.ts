/** Unrelated texts hardly ever share this many characters in a row. */
const windowLength = 8;

/** Every run of twelve characters contains a window that begins at a multiple of five. */
const stride = 5;

/** A shorter source is too common to be a secret. */
const shortestSource = 6;

/**
 * Whether `text` repeats `source` or at least twelve characters of it in a row; some runs of eight are found too. Ignores
 * case. The time grows with the product of both lengths, so `text` should be short.
 */
export function sharesRun(text: string, source: string): boolean {
  if (source.length < shortestSource || text.length < shortestSource) return false;
  const haystack = text.toLowerCase();
  const known = source.toLowerCase();
  if (haystack.includes(known)) return true;
  for (let at = 0; at + windowLength <= haystack.length; at += stride) {
    if (known.includes(haystack.slice(at, at + windowLength))) return true;
  }
  return false;
}
