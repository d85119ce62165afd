/**
 * A token bucket for the retries of the whole router. Prevents retry storms during an outage. Each success adds a tenth
 * of a token, so retries stay near 10 % of the traffic (Google SRE, "Handling Overload"). While the bucket is low,
 * three tokens per second are added, so that a router with little traffic can retry too.
 */
export interface RetryBudget {
  /** Takes a token. Returns `false` if there is none. */
  take(): boolean;
  /** Adds the share of a token that a success earns. */
  success(): void;
  /** Current tokens. */
  tokens(): number;
}

export const retryBudgetRules = {
  perSuccess: 0.1,
  perSecond: 3,
  /** Initial tokens. Time alone refills up to this number. */
  floor: 10,
  /** Maximum tokens: those of about a thousand successes. */
  capacity: 100,
} as const;

export function createRetryBudget(now: () => number): RetryBudget {
  const { perSuccess, perSecond, floor, capacity } = retryBudgetRules;
  let tokens: number = floor;
  let filledAt = now();

  function fill(): void {
    const at = now();
    const seconds = Math.max(0, at - filledAt) / 1000;
    filledAt = at;
    if (tokens < floor) tokens = Math.min(floor, tokens + seconds * perSecond);
  }

  return {
    take() {
      fill();
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
    success() {
      fill();
      tokens = Math.min(capacity, tokens + perSuccess);
    },
    tokens() {
      fill();
      return tokens;
    },
  };
}
