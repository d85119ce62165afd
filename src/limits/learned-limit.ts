import type { Gate } from './gate.ts';

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
