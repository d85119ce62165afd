import type { Watch } from '../protocol/provider.ts';
import { type Answer, answerOf } from './answer.ts';
import { dispatchRequest } from './dispatch.ts';
import { type Dispatcher, processDispatcher } from './dispatcher.ts';
import { untilAborted } from './until-aborted.ts';

export type Fetch = typeof globalThis.fetch;

/** What the guard has to know of an attempt. */
export type Listener = {
  readonly signal: AbortSignal;
  readonly watch: Watch;
  /** Which of the provider's keys, from 0. */
  readonly key: number;
};

/**
 * One attempt's ear on the wire. SDKs keep what they were handed for a while after their call, so the tap lets
 * go of everything once the answer has been taken from it.
 */
export type Tap = {
  /** Whose request it is; `undefined` when the attempt has no use for an answer any more. */
  listener: Listener | undefined;
  /** The vendor's answer, or why there is none; set once the SDK has handed over its request. */
  answer?: Promise<Answer> | undefined;
};

/** Travels inside the SDK's per-request fetch options; a symbol, so that no vendor ever sees it. */
const tapKey = Symbol('signalbox.tap');

/** The fetch options that carry `tap` through an SDK down to the guard. */
export function withTap(tap: Tap): RequestInit {
  return { [tapKey]: tap } as RequestInit;
}

function tapOf(init: RequestInit | undefined): Tap | undefined {
  return init === undefined ? undefined : (Reflect.get(init, tapKey) as Tap | undefined);
}

/**
 * Headers an SDK may send of its own. All others are dropped: telemetry (`x-stainless-*`) and whatever
 * `OPENAI_CUSTOM_HEADERS`, `ANTHROPIC_CUSTOM_HEADERS`, organisation and project variables would add.
 */
const sdkHeaders = ['accept', 'content-type', 'user-agent', 'anthropic-version', 'anthropic-beta'];

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
   * The headers that the user configured, credentials included: they are set last and win over the SDK's,
   * and nothing outside them and the SDK's essential ones is sent. A function gives them anew for each request and key;
   * when it fails, so does the request. `'as-is'` leaves the SDK's headers alone, for a client that the user made.
   */
  readonly headers: FixedHeaders | ((key: number) => Promise<FixedHeaders>) | 'as-is';
  /** What the SDK may send besides, when it finds the credentials itself. */
  readonly passes?: readonly string[];
};

type FixedHeaders = Readonly<Record<string, string>>;

async function currentHeaders(
  headers: GuardOptions['headers'],
  { key, signal }: Listener,
): Promise<FixedHeaders | 'as-is'> {
  if (typeof headers !== 'function') return headers;
  return untilAborted(() => headers(key), signal);
}

function guardHeaders(
  sent: RequestInit['headers'],
  allowed: FixedHeaders | 'as-is',
  passes: readonly string[],
): FixedHeaders {
  const headers = sent instanceof Headers ? sent : new Headers(sent);
  if (allowed === 'as-is') return Object.fromEntries(headers);
  const guarded: Record<string, string> = {};
  for (const names of [sdkHeaders, passes]) {
    for (const name of names) {
      const value = headers.get(name);
      if (value !== null) guarded[name] = value;
    }
  }
  // A key that was read from a file ends with a line feed; `fetch` takes it off too.
  for (const [name, value] of Object.entries(allowed)) guarded[name.toLowerCase()] = value.trim();
  return guarded;
}

/** Whether a request can do without `fetch`, which sees to what is not plain text and refuses odd addresses. */
function isPlain(url: string, body: unknown): boolean {
  return /^https?:\/\/[^/?#@]+(?:[/?#]|$)/.test(url) && (typeof body === 'string' || body == null);
}

/** Sends what an SDK built: the user's way if there is one, else straight through undici. */
async function send(
  options: GuardOptions,
  input: Parameters<Fetch>[0],
  init: RequestInit,
  listener: Listener,
): Promise<Answer> {
  const allowed = await currentHeaders(options.headers, listener);
  const headers = guardHeaders(init.headers, allowed, options.passes ?? []);
  const { signal, watch } = listener;
  const { method = 'GET', body } = init;
  if (options.fetch === undefined) {
    const url = String(input);
    const dispatcher = options.dispatcher ?? (isPlain(url, body) ? processDispatcher() : undefined);
    const request = { url, method, headers, body, signal, watch };
    if (dispatcher !== undefined) return dispatchRequest(dispatcher, request);
  }
  // A fetch cannot be watched.
  watch.connected();
  const { [tapKey]: _tap, ...asked } = init as RequestInit & { readonly [tapKey]: Tap };
  const ownFetch = options.fetch ?? globalThis.fetch;
  return answerOf(
    await ownFetch(input, { ...asked, headers: new Headers(headers), redirect: 'manual', signal }),
  );
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
    if (tap.listener === undefined) throw new Error('the attempt has ended');
    const answer = send(options, input, init, tap.listener);
    // Whoever holds the tap deals with a failure; an SDK that fails in between must not make it a stray one.
    answer.catch(() => undefined);
    tap.answer = answer;
    return blankResponse();
  };
}

/** The guard for one request only, for SDKs that take a `fetch` with each request instead of fetch options. */
export function tappedFetch(guard: Fetch, tap: Tap): Fetch {
  return (input, init) => guard(input, { ...init, ...withTap(tap) });
}
