export { type ResponseCacheOptions, responseCache } from './plugins/cache/response-cache.ts';
