export { type AuditLogOptions, auditLog } from './plugins/policies/audit/audit-log.ts';
export type { AuditContent } from './plugins/policies/audit/audit-record.ts';
export type { WriteLines } from './plugins/policies/audit/audit-writer.ts';
export {
  type DetectInjectionOptions,
  detectInjection,
} from './plugins/policies/injection/detect-injection.ts';
export {
  type GuardToolsOptions,
  guardTools,
  type ToolRule,
} from './plugins/policies/tools/guard-tools.ts';
export type { PiiKind, PiiSpan } from './plugins/policies/pii/find-pii.ts';
export { type RedactPiiOptions, redactPii } from './plugins/policies/pii/redact-pii.ts';
