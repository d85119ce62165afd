import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import OpenAI from 'openai';
import type { RouterConfig } from '../../src/protocol/config.ts';
import type { Router } from '../../src/protocol/router.ts';
import { createRouter } from '../../src/router.ts';
import {
  type ApiKey,
  apiKeys,
  createHandler,
  type Handler,
  type HandlerOptions,
  toNodeListener,
} from '../../src/server.ts';
import {
  type SimulatedProviders,
  simulateProviders,
} from '../../src/testing/simulate-providers.ts';
import { type Vendor, vendorsOf } from './vendors.ts';

export const clientKey = 'client-key';

export function sha256(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

type Served = { readonly handler: Handler; readonly router: Router };

type ServeOptions = Partial<HandlerOptions> & {
  readonly keys?: readonly ApiKey[];
  readonly config?: Partial<RouterConfig<string, string>>;
};

/** A handler on a server of Node, over a tier for each simulated vendor. Its router is new after each `serve()`. */
export class HandlerServer {
  readonly simulators: SimulatedProviders;
  readonly vendors: readonly Vendor[];
  readonly #server: Server;
  #served: Served | undefined;

  private constructor(simulators: SimulatedProviders, server: Server) {
    this.simulators = simulators;
    this.vendors = vendorsOf(simulators);
    this.#server = server;
    server.on('request', (incoming, response) => {
      toNodeListener(this.#current.handler)(incoming, response);
    });
  }

  static async start(): Promise<HandlerServer> {
    const simulators = await simulateProviders();
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new HandlerServer(simulators, server);
  }

  get #current(): Served {
    if (this.#served === undefined) throw new Error('serve() comes first');
    return this.#served;
  }

  get router(): Router {
    return this.#current.router;
  }

  get handler(): Handler {
    return this.#current.handler;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/v1`;
  }

  serve({ keys, config, ...options }: ServeOptions = {}): Served {
    this.simulators.reset();
    const router = createRouter({
      providers: Object.fromEntries(this.vendors.map(({ name, provider }) => [name, provider])),
      tiers: Object.fromEntries(
        this.vendors.map(({ name, model }) => [name, [`${name}/${model}`] as const]),
      ),
      defaults: { retry: { attempts: 0 } },
      ...config,
    } as RouterConfig<string, string>);
    const authenticate = apiKeys(keys ?? [{ sha256: sha256(clientKey), subject: 'me' }]);
    const handler = createHandler(router, { authenticate, ...options });
    this.#served = { router, handler };
    return this.#served;
  }

  vendor(name: Vendor['name']): Vendor {
    const found = this.vendors.find((each) => each.name === name);
    if (found === undefined) throw new Error(name);
    return found;
  }

  openai(apiKey = clientKey): OpenAI {
    return new OpenAI({ apiKey, baseURL: this.url, maxRetries: 0 });
  }

  /** Sends a body as it is. */
  post(path: string, body: string | Uint8Array, headers: Record<string, string> = {}) {
    return fetch(`${this.url}${path}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${clientKey}`,
        'content-type': 'application/json',
        ...headers,
      },
      body,
    });
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await this.simulators.close();
  }
}
