import { Agent } from 'undici';
import { Agent as AgentV6 } from 'undici-v6';
import { Agent as AgentV7 } from 'undici-v7';
import { createRouter } from '../../src/router.ts';
import type { SimulatedProviders } from '../../src/testing/simulate-providers.ts';
import type { TransportSettings } from '../../src/transport/guarded-fetch.ts';
import { type Vendor, vendorNames, vendorsOf } from './vendors.ts';

/** The ways that a request can go: all faults must end alike on each. */
const transports: Readonly<Record<string, TransportSettings>> = {
  "signalbox's own transport": {},
  "Node's fetch": { fetch: (input, init) => globalThis.fetch(input, init) },
};

/** Each of the ways with each of the wires. */
export const waysAndWires = Object.keys(transports).flatMap((way) =>
  vendorNames.map((wire) => [way, wire] as const),
);

/** The vendors over each of the ways, all of them asked once, so that loading takes nothing from a test's clocks. */
export async function vendorsOverAll(simulators: SimulatedProviders) {
  const vendors = Object.entries(transports).flatMap(([way, transport]) =>
    vendorsOf(simulators, transport).map((vendor) => ({ ...vendor, way })),
  );
  const firstAnswers = vendors.map(({ provider, model }) =>
    createRouter({ providers: { main: provider }, tiers: { t: [`main/${model}`] } }).complete(
      't',
      'hi',
    ),
  );
  await Promise.all(firstAnswers);
  simulators.reset();
  return (way: string, wire: Vendor['name']): Vendor => {
    const found = vendors.find((each) => each.way === way && each.name === wire);
    if (found === undefined) throw new Error(`no vendor ${wire} over ${way}`);
    return found;
  };
}

/** Dispatchers of the user's, of all versions of undici that are kept up. */
export const dispatchers: Readonly<Record<string, TransportSettings>> = {
  'undici 6': { dispatcher: new AgentV6() },
  'undici 7': { dispatcher: new AgentV7() },
  'undici 8': { dispatcher: new Agent() },
};
