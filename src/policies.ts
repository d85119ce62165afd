export {
  type GuardToolsOptions,
  guardTools,
  type ToolRule,
} from './plugins/policies/tools/guard-tools.ts';
