import { describe, expect, test } from 'vitest';
import { createVendorGate } from '../../src/limits/vendor-gate.ts';

const load = { tokens: 10 };
const requests = (remaining: number, resetMs: number, limit = 100) => [
  { name: 'requests', unit: 'requests' as const, limit, remaining, resetMs },
];
const departed = { outcome: 'ok', tokens: 10 } as const;

describe("the vendor's own limit", () => {
  test('is none before the vendor tells of one', () => {
    const gate = createVendorGate();
    gate.enter(load, 0);
    expect(gate.opensAt(load, 0)).toBe(0);
    expect(gate.left(0)).toEqual([]);
  });

  test('counts what was sent since, and what the vendor may not have counted yet', () => {
    const gate = createVendorGate();
    const first = gate.enter(load, 0);
    gate.enter(load, 0);
    gate.enter(load, 0);
    first.reported(requests(10, 30_000), 100);
    expect(gate.left(100)).toMatchObject([{ left: 8 }]);
    gate.enter(load, 200);
    expect(gate.left(200)).toMatchObject([{ left: 7 }]);
  });

  test('closes when it is used up, until the reset', () => {
    const gate = createVendorGate();
    gate.enter(load, 0).reported(requests(1, 30_000), 100);
    expect(gate.opensAt(load, 200)).toBe(200);
    gate.enter(load, 200);
    expect(gate.opensAt(load, 300)).toBe(30_100);
    expect(gate.opensAt(load, 30_100)).toBeLessThanOrEqual(30_100);
  });

  test('does not rise within a window: answers overtake each other', () => {
    const gate = createVendorGate();
    const early = gate.enter(load, 0);
    const late = gate.enter(load, 0);
    late.reported(requests(4, 30_000), 100);
    early.reported(requests(5, 30_000), 110);
    expect(gate.left(110)).toMatchObject([{ left: 3 }]);
  });

  test('comes back whole in the next window, spread if the last one ran short', () => {
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

  test('comes back bit by bit where the reset moves on as what is left falls', () => {
    const gate = createVendorGate();
    // Ten a second: a hundred are back in ten seconds.
    gate.enter(load, 0).reported(requests(50, 5_000), 0);
    gate.enter(load, 1_000).reported(requests(20, 8_000), 1_000);
    gate.enter(load, 1_100).reported(requests(0, 10_000), 1_100);
    expect(gate.opensAt(load, 1_100)).toBeCloseTo(1_200, -1);
  });

  test('of tokens asks what the attempt will take', () => {
    const gate = createVendorGate();
    const told = { name: 'tokens', unit: 'tokens', limit: 1_000, remaining: 50, resetMs: 20_000 };
    gate.enter(load, 0).reported([{ ...told, unit: 'tokens' }], 0);
    expect(gate.opensAt({ tokens: 40 }, 10)).toBe(10);
    expect(gate.opensAt({ tokens: 60 }, 10)).toBe(20_000);
  });

  test('is believed for five minutes at most', () => {
    const gate = createVendorGate();
    gate.enter(load, 0).reported(requests(0, 86_400_000), 0);
    expect(gate.opensAt(load, 1)).toBe(300_000);
  });

  test('does not wait for word from one that has left', () => {
    const gate = createVendorGate();
    gate.enter(load, 0).leave(departed, 50);
    gate.enter(load, 60).reported(requests(9, 30_000), 100);
    expect(gate.left(100)).toMatchObject([{ left: 9 }]);
  });
});
