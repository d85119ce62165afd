import { describe, expect, it } from 'vitest';
import { createLearnedGates } from '../../src/limits/learned-rate.ts';

const load = { tokens: 1 };
const ok = { outcome: 'ok', tokens: 1 } as const;
const limited = { outcome: 'limited', tokens: undefined } as const;
const minuteMs = 60_000;

/** Whether the vendor accepts an attempt that is sent at that time. */
type Accepts = (now: number) => boolean;
const always: Accepts = () => true;
const never: Accepts = () => false;

/** A vendor that accepts one attempt in so many milliseconds, and at most one saved up. */
function refillsEvery(ms: number): Accepts {
  let level = 1;
  let filledAt = 0;
  return (now) => {
    level = Math.min(1, level + (now - filledAt) / ms);
    filledAt = now;
    if (level < 1) return false;
    level -= 1;
    return true;
  };
}

/** Rejects every n-th attempt, whatever the rate. */
function rejectsOneIn(n: number): Accepts {
  let sent = 0;
  return () => {
    sent += 1;
    return sent % n !== 0;
  };
}

function setUp() {
  const { rate, concurrency } = createLearnedGates();
  const startedAt = 1_000_000;
  const clock = { now: startedAt };
  const enter = () => {
    const passes = [rate, concurrency].map((gate) => gate.enter(load, clock.now));
    return (departure: typeof ok | typeof limited): void => {
      for (const pass of passes) pass.leave(departure, clock.now);
    };
  };
  /** Wants to send one attempt every `everyMs` for `ms`, as far as the gate is open. Vendors answer at once. */
  const run = (everyMs: number, ms: number, accepts: Accepts) => {
    const counts = { sent: 0, rejected: 0 };
    for (const end = clock.now + ms; clock.now < end; clock.now += everyMs) {
      if (rate.opensAt(load, clock.now) > clock.now) continue;
      const isAccepted = accepts(clock.now);
      enter()(isAccepted ? ok : limited);
      counts.sent += 1;
      if (!isAccepted) counts.rejected += 1;
    }
    return counts;
  };
  const limit = (): number | undefined => rate.limit(clock.now);
  /** Learns a limit of 600 per minute from a vendor that has accepted that so far. */
  const learn = (): number => {
    run(100, 6_000, always);
    run(1, 4, never);
    return limit() ?? Number.NaN;
  };
  return { rate, concurrency, clock, enter, run, limit, learn };
}

