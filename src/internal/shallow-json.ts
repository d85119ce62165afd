/** Deeper than what any vendor or model nests, and shallow enough for every recursive reader. */
const maxDepth = 128;

/** How deep a value is nested, as far as `limit`; without recursion, which a deep value would overflow. */
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
 * The value, unless it is nested so deep that `JSON.stringify` and other readers could run out of stack: then
 * `undefined`. Vendors nest three or four levels.
 */
export function shallowJson<Value>(value: Value): Value | undefined {
  return isDeeperThan(value, maxDepth) ? undefined : value;
}
