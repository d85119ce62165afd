/**
 * One token bucket for the whole router, drawn on by retries: so that an outage is not answered by a storm.
 * Each success puts a tenth of a token in (retries stay near 10 % of traffic, Google SRE "Handling
 * Overload"), and time puts three a second in while the bucket is low, so that a quiet router can retry too.
 */
export interface RetryBudget {
  /** Takes a token, at once or not at all. */
  take(): boolean;
  success(): void;
  /** Tokens there now. */
  tokens(): number;
}

export const retryBudgetRules = {
  perSuccess: 0.1,
  perSecond: 3,
  /** Time alone fills up to here, which is also what a new router starts with. */
  floor: 10,
  /** Successes fill up to here: about a thousand calls' worth. */
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
