import type { IncomingMessage, ServerResponse } from 'node:http';
import { systemRuntime } from '../../runtime.ts';
import { type Handler, responderOf } from './create-handler.ts';
import type { EventSource, Exchange, Reply, ServedFacts } from './exchange.ts';

/** Node's request, as frameworks pass it on: Express keeps the whole path, and may have parsed the body. */
type Incoming = IncomingMessage & { readonly originalUrl?: string; readonly body?: unknown };

function urlOf({ originalUrl, url = '/' }: Incoming): string {
  return originalUrl ?? url;
}

/** The path. A proxy may send the whole URL. */
function pathOf(incoming: Incoming): string {
  const url = urlOf(incoming);
  const [path = ''] = url.split(/[?#]/, 1);
  if (path.startsWith('/')) return path;
  return URL.canParse(url) ? new URL(url).pathname : '';
}

function toRequest(incoming: Incoming, signal: AbortSignal): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined) headers.set(name, String(value));
  }
  const { method = 'GET' } = incoming;
  // The host is the client's word.
  return new Request(new URL(pathOf(incoming), 'http://localhost'), { method, headers, signal });
}

function toExchange(incoming: Incoming, signal: AbortSignal, note: Exchange['note']): Exchange {
  const isRead = incoming.readableEnded && incoming.body !== undefined;
  return {
    method: incoming.method ?? 'GET',
    path: pathOf(incoming),
    header(name) {
      const value = incoming.headers[name];
      return typeof value === 'string' ? value : value?.join(', ');
    },
    // An early end must not destroy the socket, which the answer needs.
    body: () => incoming.iterator({ destroyOnReturn: false }),
    ...(isRead && { parsedBody: incoming.body }),
    signal,
    note,
    toRequest: () => toRequest(incoming, signal),
  };
}

/** Resolves when the response takes more, or is closed. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}

async function sendEvents(events: EventSource, response: ServerResponse): Promise<void> {
  let isSilent = true;
  const ring = (): void => {
    // A client that does not read needs no comments.
    if (isSilent && !response.writableNeedDrain) response.write(events.heartbeat);
    isSilent = true;
    cancelAlarm = systemRuntime.alarm(events.heartbeatMs, ring);
  };
  let cancelAlarm = systemRuntime.alarm(events.heartbeatMs, ring);
  const leave = (): void => events.cancel();
  response.on('close', leave);
  try {
    for (;;) {
      const text = await events.next();
      if (text === undefined || response.closed) return;
      isSilent = false;
      if (!response.write(text)) await drained(response);
    }
  } finally {
    cancelAlarm();
    response.off('close', leave);
    response.end();
  }
}

async function send({ status, headers, body }: Reply, response: ServerResponse): Promise<void> {
  if (typeof body !== 'string') {
    response.writeHead(status, headers);
    return sendEvents(body, response);
  }
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

/** A request that has ended. */
export type ServedRequest = ServedFacts & {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** 0: the client left before there was one. */
  readonly status: number;
  readonly ms: number;
};

export type NodeListener = (incoming: IncomingMessage, response: ServerResponse) => void;

/** Reports the request when its answer has been sent, or its client has left. */
function observed(
  incoming: Incoming,
  response: ServerResponse,
  onEnd: (request: ServedRequest) => void,
): Exchange['note'] {
  const startedAt = systemRuntime.now();
  let facts: ServedFacts = {};
  response.once('close', () => {
    const ms = systemRuntime.now() - startedAt;
    const status = response.headersSent ? response.statusCode : 0;
    onEnd({ ...facts, method: incoming.method ?? 'GET', path: pathOf(incoming), status, ms });
  });
  return (more) => {
    facts = { ...facts, ...more };
  };
}

/** A listener that reports each request. */
export function observedListener(
  handler: Handler,
  onEnd?: (request: ServedRequest) => void,
): NodeListener {
  const respond = responderOf(handler);
  return (incoming, response) => {
    const leaving = new AbortController();
    const leave = (): void => {
      if (!response.writableFinished) leaving.abort();
    };
    response.once('close', leave);
    const note = onEnd === undefined ? undefined : observed(incoming, response, onEnd);
    respond(toExchange(incoming, leaving.signal, note))
      .then((reply) => {
        if (response.closed) {
          if (typeof reply.body !== 'string') reply.body.cancel();
          return undefined;
        }
        return send(reply, response);
      })
      .catch(() => response.destroy());
  };
}

/**
 * A listener for `http.createServer`, Express and others, without making a `Request` for each request. A client that
 * leaves ends the call.
 *
 * @throws SignalboxError `config` for a handler that is not of `createHandler()`
 */
export function toNodeListener(handler: Handler): NodeListener {
  return observedListener(handler);
}
