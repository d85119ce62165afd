/** Two texts that have nothing to do with each other hardly ever share so many characters in a row. */
const windowLength = 8;

/** Every run of twelve characters contains a window that begins at a multiple of five. */
const stride = 5;

/** A source that is as short as a word is no secret, and is in many texts by chance. */
const shortestSource = 6;

/**
 * Whether `text` repeats a part of `source`: all of it, or twelve characters in a row (some runs of eight are found
 * too). Upper and lower case are the same. Takes time for each character of `text` and `source`: `text` should be short.
 */
export function sharesRun(text: string, source: string): boolean {
  if (source.length < shortestSource || text.length < shortestSource) return false;
  const told = text.toLowerCase();
  const known = source.toLowerCase();
  if (told.includes(known)) return true;
  for (let at = 0; at + windowLength <= told.length; at += stride) {
    if (known.includes(told.slice(at, at + windowLength))) return true;
  }
  return false;
}
