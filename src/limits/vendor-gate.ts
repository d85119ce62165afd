import type { RateLimit } from '../protocol/provider.ts';
import type { Gate, Load, Pass } from './gate.ts';

/** A reset that is further away is capped: one wrong header must not block a target for hours. */
const maxResetMs = 300_000;

/** Headers contain whole seconds and take a moment to arrive. */
const toleranceMs = 1_500;

/** While requests are spread, those of this many milliseconds may pass at once. */
const slackMs = 1_000;

/** A vendor has about ten limits. Their names come from the vendor, and each is checked with every attempt. */
const maxLimits = 50;

/** The state of one of the vendor's limits. */
type Budget = {
  readonly unit: RateLimit['unit'];
  readonly limit: number | undefined;
  /** What is left: the reported number, minus what was sent since. */
  left: number;
  resetAt: number;
  /** The vendor has not reported the current window: it is assumed to be like the one before. */
  isAssumed: boolean;
  /** The reset that the vendor reported first for the current window. */
  firstResetAt: number;
  readonly windowMs: number;
  /** Refill per millisecond. Only for a vendor that refills continuously instead of once per window. */
  readonly refill: number | undefined;
  /** When `left` was last updated by the refill. */
  updatedAt: number;
  /** The limit was used up in this window or the one before: spread what is left. */
  isScarce: boolean;
  /** The limit was used up in this window. */
  wasUsedUp: boolean;
  /** When the next request is due if requests are spread evenly. */
  nextEvenAt: number;
};

type VendorLimit = {
  readonly name: string;
  readonly unit: RateLimit['unit'];
  readonly left: number;
  /** Epoch milliseconds. */
  readonly resetAt: number;
};

/** An attempt whose response may report the vendor's limits. */
interface VendorPass extends Pass {
  reported(limits: readonly RateLimit[], now: number): void;
}

/** The vendor's limits, as its responses report them. Until they do, every attempt passes. */
export interface VendorGate extends Gate {
  enter(load: Load, now: number): VendorPass;
  /** What is left of each limit. */
  left(now: number): readonly VendorLimit[];
}

/**
 * The refill rate of a vendor that refills continuously: the more is used, the later its reset. The reset of a fixed
 * window does not move. Assumes a fixed window until the reset moves, because that is safer.
 */
function refillOf(before: Budget, reported: RateLimit, resetAt: number): number | undefined {
  const { limit, remaining, resetMs } = reported;
  const used = limit === undefined ? 0 : limit - remaining;
  const hasMoved = resetAt - before.firstResetAt > toleranceMs;
  if (!hasMoved && before.refill === undefined) return undefined;
  return used > 0 && resetMs > 0 ? used / resetMs : before.refill;
}

