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

  test('estimates how long one load delays the next, by the slowest limit', () => {
    const gate = createVendorGate();
    expect(gate.name).toBe("the vendor's own limit");
    expect(gate.intervalMs(load)).toBe(0);
    const tokens = { name: 'tokens', unit: 'tokens' as const, remaining: 900, resetMs: 60_000 };
    const pass = gate.enter(load, 0);
    pass.reported([tokens], 0);
    expect(gate.intervalMs(load)).toBe(0);
    pass.reported([...requests(50, 60_000), { ...tokens, limit: 1_000 }], 0);
    expect(gate.intervalMs({ tokens: 1 })).toBe(600);
    expect(gate.intervalMs({ tokens: 100 })).toBe(6_000);
  });

  test('delays the next load by the time of the refill if the vendor refills continuously', () => {
    const gate = createVendorGate();
    gate.enter(load, 0).reported(requests(50, 5_000), 0);
    gate.enter(load, 1_000).reported(requests(20, 8_000), 1_000);
    expect(gate.intervalMs(load)).toBe(100);
  });

  test('takes a reset that moves by little for rounding, and keeps the latest', () => {
    const gate = createVendorGate();
    gate.enter(load, 0).reported(requests(50, 30_000), 0);
    gate.enter(load, 100).reported(requests(40, 31_400), 100);
    gate.enter(load, 200).reported(requests(0, 30_000), 200);
    expect(gate.left(200)).toEqual([
      { name: 'requests', unit: 'requests', left: 0, resetAt: 31_500 },
    ]);
    expect(gate.opensAt(load, 300)).toBe(31_500);
  });

  test('keeps the rate of a refill when a report shows none', () => {
    const gate = createVendorGate();
    gate.enter(load, 0).reported(requests(50, 5_000), 0);
    gate.enter(load, 1_000).reported(requests(20, 8_000), 1_000);
    expect(gate.intervalMs(load)).toBe(100);
    gate.enter(load, 1_100).reported(requests(100, 8_000), 1_100);
    expect(gate.intervalMs(load)).toBe(100);
    // A slower refill, although the reset has not moved.
    gate.enter(load, 1_200).reported(requests(90, 2_000), 1_200);
    expect(gate.intervalMs(load)).toBe(200);
    gate.enter(load, 1_300).reported(requests(20, 0), 1_300);
    expect(gate.intervalMs(load)).toBe(200);
  });

  test('does not take a reset that moves for a refill if the limit is unknown', () => {
    const gate = createVendorGate();
    const unknown = (remaining: number, resetMs: number) =>
      requests(remaining, resetMs).map(({ limit: _, ...rest }) => rest);
    gate.enter(load, 0).reported(unknown(50, 5_000), 0);
    gate.enter(load, 1_000).reported(unknown(20, 8_000), 1_000);
    expect(gate.opensAt({ tokens: 1 }, 1_000)).toBe(1_000);
    for (let each = 0; each < 20; each += 1) gate.enter(load, 1_000);
    expect(gate.opensAt(load, 1_000)).toBe(9_000);
  });

  test('keeps spreading when the vendor reports the window', () => {
    const gate = createVendorGate();
    gate.enter(load, 0).reported(requests(0, 60_000), 0);
    gate.opensAt(load, 10);
    for (let each = 0; each < 5; each += 1) {
      gate.enter(load, 60_000).reported(requests(99 - each, 60_000), 60_000);
    }
    expect(gate.opensAt(load, 60_000)).toBeGreaterThan(60_500);
    expect(gate.opensAt(load, 60_000)).toBeLessThan(65_000);
  });

  test('refills no further than the limit', () => {
    const gate = createVendorGate();
    gate.enter(load, 0).reported(requests(50, 5_000), 0);
    gate.enter(load, 1_000).reported(requests(20, 8_000), 1_000);
    expect(gate.left(2_000)).toMatchObject([{ left: 30 }]);
    expect(gate.left(60_000)).toMatchObject([{ left: 100 }]);
  });

  test('admits a load above the limit when nothing else is used', () => {
    const gate = createVendorGate();
    const tokens = { name: 'tokens', unit: 'tokens' as const, limit: 1_000, resetMs: 20_000 };
    gate.enter(load, 0).reported([{ ...tokens, remaining: 1_000 }], 0);
    expect(gate.opensAt({ tokens: 5_000 }, 10)).toBe(10);
    gate.enter({ tokens: 5_000 }, 10);
    expect(gate.opensAt({ tokens: 1 }, 20)).toBe(20_000);
    expect(gate.left(20)).toMatchObject([{ left: 0 }]);
  });

  test('counts the tokens that the vendor may not have counted', () => {
    const gate = createVendorGate();
    const tokens = { name: 'tokens', unit: 'tokens' as const, limit: 1_000, resetMs: 20_000 };
    const first = gate.enter(load, 0);
    const second = gate.enter({ tokens: 100 }, 0);
    first.reported([{ ...tokens, remaining: 500 }], 50);
    expect(gate.left(50)).toMatchObject([{ left: 400 }]);
    second.leave(departed, 60);
    second.leave(departed, 70);
    gate.enter(load, 80).reported([{ ...tokens, remaining: 390 }], 90);
    expect(gate.left(90)).toMatchObject([{ left: 390 }]);
  });

  test('starts the next window with the whole limit when the vendor has not reported it', () => {
    const gate = createVendorGate();
    gate.enter(load, 0).reported(requests(40, 30_000), 0);
    expect(gate.left(29_999)).toMatchObject([{ left: 40, resetAt: 30_000 }]);
    expect(gate.left(30_000)).toMatchObject([{ left: 100, resetAt: 60_000 }]);
    // The vendor's report of it replaces the assumption, even if more is left than assumed.
    gate.enter(load, 30_010).reported(requests(120, 20_000), 30_020);
    expect(gate.left(30_020)).toMatchObject([{ left: 120, resetAt: 50_020 }]);
  });

  test('does not spread requests if the last window was not used up', () => {
    const gate = createVendorGate();
    gate.enter(load, 0).reported(requests(40, 60_000), 0);
    for (let each = 0; each < 100; each += 1) {
      expect(gate.opensAt(load, 60_000)).toBe(60_000);
      gate.enter(load, 60_000);
    }
    expect(gate.opensAt(load, 60_000)).toBe(120_000);
  });

  test('spreads requests evenly, with those of a second at once, until a window is not used up', () => {
    const gate = createVendorGate();
    gate.enter(load, 0).reported(requests(0, 60_000), 0);
    gate.opensAt(load, 10);
    let now = 60_000;
    const passedAt: number[] = [];
    while (passedAt.length < 20) {
      now = gate.opensAt(load, now);
      gate.enter(load, now);
      passedAt.push(now);
    }
    expect(passedAt.slice(0, 2)).toEqual([60_000, 60_000]);
    const gaps = passedAt.slice(3).map((at, index) => at - (passedAt[index + 2] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(600);
    expect(Math.max(...gaps)).toBeLessThan(650);
    expect(gate.opensAt(load, 120_000)).toBe(120_000);
    for (let each = 0; each < 10; each += 1) gate.enter(load, 120_000);
    expect(gate.opensAt(load, 120_000)).toBe(120_000);
  });

  test('takes a report just before the reset for one of the next window', () => {
    const gate = createVendorGate();
    gate.enter(load, 0).reported(requests(5, 30_000), 0);
    gate.enter(load, 28_400).reported(requests(99, 1_501), 28_499);
    expect(gate.left(28_499)).toMatchObject([{ left: 4, resetAt: 30_000 }]);
    gate.enter(load, 28_500).reported(requests(99, 61_500), 28_500);
    expect(gate.left(28_500)).toMatchObject([{ left: 99, resetAt: 90_000 }]);
  });

  test('keeps at most fifty limits', () => {
    const gate = createVendorGate();
    const limits = Array.from({ length: 51 }, (_, index) => ({
      name: `limit ${index}`,
      unit: 'requests' as const,
      limit: 100,
      remaining: 50,
      resetMs: 30_000,
    }));
    gate.enter(load, 0).reported(limits, 0);
    expect(gate.left(0)).toHaveLength(50);
    gate.enter(load, 10).reported(requests(1, 30_000), 10);
    expect(gate.left(10)).toHaveLength(50);
    gate.enter(load, 20).reported(
      limits.slice(0, 1).map((each) => ({ ...each, remaining: 3 })),
      20,
    );
    expect(gate.left(20)[0]).toMatchObject({ name: 'limit 0', left: 3 });
  });

  test('stops waiting for the report of an attempt that has left', () => {
    const gate = createVendorGate();
    gate.enter(load, 0).leave(departed, 50);
    gate.enter(load, 60).reported(requests(9, 30_000), 100);
    expect(gate.left(100)).toMatchObject([{ left: 9 }]);
  });
});
