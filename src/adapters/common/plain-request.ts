/** What an SDK's `buildRequest` gives: what goes to its `fetch`, where to, and the SDK's own timeout. */
export type PlainRequest = {
  req: RequestInit & { headers: Headers };
  url: string;
  timeout: number;
};

/** What is used of an SDK's client; the ones of `openai` and `@anthropic-ai/sdk` are alike. */
type RequestBuilder = {
  readonly timeout: number;
  buildURL(path: string, query: object | null | undefined, defaultBaseURL?: string): string;
};

/** What is used of the options of a request. */
type Asked = {
  readonly method: string;
  readonly path: string;
  readonly query?: object | null | undefined;
  readonly defaultBaseURL?: string | undefined;
  readonly body?: unknown;
  readonly fetchOptions?: unknown;
};

/** What both SDKs' promises have: without it they would read an answer that is always empty. */
function isUnparsed(sent: object): sent is { asResponse(): PromiseLike<unknown> } {
  return 'asResponse' in sent && typeof sent.asResponse === 'function';
}

/** The SDK's promise of its response as it is, where it gives one. */
export function unparsed(sent: PromiseLike<unknown>): PromiseLike<unknown> {
  return isUnparsed(sent) ? sent.asResponse() : sent;
}

let none: Headers | undefined;

/** Made on first use: it has Node load its `fetch`. */
function noHeaders(): Headers {
  none ??= new Headers();
  return none;
}

/** Addresses by their path: a client's are few, and to build one takes longer than to look it up. */
export type KnownUrls = Map<string, string>;

function urlOf(sdk: RequestBuilder, asked: Asked, known: KnownUrls): string {
  const { path, query, defaultBaseURL } = asked;
  const isPlain = query === undefined && defaultBaseURL === undefined;
  const url = (isPlain ? known.get(path) : undefined) ?? sdk.buildURL(path, query, defaultBaseURL);
  if (isPlain) known.set(path, url);
  return url;
}

/**
 * The request that an SDK would build, without the headers, which the guard drops anyway: they are most of what an
 * SDK costs. Both SDKs mean `buildRequest` to be replaced by those who authenticate requests themselves.
 * `undefined` for a body that is not plain JSON: that is the SDK's to encode.
 */
export function plainRequest(
  sdk: RequestBuilder,
  asked: Asked,
  known: KnownUrls,
): PlainRequest | undefined {
  const { method, body, fetchOptions } = asked;
  if (typeof body !== 'object' || body === null) return undefined;
  const prototype: unknown = Object.getPrototypeOf(body);
  if (prototype !== Object.prototype) return undefined;
  return {
    req: {
      ...(fetchOptions as RequestInit | undefined),
      method,
      headers: noHeaders(),
      body: JSON.stringify(body),
    },
    url: urlOf(sdk, asked, known),
    timeout: sdk.timeout,
  };
}
