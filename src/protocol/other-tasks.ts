import type { Attempt } from './attempt.ts';
import type { CacheResponse, CallOptions } from './call-options.ts';
import type { Tags, Warning } from './completion.ts';
import type { Json } from './json.ts';
import type { ImagePart } from './message.ts';
import type { Cost, Usage } from './usage.ts';

/** An embedding request as adapters receive it. At most `maxEmbeddingBatch` values, and `maxEmbeddingTokens`. */
export type EmbeddingRequest = {
  /** Key of `providers` in the configuration. */
  readonly provider: string;
  /** The vendor's model id. */
  readonly model: string;
  readonly values: readonly string[];
  /** Length of the vectors, for models that support it. */
  readonly dimensions?: number | undefined;
  readonly userId?: string | undefined;
  /** Merged last into the vendor's request body. */
  readonly extraBody?: { readonly [key: string]: Json } | undefined;
};

/** An image request as adapters receive it. */
export type ImageRequest = {
  /** Key of `providers` in the configuration. */
  readonly provider: string;
  /** The vendor's model id. */
  readonly model: string;
  readonly prompt: string;
  /** Number of images. */
  readonly count?: number | undefined;
  /** `<width>x<height>` in pixels, such as `1024x1024`. */
  readonly size?: string | undefined;
  readonly userId?: string | undefined;
  /** Merged last into the vendor's request body. */
  readonly extraBody?: { readonly [key: string]: Json } | undefined;
};

type SharedOptions<Provider extends string> = Pick<
  CallOptions<Provider>,
  | 'tags'
  | 'signal'
  | 'timeouts'
  | 'retry'
  | 'route'
  | 'requires'
  | 'maxUsd'
  | 'providerOptions'
  | 'userId'
  | 'onUnsupported'
  | 'priority'
>;

/** Options of `router.embed`. */
export type EmbedOptions<Provider extends string = string> = SharedOptions<Provider> & {
  /** For the plugin `responseCache`: see `CallOptions`. */
  readonly cacheResponse?: CacheResponse | undefined;
  /** Length of the vectors, for models that support it. @default the model's */
  readonly dimensions?: number | undefined;
  /** Concurrent requests, if the values do not fit into one. @default 4 */
  readonly concurrency?: number | undefined;
};

/** Options of `router.image`. */
export type ImageOptions<Provider extends string = string> = SharedOptions<Provider> & {
  /** Number of images. @default 1 */
  readonly count?: number | undefined;
  /** `<width>x<height>` in pixels. @default the vendor's */
  readonly size?: string | undefined;
};

type SharedResult<Tier extends string> = {
  /** The `callId` of the call's events, for `router.feedback`. If there were several batches: of the last one. */
  readonly callId: string;
  readonly tier: Tier;
  /** `provider/model` that answered. If there were several batches: the last one. */
  readonly target: string;
  readonly provider: string;
  readonly model: { readonly requested: string; readonly served: string };
  readonly usage: Usage;
  readonly cost: Cost;
  /** Milliseconds since the start of the call, including waits and failed attempts. */
  readonly latency: { readonly totalMs: number };
  readonly requestId?: string;
  readonly trail: readonly Attempt[];
  readonly warnings: readonly Warning[];
  readonly tags: Tags;
};

/** Result of `router.embed`. */
export type Embeddings<Tier extends string = string> = SharedResult<Tier> & {
  /** One vector per value, in the same order. */
  readonly vectors: readonly (readonly number[])[];
  /** Length of the vectors. */
  readonly dimensions: number;
  /** All batches were answered by the plugin `responseCache`. */
  readonly cached?: true;
};

/** Result of `router.image`. */
export type Images<Tier extends string = string> = SharedResult<Tier> & {
  /** The images. `source.data` is base64. */
  readonly images: readonly ImagePart[];
  /** Text that the model returned with the images. */
  readonly text: string;
};
