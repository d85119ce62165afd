/**
 * Traces and measures a call with another version of OpenTelemetry's API, named by the argument, in place of the installed
 * one, also for the SDK. Prints the version and what was exported as JSON. Run in a process of its own.
 */
import { registerHooks } from 'node:module';

const replacement = process.argv[2] ?? '@opentelemetry/api';
registerHooks({
  resolve(specifier, context, next) {
    return specifier === '@opentelemetry/api'
      ? next(replacement, { ...context, parentURL: import.meta.url })
      : next(specifier, context);
  },
});

const { startTelemetry, enableContexts } = await import('./telemetry.ts');
const { createRouter } = await import('../../src/router.ts');
const { fakeProvider } = await import('../../src/testing/fake-provider.ts');
enableContexts();
const telemetry = startTelemetry();
const router = createRouter({
  providers: { a: fakeProvider({ error: 'overloaded' }), b: fakeProvider('ok') },
  tiers: { t: { targets: ['a/m', 'b/m'], retry: { attempts: 0 } } },
  plugins: [telemetry.plugin],
});
await telemetry.tracer.startActiveSpan('request', async (span) => {
  await router.complete('t', 'hi');
  span.end();
});
const points = await telemetry.points();
await router.close();
const names = new Map(telemetry.spans.map((span) => [span.spanContext().spanId, span.name]));
const spans = telemetry.spans.map(({ name, parentSpanContext }) => [
  name,
  names.get(parentSpanContext?.spanId ?? ''),
]);
const { pathname } = new URL(import.meta.resolve('@opentelemetry/api'));
console.log(JSON.stringify({ pathname, spans, metrics: Object.keys(points) }));
