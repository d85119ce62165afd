import type { Gate } from './gate.ts';
import { createRateGate, type RateGate } from './rate-gate.ts';

/** After so long without a refusal, what was learned from the last one is forgotten. */
const forgetMs = 600_000;

/** With fewer in flight, a busy vendor is not busy with us. */
const leastBlame = 4;

/** A limit that is learned. */
export interface AdaptiveGate extends Gate {
  /** What it lets through now; `undefined` while nothing speaks for a limit. */
  limit(now: number): number | undefined;
}

/**
 * Attempts in flight at once, learned from refusals (additive increase, multiplicative decrease): no limit
 * until the vendor refuses, then half of what was in flight, one more for each round of successes, and half
 * again with each refusal. Refusals of attempts that were sent before the last one tell nothing new.
 */
export function createAdaptiveConcurrency(): AdaptiveGate {
  let inFlight = 0;
  let learned: { readonly limit: number; readonly at: number } | undefined;

  function limit(now: number): number | undefined {
    if (learned !== undefined && now - learned.at > forgetMs && inFlight < learned.limit) {
      learned = undefined;
    }
    return learned?.limit;
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
      return {
        leave({ outcome }, now) {
          const were = inFlight;
          inFlight -= 1;
          const isFull = learned !== undefined && were >= Math.floor(learned.limit);
          if (outcome === 'ok' && learned !== undefined && isFull) {
            learned = { ...learned, limit: learned.limit + 1 / learned.limit };
          }
          const refused = outcome === 'limited' || (outcome === 'overloaded' && were >= leastBlame);
          if (!refused || (learned !== undefined && enteredAt < learned.at)) return;
          learned = { limit: Math.max(1, Math.min(were, learned?.limit ?? were) / 2), at: now };
        },
      };
    },
  };
}

/** With fewer passes for each attempt in flight, it is their number at once that the vendor refuses. */
const passesForRate = 10;

/**
 * How fast a learned rate is tried higher, for each minute without a refusal. The first one is a guess: what
 * passed before it may be a minute's worth, or a few seconds' of a vendor that would have taken more.
 */
const growth = { first: 2, later: 1.1 } as const;

/** A refusal never takes more than half of the rate, whatever the last seconds look like. */
const leastLeft = 0.5;

/**
 * Requests a minute, learned from refusals: where answers come fast, holding back how many are in flight does
 * not hold back how many are sent. Once refused, it lets through what the vendor has let through: over the
 * last minute, or since the last refusal if that is less long ago; and a little more with each minute.
 */
export function createAdaptiveRate(): AdaptiveGate {
  let learned:
    | { readonly perMinute: number; readonly at: number; readonly kind: keyof typeof growth }
    | undefined;
  let inFlight = 0;
  let refused = 0;

  function limit(now: number): number | undefined {
    if (learned === undefined) return undefined;
    const quietMs = now - learned.at;
    if (quietMs > forgetMs) return undefined;
    return learned.perMinute * growth[learned.kind] ** (quietMs / 60_000);
  }

  const rate: RateGate = createRateGate({
    name: () => 'the rate learned from its refusals',
    unit: 'requests',
    perMinute: limit,
  });

  function learn(now: number): void {
    const before = limit(now);
    const lookedBackMs =
      learned === undefined || before === undefined ? 60_000 : Math.min(60_000, now - learned.at);
    const taken = rate.passedSince(now - lookedBackMs, now) - refused;
    refused = 0;
    if (before === undefined && taken < passesForRate * inFlight) return;
    const perMinute = (taken * 60_000) / Math.max(1, lookedBackMs);
    if (before === undefined) {
      learned = { perMinute: Math.max(1, perMinute), at: now, kind: 'first' };
      return;
    }
    const kept = Math.max(1, before * leastLeft, Math.min(before, perMinute));
    learned = { perMinute: kept, at: now, kind: 'later' };
  }

  return {
    name: rate.name,
    limit,
    opensAt: rate.opensAt,
    paceMs: rate.paceMs,
    enter(load, enteredAt) {
      const pass = rate.enter(load, enteredAt);
      inFlight += 1;
      return {
        leave(departure, now) {
          pass.leave(departure, now);
          if (departure.outcome === 'limited') {
            refused += 1;
            if (learned === undefined || enteredAt >= learned.at) learn(now);
          }
          inFlight -= 1;
        },
      };
    },
  };
}
