import { Agent } from 'undici';
import { Agent as AgentV6 } from 'undici-v6';
import { Agent as AgentV7 } from 'undici-v7';
import { createRouter } from '../../src/router.ts';
import type { SimulatedProviders } from '../../src/testing/simulate-providers.ts';
import type { TransportSettings } from '../../src/transport/guarded-fetch.ts';
import { type Vendor, vendorNames, vendorsOf } from './vendors.ts';

/** The transports; every fault must have the same outcome over each. */
const transports: Readonly<Record<string, TransportSettings>> = {
  "signalbox's own transport": {},
  "Node's fetch": { fetch: (input, init) => globalThis.fetch(input, init) },
};

/** Each transport with each wire. */
export const waysAndWires = Object.keys(transports).flatMap((way) =>
  vendorNames.map((wire) => [way, wire] as const),
);

/** The vendors over each transport. Each has answered once, so that loading the SDKs is not part of a test. */
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

/** User dispatchers of all maintained versions of undici. */
export const dispatchers: Readonly<Record<string, TransportSettings>> = {
  'undici 6': { dispatcher: new AgentV6() },
  'undici 7': { dispatcher: new AgentV7() },
  'undici 8': { dispatcher: new Agent() },
};
