import { createSlidingWindow } from '../internal/sliding-window.ts';
import type { AdaptiveConcurrency } from './learned-concurrency.ts';
import { type AdaptiveGate, isTriedHigher, type LearnedLimit, limitAt } from './learned-limit.ts';
import { createRefusalJudge } from './refusal-judge.ts';

/**
 * How long a limit is kept before it is tried higher. `first`: it is what has passed anyway. `again`: it held attempts
 * back, and more were refused than usual all the same, so there is a limit.
 */
const holdMs = { first: 20_000, again: 60_000 } as const;

/** With fewer passes for each attempt in flight, it is their number at once that the vendor refuses. */
const passesForRate = 10;

/** A time between two alarms that is shorter than this says little about what the vendor lets through. */
const shortCycleMs = 10_000;

/** A longer one says little about what it lets through now. */
const longCycleMs = 180_000;

/** After a limit was halved, for so long refusals are still due to what was sent before. */
const settleMs = 2_000;

/** What is let through stays below what the vendor has let through: else there is a refusal now and then for ever. */
const margin = 0.95;

/** A higher share of refusals is always taken for a limit. */
const mostUsual = 0.25;

/** So many attempts tell whether a lower limit helps. */
const leastCompared = 40;

/** What may pass at once at low rates, and at higher ones what passes in this time. */
const burst = { least: 2, ms: 250 } as const;

/** How likely it may be that what is taken for too high a limit is chance. */
const doubt = 1e-3;
/** The same while it is tried higher: a mistake only leads back to what is known to be good. */
const trialDoubt = 0.03;

/** Fewer refusals since a limit was changed are chance. */
const leastRefused = 2;

/** What passed is counted over a second at least: a few attempts at once are no rate. */
const leastCountedMs = 1_000;

/** Whether so many are more than chance allows where so many are expected (Poisson). */
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
 * Requests a minute, learned from refusals: where answers come fast, holding back how many are in flight does not
 * hold back how many are sent. No limit until more are refused than usual. Then what the vendor has let through, and
 * from alarm to alarm: vendors that count by the minute and those that refill have then given all they had.
 *
 * What passed while this limit itself held attempts back was our choice: it never lowers the limit by much.
 */
