import type {
  EmbeddingModelV4,
  EmbeddingModelV4CallOptions,
  ImageModelV4,
  ImageModelV4CallOptions,
  LanguageModelV4,
  LanguageModelV4CallOptions,
} from '@ai-sdk/provider';
import type { EmbeddingModel, ImageModel, LanguageModel } from 'ai';
import {
  type TierModel,
  type TierModelOptions,
  tierEmbeddingModel,
  tierImageModel,
  tierModel,
} from '../../src/ai-sdk.ts';
import { createRouter } from '../../src/index.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { type Equal, expectType } from './expect-type.ts';

const router = createRouter({
  providers: { openai: fakeProvider(), anthropic: fakeProvider() },
  tiers: { fast: ['openai/a', 'anthropic/b'], vectors: ['openai/c'] },
});

// The name of the tier is inferred.
const fast = tierModel(router, 'fast');
expectType<Equal<typeof fast, TierModel<'fast'>>>(true);
const vectors = tierEmbeddingModel(router, 'vectors');
const images = tierImageModel(router, 'fast');

// What the AI SDK takes, and what it calls with. Parameters of methods are compared in both directions, so those are
// compared alone.
fast satisfies LanguageModelV4 & LanguageModel;
vectors satisfies EmbeddingModelV4 & EmbeddingModel;
images satisfies ImageModelV4 & ImageModel;
type ArgumentOf<Call extends (options: never) => unknown> = Parameters<Call>[0];
expectType<LanguageModelV4CallOptions extends ArgumentOf<typeof fast.doGenerate> ? true : false>(
  true,
);
expectType<EmbeddingModelV4CallOptions extends ArgumentOf<typeof vectors.doEmbed> ? true : false>(
  true,
);
expectType<ImageModelV4CallOptions extends ArgumentOf<typeof images.doGenerate> ? true : false>(
  true,
);
// No option of the AI SDK is missing.
expectType<Equal<keyof LanguageModelV4CallOptions, keyof ArgumentOf<typeof fast.doGenerate>>>(true);
expectType<Equal<keyof EmbeddingModelV4CallOptions, keyof ArgumentOf<typeof vectors.doEmbed>>>(
  true,
);
expectType<Equal<keyof ImageModelV4CallOptions, keyof ArgumentOf<typeof images.doGenerate>>>(true);

// @ts-expect-error: no such tier
tierModel(router, 'fats');
// @ts-expect-error: no such tier
tierEmbeddingModel(router, 'vektors');
// @ts-expect-error: no such tier
tierImageModel(router, 'fats');

tierModel(router, 'fast', { tags: { feature: 'chat' }, route: { only: ['anthropic'] }, maxUsd: 1 });
tierEmbeddingModel(router, 'vectors', { concurrency: 2, tags: { user: undefined } });
// @ts-expect-error: no such provider
tierModel(router, 'fast', { route: { only: ['antropic'] } });
// @ts-expect-error: the AI SDK has a word for it
tierModel(router, 'fast', { temperature: 1 });
// @ts-expect-error: not for images
tierImageModel(router, 'fast', { concurrency: 2 });

// Options of one call.
({ signalbox: { tags: { feature: 'chat' } } }) satisfies { signalbox: TierModelOptions };
