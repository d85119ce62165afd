import type { Tags, Warning } from './completion.ts';
import type { Wire } from './message.ts';
import type { EmbeddingRequest, ImageRequest } from './other-tasks.ts';
import type { ProviderRequest, Transfer } from './request.ts';
import type { Compliance } from './requires.ts';
import type { ProviderPart } from './stream-part.ts';

/** A feature of a model. A call that requires a capability skips the targets that lack it. */
export type Capability =
  | 'vision'
  | 'audio'
  | 'files'
  | 'tools'
  | 'structured-output'
  | 'prefill'
  | 'embeddings'
  | 'image-output';

/** One of the vendor's limits, as reported in the headers of an answer. */
export type RateLimit = {
  /** The vendor's name of the limit, such as `requests-day` or `input-tokens`. Identifies it. */
  readonly name: string;
  readonly unit: 'requests' | 'tokens';
  /** The limit's size. */
  readonly limit?: number | undefined;
  /** Requests or tokens left. */
  readonly remaining: number;
  /** Milliseconds until the limit is full again. */
  readonly resetMs: number;
};

/** A request to a vendor, as the setting `onSend` of a provider receives it. */
export type OutgoingRequest = {
  readonly method: string;
  /** A credential in it is replaced by `[credential]`. */
  readonly url: string;
  /** Names in lower case. A value that may be a credential is `[credential]`. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body as it is sent, prompts included. Absent if it is not text. */
  readonly body?: string;
};

/** Callbacks by which the transport reports activity and limits of the vendor to the engine. */
export interface Watch {
  /** The request is on a connected socket. Stops the connect timeout. */
  connected(): void;
  /** Bytes arrived, keep-alive pings included. Restarts the idle timeout. */
  bytes(): void;
  /** The vendor reported its limits, with an answer or an error response. */
  limits(limits: readonly RateLimit[]): void;
  /**
   * The answer has a field or an event of a name that the adapter does not know. Called at most once for each path of an
   * answer, such as `choices[].delta.mood` or `type=response.mood.delta`. `name` is its last name; the path contains no
   * values.
   */
  unknownName?(path: string, name: string): void;
  /**
   * Called before the request is sent with a key that may be another one at the next attempt, such as one that a function
   * returned, with a fingerprint of the key; without one if the adapter does not see the key. If it returns false, the
   * vendor has just rejected this key: the attempt must fail with `auth`, without a request.
   */
  mayUse?(keyFingerprint?: string): boolean;
}

/**
 * The key of one attempt, if it depends on the call's tags. The router reads its fingerprint only, and passes it back to
 * the provider that made it.
 */
export interface CallKey {
  /** Identifies the key in this process, and does not reveal it. The same for the same key. */
  readonly fingerprint: string;
}

/** What an adapter receives with each attempt. */
export type AttemptContext = {
  /** Aborts when the attempt must end, for any reason. The adapter then closes its socket. */
  readonly signal: AbortSignal;
  readonly transfer: Transfer;
  readonly watch: Watch;
  /** Index of the key to use, from 0. See {@link Provider.keyCount}. */
  readonly key?: number | undefined;
  /** The key to use: what {@link Provider.keyFor} returned. */
  readonly callKey?: CallKey | undefined;
  /** Whether to return the vendor's response in `finish.raw`. */
  readonly keepRaw: boolean;
  /**
   * Maximum size of the answer's body in bytes, after decompression: {@link Provider.maxAnswerBytes}. A larger answer
   * fails as `invalid_response`, and its socket is closed.
   * @default 67_108_864 (64 MB)
   */
  readonly maxAnswerBytes?: number | undefined;
};

/** A request in the vendor's format, not sent yet. */
export interface PreparedCall {
  /** Options that the target does not support. Known before sending, so that `onUnsupported` can be applied. */
  readonly warnings: readonly Warning[];
  /**
   * Sends the request and yields the parts of the answer in batches. Parts from one read of the socket are one batch,
   * so that no part waits for more data. A JSON answer is one batch. A batch is never empty. Nothing is sent before the
   * first read.
   */
  send(context: AttemptContext): AsyncIterable<readonly ProviderPart[]>;
}

