import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import OpenAI from 'openai';
import { createRouter, type Router } from '../../src/index.ts';
import { apiKeys, createHandler, toNodeListener } from '../../src/server.ts';
import { type SimulatedProviders, simulateProviders } from '../../src/testing.ts';
import { type Vendor, vendorsOf } from '../support/vendors.ts';

/** A real server with the handler in front of simulated vendors. Each tier has one vendor, and its name. */
export type ResponseServer = {
  /** With `/v1`. */
  readonly baseURL: string;
  readonly apiKey: string;
  readonly client: OpenAI;
  readonly simulators: SimulatedProviders;
  readonly simulatorOf: (name: Vendor['name']) => Vendor['simulator'];
  readonly close: () => Promise<void>;
};

export async function serveResponses(): Promise<ResponseServer> {
  const simulators = await simulateProviders();
  const vendors = vendorsOf(simulators);
  const router: Router = createRouter({
    providers: Object.fromEntries(vendors.map(({ name, provider }) => [name, provider])),
    tiers: Object.fromEntries(vendors.map(({ name, model }) => [name, [`${name}/${model}`]])),
    defaults: { retry: { attempts: 0 } },
  });
  const apiKey = 'sk-client-0123456789abcdef';
  const sha256 = createHash('sha256').update(apiKey).digest('hex');
  const handler = createHandler(router, { authenticate: apiKeys([{ sha256, subject: 'ci' }]) });
  const server = createServer(toNodeListener(handler));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const baseURL = `http://127.0.0.1:${port}/v1`;
  return {
    baseURL,
    apiKey,
    client: new OpenAI({ apiKey, baseURL, maxRetries: 0, logLevel: 'off' }),
    simulators,
    simulatorOf: (name) => {
      const vendor = vendors.find((each) => each.name === name);
      if (vendor === undefined) throw new Error(`no vendor ${name}`);
      return vendor.simulator;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await router.close();
      await simulators.close();
    },
  };
}

/** What each vendor needs to go on after tools: its encrypted reasoning, the reasoning, or a signature. */
export const replayed = {
  responses: '"encrypted_content":"c2ln',
  chat: '"reasoning_content":"They want the weather."',
  anthropic: '"signature":"c2ln',
  google: '"thoughtSignature":"c2ln',
} as const satisfies Record<Vendor['name'], string>;

/** The replay data of the simulated vendors. */
export const reasoningSignature = 'c2lnbmF0dXJlIG9mIHRoZSB0ZXN0';
