export { openTelemetry } from './plugins/otel/open-telemetry.ts';
export type { OpenTelemetryOptions } from './plugins/otel/telemetry.ts';
