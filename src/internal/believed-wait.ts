/** A longer wait is a slip, or a vendor that does not want us any more: asking once a day finds out which. */
export const longestWaitMs = 86_400_000;

/** How long to wait where a vendor asks for `ms`: a day at most; `undefined` for what is no time to wait. */
export function believedWaitMs(ms: number | undefined): number | undefined {
  if (typeof ms !== 'number' || Number.isNaN(ms) || ms < 0) return undefined;
  return Math.min(ms, longestWaitMs);
}
