import { describe, expect, test } from 'vitest';
import { createVendorGate } from '../../src/limits/vendor-gate.ts';

const load = { tokens: 10 };
const requests = (remaining: number, resetMs: number, limit = 100) => [
  { name: 'requests', unit: 'requests' as const, limit, remaining, resetMs },
];
const departed = { outcome: 'ok', tokens: 10 } as const;

describe('createVendorGate', () => {
  test('stays open until the vendor reports a limit', () => {
    const gate = createVendorGate();
    gate.enter(load, 0);
    expect(gate.opensAt(load, 0)).toBe(0);
    expect(gate.left(0)).toEqual([]);
  });

  test('subtracts what was sent since, and what the vendor may not have counted', () => {
    const gate = createVendorGate();
    const first = gate.enter(load, 0);
    gate.enter(load, 0);
    gate.enter(load, 0);
    first.reported(requests(10, 30_000), 100);
    expect(gate.left(100)).toMatchObject([{ left: 8 }]);
    gate.enter(load, 200);
    expect(gate.left(200)).toMatchObject([{ left: 7 }]);
  });

  test('closes until the reset when the limit is used up', () => {
    const gate = createVendorGate();
    gate.enter(load, 0).reported(requests(1, 30_000), 100);
    expect(gate.opensAt(load, 200)).toBe(200);
    gate.enter(load, 200);
    expect(gate.opensAt(load, 300)).toBe(30_100);
    expect(gate.opensAt(load, 30_100)).toBeLessThanOrEqual(30_100);
  });

  test('does not increase what is left within a window, because responses arrive out of order', () => {
    const gate = createVendorGate();
    const early = gate.enter(load, 0);
    const late = gate.enter(load, 0);
    late.reported(requests(4, 30_000), 100);
    early.reported(requests(5, 30_000), 110);
    expect(gate.left(110)).toMatchObject([{ left: 3 }]);
  });

  test('refills in the next window, and spreads requests if the last one was used up', () => {
    const gate = createVendorGate();
    gate.enter(load, 0).reported(requests(0, 60_000), 0);
    expect(gate.opensAt(load, 10)).toBe(60_000);
    let passed = 0;
    while (gate.opensAt(load, 60_000) <= 60_000) {
      gate.enter(load, 60_000);
      passed += 1;
    }
    expect(passed).toBeGreaterThan(0);
    expect(passed).toBeLessThan(10);
    expect(gate.left(60_000)).toMatchObject([{ left: 100 - passed }]);
  });

  test('refills continuously when the reset moves as more is used', () => {
    const gate = createVendorGate();
    // Ten per second: a hundred are refilled in ten seconds.
    gate.enter(load, 0).reported(requests(50, 5_000), 0);
    gate.enter(load, 1_000).reported(requests(20, 8_000), 1_000);
    gate.enter(load, 1_100).reported(requests(0, 10_000), 1_100);
    expect(gate.opensAt(load, 1_100)).toBeCloseTo(1_200, -1);
  });

  test('compares a token limit with the estimated tokens of the attempt', () => {
    const gate = createVendorGate();
    const limit = { name: 'tokens', unit: 'tokens', limit: 1_000, remaining: 50, resetMs: 20_000 };
    gate.enter(load, 0).reported([{ ...limit, unit: 'tokens' }], 0);
    expect(gate.opensAt({ tokens: 40 }, 10)).toBe(10);
    expect(gate.opensAt({ tokens: 60 }, 10)).toBe(20_000);
  });

  test('caps a reset at five minutes', () => {
    const gate = createVendorGate();
    gate.enter(load, 0).reported(requests(0, 86_400_000), 0);
    expect(gate.opensAt(load, 1)).toBe(300_000);
  });

  test('stops waiting for the report of an attempt that has left', () => {
    const gate = createVendorGate();
    gate.enter(load, 0).leave(departed, 50);
    gate.enter(load, 60).reported(requests(9, 30_000), 100);
    expect(gate.left(100)).toMatchObject([{ left: 9 }]);
  });
});
