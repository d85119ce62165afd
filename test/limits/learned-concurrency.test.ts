import { describe, expect, it } from 'vitest';
import {
  createLearnedConcurrency,
  createRejectionBaseline,
  isRaised,
  limitAt,
} from '../../src/limits/learned-concurrency.ts';

const load = { tokens: 1 };

/** A gate after 100 answered attempts. */
function setUp() {
  const gate = createLearnedConcurrency();
  const clock = { now: 0 };
  const run = (count: number, outcome: 'ok' | 'overloaded'): void => {
    const passes = Array.from({ length: count }, () => gate.enter(load, clock.now));
    clock.now += 10;
    for (const pass of passes) pass.leave({ outcome, tokens: 1 }, clock.now);
    clock.now += 10;
  };
  for (let round = 0; round < 10; round += 1) run(10, 'ok');
  return { gate, clock, run };
}

describe('createLearnedConcurrency', () => {
  it('has no limit while attempts are answered', () => {
    const { gate, clock } = setUp();
    expect(gate.limit(clock.now)).toBeUndefined();
  });

  it('halves when the vendor is overloaded, and keeps the limit while attempts are answered', () => {
    const { gate, clock, run } = setUp();
    run(20, 'overloaded');
    const limit = gate.limit(clock.now);
    expect(limit).toBeLessThanOrEqual(10);
    run(4, 'ok');
    expect(gate.limit(clock.now)).toBe(limit);
  });

  it('forgets a limit after an outage in which no attempt below it was answered', () => {
    const { gate, clock, run } = setUp();
    for (let round = 0; round < 40; round += 1) run(20, 'overloaded');
    expect(gate.limit(clock.now)).toBeDefined();
    run(1, 'ok');
    expect(gate.limit(clock.now)).toBeUndefined();
  });

  /** Starts attempts that stay in flight. */
  const start = ({ gate, clock }: ReturnType<typeof setUp>, count: number) =>
    Array.from({ length: count }, () => gate.enter(load, clock.now));

  it('is half of the attempts in flight, and closes when they reach it', () => {
    const { gate, ...rest } = setUp();
    const passes = start({ gate, ...rest }, 21);
    expect(gate.inFlight()).toBe(21);
    gate.learn(rest.clock.now, rest.clock.now);
    expect(gate.limit(rest.clock.now)).toBe(10.5);
    expect(gate.name).toBe('the learned concurrency limit');
    expect(gate.intervalMs(load)).toBe(0);
    for (const pass of passes.splice(0, 11)) pass.leave({ outcome: 'ok', tokens: 1 }, 0);
    expect(gate.opensAt(load, 5)).toBe(Number.POSITIVE_INFINITY);
    for (const pass of passes.splice(0, 1)) pass.leave({ outcome: 'ok', tokens: 1 }, 0);
    expect(gate.opensAt(load, 5)).toBe(5);
  });

  it('is not learned from a single attempt, and is at least one', () => {
    const alone = setUp();
    start(alone, 1);
    alone.gate.learn(alone.clock.now, alone.clock.now);
    expect(alone.gate.limit(alone.clock.now)).toBeUndefined();
    start(alone, 1);
    alone.gate.learn(alone.clock.now, alone.clock.now);
    expect(alone.gate.limit(alone.clock.now)).toBe(1);
  });

  it('is not learned from overload errors while few attempts are in flight', () => {
    const { gate, clock, run } = setUp();
    for (let round = 0; round < 40; round += 1) run(3, 'overloaded');
    expect(gate.limit(clock.now)).toBeUndefined();
    for (let round = 0; round < 10; round += 1) run(10, 'ok');
    for (let round = 0; round < 40; round += 1) run(5, 'overloaded');
    expect(gate.limit(clock.now)).toBe(2.5);
  });

  it('is not learned from a single overload error', () => {
    const { gate, clock, ...rest } = setUp();
    start({ gate, clock, ...rest }, 20);
    gate.enter(load, clock.now).leave({ outcome: 'overloaded', tokens: 1 }, clock.now);
    expect(gate.limit(clock.now)).toBeUndefined();
  });

  it('is learned again after it was forgotten', () => {
    const { gate, clock, ...rest } = setUp();
    start({ gate, clock, ...rest }, 20);
    gate.learn(clock.now, clock.now);
    gate.enter(load, clock.now).leave({ outcome: 'ok', tokens: 1 }, clock.now);
    clock.now += 200_000;
    expect(gate.limit(clock.now)).toBeUndefined();
    start({ gate, clock, ...rest }, 20);
    gate.learn(clock.now, clock.now);
    expect(gate.limit(clock.now)).toBe(20);
    expect(gate.limit(clock.now + 3_000)).toBeGreaterThan(20);
  });

  it('ignores attempts sent before it was learned', () => {
    const { gate, clock, ...rest } = setUp();
    start({ gate, clock, ...rest }, 20);
    clock.now += 100;
    gate.learn(clock.now, clock.now);
    start({ gate, clock, ...rest }, 20);
    gate.enter(load, clock.now).leave({ outcome: 'ok', tokens: 1 }, clock.now);
    gate.learn(clock.now - 1, clock.now + 10);
    expect(gate.limit(clock.now)).toBe(10);
  });

  it('is held three times as long each time it was in use and still too high, up to a minute', () => {
    const { gate, clock, ...rest } = setUp();
    start({ gate, clock, ...rest }, 64);
    const again = (): void => {
      clock.now += 10;
      gate.enter(load, clock.now).leave({ outcome: 'ok', tokens: 1 }, clock.now);
      gate.learn(clock.now, clock.now);
    };
    const holds: number[] = [];
    for (let each = 0; each < 5; each += 1) {
      again();
      const base = gate.limit(clock.now);
      let heldMs = 0;
      while (gate.limit(clock.now + heldMs + 500) === base) heldMs += 500;
      holds.push(heldMs);
    }
    expect(gate.limit(clock.now)).toBe(2);
    expect(holds).toEqual([2_000, 6_000, 18_000, 54_000, 60_000]);
  });

  it('returns to its value if it was raised', () => {
    const { gate, clock, ...rest } = setUp();
    start({ gate, clock, ...rest }, 20);
    gate.learn(clock.now, clock.now);
    gate.enter(load, clock.now).leave({ outcome: 'ok', tokens: 1 }, clock.now);
    clock.now += 2_000 + 5_000;
    expect(gate.limit(clock.now)).toBe(12.5);
    gate.learn(clock.now, clock.now);
    expect(gate.limit(clock.now)).toBe(10);
  });

  it('is learned anew if it was not in use', () => {
    const { gate, clock, ...rest } = setUp();
    const passes = start({ gate, clock, ...rest }, 20);
    gate.learn(clock.now, clock.now);
    for (const pass of passes.splice(0, 12)) pass.leave({ outcome: 'ok', tokens: 1 }, clock.now);
    clock.now += 10;
    gate.learn(clock.now, clock.now);
    expect(gate.limit(clock.now)).toBe(4);
    expect(gate.limit(clock.now + 2_000)).toBe(4);
    expect(gate.limit(clock.now + 2_500)).toBeGreaterThan(4);
  });
});