describe('the learned rate', () => {
  it('has no limit while attempts are answered', () => {
    const { rate, clock, run, limit } = setUp();
    expect(run(1, 2_000, always)).toEqual({ sent: 2_000, rejected: 0 });
    expect(limit()).toBeUndefined();
    expect(rate.opensAt(load, clock.now)).toBe(clock.now);
    expect(rate.intervalMs(load)).toBe(0);
  });

  it('is what the vendor accepted when more are rejected than usual', () => {
    const { rate, concurrency, clock, run, limit } = setUp();
    run(100, 6_000, always);
    run(1, 3, never);
    expect(limit()).toBeUndefined();
    run(1, 1, never);
    expect(limit()).toBeCloseTo((60 * minuteMs) / 6_003);
    expect(concurrency.limit(clock.now)).toBeUndefined();
    expect(rate.name).toBe('the learned rate limit');
  });

  it('is not learned before forty attempts, because the usual share of rejections is unknown', () => {
    const limitAfter = (accepted: number): number | undefined => {
      const { run, limit } = setUp();
      run(100, 100 * accepted, always);
      run(1, 4, never);
      return limit();
    };
    expect(limitAfter(35)).toBeUndefined();
    expect(limitAfter(36)).toBeCloseTo(600, -1);
  });

  it('measures over at least a second', () => {
    const { run, limit } = setUp();
    run(1, 100, always);
    run(1, 4, never);
    expect(limit()).toBe(100 * 60);
  });

  it('counts what was accepted within the last minute', () => {
    const { run, limit } = setUp();
    run(1_000, 200_000, always);
    run(1, 4, never);
    expect(limit()).toBeCloseTo(60, -1);
  });

  it('does not count attempts that were rejected', () => {
    const { run, limit } = setUp();
    const half = rejectsOneIn(2);
    run(100, 60_000, always);
    for (let each = 0; each < 100 && limit() === undefined; each += 1) run(10, 10, half);
    expect(limit()).toBeGreaterThan(590);
    expect(limit()).toBeLessThan(625);
  });

  /** How many attempts may pass at once. */
  const countAtOnce = ({ rate, clock, enter }: ReturnType<typeof setUp>): number => {
    let count = 0;
    while (rate.opensAt(load, clock.now) <= clock.now && count < 1_000) {
      enter()(ok);
      count += 1;
    }
    return count;
  };

  it('spreads attempts over time', () => {
    const gate = setUp();
    const { rate, clock } = gate;
    const perMinute = gate.learn();
    countAtOnce(gate);
    expect(rate.intervalMs(load)).toBeCloseTo(minuteMs / perMinute);
    for (let each = 0; each < 3; each += 1) {
      clock.now = rate.opensAt(load, clock.now);
      expect(countAtOnce(gate)).toBe(1);
      expect(rate.opensAt(load, clock.now) - clock.now).toBeCloseTo(minuteMs / perMinute);
    }
  });

  it('admits two attempts at once after a pause, and at higher rates those of 250 ms', () => {
    const afterPause = (everyMs: number): number => {
      const gate = setUp();
      gate.run(everyMs, 60 * everyMs, always);
      gate.run(1, 4, never);
      gate.clock.now += 10_000;
      return countAtOnce(gate);
    };
    expect(afterPause(1_000)).toBe(2);
    // Sixty within a second are 3,600 per minute: fifteen in 250 ms.
    expect(afterPause(10)).toBe(15);
  });

  it('is held for 20 s, then raised, and forgotten when it has grown a hundredfold', () => {
    const { rate, clock, learn } = setUp();
    const base = learn();
    const growthAfter = (ms: number): number => (rate.limit(clock.now + ms) ?? Number.NaN) / base;
    expect(growthAfter(19_999)).toBe(1);
    expect(growthAfter(29_999)).toBeCloseTo(2);
    expect(growthAfter(39_999)).toBeCloseTo(5);
    expect(growthAfter(119_000)).toBeGreaterThan(98);
    expect(growthAfter(119_600)).toBeNaN();
  });

  /** After some minutes, what the vendor accepts and rejects in ten more. */
  const lastTenMinutes = (before: Accepts, vendor: Accepts) => {
    const { run } = setUp();
    run(20, 3 * minuteMs, before);
    run(20, 5 * minuteMs, vendor);
    const { sent, rejected } = run(20, 10 * minuteMs, vendor);
    return { accepted: (sent - rejected) / 10, share: rejected / sent };
  };

  it.each([
    ['a real limit of 600', refillsEvery(100), refillsEvery(100), 600],
    ['a limit of 300 that was 1,200 before', refillsEvery(50), refillsEvery(200), 300],
  ])('stays near %s, with few rejections', (_, before, vendor, perMinute) => {
    const { accepted, share } = lastTenMinutes(before, vendor);
    expect(accepted).toBeGreaterThan(0.6 * perMinute);
    expect(share).toBeLessThan(0.1);
  });

  it('grows when the vendor allows more', () => {
    const { accepted } = lastTenMinutes(refillsEvery(200), refillsEvery(50));
    expect(accepted).toBeGreaterThan(1.5 * 300);
  });

  it('is removed when a lower limit does not lower the share of rejections', () => {
    const { run, limit } = setUp();
    const vendor = rejectsOneIn(8);
    run(20, minuteMs, always);
    run(20, 10 * minuteMs, vendor);
    expect(limit()).toBeUndefined();
    // The share is known to be usual now.
    expect(run(20, 5 * minuteMs, vendor).sent).toBe((5 * minuteMs) / 20);
  });

  it('returns to its value if it was raised when too many are rejected', () => {
    const { clock, run, limit, learn } = setUp();
    const base = learn();
    clock.now += 20_000;
    run(10, 8_000, always);
    expect(limit()).toBeGreaterThan(1.5 * base);
    run(10, 200, never);
    expect(limit()).toBe(base);
    clock.now += 59_000;
    expect(limit()).toBe(base);
    clock.now += 12_000;
    expect(limit()).toBeGreaterThan(1.5 * base);
  });

  /** Sends until the limit changes. Returns how many attempts were rejected until then. */
  const rejectionsUntilChange = (
    { run, limit }: ReturnType<typeof setUp>,
    everyMs: number,
    accepts: Accepts,
  ): number => {
    const before = limit();
    let rejected = 0;
    for (let each = 0; each < 1_000 && limit() === before; each += 1) {
      rejected += run(everyMs, everyMs, accepts).rejected;
    }
    return rejected;
  };

  it('is what the vendor accepts if it held nothing back since it was learned', () => {
    const gate = setUp();
    gate.learn();
    gate.run(500, 15_000, always);
    expect(rejectionsUntilChange(gate, 500, never)).toBe(4);
    // Thirty in 16.5 seconds.
    expect(gate.limit()).toBeCloseTo(109, 0);
    gate.clock.now += 19_000;
    expect(gate.limit()).toBeCloseTo(109, 0);
    gate.clock.now += 6_000;
    expect(gate.limit()).toBeGreaterThan(120);
  });

  it('is lowered a little if it held attempts back and more are rejected than usual', () => {
    const gate = setUp();
    const base = gate.learn();
    gate.run(20, 4_000, always);
    rejectionsUntilChange(gate, 20, never);
    const lowered = gate.limit() ?? 0;
    expect(lowered / base).toBeGreaterThan(0.9);
    expect(lowered / base).toBeLessThanOrEqual(0.95);
    gate.clock.now += 59_000;
    expect(gate.limit()).toBe(lowered);
    gate.clock.now += 12_000;
    expect(gate.limit()).toBeGreaterThan(1.5 * lowered);
  });

  it('is halved at most every two seconds', () => {
    const gate = setUp();
    gate.learn();
    gate.run(20, 4_000, always);
    rejectionsUntilChange(gate, 20, never);
    const lowered = gate.limit() ?? 0;
    const half = rejectsOneIn(2);
    gate.run(20, 1_900, half);
    expect(gate.limit()).toBe(lowered);
    gate.run(20, 1_000, half);
    expect(gate.limit()).toBe(lowered / 2);
    gate.run(20, 1_000, half);
    expect(gate.limit()).toBe(lowered / 2);
  });

  it.each([
    [20, 4],
    [30, 4],
  ])('is lowered when one in %d is rejected, which is never an alarm', (n, rejections) => {
    const gate = setUp();
    const base = gate.learn();
    gate.run(20, 1_000, always);
    expect(rejectionsUntilChange(gate, 20, rejectsOneIn(n))).toBe(rejections);
    expect((gate.limit() ?? 0) / base).toBeGreaterThan(0.9);
    expect((gate.limit() ?? 0) / base).toBeLessThanOrEqual(0.95);
  });

  it('is not lowered when hardly any are rejected', () => {
    const { run, limit, learn } = setUp();
    const base = learn();
    run(20, 1_000, always);
    expect(run(20, 18_000, rejectsOneIn(100)).rejected).toBe(1);
    expect(limit()).toBe(base);
  });

  it('returns to its value after two rejections if it was raised', () => {
    const gate = setUp();
    const base = gate.learn();
    gate.run(20, 22_000, always);
    const vendor = rejectsOneIn(20);
    let rejected = 0;
    while ((gate.limit() ?? 0) > base && rejected < 10)
      rejected += gate.run(20, 20, vendor).rejected;
    expect(rejected).toBe(2);
    expect(gate.limit()).toBe(base);
  });

  it('is measured from the last minute again after it was forgotten', () => {
    const measured = (hasHeldBack: boolean): number | undefined => {
      const { clock, run, limit, learn } = setUp();
      learn();
      if (hasHeldBack) run(10, 500, always);
      clock.now += 150_000;
      expect(limit()).toBeUndefined();
      run(100, 20_000, always);
      run(1, 4, never);
      return limit();
    };
    // Two hundred in the last minute, or in all of the time since it was learned.
    expect(measured(true)).toBeCloseTo(200);
    expect(measured(false)).toBeCloseTo(70.6, 1);
  });

  it('counts attempts that enter without asking', () => {
    const gate = setUp();
    gate.learn();
    countAtOnce(gate);
    gate.clock.now += 10_000;
    gate.enter()(ok);
    gate.enter()(ok);
    expect(gate.rate.opensAt(load, gate.clock.now)).toBeGreaterThan(gate.clock.now);
  });

  it('does not change while the vendor rejects everything', () => {
    const { run, limit, learn } = setUp();
    const base = learn();
    run(10, 15_000, never);
    expect(limit()).toBe(base);
  });

  it('learns nothing from attempts sent before it was learned', () => {
    const { clock, enter, run, limit } = setUp();
    run(100, 6_000, always);
    const early = Array.from({ length: 40 }, () => enter());
    clock.now += 1;
    run(1, 4, never);
    const base = limit();
    run(20, 3_000, always);
    for (const leave of early) leave(limited);
    expect(limit()).toBe(base);
  });
});

describe('when answers are slow', () => {
  it('limits the attempts in flight instead of the rate', () => {
    const { rate, concurrency, clock, enter } = setUp();
    const inFlight = Array.from({ length: 60 }, () => enter());
    clock.now += 10_000;
    for (const leave of inFlight.splice(0)) leave(ok);
    inFlight.push(...Array.from({ length: 40 }, () => enter()));
    clock.now += 10_000;
    for (let each = 0; each < 10; each += 1) enter()(limited);
    expect(rate.limit(clock.now)).toBeUndefined();
    expect(concurrency.limit(clock.now)).toBeCloseTo(20.5);
    expect(concurrency.opensAt(load, clock.now)).toBe(Number.POSITIVE_INFINITY);
    for (const leave of inFlight.splice(0, 21)) leave(ok);
    expect(concurrency.opensAt(load, clock.now)).toBe(clock.now);
  });
});
