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