describe('limitAt', () => {
  const learned = { base: 10, at: 1_000, holdMs: 2_000 };

  it('is the base while it is held, then grows until it is forgotten', () => {
    expect(limitAt(undefined, 0)).toBeUndefined();
    expect(limitAt(learned, 3_000)).toBe(10);
    expect(limitAt(learned, 13_000)).toBe(20);
    expect(limitAt(learned, 23_000)).toBe(50);
    expect(limitAt(learned, 102_000)).toBeGreaterThan(980);
    expect(limitAt(learned, 103_000)).toBeUndefined();
  });

  it('counts as raised from a tenth on', () => {
    expect(isRaised(learned, 3_000)).toBe(false);
    expect(isRaised(learned, 6_100)).toBe(false);
    expect(isRaised(learned, 6_200)).toBe(true);
    expect(isRaised(learned, 200_000)).toBe(true);
  });
});

describe('createRejectionBaseline', () => {
  /** Sends attempts, and records those rejected. Returns the last share that was unusual. */
  const send = (
    baseline: ReturnType<typeof createRejectionBaseline>,
    count: number,
    isRejected: (index: number) => boolean,
    isUsual = true,
  ) => {
    let alarm: ReturnType<typeof baseline.rejected>;
    for (let index = 0; index < count; index += 1) {
      const sent = baseline.send(index, isUsual);
      if (isRejected(index)) alarm = baseline.rejected(sent, isUsual) ?? alarm;
    }
    return alarm;
  };

  it('learns the share that is rejected at any rate', () => {
    const baseline = createRejectionBaseline();
    expect(baseline.usualShare()).toBe(0.005);
    expect(send(baseline, 900, (index) => index % 10 === 0)).toBeUndefined();
    expect(baseline.usualShare()).toBeCloseTo(0.09, 2);
  });

  it('averages over the last thousand attempts', () => {
    const baseline = createRejectionBaseline();
    send(baseline, 1_000, (index) => index % 10 === 0);
    const before = baseline.usualShare();
    send(baseline, 1_000, () => false);
    expect(baseline.usualShare()).toBeLessThan(before / 2);
    send(baseline, 10_000, (index) => index % 10 === 0);
    expect(baseline.usualShare()).toBeCloseTo(0.09, 1);
  });

  it('reports a share that is unusually high, once', () => {
    const baseline = createRejectionBaseline();
    send(baseline, 100, () => false);
    expect(send(baseline, 3, () => true)).toBeUndefined();
    expect(send(baseline, 1, () => true)).toEqual({ rejected: 4, attempts: 20 });
    expect(send(baseline, 1, () => true)).toBeUndefined();
    expect(baseline.usualShare()).toBeLessThan(0.01);
  });

  it('does not count attempts that a limit affects', () => {
    const baseline = createRejectionBaseline();
    send(baseline, 100, () => false);
    const before = baseline.usualShare();
    send(baseline, 100, (index) => index % 3 === 0, false);
    expect(baseline.usualShare()).toBe(before);
  });

  it('knows the usual share when it is set', () => {
    const baseline = createRejectionBaseline();
    baseline.setUsualShare(0.2);
    expect(baseline.usualShare()).toBeCloseTo(0.144, 2);
    expect(send(baseline, 20, (index) => index % 4 === 0)).toBeUndefined();
    expect(send(baseline, 20, () => true)).toBeDefined();
  });
});
