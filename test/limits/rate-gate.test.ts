import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRateGate } from '../../src/limits/rate-gate.ts';

const requests = (rpm: number) =>
  createRateGate({ name: () => 'rpm', unit: 'requests', perMinute: () => rpm });
const tokens = (tpm: number) =>
  createRateGate({ name: () => 'tpm', unit: 'tokens', perMinute: () => tpm });
const start = Date.UTC(2026, 0, 1);

describe('createRateGate', () => {
  test('never exceeds the limit in any 60-second window', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.array(fc.nat(20_000), { minLength: 1, maxLength: 150 }),
        (rpm, gaps) => {
          const gate = requests(rpm);
          const passed: number[] = [];
          let now = start;
          for (const gap of gaps) {
            now += gap;
            now = Math.max(now, gate.opensAt({ tokens: 0 }, now));
            gate.enter({ tokens: 0 }, now);
            passed.push(now);
            expect(passed.filter((at) => now - at < 60_000).length).toBeLessThanOrEqual(rpm);
          }
        },
      ),
    );
  });

  test('reaches the limit under constant load', () => {
    const gate = requests(600);
    let now = start;
    let passed = 0;
    for (; now < start + 300_000; passed += 1) {
      now = Math.max(now, gate.opensAt({ tokens: 0 }, now));
      gate.enter({ tokens: 0 }, now);
    }
    expect(passed).toBeGreaterThan(0.97 * 5 * 600);
  });

  test('admits five requests at once and spreads the others', () => {
    const gate = requests(60);
    for (let each = 0; each < 5; each += 1) {
      expect(gate.opensAt({ tokens: 0 }, start)).toBe(start);
      gate.enter({ tokens: 0 }, start);
    }
    const next = gate.opensAt({ tokens: 0 }, start);
    expect(next).toBeGreaterThan(start + 900);
    expect(next).toBeLessThan(start + 1_200);
  });

  test('corrects the estimated tokens after the answer', () => {
    const gate = tokens(6_000);
    const pass = gate.enter({ tokens: 6_000 }, start);
    expect(gate.left(start)).toBe(0);
    pass.leave({ outcome: 'ok', tokens: 100 }, start + 1_000);
    expect(gate.left(start + 1_000)).toBe(5_900);
    expect(gate.opensAt({ tokens: 100 }, start + 1_000)).toBeLessThan(start + 1_100);
  });

  test('admits a load above the limit of a minute when nothing else counts', () => {
    const gate = tokens(1_000);
    gate.enter({ tokens: 10 }, start);
    const at = gate.opensAt({ tokens: 5_000 }, start);
    expect(at).toBeGreaterThanOrEqual(start + 60_000);
    expect(at).toBeLessThan(start + 63_000);
    expect(gate.opensAt({ tokens: 5_000 }, at)).toBeLessThanOrEqual(at);
  });

  test('limits nothing without a limit', () => {
    const gate = createRateGate({
      name: () => 'its rpm limit',
      unit: 'requests',
      perMinute: () => undefined,
    });
    gate.enter({ tokens: 0 }, start).leave({ outcome: 'ok', tokens: 5 }, start);
    gate.limitChanged(0, start);
    expect(gate.opensAt({ tokens: 0 }, start)).toBe(start);
    expect(gate.intervalMs({ tokens: 0 })).toBe(0);
    expect(gate.left(start)).toBeUndefined();
    expect(gate.name).toBe('its rpm limit');
  });

  test('estimates how long one load delays the next', () => {
    expect(requests(61).intervalMs({ tokens: 500 })).toBe(1_000);
    expect(tokens(6_100).intervalMs({ tokens: 500 })).toBe(5_000);
  });

  test('counts requests, whatever tokens they used', () => {
    const gate = requests(6);
    gate.enter({ tokens: 100 }, start).leave({ outcome: 'ok', tokens: 900 }, start);
    expect(gate.left(start)).toBe(5);
    for (let each = 0; each < 7; each += 1) gate.enter({ tokens: 0 }, start);
    expect(gate.left(start)).toBe(0);
  });

  test('admits all requests of a minute at once if the limit is below five', () => {
    const gate = requests(3);
    for (let each = 0; each < 3; each += 1) {
      expect(gate.opensAt({ tokens: 0 }, start)).toBe(start);
      gate.enter({ tokens: 0 }, start);
    }
    expect(gate.opensAt({ tokens: 0 }, start)).toBeGreaterThan(start + 60_000);
  });

  test('admits the tokens of one second at once', () => {
    const gate = tokens(6_000);
    gate.enter({ tokens: 60 }, start);
    expect(gate.opensAt({ tokens: 40 }, start)).toBe(start);
    expect(gate.opensAt({ tokens: 41 }, start) - start).toBeCloseTo(61_000 / 6_000, 2);
    expect(gate.opensAt({ tokens: 5_000 }, start) - start).toBeCloseTo((60 * 61_000) / 6_000, 2);
  });

  test('pays off more tokens than estimated, for at most a minute', () => {
    const opensAfter = (used: number): number => {
      const gate = tokens(6_100);
      gate.enter({ tokens: 100 }, start).leave({ outcome: 'ok', tokens: used }, start);
      return gate.opensAt({ tokens: 1 }, start) - start;
    };
    expect(opensAfter(100)).toBe(0);
    expect(opensAfter(1_100)).toBeCloseTo(10_000 - 7, -2);
    expect(opensAfter(1e12)).toBeLessThan(62_000);
  });

  test('refills evenly, and a request after its tokens are paid off passes', () => {
    const gate = tokens(6_100);
    gate.enter({ tokens: 100 }, start).leave({ outcome: 'ok', tokens: 1_100 }, start);
    expect(gate.opensAt({ tokens: 100 }, start + 5_000)).toBeGreaterThan(start + 10_000);
    expect(gate.opensAt({ tokens: 1 }, start + 11_000)).toBe(start + 11_000);
  });

  test('admits no burst of tokens below those of one second', () => {
    const gate = tokens(60);
    gate.enter({ tokens: 1 }, start);
    expect(gate.opensAt({ tokens: 1 }, start)).toBeGreaterThan(start + 900);
  });

  test('starts to limit when a limit is set later, and stays as it is when one is lowered', () => {
    const settings: { perMinute: number | undefined } = { perMinute: undefined };
    const gate = createRateGate({
      name: () => 'rpm',
      unit: 'requests',
      perMinute: () => settings.perMinute,
    });
    gate.enter({ tokens: 0 }, start);
    gate.limitChanged(0, start);
    settings.perMinute = 60;
    for (let each = 0; each < 5; each += 1) gate.enter({ tokens: 0 }, start);
    const opensAt = gate.opensAt({ tokens: 0 }, start);
    expect(opensAt).toBeGreaterThan(start + 900);
    gate.limitChanged(90, start);
    gate.limitChanged(60, start);
    expect(gate.opensAt({ tokens: 0 }, start)).toBe(opensAt);
  });

  test('does not correct what was estimated when the vendor reports no tokens', () => {
    const gate = tokens(6_000);
    gate.enter({ tokens: 1_000 }, start).leave({ outcome: 'other', tokens: undefined }, start);
    expect(gate.left(start)).toBe(5_000);
  });

  test('lets what a higher limit allows in addition pass immediately', () => {
    const settings = { perMinute: 6 };
    const gate = createRateGate({
      name: () => 'rpm',
      unit: 'requests',
      perMinute: () => settings.perMinute,
    });
    const enterAll = (): number => {
      let count = 0;
      while (gate.opensAt({ tokens: 0 }, start) <= start) {
        gate.enter({ tokens: 0 }, start);
        count += 1;
      }
      return count;
    };
    expect(enterAll()).toBe(5);
    settings.perMinute = 8;
    gate.limitChanged(6, start);
    expect(enterAll()).toBe(2);
    settings.perMinute = 4;
    gate.limitChanged(8, start);
    settings.perMinute = 60;
    gate.limitChanged(60, start);
    expect(enterAll()).toBe(0);
  });
});
