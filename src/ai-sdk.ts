export {
  type AiSdkEmbeddingModel,
  type AiSdkModel,
  type AiSdkSettings,
  fromAiSdk,
} from './adapters/ai-sdk/index.ts';
export type { ProviderSettings } from './adapters/common/settings.ts';
export type {
  TierEmbeddingModelOptions,
  TierImageModelOptions,
  TierModelOptions,
} from './apps/ai-sdk/options.ts';
export { tierEmbeddingModel, tierImageModel } from './apps/ai-sdk/other-models.ts';
export type {
  TierEmbeddingModel,
  TierImageModel,
  TierModel,
} from './apps/ai-sdk/specification.ts';
export { tierModel } from './apps/ai-sdk/tier-model.ts';
export {
  type AnswerUIMessageChunk,
  toUIMessageStream,
} from './apps/ai-sdk/ui-message-stream.ts';
