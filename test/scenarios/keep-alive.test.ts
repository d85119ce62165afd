import { setImmediate as nextTurn } from 'node:timers/promises';
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
    'over %s, on the %s wire, is reused by the next call',
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
        // The client has the end of the response; a few turns let it return the socket to its pool.
        for (let turn = 0; turn < 20; turn++) await nextTurn();
      }
      // None when an earlier test left a connection open: all use the same dispatcher.
      expect(vendor.simulator.connections - before).toBeLessThanOrEqual(1);
      expect(vendor.simulator.log.every((request) => !request.aborted)).toBe(true);
    },
  );
});
