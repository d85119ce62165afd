import { describe, expect, it } from 'vitest';
import { createLearnedConcurrency } from '../../src/limits/learned-concurrency.ts';

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
});
