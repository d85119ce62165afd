import { SignalboxError } from '../../errors.ts';
import { quoted } from '../../internal/quoted.ts';

/** The specifications that are read: of AI SDK 5, 6 and 7. */
const specifications = ['v2', 'v3', 'v4'] as const;

/** What a model's provider package was written for; it decides how requests and answers look. */
export type Specification = (typeof specifications)[number];

/**
 * What signalbox uses of a language model of the Vercel AI SDK (specification v2, v3 or v4, of AI SDK 5, 6 and 7). Any
 * provider package's model fits; nothing of the AI SDK is imported.
 */
export interface AiSdkModel {
  readonly specificationVersion: string;
  /** Such as `groq.chat`; what stands before the dot is the name of its provider options. */
  readonly provider: string;
  readonly modelId: string;
  doGenerate(options: never): PromiseLike<unknown>;
  doStream(options: never): PromiseLike<{ readonly stream: ReadableStream<unknown> }>;
}

/** What signalbox uses of an embedding model of the AI SDK. */
export interface AiSdkEmbeddingModel {
  readonly specificationVersion: string;
  readonly provider: string;
  readonly modelId: string;
  readonly maxEmbeddingsPerCall: PromiseLike<number | undefined> | number | undefined;
  doEmbed(options: never): PromiseLike<unknown>;
}

/** @throws SignalboxError `config` for what is no model with these methods. */
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
    `fromAiSdk(): needs a model of the AI SDK (with provider, ${methods.join(', ')}), or a function that returns one`,
  );
}

/** @throws SignalboxError `config` for a model of another specification. */
export function specificationOf(model: { readonly specificationVersion: string }): Specification {
  const known = specifications.find((each) => each === model.specificationVersion);
  if (known !== undefined) return known;
  throw new SignalboxError(
    'config',
    `fromAiSdk(): the model is of specification ${quoted(model.specificationVersion)}, and ${specifications.join(', ')} (AI SDK 5 to 7) are known; use another version of its provider package`,
  );
}

/** What its provider package calls its own options, unless the caller says. */
export function optionsNameOf(model: { readonly provider: string }, told?: string): string {
  return told ?? model.provider.split('.')[0] ?? model.provider;
}
