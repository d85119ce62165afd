import { SignalboxError } from '../../errors.ts';
import { own } from '../../internal/own.ts';
import type { Router } from '../../protocol/router.ts';
import { systemRuntime } from '../../runtime.ts';
import { type Access, type Authenticate, accessProblem, accessTo } from './access.ts';
import { type Ask, jsonReply, type ServedRouter } from './ask.ts';
import { clientTags } from './client-tags.ts';
import type { Exchange, Reply } from './exchange.ts';
import { HttpProblem, shownError } from './problems.ts';
import { type BodyLimits, readBody } from './read-body.ts';
import { type Endpoint, type ErrorWire, endpointAt } from './routes.ts';
import { toExchange, toResponse } from './web.ts';

export type HandlerOptions = {
  /** Returns what the client of a request may do, or `null`: `apiKeys()`, or a function of yours. */
  readonly authenticate: Authenticate;
  /** The path before `/chat/completions`. @default '/v1' */
  readonly basePath?: string | undefined;
  /** The largest body of a request, in bytes. @default 4_194_304 */
  readonly maxBodyBytes?: number | undefined;
  /** Milliseconds in which the body of a request must arrive. @default 30_000 */
  readonly bodyTimeoutMs?: number | undefined;
  /** Milliseconds without an event after which a stream sends a comment. @default 15_000 */
  readonly heartbeatMs?: number | undefined;
  /** The names of the tags that clients may set themselves. @default none */
  readonly allowTags?: readonly string[] | undefined;
};

/** Answers a request of the web's type. */
export type Handler = (request: Request) => Promise<Response>;

/** Answers a request of either type. Never rejects. */
export type Respond = (exchange: Exchange) => Promise<Reply>;

/** How each handler answers, for servers that need no `Request`. */
const responders = new WeakMap<Handler, Respond>();

/** @throws SignalboxError `config` for a function that is not of `createHandler` */
export function responderOf(handler: Handler): Respond {
  const respond = responders.get(handler);
  if (respond !== undefined) return respond;
  throw new SignalboxError('config', 'toNodeListener(): must be a handler of createHandler()');
}

type Settings = BodyLimits & {
  readonly authenticate: Authenticate;
  readonly basePath: string;
  readonly heartbeatMs: number;
  readonly allowTags: readonly string[];
};

function wrong(what: string): SignalboxError {
  return new SignalboxError('config', `createHandler(): ${what}`);
}

const knownOptions = {
  authenticate: true,
  basePath: true,
  maxBodyBytes: true,
  bodyTimeoutMs: true,
  heartbeatMs: true,
  allowTags: true,
} as const satisfies Record<keyof HandlerOptions, true>;

function settingsOf(options: HandlerOptions): Settings {
  if (typeof options !== 'object' || options === null) throw wrong('needs { authenticate }');
  const unknown = Object.keys(options).find((name) => own(knownOptions, name) === undefined);
  if (unknown !== undefined) throw wrong(`there is no option ${JSON.stringify(unknown)}`);
  const {
    authenticate,
    basePath = '/v1',
    maxBodyBytes = 4_194_304,
    bodyTimeoutMs = 30_000,
    heartbeatMs = 15_000,
    allowTags = [],
  } = options;
  if (typeof authenticate !== 'function') {
    throw wrong('authenticate must be a function: apiKeys() makes one');
  }
  if (typeof basePath !== 'string' || !/^(?:\/[^/?#]+)*$/.test(basePath)) {
    throw wrong("basePath must be a path like '/v1', without a slash at its end");
  }
  for (const [name, value] of Object.entries({ maxBodyBytes, bodyTimeoutMs, heartbeatMs })) {
    if (!Number.isSafeInteger(value) || value <= 0)
      throw wrong(`${name} must be a whole number above 0`);
  }
  if (
    !Array.isArray(allowTags) ||
    !allowTags.every((tag) => typeof tag === 'string' && tag !== '')
  ) {
    throw wrong('allowTags must be a list of names');
  }
  if (allowTags.includes('subject')) throw wrong('allowTags must not contain "subject"');
  return { authenticate, basePath, maxBodyBytes, bodyTimeoutMs, heartbeatMs, allowTags };
}

async function authenticated(settings: Settings, exchange: Exchange): Promise<Access> {
  const access = await accessTo(settings.authenticate, exchange);
  if (access === null) {
    throw new HttpProblem(401, 'auth', 'The API key is missing or not valid.');
  }
  const problem = accessProblem(access);
  if (problem !== undefined) throw new SignalboxError('config', `authenticate: ${problem}`);
  return access;
}

function checkMethod({ method }: Exchange, endpoint: Endpoint): void {
  if (method === endpoint.method) return;
  const message = `The method must be ${endpoint.method}.`;
  const headers = { allow: endpoint.method };
  throw new HttpProblem(405, 'invalid_request', message, { headers });
}

function errorReply(error: unknown, wire: ErrorWire, ask: PartialAsk): Reply {
  const { status, headers, error: shown } = shownError(error);
  const { exchange, path, serial, at } = ask;
  const request = {
    ...{ wire: undefined, method: exchange.method, path, headers: {}, body: {} },
    ...{ model: '', stream: false, key: undefined },
  };
  const body = wire.errorBody(shown, { request, serial, at });
  return jsonReply(body, headers, wire.statusOf?.(shown) ?? status);
}

type PartialAsk = Pick<Ask, 'exchange' | 'path' | 'serial' | 'at'>;

function createResponder(router: ServedRouter, settings: Settings): Respond {
  const { basePath, heartbeatMs } = settings;
  return async (exchange) => {
    const serial = systemRuntime.createId('req').slice('req_'.length);
    const at = systemRuntime.now();
    const { path: whole } = exchange;
    const path = whole.startsWith(`${basePath}/`) ? whole.slice(basePath.length) : '';
    const endpoint = endpointAt(path, exchange);
    const ask = { exchange, path, serial, at };
    let reply: Reply;
    try {
      const access = await authenticated(settings, exchange);
      if (endpoint.answer === undefined) {
        const message = endpoint.absence ?? 'There is nothing at this path.';
        throw new HttpProblem(404, 'invalid_request', message, { code: 'not_found' });
      }
      checkMethod(exchange, endpoint);
      const body = endpoint.method === 'POST' ? await readBody(exchange, settings) : {};
      const tags = {
        ...clientTags(exchange, body, settings.allowTags),
        ...access.tags,
        subject: access.subject,
      };
      reply = await endpoint.answer({ ...ask, router, access, body, tags, heartbeatMs });
    } catch (error) {
      reply = errorReply(error, endpoint.wire, ask);
    }
    const { requestIdHeader = 'x-request-id' } = endpoint.wire;
    return { ...reply, headers: { ...reply.headers, [requestIdHeader]: `req_${serial}` } };
  };
}

/**
 * Makes an HTTP handler that speaks the APIs of OpenAI and Anthropic over a router: clients call tiers as models. It never throws, and
 * never answers without `authenticate`.
 *
 * @throws SignalboxError `config` for invalid options
 */
export function createHandler<
  Tier extends string,
  Provider extends string,
  Strategy extends string,
>(router: Router<Tier, Provider, Strategy>, options: HandlerOptions): Handler {
  if (typeof router?.complete !== 'function') throw wrong('the first argument must be a router');
  // Names of tiers come from clients, and are checked when they are called.
  const respond = createResponder(router as unknown as ServedRouter, settingsOf(options));
  const handler: Handler = async (request) => toResponse(await respond(toExchange(request)));
  responders.set(handler, respond);
  return handler;
}
