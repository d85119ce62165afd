import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemRuntime } from '../../runtime.ts';
import type { Handler } from './create-handler.ts';
import { observedListener, type ServedRequest } from './node-listener.ts';

type ServerOptions = {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Called when a request has ended. */
  readonly onRequest: (request: ServedRequest) => void;
};

/** A server that is listening. */
export type RunningServer = {
  /** Without a path. */
  readonly url: string;
  /** Accepts no more connections, waits up to `ms` milliseconds for answers, and closes the rest. */
  stop(ms: number): Promise<void>;
};

const healthPath = '/health';

/** For orchestrators, which have no key. It says only that the process listens. */
function answerHealth(response: ServerResponse): void {
  const body = '{"status":"ok"}';
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}

function urlOf({ address, family, port }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

/** Serves a handler and `GET /health`. Rejects with Node's error if it cannot listen. */
export async function startServer(
  handler: Handler,
  { host, port, onRequest }: ServerOptions,
): Promise<RunningServer> {
  const listener = observedListener(handler, onRequest);
  let isStopping = false;
  const server = createServer((incoming: IncomingMessage, response: ServerResponse) => {
    if (isStopping) response.setHeader('connection', 'close');
    if (incoming.url === healthPath && incoming.method === 'GET') answerHealth(response);
    else listener(incoming, response);
    // A connection of a client that keeps it open is idle after its last answer.
    response.once('close', () => {
      if (isStopping) setImmediate(() => server.closeIdleConnections());
    });
  });
  server.listen(port, host);
  await once(server, 'listening');
  return {
    url: urlOf(server.address() as AddressInfo),
    async stop(ms) {
      isStopping = true;
      const closed = once(server, 'close');
      server.close();
      const cancel = systemRuntime.alarm(ms, () => server.closeAllConnections());
      await closed;
      cancel();
    },
  };
}
