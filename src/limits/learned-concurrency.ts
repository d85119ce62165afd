import {
  createSendWindow,
  type RejectedShare,
  type Sent,
  unusualRejections,
} from '../internal/windows.ts';
import type { Gate } from './gate.ts';

/** With fewer attempts in flight, our load is not why the vendor is overloaded. */
const minInFlight = 4;

/**
 * How long a limit is held before it is raised. Short at first, because it may be a mistake or end soon. Three times as
 * long each time the limit was in use and still too high.
 */
const holdMs = { first: 2_000, max: 60_000, factor: 3 } as const;

export interface LearnedConcurrency extends LearnedGate {
  /** Too many attempts are in flight: one that was sent at `enteredAt` was rejected. */
  learn(enteredAt: number, now: number): void;
  inFlight(): number;
}

/**
 * Limits the attempts in flight. There is no limit until too many are rejected; then it is half of the attempts in
 * flight. It is held for a while and then raised. If it was in use and raised when too many were rejected again, it
 * returns to its value before the raise. Overload errors that are more frequent than usual count too. A limit learned
 * in an outage is forgotten at the next answer.
 */
export function createLearnedConcurrency(): LearnedConcurrency {
  const baseline = createRejectionBaseline();
  let inFlight = 0;
  let learned: LearnedLimit | undefined;
  /** Whether an attempt was answered since the limit was learned. */
  let isProven = false;
  /** Attempts below the limit were rejected and none was answered, so the number in flight is not the reason. */
  let isOutage = false;
  const limit = (now: number): number | undefined => limitAt(learned, now);

  function learn(enteredAt: number, now: number): void {
    // An attempt sent before the limit was learned shows nothing about it. A limit below one is impossible.
    if (inFlight <= 1 || enteredAt < (learned?.at ?? enteredAt)) return;
    const before = limit(now);
    const half = Math.max(1, Math.min(inFlight, before ?? inFlight) / 2);
    if (learned !== undefined && !isProven) {
      // The circuit handles outages. A limit learned during one would slow the target down after it.
      isOutage = true;
      learned = { ...learned, at: now, holdMs: holdMs.first };
      return;
    }
    isProven = false;
    // The limit was not in use, so its value was not the reason.
    if (learned === undefined || before === undefined || inFlight < Math.floor(before)) {
      learned = { base: half, at: now, holdMs: holdMs.first };
      return;
    }
    learned = {
      base: isRaised(learned, now) ? Math.max(learned.base, half) : half,
      at: now,
      holdMs: Math.min(holdMs.max, learned.holdMs * holdMs.factor),
    };
  }

  function answered(): void {
    if (isOutage) learned = undefined;
    isOutage = false;
    isProven = true;
  }

  return {
    name: 'the learned concurrency limit',
    limit,
    opensAt: (_, now) =>
      inFlight < Math.floor(limit(now) ?? Number.POSITIVE_INFINITY)
        ? now
        : Number.POSITIVE_INFINITY,
    intervalMs: () => 0,
    enter(_, enteredAt) {
      inFlight += 1;
      const sent = baseline.send(enteredAt, true);
      return {
        leave({ outcome }, now) {
          if (outcome === 'overloaded' && inFlight >= minInFlight) {
            if (baseline.rejected(sent, true) !== undefined) learn(enteredAt, now);
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

/** A learned limit is raised to twice its value in this time after its hold, and to five times in twice the time. */
const growthMs = 10_000;

/** A limit that has grown by this factor no longer limits anything. */
const forgetFactor = 100;

/** From this factor on, a limit counts as raised. */
const raisedFactor = 1.1;

/** A gate whose limit is learned. */
export interface LearnedGate extends Gate {
  /** The current limit; `undefined` while none is learned. */
  limit(now: number): number | undefined;
}

/** The limit learned last. It is held for a time and then raised, slowly at first. */
export type LearnedLimit = {
  readonly base: number;
  /** Epoch milliseconds at which it was learned. */
  readonly at: number;
  readonly holdMs: number;
};

/** The current value of the limit; `undefined` if there is none, or if it has grown until it was forgotten. */
export function limitAt(learned: LearnedLimit | undefined, now: number): number | undefined {
  if (learned === undefined) return undefined;
  const growth = 1 + (Math.max(0, now - learned.at - learned.holdMs) / growthMs) ** 2;
  return growth > forgetFactor ? undefined : learned.base * growth;
}

/** Whether the limit has been raised above the learned value. */
export function isRaised(learned: LearnedLimit, now: number): boolean {
  return (limitAt(learned, now) ?? Number.POSITIVE_INFINITY) > learned.base * raisedFactor;
}

/** Attempts required before the usual share is known. */
const minAttempts = 40;

/** Maximum probability per attempt that the usual share alone raises an alarm. */
const falseAlarms = 1e-5;

/** The assumed share before the first attempt, and how many attempts it counts as. */
const prior = { rejected: 0.5, attempts: 100 } as const;

/** Attempts over which the usual share is averaged. */
const maxAttempts = 1_000;

/**
 * Distinguishes rate limits caused by our rate or concurrency from those that occur at any rate: learns the usual share
 * of rejected attempts, and reports when more are rejected.
 */
export interface RejectionBaseline {
  /** Counts an attempt that is sent at `now`. `isUsual`: none of our limits affects the share. */
  send(now: number, isUsual: boolean): Sent;
  /**
   * Records that the vendor rejected the attempt. Returns the share of the last twenty attempts if it is unusually
   * high, so that there must be a limit. Attempts sent so far do not count towards the next alarm.
   */
  rejected(sent: Sent, isUsual: boolean): RejectedShare | undefined;
  /** The share that is rejected at any rate. */
  usualShare(): number;
  /** Replaces the usual share. */
  setUsualShare(share: number): void;
}

export function createRejectionBaseline(): RejectionBaseline {
  const window = createSendWindow();
  let attempts = 0;
  let rejected = 0;
  let isKnown = false;
  /** Attempts up to this number belong to an earlier alarm. */
  let judged = 0;
  let latest = 0;
  /** The attempts under test must not be part of the share that they are compared with. */
  const shareWithout = (excluded: RejectedShare): number =>
    (Math.max(0, rejected - excluded.rejected) + prior.rejected) /
    (Math.max(0, attempts - excluded.attempts) + prior.attempts);

  return {
    send(now, isUsual) {
      if (isUsual) attempts += 1;
      isKnown ||= attempts >= minAttempts;
      if (attempts > maxAttempts) {
        attempts /= 2;
        rejected /= 2;
      }
      const sent = window.send(now);
      latest = sent.number;
      return sent;
    },
    rejected(sent, isUsual) {
      if (isUsual && sent.number > judged) rejected += 1;
      const recent = window.rejected(sent);
      if (!isKnown) return undefined;
      const share = shareWithout(isUsual ? recent : { rejected: 0, attempts: 0 });
      if (recent.rejected < unusualRejections(Math.min(share, 0.5), falseAlarms)) return undefined;
      if (isUsual) rejected = Math.max(0, rejected - recent.rejected);
      judged = latest;
      window.reset();
      return recent;
    },
    usualShare: () => shareWithout({ rejected: 0, attempts: 0 }),
    setUsualShare(share) {
      attempts = maxAttempts / 4;
      rejected = share * attempts;
      isKnown = true;
      window.reset();
    },
  };
}
