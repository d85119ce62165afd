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
