import { isSignalboxError } from '../../errors.ts';
import type { ConfigSource } from '../../protocol/config-source.ts';
import { checkInterval } from './check-arguments.ts';
import {
  type ConfigFormat,
  documentError,
  maxDocumentBytes,
  parseDocument,
  type SourceText,
} from './parse-document.ts';
import { type DocumentReader, pollingSource, type ReadContext } from './polling-source.ts';
import { formatOf } from './read-file.ts';

const defaultEveryMs = 30_000;
const defaultTimeoutMs = 10_000;

export type HttpSourceOptions = {
  /** Sent with every request, such as `authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds between two requests. After failures in a row they become fewer. @default 30_000 */
  readonly everyMs?: number;
  /** Milliseconds that a request may take. @default 10_000 */
  readonly timeoutMs?: number;
  /** @default by the content type, then by the end of the path, then JSON */
  readonly format?: ConfigFormat;
  /** @default the global `fetch` */
  readonly fetch?: typeof globalThis.fetch;
};

/** Reads the body up to the bound. @throws SignalboxError `config` when it is larger */
async function boundedText(response: Response, name: string): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    // Leaving the loop cancels the body.
    if (bytes > maxDocumentBytes)
      throw documentError(`${name} has more than ${maxDocumentBytes} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function formatIn(response: Response, { pathname }: URL): ConfigFormat {
  const type = response.headers.get('content-type') ?? '';
  if (/\bjson\b/i.test(type)) return 'json';
  if (/\byaml\b/i.test(type)) return 'yaml';
  return formatOf(pathname) ?? 'json';
}

/** Runs a request that ends after `timeoutMs`. */
async function withTimeout<Result>(
  { signal, runtime }: ReadContext,
  timeoutMs: number,
  send: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const isOver = new AbortController();
  const isLate = new AbortController();
  const timer = runtime.sleep(timeoutMs, AbortSignal.any([signal, isOver.signal])).then(
    () => isLate.abort(documentError(`no answer within ${timeoutMs} ms`)),
    () => undefined,
  );
  try {
    return await send(AbortSignal.any([signal, isLate.signal]));
  } finally {
    isOver.abort();
    await timer;
  }
}

function urlOf(address: string | URL): URL {
  const url = URL.canParse(String(address)) ? new URL(address) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw documentError('httpSource takes an http or https address');
  }
  if (url.username !== '' || url.password !== '') {
    throw documentError('httpSource: pass credentials in headers, not in the address');
  }
  return url;
}

class HttpReader implements DocumentReader {
  readonly #url: URL;
  readonly #name: string;
  readonly #options: HttpSourceOptions;
  /** Of the document that was read last. */
  #etag: string | undefined;

  constructor(url: URL, name: string, options: HttpSourceOptions) {
    this.#url = url;
    this.#name = name;
    this.#options = options;
  }

  async read(context: ReadContext): Promise<unknown> {
    const { timeoutMs = defaultTimeoutMs } = this.#options;
    let source: SourceText | undefined;
    try {
      source = await withTimeout(context, timeoutMs, (signal) => this.#request(signal));
    } catch (error) {
      if (isSignalboxError(error)) throw error;
      throw documentError(`${this.#name} cannot be reached; see cause`).with({ cause: error });
    }
    return source && (await parseDocument(source));
  }

  /** Returns the document, or `undefined` if it has not changed. */
  async #request(signal: AbortSignal): Promise<SourceText | undefined> {
    const { fetch = globalThis.fetch, headers, format } = this.#options;
    const response = await fetch(this.#url, {
      headers: {
        accept: 'application/json, application/yaml;q=0.9, */*;q=0.1',
        ...headers,
        ...(this.#etag !== undefined && { 'if-none-match': this.#etag }),
      },
      redirect: 'manual',
      signal,
    });
    if (response.status === 304 && this.#etag !== undefined) return undefined;
    if (response.status !== 200) {
      await response.body?.cancel();
      throw documentError(`${this.#name} answered with HTTP ${response.status}`);
    }
    const text = await boundedText(response, this.#name);
    // Before it is parsed: an invalid document is reported once.
    this.#etag = response.headers.get('etag') ?? undefined;
    return { text, format: format ?? formatIn(response, this.#url), name: this.#name };
  }
}

/**
 * A configuration at an HTTP address, for `router.follow`. It is requested about every `everyMs`. If the address sends an
 * `etag`, it is transferred only when it has changed. Redirects are not followed, because the headers may contain
 * credentials.
 */
export function httpSource(address: string | URL, options: HttpSourceOptions = {}): ConfigSource {
  const { everyMs = defaultEveryMs, timeoutMs = defaultTimeoutMs } = options;
  const url = urlOf(address);
  checkInterval('httpSource', everyMs);
  checkInterval('httpSource', timeoutMs, 'timeoutMs');
  // Without the query, which may contain a token.
  const name = `${url.origin}${url.pathname}`;
  return pollingSource(name, everyMs, () => new HttpReader(url, name, options));
}
