import type { Warning } from './completion.ts';
import type { Wire } from './message.ts';
import type { EmbeddingRequest, ImageRequest } from './other-tasks.ts';
import type { ProviderRequest, Transfer } from './request.ts';
import type { ProviderPart } from './stream-part.ts';

/** What a model can take or do; a call that needs one a target lacks passes that target over. */
export type Capability =
  | 'vision'
  | 'audio'
  | 'files'
  | 'tools'
  | 'structured-output'
  | 'prefill'
  | 'embeddings'
  | 'image-output';

/** What a vendor says of one of its own limits along with an answer, in its headers. */
export type RateLimit = {
  /** The vendor's word for it, such as `requests-day` or `input-tokens`; told apart by it. */
  readonly name: string;
  readonly unit: 'requests' | 'tokens';
  /** How many there are in all. */
  readonly limit?: number;
  /** How many are left. */
  readonly remaining: number;
  /** Milliseconds until there are as many as in the beginning. */
  readonly resetMs: number;
};

/** How the transport tells the engine what it sees of the vendor: that it is alive, and what it still allows. */
export interface Watch {
  /** The request is on a connected socket: the connect clock stops. */
  connected(): void;
  /** Bytes arrived, keep-alive pings included: the idle clock starts anew. */
  bytes(): void;
  /** The vendor told its own limits; with a refusal as well as with an answer. */
  limits(told: readonly RateLimit[]): void;
}

/** One attempt's surroundings, handed to the adapter. */
export type AttemptContext = {
  /** Aborted when the attempt must end, for whatever reason. The adapter then closes its socket. */
  readonly signal: AbortSignal;
  readonly transfer: Transfer;
  readonly watch: Watch;
  /** Which of the provider's keys to use, from 0; see {@link Provider.keyCount}. */
  readonly key?: number;
  /** Keep the vendor's response and hand it over in `finish.raw`. */
  readonly keepRaw: boolean;
  /**
   * Most bytes that the body of the answer may have, decompressed: {@link Provider.maxAnswerBytes}. What exceeds it
   * fails as `invalid_response`, with its socket closed. @default 67 108 864 (64 MB)
   */
  readonly maxAnswerBytes?: number | undefined;
};

/** A request put into the vendor's words, not yet sent. */
export interface PreparedCall {
  /** What the target cannot honour. Told before sending, so that the caller's `onUnsupported` can decide. */
  readonly warnings: readonly Warning[];
  /**
   * Sends it, and yields the parts of the answer in batches: what one read of the socket brought, so that nothing
   * waits for more. An answer in one piece is one batch. Nothing happens before the first read.
   */
  send(context: AttemptContext): AsyncIterable<readonly ProviderPart[]>;
}

/**
 * The port that every adapter implements.
 *
 * An implementer promises:
 * - one HTTP request for each `send`, never a retry of its own;
 * - parts in order, and `finish` last and exactly once; an iterator that ends without it is a failure;
 * - a success is claimed only on the vendor's own terminal marker, never because the bytes ended;
 * - every failure is a `SignalboxError` with one of the attempt codes, with no prompt, key or vendor text
 *   in its message (the vendor's own words go to `cause`);
 * - when `signal` aborts or the reader leaves, the socket is closed and nothing listens on the signal;
 * - nothing vendor-made is loaded before `preload`.
 */
export interface Provider {
  readonly wire: Wire;
  /** The name of this vendor in price lists (`openai`, `anthropic`, `google`); absent when it has none. */
  readonly priceList?: string;
  /**
   * How many keys it has, for a pool: the router then keeps the health of each, and names one with each
   * attempt. @default 1
   */
  readonly keyCount?: number;
  /**
   * Most bytes of one answer, whatever the vendor sends. The router hands it to every `send`, and ends an attempt whose
   * parts together exceed it. @default 67 108 864 (64 MB)
   */
  readonly maxAnswerBytes?: number;
  /** What `model` can do, as far as we know; unknown models get the wire's usual set. */
  capabilities(model: string): ReadonlySet<Capability>;
  /**
   * Loads the vendor's SDK. Awaited before the first attempt, outside of its timeouts; once it has resolved, it is not
   * called again. Rejects with `config` and an install command when the SDK is missing.
   */
  preload(): Promise<void>;
  /** Pure: no I/O, no clock. Throws `unsupported` or `invalid_request` for what cannot be said at all. */
  prepare(request: ProviderRequest): PreparedCall;
  /** The same for embeddings: `send` yields one `vectors` part. Absent where the wire has none. */
  prepareEmbedding?(request: EmbeddingRequest): PreparedCall;
  /** Most values that one embedding request takes, or takes for a model. @default 100 */
  readonly maxEmbeddingBatch?: number | ((model: string) => number);
  /** The same for pictures: `send` yields `part-end` parts of type `image`. Absent where the wire has none. */
  prepareImage?(request: ImageRequest): PreparedCall;
}
