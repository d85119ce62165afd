export { type GoogleClient, type GoogleSettings, google } from './adapters/google/index.ts';
export type { Fetch } from './transport/guarded-fetch.ts';
