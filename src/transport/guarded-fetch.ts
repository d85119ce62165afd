import type { Watch } from '../protocol/provider.ts';
import { watchingDispatcher } from './dispatcher.ts';
import { untilAborted } from './until-aborted.ts';

export type Fetch = typeof globalThis.fetch;

/** One attempt's ear on the wire: what the guard listens to, and the answer it caught. */
export type Tap = {
  readonly signal: AbortSignal;
  readonly watch: Watch;
  /** Which of the provider's keys, from 0. */
  readonly key: number;
  /** The vendor's answer; set once headers have arrived. */
  response?: Response;
  /** Why there was no answer, as `fetch` told it (an SDK wraps it beyond recognition). */
  failure?: unknown;
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

export type GuardOptions = {
  /** The user's own `fetch`; it is then trusted with timeouts and proxies. @default Node's */
  readonly fetch?: Fetch | undefined;
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
  { key, signal }: Tap,
): Promise<FixedHeaders | 'as-is'> {
  if (typeof headers !== 'function') return headers;
  return untilAborted(() => headers(key), signal);
}

function guardHeaders(
  sent: RequestInit['headers'],
  allowed: FixedHeaders | 'as-is',
  passes: readonly string[],
): Headers {
  const headers = new Headers(sent);
  if (allowed === 'as-is') return headers;
  const guarded = new Headers();
  for (const name of [...sdkHeaders, ...passes]) {
    const value = headers.get(name);
    if (value !== null) guarded.set(name, value);
  }
  for (const [name, value] of Object.entries(allowed)) guarded.set(name, value);
  return guarded;
}

/**
 * The one `fetch` that every SDK gets. It sends what the SDK built, with guarded headers and no redirects,
 * under the attempt's signal; the answer goes to the attempt's {@link Tap}, and the SDK gets an empty one.
 * So the SDK makes the request and we read the answer, alike for all three: their decoders throw on one bad
 * event, call a truncated stream an answer and hide error headers.
 * A request without a tap (an SDK's own errand, such as fetching a token) passes through untouched.
 */
export function guardedFetch(options: GuardOptions): Fetch {
  return async (input, init) => {
    const send = options.fetch ?? globalThis.fetch;
    const tap = tapOf(init);
    if (tap === undefined) return send(input, init);
    try {
      const allowed = await currentHeaders(options.headers, tap);
      const dispatcher = options.fetch === undefined ? watchingDispatcher(tap.watch) : undefined;
      if (dispatcher === undefined) tap.watch.connected();
      // Node's fetch takes any object with `dispatch`; the type of `dispatcher` asks for undici's whole class.
      const { [tapKey]: _tap, ...asked } = init as RequestInit & { readonly [tapKey]: Tap };
      const guarded = {
        ...asked,
        headers: guardHeaders(asked.headers, allowed, options.passes ?? []),
        redirect: 'manual',
        signal: tap.signal,
        ...(dispatcher !== undefined && { dispatcher }),
      } as RequestInit;
      tap.response = await send(input, guarded);
    } catch (error) {
      tap.failure = error;
      throw error;
    }
    return new Response('{}', {
      headers: { 'content-type': 'application/json' },
    });
  };
}

/** The guard for one request only, for SDKs that take a `fetch` with each request instead of fetch options. */
export function tappedFetch(guard: Fetch, tap: Tap): Fetch {
  return (input, init) => guard(input, { ...init, ...withTap(tap) });
}
