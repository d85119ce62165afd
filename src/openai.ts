export { type AzureOpenAISettings, azureOpenAI } from './adapters/azure/index.ts';
export type { ProviderSettings } from './adapters/common/settings.ts';
export { type OpenAIChatSettings, openaiChat } from './adapters/openai-chat/index.ts';
export {
  type ApiKey,
  type OpenAIClient,
  type OpenAIConnectionSettings,
  type OpenAISettings,
  openai,
} from './adapters/openai-responses/index.ts';
export type { Fetch, TransportSettings } from './transport/guarded-fetch.ts';
