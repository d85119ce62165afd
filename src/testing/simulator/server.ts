import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { JsonObject } from '../../protocol/json.ts';
import { objectOf } from '../../wires/common/read.ts';
import type { ReceivedRequest, WireWriter } from '../../wires/common/write.ts';
import { deliverBody } from './deliver.ts';
import { Exchange, type LoggedRequest } from './exchange.ts';
import { type Fault, type FaultOptions, FaultQueue } from './faults.ts';
import { respond } from './respond.ts';
import type { AnswerSource, Script, SimulatedProviderOptions, SimulatedVendor } from './script.ts';

/** One vendor's server on loopback, with its controls. */
export interface SimulatedProvider {
  /** The base URL for the vendor's SDK. */
  readonly baseURL: string;
  /**
   * Sets the answer. A function may return `undefined` for the default answer, which fits the request's schema or forced
   * tool, and is otherwise a short text that names provider and model.
   */
  answer(source: AnswerSource): void;
  /** Makes requests fail, after the faults added before. Returns a function that removes the fault. */
  fault(fault: Fault, options?: FaultOptions): () => void;
  /** Removes all faults. Keeps the answer and the log. */
  clear(): void;
  /** Resets every connection before the headers until `up()`. Running answers continue. */
  down(): void;
  up(): void;
  /** Restores the initial state: no faults, default answer, empty log, up. */
  reset(): void;
  /** All requests in the order of arrival. */
  readonly log: readonly LoggedRequest[];
  /** Number of open sockets, including idle ones that clients keep for the next request. */
  readonly connections: number;
  /** Number of requests whose answer is not complete and whose socket is open. */
  readonly openRequests: number;
}

export type RunningProvider = { readonly provider: SimulatedProvider; close(): Promise<void> };

/** Starts a vendor's server on a free port of 127.0.0.1. */
export async function startProvider(
  vendor: SimulatedVendor,
  options: SimulatedProviderOptions,
): Promise<RunningProvider> {
  const script: Script = {
    vendor,
    models: options.models,
    badKeys: options.badKeys ?? ['bad-key'],
    faults: new FaultQueue(),
    source: undefined,
    isDown: false,
  };
  const log: LoggedRequest[] = [];
  const sockets = new Set<Socket>();
  let served = 0;
  const open = new Set<LoggedRequest>();

  const handle = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const at = Date.now();
    const bodyText = await readBody(incoming);
    const { request, wire } = readRequest(vendor, incoming, bodyText);
    const exchange = new Exchange(request, at, response);
    const { entry } = exchange;
    log.push(entry);
    open.add(entry);
    void entry.done.then(() => open.delete(entry));
    served += 1;
    const serial = `sim${String(served).padStart(20, '0')}`;
    try {
      await respond({ script, wire, turn: { request, serial, at }, exchange });
    } catch (error) {
      // Only the test's functions (an answer, a `when`) throw here.
      await deliverBody(500, {}, { error: { message: String(error) } }, exchange);
    }
  };

  // Closing idle sockets would race with the client's next request.
  const server = createServer({ keepAliveTimeout: 0 }, (incoming, response) => {
    handle(incoming, response).catch(() => response.destroy());
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;

  const provider: SimulatedProvider = {
    baseURL: `http://127.0.0.1:${port}${vendor.basePath}`,
    answer: (source) => {
      script.source = source;
    },
    fault: (fault, faultOptions = {}) => script.faults.add(fault, faultOptions),
    clear: () => script.faults.clear(),
    down: () => {
      script.isDown = true;
    },
    up: () => {
      script.isDown = false;
    },
    reset: () => {
      script.faults.clear();
      script.source = undefined;
      script.isDown = false;
      log.length = 0;
    },
    get log() {
      return log;
    },
    get connections() {
      return sockets.size;
    },
    get openRequests() {
      return open.size;
    },
  };
  const close = async (): Promise<void> => {
    server.close();
    const closed = [...sockets].map((socket) => once(socket, 'close'));
    server.closeAllConnections();
    await Promise.all(closed);
  };
  return { provider, close };
}

async function readBody(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function readRequest(
  vendor: SimulatedVendor,
  incoming: IncomingMessage,
  bodyText: string,
): { request: ReceivedRequest; wire: WireWriter | undefined } {
  const url = new URL(incoming.url ?? '/', 'http://127.0.0.1');
  const path = url.pathname;
  const method = incoming.method ?? 'GET';
  const wire = vendor.wires.find((each) => method === 'POST' && each.accepts(path));
  const headers = Object.fromEntries(
    Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]),
  );
  const body = parseBody(bodyText);
  const request = {
    wire: wire?.name,
    method,
    path,
    headers,
    body,
    ...(wire?.read(path, body) ?? { model: '', stream: false }),
    key: (wire ?? vendor.wires[0]).credential(headers, url.searchParams),
  };
  return { request, wire };
}

function parseBody(text: string): JsonObject {
  try {
    return objectOf(JSON.parse(text));
  } catch {
    return {};
  }
}
