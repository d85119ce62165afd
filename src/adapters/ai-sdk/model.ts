import { SignalboxError } from '../../errors.ts';
import { quoted } from '../../internal/quoted.ts';

/** The supported specifications: of AI SDK 5, 6 and 7. */
const specifications = ['v2', 'v3', 'v4'] as const;

/** The specification that a model's provider package implements. It determines the format of requests and answers. */
export type Specification = (typeof specifications)[number];

/** The patterns of URLs, by media type: `image/png`, `image/*` or `*`. */
export type SupportedUrls = { readonly [mediaType: string]: readonly RegExp[] };

/**
 * The part of a Vercel AI SDK language model that signalbox uses (specification v2, v3 or v4, of AI SDK 5, 6 and 7).
 * The models of all provider packages match. Nothing is imported from the AI SDK.
 */
export interface AiSdkModel {
  readonly specificationVersion: string;
  /** For example `groq.chat`. The part before the dot is the key of its provider options. */
  readonly provider: string;
  readonly modelId: string;
  /** URLs that the model fetches itself, by media type. Without it, any. */
  readonly supportedUrls?: PromiseLike<SupportedUrls> | SupportedUrls;
  doGenerate(options: never): PromiseLike<unknown>;
  doStream(options: never): PromiseLike<{ readonly stream: ReadableStream<unknown> }>;
}

/** The part of an AI SDK embedding model that signalbox uses. */
export interface AiSdkEmbeddingModel {
  readonly specificationVersion: string;
  readonly provider: string;
  readonly modelId: string;
  readonly maxEmbeddingsPerCall: PromiseLike<number | undefined> | number | undefined;
  doEmbed(options: never): PromiseLike<unknown>;
}

/** @throws SignalboxError `config` when the value is not a model with these methods. */
export function checkModel(
  model: unknown,
  methods: readonly ('doGenerate' | 'doStream' | 'doEmbed')[],
): void {
  const isModel =
    typeof model === 'object' &&
    model !== null &&
    typeof Reflect.get(model, 'provider') === 'string' &&
    methods.every((method) => typeof Reflect.get(model, method) === 'function');
  if (isModel) return;
  throw new SignalboxError(
    'config',
    `fromAiSdk(): pass a model of the AI SDK (with provider, ${methods.join(', ')}), or a function that returns one`,
  );
}

/** @throws SignalboxError `config` when the specification is not supported. */
export function specificationOf(model: { readonly specificationVersion: string }): Specification {
  const known = specifications.find((each) => each === model.specificationVersion);
  if (known !== undefined) return known;
  throw new SignalboxError(
    'config',
    `fromAiSdk(): the model has specification ${quoted(model.specificationVersion)}, but only ${specifications.join(', ')} (AI SDK 5 to 7) are supported; use another version of its provider package`,
  );
}

/** The key of the provider options: the caller's setting, else the part of the provider's name before the dot. */
export function optionsNameOf(model: { readonly provider: string }, setting?: string): string {
  return setting ?? model.provider.split('.')[0] ?? model.provider;
}
