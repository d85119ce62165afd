import type { Attributes } from '@opentelemetry/api';
import { SignalboxError } from '../../errors.ts';
import type { RouterEvents } from '../../protocol/events.ts';
import type { Plugin, PluginListeners } from '../../protocol/plugin.ts';
import type { Metrics } from './metrics.ts';
import { genAi, own, spanEvents } from './names.ts';
import { type EventOfCall, hasMethod, type OpenTelemetryOptions, Telemetry } from './telemetry.ts';

const checks: Readonly<Record<keyof OpenTelemetryOptions, (value: unknown) => boolean>> = {
  tracerProvider: (value) => hasMethod(value, 'getTracer'),
  meterProvider: (value) => hasMethod(value, 'getMeter'),
  recordContent: (value) => typeof value === 'boolean',
  legacyNames: (value) => typeof value === 'boolean',
  metricTags: (value) => Array.isArray(value) && value.every((each) => typeof each === 'string'),
};

function checkOptions(options: object): void {
  for (const [name, value] of Object.entries(options)) {
    const check = Object.hasOwn(checks, name)
      ? checks[name as keyof OpenTelemetryOptions]
      : undefined;
    if (check === undefined) {
      const known = Object.keys(checks).join(', ');
      throw new SignalboxError(
        'config',
        `openTelemetry(): no option "${name}"; there are ${known}`,
      );
    }
    if (value !== undefined && !check(value)) {
      throw new SignalboxError('config', `openTelemetry().${name} is invalid`);
    }
  }
}

/**
 * A plugin that traces and measures all calls of a router with OpenTelemetry: a span for each call, below it one for each
 * attempt with its usage, and metrics by the GenAI conventions. Give it to one router, before the other plugins.
 *
 * `router.close()` ends what is open and flushes the SDK. Shutting the SDK down is up to the application.
 * @throws SignalboxError `config` for an unknown or invalid option
 */
export function openTelemetry(options: OpenTelemetryOptions = {}): Plugin {
  checkOptions(options);
  const telemetry = new Telemetry(options);
  const wrapCall: NonNullable<Plugin['wrapCall']> = (call, next) => telemetry.inCall(call.id, next);
  const wrapAttempt: NonNullable<Plugin['wrapAttempt']> = (attempt, next) =>
    telemetry.send(attempt, next);
  return {
    name: 'otel',
    // Without an SDK the plugin has no hooks and is no layer, so that it costs next to nothing. A type cannot say that a
    // property is sometimes absent.
    get wrapCall() {
      return (telemetry.isIdle ? undefined : wrapCall) as typeof wrapCall;
    },
    get wrapAttempt() {
      return (telemetry.isIdle ? undefined : wrapAttempt) as typeof wrapAttempt;
    },
    close: () => telemetry.close(),
    on: {
      'call-start': (event) => telemetry.callStarted(event),
      'call-end': (event) => telemetry.callEnded(event),
      'attempt-start': (event) => telemetry.attemptStarted(event),
      'attempt-end': (event) => telemetry.attemptEnded(event),
      ...decisions(telemetry),
    },
  };
}

/** What the router does about failures: events of the call's span, and counts. */
function decisions(telemetry: Telemetry): PluginListeners {
  const count = (
    name: keyof Metrics['counters'],
    event: EventOfCall & { readonly tier: string },
    attributes: Attributes,
  ): void => {
    const common = { ...telemetry.tagsOf(event), [own.tier]: event.tier };
    telemetry.metrics.counters[name].add(1, { ...common, ...attributes });
  };
  const circuit =
    (state: Parameters<Metrics['circuitIs']>[0], name: string) =>
    (event: RouterEvents['circuit-open' | 'circuit-half-open' | 'circuit-close']): void => {
      const { target } = event;
      const cause = event.type === 'circuit-open' ? { [genAi.errorType]: event.cause } : {};
      telemetry.noted(event, name, { [own.target]: target, ...cause });
      telemetry.circuitIs(state, target);
    };
  return {
    retry(event) {
      const { target, delayMs, error } = event;
      const attributes = { [own.target]: target, [genAi.errorType]: error.code };
      telemetry.noted(event, spanEvents.retry, { ...attributes, [own.delay]: delayMs / 1000 });
      count('retries', event, attributes);
    },
    failover(event) {
      const { from, to, error } = event;
      const attributes = { [own.from]: from, [own.to]: to, [genAi.errorType]: error.code };
      telemetry.noted(event, spanEvents.failover, attributes);
      count('failovers', event, attributes);
    },
    hedge(event) {
      const { from, to, afterMs } = event;
      const attributes = { [own.from]: from, [own.to]: to };
      telemetry.noted(event, spanEvents.hedge, { ...attributes, [own.late]: afterMs / 1000 });
      count('hedges', event, attributes);
    },
    'circuit-open': circuit('open', spanEvents.circuitOpen),
    'circuit-half-open': circuit('half-open', spanEvents.circuitHalfOpen),
    'circuit-close': circuit('closed', spanEvents.circuitClose),
    // The value of the `by` tag may be a person, and is left out.
    'budget-warning'(event) {
      const attributes = { [own.budget]: event.budget, [own.unit]: event.unit };
      const share = { [own.share]: event.share };
      telemetry.noted(event, spanEvents.budgetWarning, { ...attributes, ...share });
      count('budgetWarnings', event, { ...attributes, ...share });
    },
    'budget-exceeded'(event) {
      const attributes = {
        [own.budget]: event.budget,
        [own.unit]: event.unit,
        [own.action]: event.action,
      };
      telemetry.noted(event, spanEvents.budgetExceeded, attributes);
      count('budgetExceeded', event, attributes);
    },
    'policy-verdict'(event) {
      const { policy, kind, rule } = event;
      telemetry.noted(event, spanEvents.policyVerdict, {
        [own.policy]: policy,
        [own.policyKind]: kind,
        ...(rule !== undefined && { [own.rule]: rule }),
      });
    },
    'rate-limited'(event) {
      const attributes = { [own.target]: event.target, [own.limit]: event.kind };
      telemetry.noted(event, spanEvents.rateLimited, attributes);
      count('rateLimited', event, attributes);
    },
  };
}
