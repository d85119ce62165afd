import {
  createServer,
  type IncomingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

export type SeenRequest = {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Record<string, unknown>;
};

/** A loopback server that answers each request with `answer`, and records the requests. */
export type ScriptedServer = {
  readonly url: string;
  readonly seen: readonly SeenRequest[];
  /** Resolves when the next connection closes. */
  closed(): Promise<void>;
  stop(): Promise<void>;
};

export async function startScriptedServer(
  answer: (response: ServerResponse, request: SeenRequest) => void,
): Promise<ScriptedServer> {
  const seen: SeenRequest[] = [];
  const waiting: (() => void)[] = [];
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8') || '{}');
      const entry: SeenRequest = {
        path: request.url ?? '',
        headers: request.headers,
        body: body as Record<string, unknown>,
      };
      seen.push(entry);
      response.on('close', () => {
        for (const resolve of waiting.splice(0)) resolve();
      });
      answer(response, entry);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    closed: () => new Promise((resolve) => waiting.push(resolve)),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function answerJson(body: unknown, status = 200, headers: Record<string, string> = {}) {
  return (response: ServerResponse): void => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };
}

/** Sends the events, then ends, stalls or cuts the connection. */
export function answerEvents(
  events: readonly unknown[],
  options: {
    readonly ending?: 'end' | 'stall' | 'cut';
    readonly headers?: Record<string, string>;
  } = {},
) {
  return (response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'text/event-stream', ...options.headers });
    response.flushHeaders();
    for (const event of events) response.write(`data: ${JSON.stringify(event)}\n\n`);
    if (options.ending === 'stall') return;
    // Cut once everything has been written.
    if (options.ending === 'cut') response.write('\n', () => response.destroy());
    else response.end();
  };
}
