export { type OpenTelemetryOptions, openTelemetry } from './plugins/otel/open-telemetry.ts';
