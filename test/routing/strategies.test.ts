import { describe, expect, it } from 'vitest';
import type {
  Strategy,
  StrategyCandidate,
  StrategyContext,
  TargetKnowledge,
} from '../../src/protocol/strategy.ts';
import { balanced, balancedScores } from '../../src/routing/strategies/balanced.ts';
import { cheapest } from '../../src/routing/strategies/cheapest.ts';
import { fastest } from '../../src/routing/strategies/fastest.ts';
import { leastBusy } from '../../src/routing/strategies/least-busy.ts';
import { roundRobin } from '../../src/routing/strategies/round-robin.ts';
import { weighted } from '../../src/routing/strategies/weighted.ts';
import { Recent } from '../../src/telemetry/statistics.ts';

type Known = Partial<TargetKnowledge>;

/** Pseudo-random numbers from a seed (mulberry32), so that a failure repeats. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function targets(...ids: readonly string[]): readonly StrategyCandidate[] {
  return ids.map((id) => ({ id, provider: id, model: 'm', weight: 1 }));
}

function contextOf(
  known: Readonly<Record<string, Known>>,
  more: Partial<StrategyContext> = {},
): StrategyContext {
  return {
    call: {
      kind: 'chat',
      tier: 't',
      tags: {},
      mode: 'complete',
      inputTokens: 10,
      remainingMs: 1_000,
    },
    knowledge: ({ id }) => ({ calls: 0, inFlight: 0, queued: 0, isAvailable: true, ...known[id] }),
    turn: 0,
    now: () => 0,
    random: seeded(1),
    score: () => undefined,
    ...more,
  };
}

function idsOf(
  strategy: Strategy,
  candidates: readonly StrategyCandidate[],
  context: StrategyContext,
): readonly string[] {
  return strategy.order(candidates, context).map(({ id }) => id);
}

describe('weighted', () => {
  const weights = [5, 3, 1, 0.5, 0];
  const candidates = targets('a', 'b', 'c', 'd', 'e').map((each, at) => ({
    ...each,
    weight: weights[at] ?? 0,
  }));
  const context = contextOf({}, { random: seeded(42) });

  it('draws the first target by its weight, within three standard deviations', () => {
    const draws = 100_000;
    const firsts = new Map<string, number>();
    for (let draw = 0; draw < draws; draw++) {
      const [first = ''] = idsOf(weighted, candidates, context);
      firsts.set(first, (firsts.get(first) ?? 0) + 1);
    }
    const sum = weights.reduce((total, weight) => total + weight, 0);
    for (const { id, weight } of candidates) {
      const share = weight / sum;
      const sigma = Math.sqrt(draws * share * (1 - share));
      expect(Math.abs((firsts.get(id) ?? 0) - draws * share)).toBeLessThanOrEqual(3 * sigma);
    }
  });

  it('puts a target of weight 0 last, and keeps every target', () => {
    const order = idsOf(weighted, candidates, context);
    expect(order.at(-1)).toBe('e');
    expect([...order].sort()).toEqual(['a', 'b', 'c', 'd', 'e']);
  });
});

describe('round-robin', () => {
  it('begins with the next target at each turn', () => {
    const at = (turn: number) => idsOf(roundRobin, targets('a', 'b', 'c'), contextOf({}, { turn }));
    expect([0, 1, 2, 3].map(at)).toEqual([
      ['a', 'b', 'c'],
      ['b', 'c', 'a'],
      ['c', 'a', 'b'],
      ['a', 'b', 'c'],
    ]);
  });
});

describe('least-busy', () => {
  it('orders by attempts in flight and in the queue', () => {
    const known = { a: { inFlight: 1, queued: 2 }, b: { inFlight: 2 }, c: { queued: 1 } };
    expect(idsOf(leastBusy, targets('a', 'b', 'c'), contextOf(known))).toEqual(['c', 'b', 'a']);
  });

  it('does not send every call to the same one of idle targets', () => {
    const context = contextOf({}, { random: seeded(7) });
    const firsts = new Set(
      Array.from({ length: 50 }, () => idsOf(leastBusy, targets('a', 'b', 'c'), context)[0]),
    );
    expect(firsts.size).toBe(3);
  });
});

describe('cheapest', () => {
  it('orders by expected cost, unknown ones last, and keeps the order of equal costs', () => {
    const known = { b: { usd: 5 }, c: { usd: 1 }, e: { usd: 5 } };
    const order = idsOf(cheapest, targets('a', 'b', 'c', 'd', 'e'), contextOf(known));
    expect(order).toEqual(['c', 'b', 'e', 'a', 'd']);
  });
});

/** A world in which each target answers in its usual time, one call after another or several at once. */
function simulated(
  strategy: Strategy,
  msOf: (id: string, now: number, random: () => number) => number,
  options: { readonly count?: number; readonly everyMs?: number; readonly seed?: number } = {},
) {
  const { count = 10, everyMs = 100, seed = 3 } = options;
  const random = seeded(seed);
  const candidates = targets(...Array.from({ length: count }, (_, at) => `t${at}`));
  const recents = new Map(candidates.map(({ id }) => [id, new Recent()]));
  const inFlight = new Map<string, number>();
  const ends: { readonly at: number; readonly id: string; readonly ms: number }[] = [];
  let now = 0;
  let turn = 0;
  return {
    get now() {
      return now;
    },
    call(): { readonly id: string; readonly ms: number } {
      now += everyMs;
      for (const end of ends.splice(0)) {
        if (end.at > now) {
          ends.push(end);
          continue;
        }
        inFlight.set(end.id, (inFlight.get(end.id) ?? 1) - 1);
        recents
          .get(end.id)
          ?.record(
            { outcome: 'ok', firstTokenMs: end.ms, totalMs: end.ms, outputTokens: 1 },
            end.at,
          );
      }
      const context = contextOf(
        {},
        {
          turn: turn++,
          random,
          now: () => now,
          knowledge: ({ id }) => {
            const recent = recents.get(id);
            return {
              calls: 0,
              queued: 0,
              isAvailable: true,
              inFlight: inFlight.get(id) ?? 0,
              recentFirstTokenMs: recent?.firstToken.value(now),
              totalMs: recent?.totalMs(1, now),
              recentFailureRate: recent?.failureRate(now),
              idleMs: recent?.idleMs(now),
            };
          },
        },
      );
      const [{ id } = { id: '' }] = strategy.order(candidates, context);
      const ms = msOf(id, now, random);
      inFlight.set(id, (inFlight.get(id) ?? 0) + 1);
      ends.push({ at: now + ms, id, ms });
      return { id, ms };
    },
  };
}

