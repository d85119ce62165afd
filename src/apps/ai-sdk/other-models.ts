import { SignalboxError } from '../../errors.ts';
import type { ImagePart } from '../../protocol/message.ts';
import type { Embeddings, Images } from '../../protocol/other-tasks.ts';
import type { Router } from '../../protocol/router.ts';
import { systemRuntime } from '../../runtime.ts';
import { failureOf, jsonOf, metadataOf, warningOf } from './answer.ts';
import {
  checkNames,
  headerWarnings,
  mergedOptions,
  type TierEmbeddingModelOptions,
  type TierImageModelOptions,
} from './options.ts';
import type {
  ImageModelCall,
  ModelWarning,
  TierEmbeddingModel,
  TierImageModel,
} from './specification.ts';

/**
 * A tier as an embedding model of the AI SDK (7), for `embed` and `embedMany`. All values are one `router.embed`, which
 * divides them by the vendor's limit.
 *
 * @throws SignalboxError `config` for an unknown option
 */
export function tierEmbeddingModel<
  Tier extends string,
  Provider extends string,
  Strategy extends string,
  const Name extends Tier,
>(
  router: Router<Tier, Provider, Strategy>,
  tier: Name,
  options: TierEmbeddingModelOptions<NoInfer<Provider>> = {},
): TierEmbeddingModel<Name> {
  checkNames('embedding', options, 'tierEmbeddingModel()');
  const plain = router as unknown as Router;
  return {
    specificationVersion: 'v4',
    provider: 'signalbox',
    modelId: tier,
    maxEmbeddingsPerCall: Number.POSITIVE_INFINITY,
    supportsParallelCalls: true,
    async doEmbed({ values, dimensions, abortSignal: signal, headers, providerOptions, ...rest }) {
      rest satisfies Record<string, never>;
      const own = mergedOptions('embedding', options as TierEmbeddingModelOptions, providerOptions);
      let answer: Embeddings;
      try {
        answer = await plain.embed(tier, values, { ...own, dimensions, signal });
      } catch (error) {
        throw failureOf(error, signal);
      }
      return {
        embeddings: answer.vectors.map((vector) => [...vector]),
        usage: { tokens: answer.usage.inputTokens },
        providerMetadata: { signalbox: metadataOf(answer) },
        warnings: [...headerWarnings(headers), ...answer.warnings.map(warningOf)],
      };
    },
  };
}

/** Options that routers have no word for. The images that a call edits are not among them: without those it is another. */
function imageWarnings({ aspectRatio, seed }: ImageModelCall): readonly ModelWarning[] {
  return Object.entries({ aspectRatio, seed })
    .filter(([, value]) => value !== undefined)
    .map(([feature]) => ({
      type: 'unsupported',
      feature,
      details: 'The router has no such option. It was dropped; use size, or providerOptions.',
    }));
}

function base64Of({ source }: ImagePart): readonly string[] {
  if (!('data' in source)) return [];
  const { data } = source;
  return [typeof data === 'string' ? data : Buffer.from(data).toString('base64')];
}

/**
 * A tier as an image model of the AI SDK (7), for `generateImage`. Each image is one `router.image`, unless
 * `maxImagesPerCall` is set there. Editing images is not supported.
 *
 * @throws SignalboxError `config` for an unknown option
 */
export function tierImageModel<
  Tier extends string,
  Provider extends string,
  Strategy extends string,
  const Name extends Tier,
>(
  router: Router<Tier, Provider, Strategy>,
  tier: Name,
  options: TierImageModelOptions<NoInfer<Provider>> = {},
): TierImageModel<Name> {
  checkNames('image', options, 'tierImageModel()');
  const plain = router as unknown as Router;
  return {
    specificationVersion: 'v4',
    provider: 'signalbox',
    modelId: tier,
    maxImagesPerCall: 1,
    async doGenerate(call) {
      const { prompt = '', n: count, size, files, mask, abortSignal: signal } = call;
      if (mask !== undefined || (files !== undefined && files.length > 0)) {
        const message = `tier "${tier}": the router cannot edit images; generate them from a prompt`;
        throw new SignalboxError('unsupported', message, { tier });
      }
      const own = mergedOptions('image', options as TierImageModelOptions, call.providerOptions);
      let answer: Images;
      try {
        answer = await plain.image(tier, prompt, { ...own, count, size, signal });
      } catch (error) {
        throw failureOf(error, signal);
      }
      const { callId, target, usage, model } = answer;
      const { inputTokens, outputTokens, totalTokens } = usage;
      return {
        images: answer.images.flatMap(base64Of),
        usage: { inputTokens, outputTokens, totalTokens },
        providerMetadata: {
          signalbox: {
            ...metadataOf(answer),
            images: answer.images.map(() => jsonOf({ callId, target })),
          },
        },
        response: {
          timestamp: new Date(systemRuntime.now()),
          modelId: model.served,
          headers: undefined,
        },
        warnings: [
          ...headerWarnings(call.headers),
          ...imageWarnings(call),
          ...answer.warnings.map(warningOf),
        ],
      };
    },
  };
}
