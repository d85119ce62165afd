import { captureOf, type GuardOptions, sendGuarded } from '../../transport/guarded-fetch.ts';

/** What is used of an SDK's client; the ones of `openai` and `@anthropic-ai/sdk` are alike. */
type Composer = {
  buildURL(path: string, query: object | null | undefined, defaultBaseURL?: string): string;
};

/** What an SDK's methods hand to their client's `request`, as far as it is used. */
export type Composed = {
  readonly method: string;
  readonly path: string;
  readonly query?: object | null | undefined;
  readonly defaultBaseURL?: string | undefined;
  readonly body?: unknown;
  readonly fetchOptions?: object | undefined;
};

/** What both SDKs' promises have: without it they would read an answer that is always empty. */
function isUnparsed(sent: object): sent is { asResponse(): PromiseLike<unknown> } {
  return 'asResponse' in sent && typeof sent.asResponse === 'function';
}

/** The SDK's promise of its response as it is, where it gives one. */
export function unparsed(sent: PromiseLike<unknown>): PromiseLike<unknown> {
  return isUnparsed(sent) ? sent.asResponse() : sent;
}

/**
 * What {@link PlainRequests} gives an SDK's method in place of the SDK's own promise: says only that the request is
 * out. Its answer is with the guard, and nobody parses it here.
 */
class Sent {
  readonly #sent: Promise<void>;

  constructor(sent: Promise<void>) {
    this.#sent = sent;
  }

  asResponse(): Promise<void> {
    return this.#sent;
  }

  /** An SDK's method says here what it would make of the answer. */
  _thenUnwrap(): this {
    return this;
  }
}

/**
 * Takes the place of `request` in an SDK's client: the SDK's methods say what to ask and where, and the guard sends
 * it. What the SDK's own `request` does besides is headers that the guard drops, retries, clocks, logs and
 * parsing, all of which the router has of its own; it is most of what an SDK costs.
 */
export class PlainRequests {
  readonly #sdk: Composer;
  readonly #guard: GuardOptions;
  /** Addresses by their path: a client's are few, and to build one takes longer than to look it up. */
  readonly #urls = new Map<string, string>();

  constructor(sdk: Composer, guard: GuardOptions) {
    this.#sdk = sdk;
    this.#guard = guard;
  }

  request(asked: Composed | PromiseLike<Composed>): Sent {
    return new Sent(Promise.resolve(asked).then(this.#send));
  }

  readonly #send = (composed: Composed): void => {
    const { method, body, fetchOptions } = composed;
    const capture = captureOf(fetchOptions);
    if (capture === undefined) throw new Error('a client of signalbox was used for something else');
    const init = { method: method.toUpperCase(), body: JSON.stringify(body) };
    sendGuarded(this.#guard, this.#urlOf(composed), init, capture);
  };

  #urlOf({ path, query, defaultBaseURL }: Composed): string {
    const isPlain = query === undefined && defaultBaseURL === undefined;
    const known = isPlain ? this.#urls.get(path) : undefined;
    const url = known ?? this.#sdk.buildURL(path, query, defaultBaseURL);
    if (isPlain) this.#urls.set(path, url);
    return url;
  }
}
