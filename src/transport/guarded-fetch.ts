import { untilAborted } from '../internal/until-aborted.ts';
import { answerOf } from './body/response.ts';
import type { Listener, Tap } from './response-capture.ts';
import { dispatchRequest } from './undici/dispatch.ts';
import { type Dispatcher, processDispatcher } from './undici/dispatcher.ts';

export type Fetch = typeof globalThis.fetch;

/** Travels inside the SDK's per-request fetch options; a symbol, so that no vendor ever sees it. */
const tapKey = Symbol('signalbox.tap');

/** The fetch options that carry `tap` through an SDK down to the guard. */
export function withTap(tap: Tap): RequestInit {
  return { [tapKey]: tap } as RequestInit;
}

/** The tap among fetch options. */
export function tapOf(init: object | undefined): Tap | undefined {
  return init === undefined ? undefined : (Reflect.get(init, tapKey) as Tap | undefined);
}

/** Who sends the requests of a provider. */
export type TransportSettings = {
  /** Makes the requests in place of signalbox; connecting, proxies and its timeouts are then its business. */
  readonly fetch?: Fetch | undefined;
  /**
   * Carries the requests: any dispatcher of `undici`, such as a `ProxyAgent`, or an `Agent` with a certificate.
   * Not together with `fetch`. @default the process-wide one, which Node's `fetch` uses too
   */
  readonly dispatcher?: Dispatcher | undefined;
};

export type GuardOptions = TransportSettings & {
  /**
   * Gives the headers of a request with that key, credentials included; when it fails, so does the request. What
   * an SDK adds is dropped: telemetry (`x-stainless-*`) and whatever `OPENAI_CUSTOM_HEADERS`,
   * `ANTHROPIC_CUSTOM_HEADERS`, organisation and project variables hold. `'as-is'` leaves the SDK's headers alone,
   * for a client that the user made.
   */
  readonly headers: ((key: number) => FixedHeaders | Promise<FixedHeaders>) | 'as-is';
  /** Those of the SDK's headers that are sent, unless `headers` has them too. @default none */
  readonly passes?: readonly string[];
};

/** Names in lower case, values without white space around them. */
type FixedHeaders = Readonly<Record<string, string>>;

function passed(sent: RequestInit['headers'], names: readonly string[]): Record<string, string> {
  const headers = sent instanceof Headers ? sent : new Headers(sent);
  const told: Record<string, string> = {};
  for (const name of names) {
    const value = headers.get(name);
    if (value !== null) told[name] = value;
  }
  return told;
}

/** At once, where they can be told at once. */
function guardHeaders(
  { headers, passes }: GuardOptions,
  sent: RequestInit['headers'],
  { key, signal }: Listener,
): FixedHeaders | Promise<FixedHeaders> {
  if (headers === 'as-is') return Object.fromEntries(new Headers(sent));
  const given = headers(key);
  const complete = (own: FixedHeaders): FixedHeaders =>
    passes === undefined ? own : Object.assign(passed(sent, passes), own);
  if (!(given instanceof Promise)) return complete(given);
  return untilAborted(() => given, signal).then(complete);
}

/** Whether a request can do without `fetch`, which sees to what is not plain text and refuses odd addresses. */
function isPlain(url: string, body: unknown): boolean {
  return /^https?:\/\/[^/?#@]+(?:[/?#]|$)/.test(url) && (typeof body === 'string' || body == null);
}

/** Sends a request with those headers: the user's way if there is one, else straight through undici. */
function sendWith(
  options: GuardOptions,
  input: Parameters<Fetch>[0],
  init: RequestInit,
  headers: FixedHeaders,
  tap: Tap,
): void {
  const { method = 'GET', body } = init;
  const { signal, watch } = tap.take();
  const url = input instanceof Request ? input.url : String(input);
  tap.sends({ url, headers });
  if (options.fetch === undefined) {
    const dispatcher = options.dispatcher ?? (isPlain(url, body) ? processDispatcher() : undefined);
    if (dispatcher !== undefined) {
      dispatchRequest(dispatcher, { url, method, headers, body }, tap);
      return;
    }
  }
  // A fetch cannot be watched.
  watch.connected();
  const { [tapKey]: _tap, ...asked } = init as RequestInit & { readonly [tapKey]?: Tap };
  const ownFetch = options.fetch ?? globalThis.fetch;
  const whole = { ...asked, headers: new Headers(headers), redirect: 'manual', signal } as const;
  ownFetch(input, whole)
    .then((response) => {
      tap.answered(answerOf(response, signal));
      // The fetch has the signal, too, and closes its connection itself.
      tap.close();
    })
    .catch((reason: unknown) => tap.fail(reason));
}

/**
 * Sends a request with guarded headers and no redirects, under the attempt's signal; the answer goes to its tap,
 * and so does what went wrong. @throws Error when the attempt has ended
 */
export function sendGuarded(
  options: GuardOptions,
  input: Parameters<Fetch>[0],
  init: RequestInit,
  tap: Tap,
): void {
  const listener = tap.take();
  const fail = (reason: unknown): void => tap.fail(reason);
  try {
    const headers = guardHeaders(options, init.headers, listener);
    if (headers instanceof Promise) {
      headers.then((given) => sendWith(options, input, init, given, tap)).catch(fail);
    } else sendWith(options, input, init, headers, tap);
  } catch (error) {
    fail(error);
  }
}

let blank: Response | undefined;

/**
 * The empty answer that all SDKs get. A `Response` is dear, and can be read only once; this one is made once
 * and always says the same.
 */
function blankResponse(): Response {
  if (blank !== undefined) return blank;
  const headers = new Headers({ 'content-type': 'application/json' });
  const said: Partial<Response> = {
    ok: true,
    status: 200,
    statusText: '',
    url: '',
    headers,
    body: null,
    bodyUsed: false,
    clone: () => blankResponse(),
    json: async () => ({}),
    text: async () => '{}',
  };
  const fields = Object.entries(said).map(([name, value]) => [name, { value }]);
  const made: Response = Object.create(Response.prototype, Object.fromEntries(fields));
  blank = made;
  return made;
}

/**
 * The one `fetch` that every SDK gets. It sends what the SDK built, with guarded headers and no redirects,
 * under the attempt's signal; the answer goes to the attempt's {@link Tap}, and the SDK gets an empty one at
 * once. So the SDK makes the request and we read the answer, alike for all three: their decoders throw on one
 * bad event, call a truncated stream an answer and hide error headers.
 * A request without a tap (an SDK's own errand, such as fetching a token) passes through untouched.
 */
export function guardedFetch(options: GuardOptions): Fetch {
  return async (input, init) => {
    const tap = tapOf(init);
    if (tap === undefined || init === undefined) {
      return (options.fetch ?? globalThis.fetch)(input, init);
    }
    sendGuarded(options, input, init, tap);
    return blankResponse();
  };
}

/** The guard for one request only, for SDKs that take a `fetch` with each request instead of fetch options. */
export function tappedFetch(guard: Fetch, tap: Tap): Fetch {
  return (input, init) => guard(input, { ...init, ...withTap(tap) });
}
