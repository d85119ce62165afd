import { SignalboxError } from '../errors.ts';
import { fingerprintOf } from '../internal/fingerprint.ts';
import type { CallKey, OutgoingRequest, Watch } from '../protocol/provider.ts';
import { answerOf } from './answer.ts';
import { type Dispatcher, dispatchRequest, processDispatcher } from './dispatch.ts';
import type { ResponseCapture, SendContext } from './exchange.ts';
import { withoutSecrets } from './sent-credentials.ts';

export type Fetch = typeof globalThis.fetch;

/** Carries the capture inside the SDK's per-request fetch options. A symbol, so it is never sent to a vendor. */
const captureKey = Symbol('signalbox.response-capture');

/** The fetch options that carry `capture` through an SDK to the guarded fetch. */
export function withCapture(capture: ResponseCapture): RequestInit {
  return { [captureKey]: capture } as RequestInit;
}

/** The capture in fetch options, if there is one. */
export function captureOf(init: object | undefined): ResponseCapture | undefined {
  return init === undefined
    ? undefined
    : (Reflect.get(init, captureKey) as ResponseCapture | undefined);
}

/** How a provider sends its requests. */
export type TransportSettings = {
  /** Sends the requests instead of signalbox. It then handles connecting, proxies and its own timeouts. */
  readonly fetch?: Fetch | undefined;
  /**
   * Sends the requests: any dispatcher of `undici`, such as a `ProxyAgent`, or an `Agent` with a certificate.
   * Cannot be combined with `fetch`. @default the process-wide one, which Node's `fetch` also uses
   */
  readonly dispatcher?: Dispatcher | undefined;
  /**
   * Receives each request before it is sent, for debugging: its body has the prompt. It cannot change the request. If it
   * throws, the request is sent, and Node prints a warning. @default none
   */
  readonly onSend?: ((request: OutgoingRequest) => unknown) | undefined;
};

export type GuardOptions = TransportSettings & {
  /**
   * Returns the headers of a request with that key, credentials included; when it fails, so does the request.
   * Headers that an SDK adds are dropped: telemetry (`x-stainless-*`) and whatever `OPENAI_CUSTOM_HEADERS`,
   * `ANTHROPIC_CUSTOM_HEADERS` and the organization and project variables set. `'as-is'` keeps the SDK's headers,
   * for a client that the user made. `callKey` is the key of the attempt if it depends on the call's tags.
   */
  readonly headers:
    | ((key: number, callKey?: CallKey) => FixedHeaders | Promise<FixedHeaders>)
    | 'as-is';
  /**
   * With `'as-is'`: whether the client may send another key with the next request, because it asks a function. `'unseen'`
   * if the client's own `fetch` may set it. @default 'no'
   */
  readonly renewsKey?: 'no' | 'in-headers' | 'unseen';
  /** The SDK's headers that are sent unless `headers` sets them. @default none */
  readonly passes?: readonly string[];
};

/** Names in lower case, values trimmed. */
type FixedHeaders = Readonly<Record<string, string>>;

function pickHeaders(
  sdkHeaders: RequestInit['headers'],
  names: readonly string[],
): Record<string, string> {
  const headers = sdkHeaders instanceof Headers ? sdkHeaders : new Headers(sdkHeaders);
  const picked: Record<string, string> = {};
  for (const name of names) {
    const value = headers.get(name);
    if (value !== null) picked[name] = value;
  }
  return picked;
}

const keyHeaders = ['authorization', 'api-key', 'x-api-key', 'x-goog-api-key'];

/**
 * Returns the headers with a key that a function returned.
 * @throws SignalboxError `auth` when the vendor has just rejected this key
 */
function withUsableKey(headers: FixedHeaders, credentials: object, watch: Watch): FixedHeaders {
  if (watch.mayUse === undefined) return headers;
  if (watch.mayUse(fingerprintOf(JSON.stringify(credentials)))) return headers;
  throw new SignalboxError(
    'auth',
    'not sent: the function for the key still returns the one that was rejected',
  );
}

/** Synchronous when `headers` is. */
function guardHeaders(
  { headers, renewsKey, passes }: GuardOptions,
  sdkHeaders: RequestInit['headers'],
  { key, callKey, signal, watch }: SendContext,
): FixedHeaders | Promise<FixedHeaders> {
  if (headers === 'as-is') {
    const own = Object.fromEntries(new Headers(sdkHeaders));
    if (renewsKey === 'in-headers') return withUsableKey(own, pickHeaders(own, keyHeaders), watch);
    if (renewsKey === 'unseen') watch.mayUse?.();
    return own;
  }
  const fixed = headers(key, callKey);
  const complete = (own: FixedHeaders): FixedHeaders =>
    passes === undefined ? own : Object.assign(pickHeaders(sdkHeaders, passes), own);
  if (!(fixed instanceof Promise)) return complete(fixed);
  return untilAborted(() => fixed, signal).then((own) => complete(withUsableKey(own, own, watch)));
}

