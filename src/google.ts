export type { ProviderSettings } from './adapters/common/settings.ts';
export {
  type ApiKey,
  type GoogleClient,
  type GoogleSettings,
  google,
  type VertexSettings,
  vertex,
} from './adapters/google/index.ts';
export type { Fetch, TransportSettings } from './transport/guarded-fetch.ts';
