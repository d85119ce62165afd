import type { RateLimit } from '../protocol/provider.ts';
import type { Gate, Load, Pass } from './gate.ts';

/** A vendor's word is believed for so long: one slip in a header must not lose a target for hours. */
const longestBelievedMs = 300_000;

/** Headers tell whole seconds, and take a moment to come. */
const toleranceMs = 1_500;

/** What may come at once although it is spread, in milliseconds' worth. */
const slackMs = 1_000;

/** A vendor has ten; the names come from it, and each is looked at with every attempt. */
const maxLimits = 50;

/** What is known of one of the vendor's limits. */
type Budget = {
  readonly unit: RateLimit['unit'];
  readonly limit: number | undefined;
  /** What is left, less what was sent since it was told. */
  left: number;
  resetAt: number;
  /** Nobody has told of the window under way: it is taken to be like the one before. */
  isGuess: boolean;
  /** When the window under way was first said to end. */
  firstResetAt: number;
  readonly windowMs: number;
  /** For each millisecond; only for a vendor that refills all the time rather than once a window. */
  readonly refill: number | undefined;
  toldAt: number;
  /** It was used up in this window or the one before: what there is, is spread. */
  tight: boolean;
  wasShort: boolean;
  /** When the next one would come if they came evenly. */
  evenAt: number;
};

type VendorLimit = {
  readonly name: string;
  readonly unit: RateLimit['unit'];
  readonly left: number;
  /** Epoch milliseconds. */
  readonly resetAt: number;
};

/** An attempt that may yet bring word of the vendor's limits. */
interface VendorPass extends Pass {
  reported(limits: readonly RateLimit[], now: number): void;
}

/** The vendor's own limits, as its answers tell them. Without word of them it lets everything through. */
export interface VendorGate extends Gate {
  enter(load: Load, now: number): VendorPass;
  /** What is left of each. */
  left(now: number): readonly VendorLimit[];
}

/**
 * Whether the vendor refills all the time: the more is used, the later it is full again, while the end of a
 * fixed window stays where it is. A fixed window is the safer thing to believe.
 */
function refillOf(before: Budget, told: RateLimit, resetAt: number): number | undefined {
  const { limit, remaining, resetMs } = told;
  const used = limit === undefined ? 0 : limit - remaining;
  const moved = resetAt - before.firstResetAt > toleranceMs;
  if (!moved && before.refill === undefined) return undefined;
  return used > 0 && resetMs > 0 ? used / resetMs : before.refill;
}

export function createVendorGate(): VendorGate {
  const budgets = new Map<string, Budget>();
  /** What was sent, and no word of limits since: the vendor may not have counted it yet. */
  const untold = { requests: 0, tokens: 0 } satisfies Record<RateLimit['unit'], number>;
  const amountOf = (load: Load, unit: RateLimit['unit']): number =>
    unit === 'tokens' ? load.tokens : 1;

  /** Brings a budget up to the time: refilled, or in its next window, of which nobody has told yet. */
  function turn(budget: Budget, now: number): void {
    const { limit, refill } = budget;
    if (refill !== undefined) {
      const full = limit ?? Number.POSITIVE_INFINITY;
      budget.left = Math.min(full, budget.left + Math.max(0, now - budget.toldAt) * refill);
      budget.toldAt = now;
      return;
    }
    if (now < budget.resetAt) return;
    budget.left = limit ?? Number.POSITIVE_INFINITY;
    budget.resetAt = now + budget.windowMs;
    budget.firstResetAt = budget.resetAt;
    budget.isGuess = true;
    budget.evenAt = now;
    budget.tight = budget.wasShort;
    budget.wasShort = false;
  }

  function opensAt(budget: Budget, load: Load, now: number): number {
    turn(budget, now);
    const { unit, limit = Number.POSITIVE_INFINITY, refill } = budget;
    const missing = Math.min(amountOf(load, unit), limit) - budget.left;
    if (missing > 0) {
      budget.wasShort = true;
      return refill === undefined ? budget.resetAt : now + missing / refill;
    }
    const isSpread = budget.tight && refill === undefined;
    return isSpread ? Math.max(now, budget.evenAt - slackMs) : now;
  }

  function take(budget: Budget, load: Load, now: number): void {
    turn(budget, now);
    const amount = amountOf(load, budget.unit);
    const left = Math.max(amount, budget.left);
    if (Number.isFinite(left)) {
      const share = (amount * Math.max(0, budget.resetAt - now)) / left;
      budget.evenAt = Math.min(budget.resetAt, Math.max(now, budget.evenAt) + share);
    }
    budget.left = Math.max(0, budget.left - amount);
  }

  function learn(told: RateLimit, others: number, now: number): void {
    const { name, unit, limit, remaining } = told;
    const resetMs = Math.min(told.resetMs, longestBelievedMs);
    const resetAt = now + resetMs;
    const left = Math.max(0, remaining - others);
    const before = budgets.get(name);
    if (before === undefined && budgets.size >= maxLimits) return;
    // The vendor's new window may be told a moment before the old one has ended by our clock.
    const isNew = before === undefined || before.isGuess || now >= before.resetAt - toleranceMs;
    const refill = isNew ? before?.refill : refillOf(before, told, resetAt);
    const isSame = before !== undefined && !isNew && refill === undefined;
    budgets.set(name, {
      unit,
      limit,
      // Answers overtake each other: within a window, what is left only falls.
      left: isSame ? Math.min(before.left, left) : left,
      // Whole seconds are often rounded down: the latest word is the truest.
      resetAt: isSame ? Math.max(before.resetAt, resetAt) : resetAt,
      isGuess: false,
      firstResetAt: isSame ? before.firstResetAt : resetAt,
      windowMs: Math.max(resetMs, isSame ? before.windowMs : 0),
      refill,
      toldAt: now,
      tight: before?.tight ?? false,
      wasShort: before?.wasShort ?? false,
      evenAt: isSame ? before.evenAt : Math.min(before?.evenAt ?? now, now + slackMs),
    });
  }

  return {
    name: "the vendor's own limit",
    opensAt(load, now) {
      let latest = now;
      for (const budget of budgets.values()) latest = Math.max(latest, opensAt(budget, load, now));
      return latest;
    },
    paceMs(load) {
      const paces = [...budgets.values()].map(({ unit, limit, refill, windowMs }) => {
        if (limit === undefined) return 0;
        const amount = amountOf(load, unit);
        return refill === undefined ? (amount * windowMs) / limit : amount / refill;
      });
      return Math.max(0, ...paces);
    },
    enter(load, now) {
      for (const budget of budgets.values()) take(budget, load, now);
      untold.requests += 1;
      untold.tokens += load.tokens;
      let isUntold = true;
      function wasTold(): void {
        if (!isUntold) return;
        isUntold = false;
        untold.requests -= 1;
        untold.tokens -= load.tokens;
      }
      return {
        reported(limits, at) {
          wasTold();
          for (const told of limits) learn(told, untold[told.unit], at);
        },
        leave: wasTold,
      };
    },
    left(now) {
      return [...budgets].map(([name, budget]) => {
        turn(budget, now);
        return { name, unit: budget.unit, left: Math.floor(budget.left), resetAt: budget.resetAt };
      });
    },
  };
}
