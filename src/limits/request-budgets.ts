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

/**
 * Limits the hedges of a tier to a share of its calls, and to none while most calls are late: a second request helps
 * against one slow answer, but makes a general slowdown worse ("The Tail at Scale").
 */
export interface HedgeBudget {
  /** Adds `maxExtra` hedges for a new call. */
  earn(maxExtra: number): void;
  /** Records whether a call's first token was late. */
  note(isLate: boolean): void;
  /** Takes one hedge if one is available. Calls `takeToken` last, only if nothing else prevents the hedge. */
  take(takeToken: () => boolean): boolean;
}

export const hedgeBudgetRules = {
  /** Hedges of a new tier, so that its first late call can be hedged too. */
  floor: 1,
  /** Maximum hedges that can accumulate. */
  capacity: 10,
  /** Number of recent calls considered. */
  window: 10,
  /** How many of them may be late. */
  maxLate: 5,
} as const;

export function createHedgeBudget(): HedgeBudget {
  const { floor, capacity, window, maxLate } = hedgeBudgetRules;
  let hedges: number = floor;
  let recent: readonly boolean[] = [];
  return {
    earn(maxExtra) {
      hedges = Math.min(capacity, hedges + maxExtra);
    },
    note(isLate) {
      recent = [...recent, isLate].slice(-window);
    },
    take(takeToken) {
      const isSlow = recent.filter(Boolean).length > maxLate;
      if (isSlow || hedges < 1 || !takeToken()) return false;
      hedges -= 1;
      return true;
    },
  };
}
