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
});
