export {
  type AiSdkEmbeddingModel,
  type AiSdkModel,
  type AiSdkSettings,
  fromAiSdk,
} from './adapters/ai-sdk/index.ts';
