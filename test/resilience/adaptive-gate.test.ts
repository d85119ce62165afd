import { describe, expect, test } from 'vitest';
import {
  createAdaptiveConcurrency,
  createAdaptiveRate,
} from '../../src/resilience/adaptive-gate.ts';
import type { Departure, Gate, Pass } from '../../src/resilience/gate.ts';

const load = { tokens: 0 };
const left = (outcome: Departure['outcome']): Departure => ({ outcome, tokens: undefined });
const enter = (gate: Gate, count: number, now: number): Pass[] =>
  Array.from({ length: count }, () => gate.enter(load, now));

describe('concurrency that is learned', () => {
  test('has no limit before the first refusal', () => {
    const gate = createAdaptiveConcurrency();
    enter(gate, 500, 0);
    expect(gate.opensAt(load, 0)).toBe(0);
    expect(gate.limit(0)).toBeUndefined();
  });

  test('is halved once by all refusals of one flight', () => {
    const gate = createAdaptiveConcurrency();
    for (const pass of enter(gate, 20, 0)) pass.leave(left('limited'), 100);
    expect(gate.limit(100)).toBe(10);
    expect(gate.opensAt(load, 100)).toBe(100);
    enter(gate, 10, 100);
    expect(gate.opensAt(load, 100)).toBe(Number.POSITIVE_INFINITY);
  });

  test('grows by one with each round of successes, and only when it is made use of', () => {
    const gate = createAdaptiveConcurrency();
    for (const pass of enter(gate, 8, 0)) pass.leave(left('limited'), 100);
    expect(gate.limit(100)).toBe(4);
    for (const pass of enter(gate, 1, 200)) pass.leave(left('ok'), 300);
    expect(gate.limit(300)).toBe(4);
    for (let each = 0; each < 4; each += 1) {
      const passes = enter(gate, 4, 400);
      passes[0]?.leave(left('ok'), 500);
      for (const pass of passes.slice(1)) pass.leave(left('other'), 500);
    }
    expect(gate.limit(500)).toBeCloseTo(5, 0);
  });

  test('is not learned from one busy vendor with hardly anything in flight', () => {
    const gate = createAdaptiveConcurrency();
    enter(gate, 1, 0)[0]?.leave(left('overloaded'), 100);
    expect(gate.limit(100)).toBeUndefined();
  });

  test('never closes for good, and is forgotten in the end', () => {
    const gate = createAdaptiveConcurrency();
    for (let each = 1; each < 9; each += 1) {
      gate.enter(load, each * 1_000).leave(left('limited'), each * 1_000 + 1);
    }
    expect(gate.limit(9_000)).toBe(1);
    expect(gate.limit(700_000)).toBeUndefined();
  });
});

describe('a rate that is learned', () => {
  /** Ten a second for a minute, answered at once; then one is refused. */
  function refused() {
    const gate = createAdaptiveRate();
    for (let at = 0; at < 60_000; at += 100) gate.enter(load, at).leave(left('ok'), at + 50);
    gate.enter(load, 60_000).leave(left('limited'), 60_050);
    return gate;
  }

  test('is what the vendor let through in the last minute', () => {
    expect(refused().limit(60_050)).toBeCloseTo(600, -1);
  });

  test('is tried higher with time', () => {
    const gate = refused();
    expect(gate.limit(120_050)).toBeCloseTo(1_200, -2);
    expect(gate.limit(60_050 + 600_001)).toBeUndefined();
  });

  test('is at most halved by the next refusal', () => {
    const gate = refused();
    gate.enter(load, 61_000).leave(left('limited'), 61_010);
    const limit = gate.limit(61_010) ?? 0;
    expect(limit).toBeGreaterThan(280);
    expect(limit).toBeLessThan(330);
  });

  test('is not learned where the number in flight says it better', () => {
    const gate = createAdaptiveRate();
    const passes = enter(gate, 20, 0);
    passes[0]?.leave(left('limited'), 10);
    expect(gate.limit(10)).toBeUndefined();
  });
});
