import type { Gate } from './gate.ts';

/** Once it is tried higher, a learned limit is twice as high after this time, five times after twice the time. */
const growthMs = 10_000;

/** A limit that has grown by this factor holds nobody back any more. */
const forgetFactor = 100;

/** A limit counts as tried higher from this factor on. */
const triedHigher = 1.1;

/** A limit that is learned. */
export interface AdaptiveGate extends Gate {
  /** What it lets through now; `undefined` while nothing speaks for a limit. */
  limit(now: number): number | undefined;
}

/** What was learned last. It is kept for a time and then grows, slowly at first. */
export type LearnedLimit = {
  readonly base: number;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly holdMs: number;
};

/** What the limit has grown to; `undefined` without one, and once it is forgotten. */
export function limitAt(learned: LearnedLimit | undefined, now: number): number | undefined {
  if (learned === undefined) return undefined;
  const growth = 1 + (Math.max(0, now - learned.at - learned.holdMs) / growthMs) ** 2;
  return growth > forgetFactor ? undefined : learned.base * growth;
}

/** Whether more is let through than was learned. */
export function isTriedHigher(learned: LearnedLimit, now: number): boolean {
  return (limitAt(learned, now) ?? Number.POSITIVE_INFINITY) > learned.base * triedHigher;
}
