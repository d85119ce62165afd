/**
 * How many hedges a tier may send: a share of its calls, and none while most of them are late, since a second
 * request helps against one slow answer and harms when everything is slow ("The Tail at Scale").
 */
export interface HedgeBudget {
  /** A call came: it earns its share of a hedge. */
  earn(maxExtra: number): void;
  /** Its first token was late, or was not. */
  note(isLate: boolean): void;
  /** Takes one hedge, at once or not at all. `takeToken` is asked last, and only when all else speaks for it. */
  take(takeToken: () => boolean): boolean;
}

export const hedgeBudgetRules = {
  /** What a new tier starts with, so that its first late call can be hedged too. */
  floor: 1,
  /** Most that quiet times can save up. */
  capacity: 10,
  /** Calls looked back on, and how many of them may have been late. */
  window: 10,
  mostLate: 5,
} as const;

export function createHedgeBudget(): HedgeBudget {
  const { floor, capacity, window, mostLate } = hedgeBudgetRules;
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
      const isSlow = recent.filter(Boolean).length > mostLate;
      if (isSlow || hedges < 1 || !takeToken()) return false;
      hedges -= 1;
      return true;
    },
  };
}
