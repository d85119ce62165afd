import type { EventName } from '../protocol/events.ts';

/** The name of every event, for checks at run time. */
export const eventNames = {
  'call-start': true,
  'route-plan': true,
  'attempt-start': true,
  'attempt-end': true,
  retry: true,
  failover: true,
  hedge: true,
  'first-token': true,
  cost: true,
  'call-end': true,
  'circuit-open': true,
  'circuit-half-open': true,
  'circuit-close': true,
  'rate-limited': true,
  'credential-rejected': true,
  'drill-start': true,
  'drill-end': true,
  'config-change': true,
  'listener-error': true,
} as const satisfies Record<EventName, true>;