type Simulated = ReturnType<typeof simulated>;

function calls(world: Simulated, count: number) {
  return Array.from({ length: count }, () => world.call());
}

function share(list: readonly { readonly id: string }[], id: string): number {
  return list.filter((each) => each.id === id).length / list.length;
}

function p99(list: readonly { readonly ms: number }[]): number {
  const sorted = list.map(({ ms }) => ms).sort((a, b) => a - b);
  return sorted[Math.ceil(0.99 * sorted.length) - 1] ?? Number.NaN;
}

/** Around the usual time of the target, as vendors vary. */
const around = (ms: number, random: () => number) => ms * (0.9 + 0.2 * random());

/** The rule of others: the average of the oldest samples, and the best takes every call. */
const oldestSamples = (): Strategy => {
  const kept = new Map<string, number>();
  return {
    order(candidates, { knowledge }) {
      for (const each of candidates) {
        const ms = knowledge(each).recentFirstTokenMs;
        if (ms !== undefined && !kept.has(each.id)) kept.set(each.id, ms);
      }
      return candidates.toSorted((a, b) => (kept.get(a.id) ?? 0) - (kept.get(b.id) ?? 0));
    },
  };
};

describe.each([1, 2, 3, 4, 5])('fastest, in a world of seed %i', (seed) => {
  it.each([20, 100, 1_000])(
    'leaves a target that is ten times slower, a call each %i ms',
    (everyMs) => {
      const slow = (id: string, _now: number, random: () => number) =>
        around(id === 't0' ? 1_000 : 100, random);
      const world = simulated(fastest({}), slow, { everyMs, seed });
      calls(world, 50);
      const later = calls(world, 1_000);
      expect(share(later, 't0')).toBeLessThanOrEqual(0.02);
      expect(p99(later)).toBeLessThanOrEqual(1.15 * 110);
    },
  );

  it('gives equal targets equal shares', () => {
    const world = simulated(fastest({}), (_id, _now, random) => around(100, random), {
      everyMs: 10,
      seed,
    });
    const all = calls(world, 10_000);
    for (let at = 0; at < 10; at++) {
      expect(share(all, `t${at}`)).toBeGreaterThanOrEqual(0.085);
      expect(share(all, `t${at}`)).toBeLessThanOrEqual(0.115);
    }
  });

  it('gives a target that recovered its share again within a minute', () => {
    const recovers = (id: string, now: number, random: () => number) =>
      around(id === 't0' && now < 120_000 ? 1_000 : 100, random);
    const world = simulated(fastest({}), recovers, { everyMs: 100, seed });
    while (world.now < 180_000) world.call();
    expect(share(calls(world, 2_000), 't0')).toBeGreaterThanOrEqual(0.08);
  });

  it('is needed: the best of the oldest samples sends every call to one target, and none to one that recovered', () => {
    const recovers = (id: string, now: number, random: () => number) =>
      around(id === 't0' && now < 120_000 ? 1_000 : 100, random);
    const world = simulated(oldestSamples(), recovers, { everyMs: 100, seed });
    while (world.now < 180_000) world.call();
    const later = calls(world, 2_000);
    expect(share(later, 't0')).toBe(0);
    expect(new Set(later.map(({ id }) => id)).size).toBe(1);
  });
});

