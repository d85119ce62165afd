import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRouter } from '../../src/router.ts';
import {
  type SimulatedProviders,
  simulateProviders,
} from '../../src/testing/simulate-providers.ts';
import { vendorsOf } from '../support/vendors.ts';

let simulators: SimulatedProviders;

beforeAll(async () => {
  simulators = await simulateProviders();
});
afterAll(() => simulators.close());

describe('a connection', () => {
  it.each(['responses', 'chat', 'anthropic', 'google'] as const)(
    'over the %s wire serves the next call too, streams included',
    async (name) => {
      const vendor = vendorsOf(simulators).find((each) => each.name === name);
      if (vendor === undefined) throw new Error(`no vendor ${name}`);
      const router = createRouter({
        providers: { main: vendor.provider },
        tiers: { t: [`main/${vendor.model}`] },
      });
      const before = vendor.simulator.connections;
      for (let each = 0; each < 5; each++) {
        await router.complete('t', 'hi');
        await Promise.all(vendor.simulator.log.map((request) => request.done));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      expect(vendor.simulator.connections - before).toBe(1);
      expect(vendor.simulator.log.every((request) => !request.aborted)).toBe(true);
    },
  );
});
