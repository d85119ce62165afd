import {
  Client,
  type ClientOptions,
  InMemoryTransport,
  StreamableHTTPClientTransport,
  type Transport,
} from '@modelcontextprotocol/client';
import { createMcpHandler, type McpServer } from '@modelcontextprotocol/server';

/** How a client opens a connection: as those of 2025, or with the stateless protocol. */
export const eras = [
  ['2025-11-25', 'legacy'],
  ['2026-07-28', { pin: '2026-07-28' }],
] as const;

export type Era = (typeof eras)[number][1];

async function connected(transport: Transport, options: ClientOptions): Promise<Client> {
  const client = new Client({ name: 'test', version: '1.0.0' }, options);
  await client.connect(transport);
  return client;
}

/** A client of a server in the same process. */
export async function connect(server: McpServer, options: ClientOptions = {}): Promise<Client> {
  const [near, far] = InMemoryTransport.createLinkedPair();
  await server.connect(far);
  return connected(near, options);
}

/** A client of a handler of HTTP requests, without a socket. */
export function connectByHttp(
  makeServer: (signal: AbortSignal) => McpServer,
  mode: Era,
): Promise<Client> {
  const transport = new StreamableHTTPClientTransport(new URL('http://localhost/mcp'), {
    fetch: (url, init) => {
      const request = new Request(url, init);
      return createMcpHandler(() => makeServer(request.signal)).fetch(request);
    },
  });
  return connected(transport, { versionNegotiation: { mode } });
}

/** A client of another transport. */
export const connectBy = (transport: Transport, mode: Era): Promise<Client> =>
  connected(transport, { versionNegotiation: { mode } });
