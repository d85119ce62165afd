export { type OpenAIChatSettings, openaiChat } from './adapters/openai-chat/index.ts';
export {
  type OpenAIClient,
  type OpenAISettings,
  openai,
} from './adapters/openai-responses/index.ts';
export type { Fetch } from './transport/guarded-fetch.ts';