it('fastest compares the whole answer when it is told to', () => {
  const known = {
    a: { recentFirstTokenMs: 10, totalMs: 900 },
    b: { recentFirstTokenMs: 90, totalMs: 100 },
  };
  expect(idsOf(fastest({}), targets('a', 'b'), contextOf(known))).toEqual(['a', 'b']);
  expect(idsOf(fastest({ by: 'total' }), targets('a', 'b'), contextOf(known))).toEqual(['b', 'a']);
});

it('fastest does not take a target for fast that fails fast', () => {
  const known = {
    a: { recentFirstTokenMs: 10, recentFailureRate: 0.99 },
    b: { recentFirstTokenMs: 100, recentFailureRate: 0 },
  };
  expect(idsOf(fastest({}), targets('a', 'b'), contextOf(known))).toEqual(['b', 'a']);
});

describe('balanced', () => {
  const cheapAndSlow = { usd: 1, ms: 2_000, failureRate: 0 };
  const dearAndFast = { usd: 4, ms: 500, failureRate: 0 };

  it('weighs cost against time', () => {
    const best = (settings: object) => {
      const [a = 0, b = 0] = balancedScores([cheapAndSlow, dearAndFast], settings);
      return a < b ? 'cheap' : 'fast';
    };
    expect(best({ cost: 5 })).toBe('cheap');
    expect(best({ latency: 5 })).toBe('fast');
    expect(best({ latency: 0 })).toBe('cheap');
    expect(best({ cost: 0 })).toBe('fast');
  });

  it('adds what a failure costs: its weight, and the next attempt', () => {
    const failing = { ...cheapAndSlow, failureRate: 0.5 };
    const [sound = 0, other = 0] = balancedScores([cheapAndSlow, dearAndFast], {});
    const [worse = 0] = balancedScores([failing, dearAndFast], {});
    expect(worse - sound).toBeCloseTo(0.5 * (1 + other));
  });

  it('tries a target whose time is unknown', () => {
    const known = {
      a: { usd: 1, totalMs: 500 },
      b: { usd: 1 },
      c: { usd: 1, totalMs: 400 },
    };
    const order = idsOf(balanced({}), targets('a', 'b', 'c'), contextOf(known));
    expect(order.indexOf('b')).toBeLessThan(order.indexOf('a'));
  });

  it('is no number that cannot be compared, whatever is known', () => {
    const nothing = { usd: undefined, ms: undefined, failureRate: 0 };
    const zero = { usd: 0, ms: 0, failureRate: 1 };
    for (const figures of [[], [nothing], [zero], [nothing, zero], [zero, zero]]) {
      expect(balancedScores(figures, {}).every(Number.isFinite)).toBe(true);
    }
  });
});
