export {
  type DetectInjectionOptions,
  detectInjection,
} from './plugins/policies/injection/detect-injection.ts';
export {
  type GuardToolsOptions,
  guardTools,
  type ToolRule,
} from './plugins/policies/tools/guard-tools.ts';
