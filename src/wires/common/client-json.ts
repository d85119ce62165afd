/** Deeper than any client nests. */
const maxDepth = 100;

const quote = 0x22;
const backslash = 0x5c;

/** Whether the quote at an index is part of a string: an odd number of backslashes is before it. */
function isEscaped(text: string, at: number): boolean {
  let before = at;
  while (text.charCodeAt(before - 1) === backslash) before -= 1;
  return (at - before) % 2 === 1;
}

/** The index after the string that begins at `at`. */
function endOfString(text: string, at: number): number {
  let end = text.indexOf('"', at + 1);
  while (end >= 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end < 0 ? text.length : end + 1;
}

/** Whether lists and objects are nested too deep. Strings, which are most of a body, are skipped. */
function isDeep(text: string): boolean {
  let depth = 0;
  let at = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      at = endOfString(text, at);
      continue;
    }
    // The pairs differ in one bit: [ and {, ] and }.
    const bracket = code & ~0x20;
    if (bracket === 0x5b && ++depth > maxDepth) return true;
    if (bracket === 0x5d) depth -= 1;
    at += 1;
  }
  return false;
}

/**
 * Parses JSON that a client sent, or returns `undefined` if it is nested more than 100 levels deep: the parser takes
 * seconds for a megabyte of brackets, and readers could overflow the stack.
 * @throws SyntaxError
 */
export function parseClientJson(text: string): unknown {
  return isDeep(text) ? undefined : JSON.parse(text);
}
