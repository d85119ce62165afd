/** A part that matches one character or a bracket of a group, and how often it may be repeated; or a bar. */
const token =
  /(?:\\[dDwWsSbBtnrfv]|\\[^a-zA-Z0-9]|\[(?:\\.|[^\]\\])*\]|[^\\[\](){}*+?|]|\((?:\?:|(?!\?))|\)(?![*+?{]))(\*|\+|\?|\{\d+(?:,\d*)?\})?\??|\|/y;

/** More ways to match, for each place in the text, take too long. */
const maxWays = 1_000;

/** In how many ways a repetition can match. */
function waysOf(repeated: string | undefined): number {
  if (repeated === undefined) return 1;
  if (repeated === '?') return 2;
  const [, least, most = least] = /^\{(\d+)(?:,(\d*))?\}$/.exec(repeated) ?? [];
  if (least === undefined || most === undefined || most === '') return Number.POSITIVE_INFINITY;
  return Number(most) - Number(least) + 1;
}

/**
 * Whether the time of a regular expression grows with no more than the length of the text. Others may take hours for a
 * short one. Groups must not be repeated, and one part at most may have any length, in a pattern that begins with `^`.
 */
export function isCheap(pattern: string): boolean {
  let ways = 1;
  let openParts = 0;
  token.lastIndex = 0;
  for (let at = 0; at < pattern.length; at = token.lastIndex) {
    const [found, repeated] = token.exec(pattern) ?? [];
    if (found === undefined) return false;
    const own = found === '|' ? 2 : waysOf(repeated);
    if (own > maxWays) openParts += 1;
    else ways *= own;
  }
  if (ways > maxWays) return false;
  return openParts === 0 || (openParts === 1 && /^\^[^|]*$/.test(pattern));
}
