import { expect, it } from 'vitest';
import { createConcurrencyGate } from '../../src/limits/gate.ts';

const load = { tokens: 1 };
const done = { outcome: 'ok', tokens: 1 } as const;

function setUp(settings: { limit: number; name: string }) {
  return createConcurrencyGate(
    () => settings.name,
    () => settings.limit,
  );
}

it('closes while as many attempts are in flight as the limit allows', () => {
  const settings = { limit: 2, name: 'its limit of 2' };
  const gate = setUp(settings);
  const first = gate.enter(load, 0);
  expect(gate.opensAt(load, 5)).toBe(5);
  gate.enter(load, 0);
  expect(gate.opensAt(load, 5)).toBe(Number.POSITIVE_INFINITY);
  first.leave(done, 10);
  expect(gate.opensAt(load, 10)).toBe(10);
});

it('follows the limit and its name', () => {
  const settings = { limit: 1, name: 'its limit of 1' };
  const gate = setUp(settings);
  gate.enter(load, 0);
  settings.limit = 2;
  settings.name = 'its limit of 2';
  expect(gate.opensAt(load, 5)).toBe(5);
  expect(gate.name).toBe('its limit of 2');
});

it('estimates the wait from how long slots are usually held', () => {
  const gate = setUp({ limit: 2, name: 'slots' });
  expect(gate.intervalMs(load)).toBe(0);
  gate.enter(load, 1_000).leave(done, 1_100);
  expect(gate.intervalMs(load)).toBe(50);
  gate.enter(load, 2_000).leave(done, 2_200);
  expect(gate.intervalMs(load)).toBe(60);
});
