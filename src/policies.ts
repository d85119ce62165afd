export { type AuditLogOptions, auditLog } from './plugins/policies/audit/audit-log.ts';
export type { AuditContent } from './plugins/policies/audit/audit-record.ts';
export type { WriteLines } from './plugins/policies/audit/audit-writer.ts';
