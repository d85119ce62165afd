export type { PiiKind, PiiSpan } from './plugins/policies/pii/find-pii.ts';
export { type RedactPiiOptions, redactPii } from './plugins/policies/pii/redact-pii.ts';
