import { createSlidingWindow } from '../internal/sliding-window.ts';
import type { Gate, Load } from './gate.ts';

/**
 * A minute, and one second for what is sent within a minute and arrives within less: vendors count arrivals.
 */
const windowMs = 61_000;

/** Vendors may hold "60 a minute" to be "one a second", yet a call or two at once should not wait. */
const leastBurst = 5;

/** The most that passes at once after a quiet time: a second's worth, or a handful. */
function burstOf(perMinute: number, unit: 'requests' | 'tokens'): number {
  const second = perMinute / 60;
  return unit === 'tokens' ? second : Math.max(second, Math.min(leastBurst, perMinute));
}

/** A gate that counts, and can be asked what it has let through. */
export interface RateGate extends Gate {
  /** Passed from that time on, in its unit; a minute back at most. */
  passedSince(at: number, now: number): number;
  /** What may still pass within this minute; `undefined` without a limit. */
  left(now: number): number | undefined;
  /** The user has set another limit: what a higher one allows in addition may pass at once. */
  limitChanged(before: number, now: number): void;
}

/**
 * So many requests or tokens a minute, for vendors that count by the minute of the clock and for those that
 * refill a bucket: never more in any stretch of a minute, and spread so that not all come at its beginning.
 * `perMinute` may change from one moment to the next; `undefined` is no limit.
 *
 * What alone is more than a minute's worth passes when nothing else counts: it would never pass otherwise.
 */
export function createRateGate(settings: {
  readonly name: () => string;
  readonly unit: 'requests' | 'tokens';
  readonly perMinute: (now: number) => number | undefined;
}): RateGate {
  const { unit, perMinute } = settings;
  const passed = createSlidingWindow(windowMs);
  /** The bucket that spreads them; below zero while a large one is paid off. */
  let level = Number.POSITIVE_INFINITY;
  let filledAt = 0;
  const amountOf = (load: Load): number => (unit === 'tokens' ? load.tokens : 1);

  function fill(limit: number, now: number): void {
    const filled = level + (Math.max(0, now - filledAt) * limit) / windowMs;
    level = Math.min(burstOf(limit, unit), filled);
    filledAt = now;
  }

  return {
    get name() {
      return settings.name();
    },
    opensAt(load, now) {
      const limit = perMinute(now);
      if (limit === undefined) return now;
      fill(limit, now);
      const needed = Math.min(amountOf(load), burstOf(limit, unit));
      // A thousandth less will do: sums of fractions never come out even.
      const missing = needed - level > 1e-3 ? needed - level : 0;
      const bucketAt = now + (missing * windowMs) / limit;
      return Math.max(bucketAt, passed.fallsTo(limit - Math.min(amountOf(load), limit), now));
    },
    paceMs(load) {
      const limit = perMinute(filledAt);
      return limit === undefined ? 0 : (amountOf(load) * windowMs) / limit;
    },
    enter(load, now) {
      const amount = amountOf(load);
      const limit = perMinute(now);
      if (limit !== undefined) {
        fill(limit, now);
        level -= amount;
      }
      passed.add(amount, now);
      return {
        leave({ tokens }, at) {
          if (unit === 'requests' || tokens === undefined) return;
          passed.correct(tokens - amount, now, at);
          // A minute's worth is the most that is paid off: a count that cannot be right must not close it for longer.
          const lowest = Math.min(level, -(perMinute(at) ?? 0));
          level = Math.max(lowest, level - (tokens - amount));
        },
      };
    },
    passedSince: (at, now) => passed.since(Math.max(at, now - 60_000), now),
    left(now) {
      const limit = perMinute(now);
      return limit === undefined ? undefined : Math.max(0, limit - passed.total(now));
    },
    limitChanged(before, now) {
      const limit = perMinute(now);
      if (limit === undefined || limit <= before) return;
      fill(before, now);
      level += limit - before;
    },
  };
}
