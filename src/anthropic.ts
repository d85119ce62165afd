export {
  type AnthropicClient,
  type AnthropicSettings,
  anthropic,
} from './adapters/anthropic/index.ts';
export type { Fetch } from './transport/guarded-fetch.ts';
