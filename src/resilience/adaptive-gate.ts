import type { Gate } from './gate.ts';
import { createRateGate, type RateGate } from './rate-gate.ts';
import { createRefusalJudge } from './refusal-judge.ts';

/** With fewer in flight, a busy vendor is not busy with us. */
const leastBlame = 4;

/** A learned limit doubles in this time once it is tried higher. */
const doublingMs = 3_000;

/** A limit that has grown by this factor holds nobody back any more. */
const forgetFactor = 1_000;

/**
 * How long a learned limit is kept before it is tried higher. `first`: it may be a mistake, or over soon. `again`: it
 * held back attempts, and more were refused than usual all the same, so there is a limit.
 */
const concurrencyHoldMs = { first: 2_000, again: 60_000 } as const;
const rateHoldMs = { first: 20_000, again: 60_000 } as const;

/** A limit counts as tried higher from this factor on. */
const triedHigher = 1.1;

/** A limit that is learned. */
export interface AdaptiveGate extends Gate {
  /** What it lets through now; `undefined` while nothing speaks for a limit. */
  limit(now: number): number | undefined;
}

/** What was learned last. It is kept for a time and then grows, until it is refused again. */
type Learned = { readonly base: number; readonly at: number; readonly holdMs: number };

function limitOf(learned: Learned | undefined, now: number): number | undefined {
  if (learned === undefined) return undefined;
  const { base, at } = learned;
  const growth = 2 ** (Math.max(0, now - at - learned.holdMs) / doublingMs);
  return growth > forgetFactor ? undefined : base * growth;
}

/**
 * Attempts in flight at once, learned from refusals: no limit until more are refused than usual, then half of what
 * was in flight. It is kept for a while and then doubles every few seconds. Where it was in use and had grown when
 * refusals came again, it goes back to where it was.
 */
export function createAdaptiveConcurrency(): AdaptiveGate {
  const judge = createRefusalJudge();
  let inFlight = 0;
  let learned: Learned | undefined;
  const limit = (now: number): number | undefined => limitOf(learned, now);

  function learn(were: number, now: number): void {
    const before = limit(now);
    const half = Math.max(1, Math.min(were, before ?? were) / 2);
    // Nobody was held back: it is not this limit that was wrong.
    if (learned === undefined || before === undefined || were < Math.floor(before)) {
      learned = { base: half, at: now, holdMs: concurrencyHoldMs.first };
      return;
    }
    const hasGrown = before > learned.base * triedHigher;
    const base = hasGrown ? Math.max(learned.base, half) : half;
    learned = { base, at: now, holdMs: concurrencyHoldMs.again };
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
      const number = judge.send(enteredAt);
      return {
        leave({ outcome, isTargetLimited }, now) {
          const were = inFlight;
          inFlight -= 1;
          const refused = outcome === 'limited' || (outcome === 'overloaded' && were >= leastBlame);
          if (!refused) return;
          const isUnusual = judge.refuse(number, limit(now) !== undefined);
          // What was sent before the limit was learned says nothing about it.
          if (learned !== undefined && enteredAt < learned.at) return;
          if (!isUnusual && isTargetLimited !== true) return;
          judge.startOver();
          // One at a time is the least, and may be refused for other reasons.
          if (were > 1) learn(were, now);
        },
      };
    },
  };
}

/** With fewer passes for each attempt in flight, it is their number at once that the vendor refuses. */
const passesForRate = 10;

/** A time between two alarms that is shorter than this says little about what the vendor lets through. */
const shortCycleMs = 10_000;

/** A longer one says little about what it lets through now. */
const longCycleMs = 180_000;

/** What passed is counted over a second at least: a few attempts at once are no rate. */
const leastCountedMs = 1_000;

/**
 * Requests a minute, learned from refusals: where answers come fast, holding back how many are in flight does not
 * hold back how many are sent. No limit until more are refused than usual. Then what the vendor has let through, and
 * from alarm to alarm: vendors that count by the minute and those that refill have then given all they had.
 *
 * What passed while this limit itself held attempts back was our choice: it never lowers the limit by much.
 */
export function createAdaptiveRate(): AdaptiveGate {
  const judge = createRefusalJudge();
  let learned: Learned | undefined;
  let inFlight = 0;
  /** When the first passed: before that nothing could. */
  let since: number | undefined;
  /** Let through by the vendor since the last alarm. */
  let accepted = 0;
  let alarmAt = Number.NEGATIVE_INFINITY;
  /** When it held an attempt back last. */
  let shutAt = Number.NEGATIVE_INFINITY;

  const limit = (now: number): number | undefined => limitOf(learned, now);

  const rate: RateGate = createRateGate({
    name: () => 'the rate learned from its refusals',
    unit: 'requests',
    perMinute: limit,
  });

  /** What the vendor has let through, in requests a minute. */
  function acceptedPerMinute(now: number): number {
    const cycleMs = now - alarmAt;
    const isKnown = cycleMs <= longCycleMs && (limit(now) !== undefined || shutAt < alarmAt);
    const begunAt = Math.max(shutAt, since ?? now);
    const countedMs = isKnown ? cycleMs : Math.min(60_000, now - begunAt);
    const count = isKnown ? accepted : rate.passedSince(now - countedMs, now);
    return (count * 60_000) / Math.max(leastCountedMs, countedMs);
  }

  function learn(now: number): void {
    // Nothing has been let through since: it is the same limit still.
    if (accepted < 1) return;
    const before = limit(now);
    const passed = acceptedPerMinute(now);
    const isOurs = learned !== undefined && before !== undefined && shutAt >= learned.at;
    if (!isOurs || learned === undefined || before === undefined) {
      if (before === undefined && passed < passesForRate * inFlight) return;
      learned = { base: Math.max(1, passed), at: now, holdMs: rateHoldMs.first };
    } else if (before > learned.base * triedHigher) {
      const base = Math.min(before, Math.max(learned.base, passed));
      learned = { base, at: now, holdMs: rateHoldMs.again };
    } else if (now - alarmAt < shortCycleMs) {
      const base = Math.max(1, learned.base / 2, Math.min(learned.base, passed));
      learned = { base, at: now, holdMs: rateHoldMs.again };
    } else {
      const base = Math.max(1, learned.base * 0.9, Math.min(learned.base, passed));
      learned = { ...learned, base };
    }
    accepted = 0;
    alarmAt = now;
  }

  return {
    name: rate.name,
    limit,
    opensAt(load, now) {
      const at = rate.opensAt(load, now);
      if (at > now) shutAt = now;
      return at;
    },
    paceMs: rate.paceMs,
    enter(load, enteredAt) {
      const pass = rate.enter(load, enteredAt);
      const number = judge.send(enteredAt);
      since ??= enteredAt;
      inFlight += 1;
      accepted += 1;
      return {
        leave(departure, now) {
          pass.leave(departure, now);
          if (departure.outcome === 'limited') {
            const isUnusual = judge.refuse(number, limit(now) !== undefined);
            if (enteredAt >= alarmAt) {
              accepted -= 1;
              if (isUnusual || departure.isTargetLimited === true) {
                judge.startOver();
                learn(now);
              }
            }
          }
          inFlight -= 1;
        },
      };
    },
  };
}
