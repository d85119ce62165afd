/** Longer waits are capped, because they are usually a vendor's mistake; one request a day finds out. */
export const longestWaitMs = 86_400_000;

/** Caps the wait that a vendor asks for at one day; `undefined` when it is not a duration. */
export function believedWaitMs(ms: number | undefined): number | undefined {
  if (typeof ms !== 'number' || Number.isNaN(ms) || ms < 0) return undefined;
  return Math.min(ms, longestWaitMs);
}
