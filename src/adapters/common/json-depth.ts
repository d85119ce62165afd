/** Deeper than any schema asks for, and far from where a stack ends. */
const maxDepth = 1_000;

const quote = 0x22;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** Whether a text that is JSON nests lists and objects deeper than anything can be done with. */
export function isTooDeep(text: string): boolean {
  // The brackets themselves would take more.
  if (text.length <= 2 * maxDepth) return false;
  let depth = 0;
  let isString = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (isString) {
      if (code === backslash) at++;
      else isString = code !== quote;
    } else if (code === quote) isString = true;
    else if (code === openBracket || code === openBrace) {
      if (++depth > maxDepth) return true;
    } else if (code === closeBracket || code === closeBrace) depth--;
  }
  return false;
}