/** Whether the request can skip `fetch`, which handles bodies other than strings and rejects unusual URLs. */
function canSkipFetch(url: string, body: unknown): boolean {
  return /^https?:\/\/[^/?#@]+(?:[/?#]|$)/.test(url) && (typeof body === 'string' || body == null);
}

/** Calls the user's function. A debugging aid must not fail the call, whatever it does. */
async function show(
  onSend: NonNullable<TransportSettings['onSend']>,
  request: OutgoingRequest,
): Promise<void> {
  try {
    await onSend(withoutSecrets(request));
  } catch {
    process.emitWarning('the function onSend of a provider failed', {
      code: 'SIGNALBOX_ON_SEND',
      type: 'SignalboxWarning',
    });
  }
}

/** Sends a request with these headers: through the user's `fetch` or dispatcher, otherwise through undici. */
function sendWith(
  options: GuardOptions,
  input: Parameters<Fetch>[0],
  init: RequestInit,
  headers: FixedHeaders,
  capture: ResponseCapture,
): void {
  const { method = 'GET', body } = init;
  const { signal, watch } = capture.start();
  const url = input instanceof Request ? input.url : String(input);
  capture.recordRequest({ url, headers });
  if (options.onSend !== undefined) {
    void show(options.onSend, { method, url, headers, ...(typeof body === 'string' && { body }) });
  }
  if (options.fetch === undefined) {
    const dispatcher =
      options.dispatcher ?? (canSkipFetch(url, body) ? processDispatcher() : undefined);
    if (dispatcher !== undefined) {
      dispatchRequest(dispatcher, { url, method, headers, body }, capture);
      return;
    }
  }
  // `fetch` does not report when it has connected.
  watch.connected();
  const { [captureKey]: _capture, ...sdkInit } = init as RequestInit & {
    readonly [captureKey]?: ResponseCapture;
  };
  const ownFetch = options.fetch ?? globalThis.fetch;
  const guardedInit = {
    ...sdkInit,
    headers: new Headers(headers),
    redirect: 'manual',
    signal,
  } as const;
  ownFetch(input, guardedInit)
    .then((response) => {
      capture.resolve(answerOf(response, signal));
      // The fetch also has the signal, and closes its connection itself.
      capture.release();
    })
    .catch((reason: unknown) => capture.reject(reason));
}

/**
 * Sends a request with guarded headers and without following redirects, under the attempt's signal. The response or
 * the failure goes to `capture`. `failed` when a key was not sent. @throws Error when the attempt has ended
 */
export function sendGuarded(
  options: GuardOptions,
  input: Parameters<Fetch>[0],
  init: RequestInit,
  capture: ResponseCapture,
): 'started' | 'failed' {
  const context = capture.start();
  const reject = (reason: unknown): void => capture.reject(reason);
  try {
    const headers = guardHeaders(options, init.headers, context);
    if (headers instanceof Promise) {
      headers.then((fixed) => sendWith(options, input, init, fixed, capture)).catch(reject);
    } else sendWith(options, input, init, headers, capture);
    return 'started';
  } catch (error) {
    reject(error);
    return 'failed';
  }
}

/**
 * The `fetch` that every SDK gets. It sends the request that the SDK built, with guarded headers and without following
 * redirects, under the attempt's signal. The response goes to the attempt's {@link ResponseCapture}, and the SDK gets
 * an empty one immediately. signalbox reads the response itself because the SDKs' decoders throw on one bad event,
 * accept truncated streams and hide the headers of errors.
 * A request without a capture (one that the SDK makes for itself, such as fetching a token) passes through untouched.
 */
export function guardedFetch(options: GuardOptions): Fetch {
  return async (input, init) => {
    const capture = captureOf(init);
    if (capture === undefined || init === undefined) {
      return (options.fetch ?? globalThis.fetch)(input, init);
    }
    const started = sendGuarded(options, input, init, capture);
    // A client that keeps a token asks for another one when it hears that this one was rejected.
    return Response.json({}, { status: started === 'started' ? 200 : 401 });
  };
}

/** A guarded fetch for one request, for SDKs that take a `fetch` per request instead of fetch options. */
export function capturingFetch(guard: Fetch, capture: ResponseCapture): Fetch {
  return (input, init) => guard(input, { ...init, ...withCapture(capture) });
}

/**
 * Waits for `work`, but rejects with the signal's reason as soon as it aborts: for code of the caller or a vendor, which
 * may never finish. The work itself is not stopped.
 */
export async function untilAborted<Value>(
  work: () => PromiseLike<Value>,
  signal: AbortSignal,
): Promise<Value> {
  signal.throwIfAborted();
  let removeListener = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    removeListener = () => signal.removeEventListener('abort', abort);
  });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    removeListener();
  }
}
