import { own } from '../internal/own.ts';
import type { EventName, RouterEvent } from '../protocol/events.ts';
import { errorSerializer, type SerializedError } from './error-serializer.ts';

/** A level that every logger has. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** The events with an error that may be anything. */
type WithThrown = Extract<RouterEvent, { readonly type: 'listener-error' | 'store-error' }>;

type Serialized<Event extends WithThrown> = Event extends unknown
  ? Omit<Event, 'error'> & { readonly error: SerializedError }
  : never;

/** An event for a log: its fields, and a level. The `error` of `listener-error` and `store-error` is serialized. */
export type LogEntry = { readonly level: LogLevel } & (
  | Exclude<RouterEvent, WithThrown>
  | Serialized<WithThrown>
);

/** The levels of events that are not `info`. */
const levels: Readonly<Partial<Record<EventName, LogLevel>>> = {
  'call-start': 'debug',
  'route-plan': 'debug',
  'attempt-start': 'debug',
  'first-token': 'debug',
  retry: 'warn',
  failover: 'warn',
  'circuit-open': 'warn',
  'rate-limited': 'warn',
  'shape-changed': 'warn',
  'tool-start': 'debug',
  'tool-denied': 'warn',
  'budget-warning': 'warn',
  'budget-exceeded': 'warn',
  'store-error': 'error',
  'credential-rejected': 'error',
  'config-rejected': 'error',
  'listener-error': 'error',
};

function levelOf(event: RouterEvent): LogLevel {
  if (event.type === 'call-end' && event.status === 'error') return 'error';
  if (event.type === 'attempt-end' && event.outcome === 'error') return 'warn';
  if (event.type === 'tool-end' && event.status !== 'ok') return 'warn';
  if (event.type === 'eval-end' && event.state === 'regressed') return 'warn';
  return own(levels, event.type) ?? 'info';
}

/**
 * Converts an event to an object that a logger can write as one line of JSON, with a `level`:
 * `logger[entry.level](entry, entry.type)`. What was thrown, in `listener-error` and `store-error`, is
 * serialized by `errorSerializer`.
 * `signalbox report` reads such lines.
 */
export function toLogEntry(event: RouterEvent): LogEntry {
  const level = levelOf(event);
  return event.type === 'listener-error' || event.type === 'store-error'
    ? { level, ...event, error: errorSerializer(event.error) }
    : { level, ...event };
}
