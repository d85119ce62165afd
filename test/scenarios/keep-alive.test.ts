import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRouter } from '../../src/router.ts';
import {
  type SimulatedProviders,
  simulateProviders,
} from '../../src/testing/simulate-providers.ts';
import { vendorsOverAll, waysAndWires } from '../support/transports.ts';

let simulators: SimulatedProviders;
let vendorOver: Awaited<ReturnType<typeof vendorsOverAll>>;

beforeAll(async () => {
  simulators = await simulateProviders();
  vendorOver = await vendorsOverAll(simulators);
});
afterAll(() => simulators.close());

describe('a connection', () => {
  it.each(waysAndWires)(
    'over %s, on the %s wire, serves the next call too, streams included',
    async (way, name) => {
      const vendor = vendorOver(way, name);
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
      // None at all where the way before has left one open: both go by the same dispatcher.
      expect(vendor.simulator.connections - before).toBeLessThanOrEqual(1);
      expect(vendor.simulator.log.every((request) => !request.aborted)).toBe(true);
    },
  );
});
