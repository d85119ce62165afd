import { own } from '../internal/own.ts';
import type { EventName, RouterEvent } from '../protocol/events.ts';
import { errorSerializer, type SerializedError } from './error-serializer.ts';

/** A level that every logger has. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** An event for a log: its fields, of which only `error` of `listener-error` is another one, and a level. */
export type LogEntry = {
  readonly level: LogLevel;
} & LoggedEvent;

type LoggedEvent = {
  [Name in EventName]: Name extends 'listener-error'
    ? Omit<Extract<RouterEvent, { readonly type: Name }>, 'error'> & {
        readonly error: SerializedError;
      }
    : Extract<RouterEvent, { readonly type: Name }>;
}[EventName];

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
  'credential-rejected': 'error',
  'config-rejected': 'error',
  'listener-error': 'error',
};

function levelOf(event: RouterEvent): LogLevel {
  if (event.type === 'call-end' && event.status === 'error') return 'error';
  if (event.type === 'attempt-end' && event.outcome === 'error') return 'warn';
  return own(levels, event.type) ?? 'info';
}

/**
 * Converts an event to an object that a logger can write as one line of JSON, with a `level`:
 * `logger[entry.level](entry, entry.type)`. The error of a `listener-error` is serialized by `errorSerializer`.
 * `signalbox report` reads such lines.
 */
export function toLogEntry(event: RouterEvent): LogEntry {
  const level = levelOf(event);
  if (event.type !== 'listener-error') return { level, ...event };
  return { level, ...event, error: errorSerializer(event.error) };
}