export function createAdaptiveRate(concurrency: AdaptiveConcurrency): AdaptiveGate {
  const judge = createRefusalJudge();
  let learned: LearnedLimit | undefined;
  /** When the first passed: before that nothing could. */
  let since: number | undefined;
  /** Let through by the vendor since the last alarm. */
  let accepted = 0;
  let alarmAt = Number.NEGATIVE_INFINITY;
  /** When it held an attempt back last. */
  let shutAt = Number.NEGATIVE_INFINITY;

  /** What may pass now. */
  let level = Number.POSITIVE_INFINITY;
  let filledAt = 0;
  /** When the limit was last found to be far too high. */
  let cutAt = Number.NEGATIVE_INFINITY;
  /** Sent since the limit was changed last, and how those ended. */
  let epoch = { sent: 0, refused: 0, answered: 0 };
  /** The same since it is tried higher. */
  let trial = { sent: 0, refused: 0 };
  /** The share that was refused before the limit was lowered, while it is seen whether that helps. */
  let shareBefore: number | undefined;
  /** Let through by the vendor within the last minute. */
  const lately = createSlidingWindow(61_000);

  const limit = (now: number): number | undefined => limitAt(learned, now);

  /** Whether it holds nothing back. */
  const isFree = (now: number): boolean =>
    learned === undefined || limit(now) === undefined || shutAt < learned.at;

  /** Refills what may pass at once, and no more than a second's worth or a handful. */
  function fill(perMinute: number, now: number): void {
    const perMs = perMinute / 60_000;
    const most = Math.max(burst.least, burst.ms * perMs);
    level = Math.min(most, level + Math.max(0, now - filledAt) * perMs);
    filledAt = now;
  }

  /** What the vendor has let through, in requests a minute. */
  function acceptedPerMinute(now: number): number {
    const cycleMs = now - alarmAt;
    const isKnown = cycleMs <= longCycleMs && (limit(now) !== undefined || shutAt < alarmAt);
    if (isKnown) return (accepted * 60_000) / Math.max(leastCountedMs, cycleMs);
    const begunAt = Math.max(shutAt, since ?? now, now - 60_000);
    const count = lately.since(begunAt, now);
    return (count * 60_000) / Math.max(leastCountedMs, now - begunAt);
  }

  function set(next: LearnedLimit | undefined, now: number): void {
    learned = next;
    accepted = 0;
    alarmAt = now;
    epoch = { sent: 0, refused: 0, answered: 0 };
    trial = { sent: 0, refused: 0 };
    level = Math.min(level, 1);
  }

  /** More were refused than usual. */
  function learn(enteredAt: number, now: number): void {
    // The last cut has not had the time to show.
    if (now - cutAt < settleMs) return;
    const before = limit(now);
    const passed = acceptedPerMinute(now);
    const first: LearnedLimit = { base: Math.max(1, passed), at: now, holdMs: holdMs.first };
    if (learned === undefined || before === undefined) {
      if (passed < passesForRate * concurrency.inFlight()) concurrency.learn(enteredAt, now);
      else set(first, now);
      return;
    }
    const isShort = now - alarmAt < shortCycleMs;
    if (isFree(now) && !isShort) {
      set(first, now);
      return;
    }
    if (isTriedHigher(learned, now)) {
      const base = Math.min(before, Math.max(learned.base, passed * margin));
      set({ base, at: now, holdMs: holdMs.again }, now);
      shareBefore = undefined;
      return;
    }
    const share = epoch.refused / Math.max(1, epoch.sent);
    if (shareBefore !== undefined && share <= mostUsual && epoch.sent < leastCompared) return;
    if (shareBefore !== undefined && share <= mostUsual && share * 2 >= shareBefore) {
      judge.setUsual(share);
      set(undefined, now);
      shareBefore = undefined;
      return;
    }
    shareBefore = share;
    const base = Math.max(1, learned.base / 2, Math.min(learned.base * margin, passed * margin));
    if (isShort) cutAt = now;
    set(isShort ? { base, at: now, holdMs: holdMs.again } : { ...learned, base }, now);
  }

  /** Whether the limit is too high, although never many are refused at once. */
  function isTooHigh(): boolean {
    // A vendor that refuses everything for a while says nothing about the rate.
    if (epoch.answered === 0) return false;
    const share = judge.usualShare();
    if (isMoreThan(share * trial.sent, trial.refused, trialDoubt)) return true;
    return epoch.refused >= leastRefused && isMoreThan(share * epoch.sent, epoch.refused, doubt);
  }

  return {
    name: 'the rate learned from its refusals',
    limit,
    opensAt(_, now) {
      const perMinute = limit(now);
      if (perMinute === undefined) return now;
      fill(perMinute, now);
      // A thousandth less will do: sums of fractions never come out even.
      if (level > 1 - 1e-3) return now;
      shutAt = now;
      return now + ((1 - level) * 60_000) / perMinute;
    },
    paceMs: () => 60_000 / (limit(filledAt) ?? Number.POSITIVE_INFINITY),
    enter(_, enteredAt) {
      const perMinute = limit(enteredAt);
      if (perMinute === undefined) level = Number.POSITIVE_INFINITY;
      else {
        fill(perMinute, enteredAt);
        level -= 1;
      }
      const isUsual = isFree(enteredAt);
      const sent = judge.send(enteredAt, isUsual);
      const isTrial = learned !== undefined && enteredAt > learned.at + learned.holdMs;
      epoch.sent += 1;
      if (isTrial) trial.sent += 1;
      since ??= enteredAt;
      accepted += 1;
      lately.add(1, enteredAt);
      return {
        leave({ outcome }, now) {
          if (outcome === 'ok' && enteredAt >= alarmAt) epoch.answered += 1;
          if (outcome !== 'limited') return;
          lately.correct(-1, enteredAt, now);
          const judged = judge.refuse(sent, isUsual);
          // What was sent before the last alarm says nothing new.
          if (enteredAt < alarmAt) return;
          accepted -= 1;
          epoch.refused += 1;
          if (isTrial) trial.refused += 1;
          // Nothing was let through since the last alarm: it is the same limit still.
          const isOver =
            judged !== undefined && (learned === undefined || judged.refused < judged.attempts);
          if (isOver || (!isFree(now) && isTooHigh())) learn(enteredAt, now);
        },
      };
    },
  };
}
