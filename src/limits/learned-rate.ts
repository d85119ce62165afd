import { createSlidingWindow } from '../internal/windows.ts';
import {
  createLearnedConcurrency,
  createRejectionBaseline,
  isRaised,
  type LearnedConcurrency,
  type LearnedGate,
  type LearnedLimit,
  limitAt,
} from './learned-concurrency.ts';

/**
 * How long a limit is held before it is raised. `first`: it equals what the vendor accepts anyway. `again`: it held
 * attempts back and too many were rejected all the same, so the vendor does have a limit.
 */
const holdMs = { first: 20_000, again: 60_000 } as const;

/** With fewer accepted per minute for each attempt in flight, the vendor limits concurrency, not the rate. */
const minPerInFlight = 10;

/** A shorter time between two alarms shows little about what the vendor accepts. */
const shortCycleMs = 10_000;

/** A longer time between two alarms shows little about what the vendor accepts now. */
const longCycleMs = 180_000;

/** After the limit was halved, rejections are caused by earlier attempts for this long. */
const settleMs = 2_000;

/** The limit stays below what the vendor has accepted, so that rejections do not continue forever. */
const margin = 0.95;

/** A higher share of rejections always indicates a limit. */
const maxUsualShare = 0.25;

/** Attempts required to see whether a lower limit helps. */
const minCompared = 40;

/** How many attempts may pass at once: `min`, or at higher rates those of `ms` milliseconds. */
const burst = { min: 2, ms: 250 } as const;

/** The limit counts as too high if its rejections have a lower probability than this. */
const maxChance = 1e-3;
/** The same for a raised limit. A mistake only restores a limit that is known to work. */
const maxChanceRaised = 0.03;

/** Fewer rejections since the last change of the limit are chance. */
const minRejected = 2;

/** Accepted attempts are counted over at least this time, because a few attempts at once are not a rate. */
const minCountedMs = 1_000;

/** Whether a count of at least `count` has a probability below `chance` if `expected` are expected (Poisson). */
function isMoreThan(expected: number, count: number, chance: number): boolean {
  let probability = Math.exp(-expected);
  let upTo = 0;
  for (let each = 0; each < count; each += 1) {
    upTo += probability;
    probability *= expected / (each + 1);
  }
  return count > 0 && 1 - upTo < chance;
}

/**
 * Limits requests per minute, learned from 429s: if answers are fast, a concurrency limit does not limit the rate.
 * There is no limit until more attempts than usual are rejected (an alarm). Then it is what the vendor accepted,
 * measured from alarm to alarm: in that time vendors have granted everything they had, whether they count by the minute
 * or refill a bucket.
 *
 * What was accepted while this limit held attempts back was our choice. It never lowers the limit by much.
 */