/**
 * The interface that every adapter implements.
 *
 * An implementation must keep these rules:
 * - `send` makes one HTTP request and never retries.
 * - It yields parts in order, with `finish` once and last. An iterator that ends without `finish` is a failure.
 * - An answer is complete only with the vendor's end marker, not because the bytes ended.
 * - Every failure is a `SignalboxError` with a code of an attempt. Its message contains no prompt, key or vendor text;
 *   the vendor's words are in `cause`.
 * - When `signal` aborts or the reader leaves, the socket is closed and no listener remains on the signal.
 * - The vendor's SDK is not loaded before `preload`.
 */
export interface Provider {
  readonly wire: Wire;
  /** The vendor's name in price lists, such as `openai`. Absent if the vendor is in none. */
  readonly priceList?: string | undefined;
  /** The cloud that serves the models, for traces, if `priceList` is that of their vendor: `vertex`. */
  readonly platform?: string | undefined;
  /**
   * Number of keys in the pool. The router tracks the health of each key and selects one for each attempt.
   * @default 1
   */
  readonly keyCount?: number | undefined;
  /**
   * Maximum size of one answer in bytes. The router passes it to every `send`, and ends an attempt whose parts exceed
   * it.
   * @default 67_108_864 (64 MB)
   */
  readonly maxAnswerBytes?: number | undefined;
  /** What you declare of the vendor, for `requires`. @default nothing */
  readonly compliance?: Compliance | undefined;
  /** The capabilities of `model`. For an unknown model: the usual capabilities of the wire. */
  capabilities(model: string): ReadonlySet<Capability>;
  /** Most tokens that `model` can answer with, reasoning included. `undefined` when that is unknown. */
  outputLimit?(model: string): number | undefined;
  /**
   * Loads the vendor's SDK. Awaited before the first attempt, outside its timeouts. Not called again after it resolved.
   * @throws SignalboxError `config` with an install command if the SDK is missing
   */
  preload(): Promise<void>;
  /**
   * Where the key with this index comes from, for messages: a setting such as `openai().apiKey`, or an environment
   * variable. Never the key. Absent if the provider does not choose the key.
   * @throws SignalboxError `auth` if there is no key
   */
  keySource?(key: number): string;
  /**
   * Returns the key for a call with these tags. Present only if the key depends on them, as with a customer's own key. The
   * router then keeps health and learned limits by the key's fingerprint. Called when a call is planned, and before each
   * attempt; a provider whose key comes as a promise is asked before each attempt only. Cannot be combined with a pool.
   * @throws SignalboxError `auth` if there is no key for these tags
   */
  keyFor?(tags: Tags): CallKey | Promise<CallKey>;
  /**
   * Converts the request to the vendor's format. Pure: no I/O, no clock.
   * @throws SignalboxError `unsupported` or `invalid_request` if the wire cannot express the request
   */
  prepare(request: ProviderRequest): PreparedCall;
  /** The same for embeddings: `send` yields one `vectors` part. Absent if the wire has no embeddings. */
  prepareEmbedding?(request: EmbeddingRequest): PreparedCall;
  /** Maximum values per embedding request, or a function of the model. @default 100 */
  readonly maxEmbeddingBatch?: number | ((model: string) => number) | undefined;
  /**
   * Maximum tokens of all values of an embedding request together, or a function of the model. The tokens are
   * estimated. A single value that exceeds it is sent alone.
   * @default no limit
   */
  readonly maxEmbeddingTokens?: number | ((model: string) => number | undefined) | undefined;
  /** The same for images: `send` yields `part-end` parts of type `image`. Absent if the wire generates no images. */
  prepareImage?(request: ImageRequest): PreparedCall;
}
