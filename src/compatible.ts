export type { ProviderSettings } from './adapters/common/settings.ts';
export {
  type ApiKey,
  type ChatQuirks,
  type CompatibleSettings,
  type ModelCapabilities,
  type ModelQuirks,
  type OpenAIClient,
  type OpenAICompatibleSettings,
  type OpenAIConnectionSettings,
  openaiCompatible,
  type Profile,
  type ProfileName,
} from './adapters/compatible/index.ts';
export * from './adapters/compatible/presets.ts';
export type { Fetch, TransportSettings } from './transport/guarded-fetch.ts';
