import { createSlidingWindow } from '../internal/windows.ts';
import type { Gate, Load } from './gate.ts';

/**
 * A minute, plus one second: vendors count arrivals, and requests sent within 61 seconds may arrive within 60.
 */
const windowMs = 61_000;

/** Vendors may enforce 60 requests per minute as one per second, but a few calls at once should not wait. */
const minBurst = 5;

/** How much may pass at once after a pause: the amount of one second, and at least a few requests. */
function burstOf(perMinute: number, unit: 'requests' | 'tokens'): number {
  const second = perMinute / 60;
  return unit === 'tokens' ? second : Math.max(second, Math.min(minBurst, perMinute));
}

/** A gate that limits a rate. */
export interface RateGate extends Gate {
  /** What may still pass within this minute; `undefined` if there is no limit. */
  left(now: number): number | undefined;
  /** The configuration has changed the limit. What a higher limit allows in addition may pass immediately. */
  limitChanged(before: number, now: number): void;
}

/**
 * Limits requests or tokens per minute. Works for vendors that count by the minute and for those that refill a bucket:
 * the limit holds in every 60-second window, and requests are spread evenly over it. `perMinute` may change at any
 * time; `undefined` is no limit.
 *
 * A load that exceeds the limit of a whole minute passes when nothing else counts, because otherwise it would never
 * pass.
 */
export function createRateGate(settings: {
  readonly name: () => string;
  readonly unit: 'requests' | 'tokens';
  readonly perMinute: (now: number) => number | undefined;
}): RateGate {
  const { unit, perMinute } = settings;
  const passed = createSlidingWindow(windowMs);
  /** The bucket that spreads the loads. Negative while a large load is being paid off. */
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
      // Tolerates a thousandth, because sums of fractions are not exact.
      const missing = needed - level > 1e-3 ? needed - level : 0;
      const bucketAt = now + (missing * windowMs) / limit;
      return Math.max(bucketAt, passed.fallsTo(limit - Math.min(amountOf(load), limit), now));
    },
    intervalMs(load) {
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
          // Pays off at most one minute, so that an implausible count does not close the gate for longer.
          const lowest = Math.min(level, -(perMinute(at) ?? 0));
          level = Math.max(lowest, level - (tokens - amount));
        },
      };
    },
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
