/** Longer waits are capped, because they are usually a vendor's mistake; one request a day finds out. */
export const longestWaitMs = 86_400_000;

/** Caps the wait that a vendor asks for at one day; `undefined` when it is not a duration. */
export function believedWaitMs(ms: number | undefined): number | undefined {
  if (typeof ms !== 'number' || Number.isNaN(ms) || ms < 0) return undefined;
  return Math.min(ms, longestWaitMs);
}

/**
 * Ten times the largest context window. A larger count is a vendor's mistake that would be billed at thousands of
 * dollars.
 */
const maxTokenCount = 100_000_000;

/** The value, if it is a plausible number of tokens: an integer, not negative and not too large. */
export function tokenCountOf(value: unknown): number | undefined {
  const isCount = Number.isInteger(value) && Number(value) >= 0 && Number(value) <= maxTokenCount;
  return isCount ? Number(value) : undefined;
}

/** The ids of all vendors: UUIDs, hexadecimal or base64 digits, with or without a prefix. */
const requestIdShape = /^[A-Za-z0-9][A-Za-z0-9_.:+/=-]{0,127}$/;

/**
 * How vendors' keys and OAuth tokens begin, verbatim and in base64. A value that looks like one is not passed on as an
 * id, because the request's key is not always known.
 */
export const keyLike =
  /(?:^|[^A-Za-z0-9])(?:(?:sk|pk|rk|gsk|csk|dsk|xai|pplx|nvapi|tgp|fw|hf|r8|ghp)[-_]|AIza|AKIA|ASIA|ABSK|ya29\.|eyJ|c2st|QUl6|Z3Nr|QmVhcmVy)[A-Za-z0-9_.+/=-]{6}/;

/** The value, if it looks like a request id and not like a key. */
export function requestIdIn(value: unknown): string | undefined {
  return typeof value === 'string' && requestIdShape.test(value) && !keyLike.test(value)
    ? value
    : undefined;
}

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

/** Deeper than any vendor or model nests, and shallow enough for recursive readers. */
const maxDepth = 128;

/** Whether a value is nested deeper than `limit`; without recursion, because deep values would overflow the stack. */
function isDeeperThan(value: unknown, limit: number): boolean {
  let level: object[] = typeof value === 'object' && value !== null ? [value] : [];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth >= limit) return true;
    const next: object[] = [];
    for (const each of level) {
      for (const inner of Object.values(each)) {
        if (typeof inner === 'object' && inner !== null) next.push(inner);
      }
    }
    level = next;
  }
  return false;
}

/**
 * Returns the value, or `undefined` if it is nested so deeply that `JSON.stringify` and other readers could overflow the
 * stack. Vendors nest three or four levels.
 */
export function shallowJson<Value>(value: Value): Value | undefined {
  return isDeeperThan(value, maxDepth) ? undefined : value;
}

/** Estimated bytes of memory per object or array, and per member or element. */
const containerBytes = 64;
const memberBytes = 16;

/**
 * Estimates the bytes of memory of a JSON value. Stops counting above `limit`, so that large and cyclic values end early.
 * Works at any depth.
 */
export function memoryOf(value: unknown, limit: number): number {
  let bytes = 0;
  const open: unknown[] = [value];
  while (open.length > 0 && bytes <= limit) {
    const each = open.pop();
    if (typeof each === 'string') bytes += each.length;
    else if (Array.isArray(each)) {
      bytes += containerBytes + each.length * memberBytes;
      if (bytes <= limit) for (const element of each) open.push(element);
    } else if (ArrayBuffer.isView(each)) bytes += each.byteLength;
    else if (typeof each === 'object' && each !== null) {
      const members = Object.values(each);
      bytes += containerBytes + members.length * memberBytes;
      for (const member of members) open.push(member);
    }
  }
  return bytes;
}
