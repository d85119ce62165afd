export {
  type AiSdkEmbeddingModel,
  type AiSdkModel,
  type AiSdkSettings,
  fromAiSdk,
} from './adapters/ai-sdk/index.ts';
export {
  type AnswerUIMessageChunk,
  toUIMessageStream,
} from './adapters/ai-sdk/ui-message-stream.ts';
export type { ProviderSettings } from './adapters/common/settings.ts';