function createLearnedRate(concurrency: LearnedConcurrency): LearnedGate {
  const baseline = createRejectionBaseline();
  let learned: LearnedLimit | undefined;
  /** When the first attempt was sent. */
  let firstAt: number | undefined;
  /** Accepted by the vendor since the last alarm. */
  let accepted = 0;
  let alarmAt = Number.NEGATIVE_INFINITY;
  /** When this limit last held an attempt back. */
  let blockedAt = Number.NEGATIVE_INFINITY;

  /** How many attempts may pass now. */
  let level = Number.POSITIVE_INFINITY;
  let filledAt = 0;
  /** When the limit was last halved. */
  let halvedAt = Number.NEGATIVE_INFINITY;
  /** Attempts since the last change of the limit. */
  let sinceChange = { sent: 0, rejected: 0, answered: 0 };
  /** Attempts since the limit is being raised. */
  let sinceRaise = { sent: 0, rejected: 0 };
  /** The share that was rejected before the limit was lowered, until it is clear whether that helped. */
  let shareBefore: number | undefined;
  /** Accepted by the vendor within the last minute. */
  const recentlyAccepted = createSlidingWindow(61_000);

  const limit = (now: number): number | undefined => limitAt(learned, now);

  /** Whether the limit has not held anything back since it was learned. */
  const isUnused = (now: number): boolean =>
    learned === undefined || limit(now) === undefined || blockedAt < learned.at;

  /** Refills the bucket, up to the burst. */
  function fill(perMinute: number, now: number): void {
    const perMs = perMinute / 60_000;
    const max = Math.max(burst.min, burst.ms * perMs);
    level = Math.min(max, level + Math.max(0, now - filledAt) * perMs);
    filledAt = now;
  }

  /** What the vendor has accepted, in requests per minute. */
  function acceptedPerMinute(now: number): number {
    const cycleMs = now - alarmAt;
    const isKnown = cycleMs <= longCycleMs && (limit(now) !== undefined || blockedAt < alarmAt);
    if (isKnown) return (accepted * 60_000) / Math.max(minCountedMs, cycleMs);
    const from = Math.max(blockedAt, firstAt ?? now, now - 60_000);
    const count = recentlyAccepted.since(from, now);
    return (count * 60_000) / Math.max(minCountedMs, now - from);
  }

  function set(next: LearnedLimit | undefined, now: number): void {
    learned = next;
    accepted = 0;
    alarmAt = now;
    sinceChange = { sent: 0, rejected: 0, answered: 0 };
    sinceRaise = { sent: 0, rejected: 0 };
    level = Math.min(level, 1);
  }

  /** More attempts than usual were rejected. */
  function learn(enteredAt: number, now: number): void {
    // The last halving has had no effect yet.
    if (now - halvedAt < settleMs) return;
    const before = limit(now);
    const passed = acceptedPerMinute(now);
    const first: LearnedLimit = { base: Math.max(1, passed), at: now, holdMs: holdMs.first };
    if (learned === undefined || before === undefined) {
      if (passed < minPerInFlight * concurrency.inFlight()) concurrency.learn(enteredAt, now);
      else set(first, now);
      return;
    }
    const isShort = now - alarmAt < shortCycleMs;
    if (isUnused(now) && !isShort) {
      set(first, now);
      return;
    }
    if (isRaised(learned, now)) {
      const base = Math.min(before, Math.max(learned.base, passed * margin));
      set({ base, at: now, holdMs: holdMs.again }, now);
      shareBefore = undefined;
      return;
    }
    const share = sinceChange.rejected / Math.max(1, sinceChange.sent);
    if (shareBefore !== undefined && share <= maxUsualShare && sinceChange.sent < minCompared) {
      return;
    }
    if (shareBefore !== undefined && share <= maxUsualShare && share * 2 >= shareBefore) {
      baseline.setUsualShare(share);
      set(undefined, now);
      shareBefore = undefined;
      return;
    }
    shareBefore = share;
    const base = Math.max(1, learned.base / 2, Math.min(learned.base * margin, passed * margin));
    if (isShort) halvedAt = now;
    set(isShort ? { base, at: now, holdMs: holdMs.again } : { ...learned, base }, now);
  }

  /** Whether the limit is too high, although there are never enough rejections at once for an alarm. */
  function isTooHigh(): boolean {
    // A vendor that rejects everything for a while shows nothing about the rate.
    if (sinceChange.answered === 0) return false;
    const share = baseline.usualShare();
    if (isMoreThan(share * sinceRaise.sent, sinceRaise.rejected, maxChanceRaised)) return true;
    const { sent, rejected } = sinceChange;
    return rejected >= minRejected && isMoreThan(share * sent, rejected, maxChance);
  }

  return {
    name: 'the learned rate limit',
    limit,
    opensAt(_, now) {
      const perMinute = limit(now);
      if (perMinute === undefined) return now;
      fill(perMinute, now);
      // Tolerates a thousandth, because sums of fractions are not exact.
      if (level > 1 - 1e-3) return now;
      blockedAt = now;
      return now + ((1 - level) * 60_000) / perMinute;
    },
    intervalMs: () => 60_000 / (limit(filledAt) ?? Number.POSITIVE_INFINITY),
    enter(_, enteredAt) {
      const perMinute = limit(enteredAt);
      if (perMinute === undefined) level = Number.POSITIVE_INFINITY;
      else {
        fill(perMinute, enteredAt);
        level -= 1;
      }
      const isUsual = isUnused(enteredAt);
      const sent = baseline.send(enteredAt, isUsual);
      const isAfterHold = learned !== undefined && enteredAt > learned.at + learned.holdMs;
      sinceChange.sent += 1;
      if (isAfterHold) sinceRaise.sent += 1;
      firstAt ??= enteredAt;
      accepted += 1;
      recentlyAccepted.add(1, enteredAt);
      return {
        leave({ outcome }, now) {
          if (outcome === 'ok' && enteredAt >= alarmAt) sinceChange.answered += 1;
          if (outcome !== 'limited') return;
          recentlyAccepted.correct(-1, enteredAt, now);
          const alarm = baseline.rejected(sent, isUsual);
          // An attempt sent before the last alarm shows nothing new.
          if (enteredAt < alarmAt) return;
          accepted -= 1;
          sinceChange.rejected += 1;
          if (isAfterHold) sinceRaise.rejected += 1;
          // If nothing was accepted since the last alarm, the same limit is still in effect.
          const isOver =
            alarm !== undefined && (learned === undefined || alarm.rejected < alarm.attempts);
          if (isOver || (!isUnused(now) && isTooHigh())) learn(enteredAt, now);
        },
      };
    },
  };
}

/** The limits learned from the 429s of one target with one key. */
export function createLearnedGates(): {
  readonly rate: LearnedGate;
  readonly concurrency: LearnedGate;
} {
  const concurrency = createLearnedConcurrency();
  return { rate: createLearnedRate(concurrency), concurrency };
}
