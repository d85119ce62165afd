import type { Attempt } from './attempt.ts';
import type { CallOptions } from './call-options.ts';
import type { Tags, Warning } from './completion.ts';
import type { Json } from './json.ts';
import type { ImagePart } from './message.ts';
import type { Cost, Usage } from './usage.ts';

/** Texts to embed, as an adapter gets them: never more than its `maxEmbeddingBatch`. */
export type EmbeddingRequest = {
  /** Key of `providers` in the configuration. */
  readonly provider: string;
  /** The vendor's model id. */
  readonly model: string;
  readonly values: readonly string[];
  /** Length of the vectors, for models that can shorten them. */
  readonly dimensions?: number;
  readonly userId?: string;
  /** Merged last into the vendor's body. */
  readonly extraBody?: { readonly [key: string]: Json };
};

/** A picture to draw, as an adapter gets it. */
export type ImageRequest = {
  /** Key of `providers` in the configuration. */
  readonly provider: string;
  /** The vendor's model id. */
  readonly model: string;
  readonly prompt: string;
  /** How many. */
  readonly count?: number;
  /** `<width>x<height>` in pixels, such as `1024x1024`. */
  readonly size?: string;
  readonly userId?: string;
  /** Merged last into the vendor's body. */
  readonly extraBody?: { readonly [key: string]: Json };
};

type SharedOptions<Provider extends string> = Pick<
  CallOptions<Provider>,
  | 'tags'
  | 'signal'
  | 'timeouts'
  | 'retry'
  | 'route'
  | 'providerOptions'
  | 'userId'
  | 'onUnsupported'
  | 'priority'
>;

export type EmbedOptions<Provider extends string = string> = SharedOptions<Provider> & {
  /** Length of the vectors, for models that can shorten them. @default the model's own */
  readonly dimensions?: number;
  /** Batches in flight at once, when the values are too many for one request. @default 4 */
  readonly concurrency?: number;
};

export type ImageOptions<Provider extends string = string> = SharedOptions<Provider> & {
  /** How many. @default 1 */
  readonly count?: number;
  /** `<width>x<height>` in pixels. @default the vendor's */
  readonly size?: string;
};

type SharedResult<Tier extends string> = {
  readonly tier: Tier;
  /** `provider/model` that answered; of the last batch, when several did. */
  readonly target: string;
  readonly provider: string;
  readonly model: { readonly requested: string; readonly served: string };
  readonly usage: Usage;
  readonly cost: Cost;
  /** Milliseconds since the call began, waits and failed attempts included. */
  readonly latency: { readonly totalMs: number };
  readonly requestId?: string;
  readonly trail: readonly Attempt[];
  readonly warnings: readonly Warning[];
  readonly tags: Tags;
};

/** Vectors in the order of the values. */
export type Embeddings<Tier extends string = string> = SharedResult<Tier> & {
  readonly vectors: readonly (readonly number[])[];
  readonly dimensions: number;
};

/** Pictures, their bytes in `source` as base64. */
export type Images<Tier extends string = string> = SharedResult<Tier> & {
  readonly images: readonly ImagePart[];
  /** What the model said beside the pictures. */
  readonly text: string;
};
