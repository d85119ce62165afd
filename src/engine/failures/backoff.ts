/** Rate limits are counted over seconds at least: asking sooner only feeds them. */
const rateLimitBaseMs = 1_000;

/**
 * How long to wait before the n-th retry (1, 2, …), with full jitter: anything between nothing and the
 * doubled base (AWS, "Exponential Backoff And Jitter").
 */
export function backoffMs(
  retry: number,
  limits: { readonly minMs: number; readonly maxMs: number },
  random: number,
): number {
  return random * Math.min(limits.maxMs, limits.minMs * 2 ** (retry - 1));
}

/** The same for a rate limit without `Retry-After`: at least half of the doubled base, so never at once. */
export function rateLimitBackoffMs(retry: number, maxMs: number, random: number): number {
  return Math.min(maxMs, rateLimitBaseMs * 2 ** (retry - 1)) * (0.5 + random / 2);
}
