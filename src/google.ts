export {
  type ApiKey,
  type GoogleClient,
  type GoogleSettings,
  google,
  type VertexSettings,
  vertex,
} from './adapters/google/index.ts';
export type { AnswerSettings } from './adapters/shared/settings.ts';
export type { Fetch, TransportSettings } from './transport/guarded-fetch.ts';