export function createVendorGate(): VendorGate {
  const budgets = new Map<string, Budget>();
  /** Sent, with no limits reported since: the vendor may not have counted them yet. */
  const unreported = new Set<{ readonly load: Load }>();
  /** Their tokens. Counted from the first report of a limit in tokens on, because counting takes time. */
  let unreportedTokens: number | undefined;
  const amountOf = (load: Load, unit: RateLimit['unit']): number =>
    unit === 'tokens' ? load.tokens : 1;

  function uncounted(unit: RateLimit['unit']): number {
    if (unit === 'requests') return unreported.size;
    unreportedTokens ??= [...unreported].reduce((sum, { load }) => sum + load.tokens, 0);
    return unreportedTokens;
  }

  /** Updates a budget to the current time: refills it, or starts its next window. */
  function update(budget: Budget, now: number): void {
    const { limit, refill } = budget;
    if (refill !== undefined) {
      const full = limit ?? Number.POSITIVE_INFINITY;
      budget.left = Math.min(full, budget.left + Math.max(0, now - budget.updatedAt) * refill);
      budget.updatedAt = now;
      return;
    }
    if (now < budget.resetAt) return;
    budget.left = limit ?? Number.POSITIVE_INFINITY;
    budget.resetAt = now + budget.windowMs;
    budget.firstResetAt = budget.resetAt;
    budget.isAssumed = true;
    budget.nextEvenAt = now;
    budget.isScarce = budget.wasUsedUp;
    budget.wasUsedUp = false;
  }

  function opensAt(budget: Budget, load: Load, now: number): number {
    update(budget, now);
    const { unit, limit = Number.POSITIVE_INFINITY, refill } = budget;
    const missing = Math.min(amountOf(load, unit), limit) - budget.left;
    if (missing > 0) {
      budget.wasUsedUp = true;
      return refill === undefined ? budget.resetAt : now + missing / refill;
    }
    const isSpread = budget.isScarce && refill === undefined;
    return isSpread ? Math.max(now, budget.nextEvenAt - slackMs) : now;
  }

  function take(budget: Budget, load: Load, now: number): void {
    update(budget, now);
    const amount = amountOf(load, budget.unit);
    const left = Math.max(amount, budget.left);
    if (Number.isFinite(left)) {
      const share = (amount * Math.max(0, budget.resetAt - now)) / left;
      budget.nextEvenAt = Math.min(budget.resetAt, Math.max(now, budget.nextEvenAt) + share);
    }
    budget.left = Math.max(0, budget.left - amount);
  }

  /** Sets a budget to what the vendor reported, minus the attempts that it may not have counted yet. */
  function learn(reported: RateLimit, uncounted: number, now: number): void {
    const { name, unit, limit, remaining } = reported;
    const resetMs = Math.min(reported.resetMs, maxResetMs);
    const resetAt = now + resetMs;
    const left = Math.max(0, remaining - uncounted);
    const before = budgets.get(name);
    if (before === undefined && budgets.size >= maxLimits) return;
    // The vendor may report its new window a moment before the old one has ended by our clock.
    const isNew = before === undefined || before.isAssumed || now >= before.resetAt - toleranceMs;
    const refill = isNew ? before?.refill : refillOf(before, reported, resetAt);
    const isSame = before !== undefined && !isNew && refill === undefined;
    budgets.set(name, {
      unit,
      limit,
      // Responses arrive out of order. Within a window, what is left only decreases.
      left: isSame ? Math.min(before.left, left) : left,
      // Whole seconds are often rounded down: the latest reset is the most accurate one.
      resetAt: isSame ? Math.max(before.resetAt, resetAt) : resetAt,
      isAssumed: false,
      firstResetAt: isSame ? before.firstResetAt : resetAt,
      windowMs: Math.max(resetMs, isSame ? before.windowMs : 0),
      refill,
      updatedAt: now,
      isScarce: before?.isScarce ?? false,
      wasUsedUp: before?.wasUsedUp ?? false,
      nextEvenAt: isSame ? before.nextEvenAt : Math.min(before?.nextEvenAt ?? now, now + slackMs),
    });
  }

  return {
    name: "the vendor's own limit",
    opensAt(load, now) {
      let latest = now;
      for (const budget of budgets.values()) latest = Math.max(latest, opensAt(budget, load, now));
      return latest;
    },
    intervalMs(load) {
      const intervals = [...budgets.values()].map(({ unit, limit, refill, windowMs }) => {
        if (limit === undefined) return 0;
        const amount = amountOf(load, unit);
        return refill === undefined ? (amount * windowMs) / limit : amount / refill;
      });
      return Math.max(0, ...intervals);
    },
    enter(load, now) {
      for (const budget of budgets.values()) take(budget, load, now);
      const sent = { load };
      unreported.add(sent);
      if (unreportedTokens !== undefined) unreportedTokens += load.tokens;
      function markReported(): void {
        if (!unreported.delete(sent)) return;
        if (unreportedTokens !== undefined) unreportedTokens -= load.tokens;
      }
      return {
        reported(limits, at) {
          markReported();
          for (const limit of limits) learn(limit, uncounted(limit.unit), at);
        },
        leave: markReported,
      };
    },
    left(now) {
      return [...budgets].map(([name, budget]) => {
        update(budget, now);
        return { name, unit: budget.unit, left: Math.floor(budget.left), resetAt: budget.resetAt };
      });
    },
  };
}
