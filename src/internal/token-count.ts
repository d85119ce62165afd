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
