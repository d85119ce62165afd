export { type FileSourceOptions, fileSource } from './apps/config-source/file-source.ts';
export {
  type FunctionSourceOptions,
  functionSource,
} from './apps/config-source/function-source.ts';
export { type HttpSourceOptions, httpSource } from './apps/config-source/http-source.ts';
export {
  type ConfigData,
  type ConfigText,
  type LoadedConfig,
  type LoadOptions,
  loadConfig,
} from './apps/config-source/load-config.ts';
export type { ConfigFormat } from './apps/config-source/parse-document.ts';
