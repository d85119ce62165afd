import { SignalboxError } from '../../errors.ts';
import { exchange } from '../../transport/exchange.ts';
import { captureOf, type GuardOptions, sendGuarded } from '../../transport/guarded-fetch.ts';

/**
 * Loads a vendor's SDK once, on first use.
 * @throws SignalboxError `config` with the install command when the package is missing.
 */
export function lazySdk<Module>(
  packageName: string,
  load: () => Promise<Module>,
): () => Promise<Module> {
  let loading: Promise<Module> | undefined;
  return () => {
    loading ??= load().catch((cause: unknown) => {
      loading = undefined;
      throw new SignalboxError(
        'config',
        `cannot load the package "${packageName}"; install it: npm i ${packageName}`,
        { cause },
      );
    });
    return loading;
  };
}

/**
 * Creates a value on first use. Later uses get it without a promise. A failure is not cached: the next use tries again.
 */
export function lazily<Value extends object>(
  make: () => Promise<Value>,
): () => Value | Promise<Value> {
  let made: Value | undefined;
  let making: Promise<Value> | undefined;
  return () => {
    if (made !== undefined) return made;
    making ??= make().then(
      (value) => {
        made = value;
        return value;
      },
      (error: unknown) => {
        making = undefined;
        throw error;
      },
    );
    return making;
  };
}

/** Calls `use` with the value, synchronously unless the value is a promise. */
export function whenReady<Value, Result>(
  value: Value | Promise<Value>,
  use: (value: Value) => Result | Promise<Result>,
): Result | Promise<Result> {
  return value instanceof Promise ? value.then(use) : use(value);
}

/** {@link exchange} for a client created by the caller, which may find no credentials. */
export const exchangeOfClient: typeof exchange = (context, send) =>
  exchange(
    context,
    send,
    "the SDK failed before it sent the request: check the client's credentials",
  );

/** Whether it has `asResponse`, as both SDKs' promises do. Awaiting them would parse a response that is always empty. */
function isUnparsed(sent: object): sent is { asResponse(): PromiseLike<unknown> } {
  return 'asResponse' in sent && typeof sent.asResponse === 'function';
}

/** The SDK's promise of its unparsed response, if it has one. */
export function unparsed(sent: PromiseLike<unknown>): PromiseLike<unknown> {
  return isUnparsed(sent) ? sent.asResponse() : sent;
}

/** What is used of an SDK's client; the ones of `openai` and `@anthropic-ai/sdk` are alike. */
type SdkClient = {
  buildURL(path: string, query: object | null | undefined, defaultBaseURL?: string): string;
};

/** The request that an SDK's method passes to its client's `request`, as far as it is used. */
export type ComposedRequest = {
  readonly method: string;
  readonly path: string;
  readonly query?: object | null | undefined;
  readonly defaultBaseURL?: string | undefined;
  readonly body?: unknown;
  /** The SDKs' `HeadersLike`: a `Headers`, a table, pairs, or the `{ values, nulls }` that they build of these. */
  readonly headers?: unknown;
  readonly fetchOptions?: object | undefined;
};

/**
 * Returned to an SDK's method instead of the SDK's own promise. It resolves when the request is sent; the response goes
 * to the request's capture and is not parsed here.
 */
class SentRequest {
  readonly #sent: Promise<void>;

  constructor(sent: Promise<void>) {
    this.#sent = sent;
  }

  asResponse(): Promise<void> {
    return this.#sent;
  }

  /** An SDK's method passes the function that would transform the parsed response. */
  _thenUnwrap(): this {
    return this;
  }
}

/** Whether an SDK's client has a `fetch` of the caller's. */
export function hasOwnFetch(client: object): boolean {
  const own: unknown = Reflect.get(client, 'fetch');
  return typeof own === 'function' && own !== globalThis.fetch;
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function headerEntries(headers: unknown): Iterable<readonly [string, unknown]> {
  if (!isTable(headers)) return [];
  if (headers.values instanceof Headers) return headers.values;
  if (headers instanceof Headers) return headers;
  if (Array.isArray(headers)) return headers;
  return Object.entries(headers);
}

/** The headers that the SDK's method set, such as `anthropic-beta`, without telemetry. */
function methodHeaders(headers: unknown): Record<string, string> {
  const table: Record<string, string> = {};
  for (const [name, value] of headerEntries(headers)) {
    const lowerName = name.toLowerCase();
    if (lowerName.startsWith('x-stainless-') || lowerName === 'user-agent') continue;
    if (typeof value === 'string') table[lowerName] = value;
  }
  return table;
}

/**
 * Replaces `request` in an SDK's client: the SDK's methods compose the request, and the guard sends it. The other work
 * of the SDK's `request` is most of what an SDK costs, and the router does not need it: default headers, which the guard
 * sets itself, and retries, timeouts, logs and parsing, which the router has.
 */
export class SdkComposedRequests {
  readonly #sdk: SdkClient;
  readonly #guard: GuardOptions;
  /** URLs by path: a client has few, and building one takes longer than looking it up. */
  readonly #urls = new Map<string, string>();

  constructor(sdk: SdkClient, guard: GuardOptions) {
    this.#sdk = sdk;
    this.#guard = guard;
  }

  request(composed: ComposedRequest | PromiseLike<ComposedRequest>): SentRequest {
    return new SentRequest(Promise.resolve(composed).then(this.#send));
  }

  readonly #send = (composed: ComposedRequest): void => {
    const { method, body, fetchOptions } = composed;
    const capture = captureOf(fetchOptions);
    if (capture === undefined) {
      throw new Error("signalbox's client of an SDK was used outside an attempt");
    }
    const init = { method: method.toUpperCase(), body: JSON.stringify(body) };
    const url = this.#urlOf(composed);
    if (composed.headers === undefined) {
      sendGuarded(this.#guard, url, init, capture);
      return;
    }
    const headers = methodHeaders(composed.headers);
    const guard = { ...this.#guard, passes: Object.keys(headers) };
    sendGuarded(guard, url, { ...init, headers }, capture);
  };

  #urlOf({ path, query, defaultBaseURL }: ComposedRequest): string {
    const isCacheable = query === undefined && defaultBaseURL === undefined;
    const known = isCacheable ? this.#urls.get(path) : undefined;
    const url = known ?? this.#sdk.buildURL(path, query, defaultBaseURL);
    if (isCacheable) this.#urls.set(path, url);
    return url;
  }
}
