/**
 * Ten times the largest context window there is. No answer takes more, so a larger count is a slip of the vendor's, and
 * to believe it would be to bill thousands of dollars for it.
 */
const maxTokenCount = 100_000_000;

/** The value, if it can be a number of tokens: whole, not negative, and no more than any model could do. */
export function tokenCountOf(value: unknown): number | undefined {
  const isCount = Number.isInteger(value) && Number(value) >= 0 && Number(value) <= maxTokenCount;
  return isCount ? Number(value) : undefined;
}
