import { type AdaptiveGate, isTriedHigher, type LearnedLimit, limitAt } from './learned-limit.ts';
import { createRefusalJudge } from './refusal-judge.ts';

/** With fewer in flight, a busy vendor is not busy with us. */
const leastBlame = 4;

/**
 * How long a limit is kept before it is tried higher: short at first, since it may be a mistake or over soon, and three
 * times as long whenever it was in use and there were too many again.
 */
const holdMs = { first: 2_000, most: 60_000, factor: 3 } as const;

export interface AdaptiveConcurrency extends AdaptiveGate {
  /** There are too many in flight: an attempt that was sent at that time was refused. */
  learn(enteredAt: number, now: number): void;
  inFlight(): number;
}

/**
 * Attempts in flight at once: no limit until there are too many, then half of them. It is kept for a while and then
 * grows. Where it was in use and had grown when there were too many again, it goes back to where it was. A vendor
 * that is too busy more often than usual teaches it as well.
 */
export function createAdaptiveConcurrency(): AdaptiveConcurrency {
  const judge = createRefusalJudge();
  let inFlight = 0;
  let learned: LearnedLimit | undefined;
  /** Whether an attempt was answered since the limit was learned. */
  let isProven = false;
  /** Attempts below the limit were rejected, and none was answered: not the number in flight is the reason. */
  let isOutage = false;
  const limit = (now: number): number | undefined => limitAt(learned, now);

  function learn(enteredAt: number, now: number): void {
    // What was sent before the limit was learned says nothing about it; and fewer than one cannot be.
    if (inFlight <= 1 || enteredAt < (learned?.at ?? enteredAt)) return;
    const before = limit(now);
    const half = Math.max(1, Math.min(inFlight, before ?? inFlight) / 2);
    if (learned !== undefined && !isProven) {
      // The circuit handles outages. What is learned in one would slow the target down after it.
      isOutage = true;
      learned = { ...learned, at: now, holdMs: holdMs.first };
      return;
    }
    isProven = false;
    // Nobody was held back: it is not this limit that was wrong.
    if (learned === undefined || before === undefined || inFlight < Math.floor(before)) {
      learned = { base: half, at: now, holdMs: holdMs.first };
      return;
    }
    learned = {
      base: isTriedHigher(learned, now) ? Math.max(learned.base, half) : half,
      at: now,
      holdMs: Math.min(holdMs.most, learned.holdMs * holdMs.factor),
    };
  }

  function answered(): void {
    if (isOutage) learned = undefined;
    isOutage = false;
    isProven = true;
  }

  return {
    name: 'the concurrency learned from its refusals',
    limit,
    opensAt: (_, now) =>
      inFlight < Math.floor(limit(now) ?? Number.POSITIVE_INFINITY)
        ? now
        : Number.POSITIVE_INFINITY,
    paceMs: () => 0,
    enter(_, enteredAt) {
      inFlight += 1;
      const sent = judge.send(enteredAt, true);
      return {
        leave({ outcome }, now) {
          if (outcome === 'overloaded' && inFlight >= leastBlame) {
            if (judge.refuse(sent, true) !== undefined) learn(enteredAt, now);
          }
          if (outcome === 'ok') answered();
          inFlight -= 1;
        },
      };
    },
    learn,
    inFlight: () => inFlight,
  };
}
