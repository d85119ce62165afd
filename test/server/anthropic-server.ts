import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Anthropic from '@anthropic-ai/sdk';
import { createRouter, type Router } from '../../src/index.ts';
import { apiKeys, createHandler, type HandlerOptions, toNodeListener } from '../../src/server.ts';
import { type SimulatedProviders, simulateProviders } from '../../src/testing.ts';
import { type Vendor, vendorsOf } from '../support/vendors.ts';

const clientKey = 'sk-client-0123456789abcdef';

/** A real server with the handler in front of simulated vendors. Each tier has one vendor, and its name. */
export type Served = {
  readonly baseURL: string;
  readonly clientKey: string;
  readonly simulators: SimulatedProviders;
  readonly vendor: (name: string) => Vendor;
  readonly client: (options?: object) => Anthropic;
  readonly close: () => Promise<void>;
};

export async function serveVendors(options: Partial<HandlerOptions> = {}): Promise<Served> {
  const simulators = await simulateProviders();
  const vendors = vendorsOf(simulators);
  const router: Router = createRouter({
    providers: Object.fromEntries(vendors.map(({ name, provider }) => [name, provider])),
    tiers: Object.fromEntries(vendors.map(({ name, model }) => [name, [`${name}/${model}`]])),
    defaults: { retry: { attempts: 0 } },
  });
  const sha256 = createHash('sha256').update(clientKey).digest('hex');
  const handler = createHandler(router, {
    authenticate: apiKeys([{ sha256, subject: 'ci' }]),
    ...options,
  });
  const server = createServer(toNodeListener(handler));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const baseURL = `http://127.0.0.1:${port}`;
  return {
    baseURL,
    clientKey,
    simulators,
    vendor: (wanted) => {
      const vendor = vendors.find(({ name }) => name === wanted);
      if (vendor === undefined) throw new Error(`no vendor ${wanted}`);
      return vendor;
    },
    client: (more = {}) => new Anthropic({ apiKey: clientKey, baseURL, maxRetries: 0, ...more }),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await router.close();
      await simulators.close();
    },
  };
}
