export {
  type AnthropicClient,
  type AnthropicSettings,
  type ApiKey,
  anthropic,
} from './adapters/anthropic/index.ts';
export type { ProviderSettings } from './adapters/common/settings.ts';
export type { Fetch, TransportSettings } from './transport/guarded-fetch.ts';
