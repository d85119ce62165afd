import { EventEmitter } from 'eventemitter3';
import { SignalboxError } from '../errors.ts';
import { closest } from '../internal/closest.ts';
import { quoted } from '../internal/quoted.ts';
import type { Tags } from '../protocol/completion.ts';
import type { EventName, EventOf, RouterEvent } from '../protocol/events.ts';

/** The name of every event, for checks at run time. */
const eventNames = {
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

type Listener = (event: RouterEvent) => unknown;

type Registration = {
  readonly name: string;
  readonly listener: unknown;
  /** The function that is registered instead of the listener. */
  readonly wrapper: Listener;
};

/**
 * The events of one router. A listener that throws or rejects is reported as `listener-error` and affects nothing else.
 */
export interface Emitter {
  on<Name extends EventName | '*'>(name: Name, listener: (event: EventOf<Name>) => unknown): void;
  once<Name extends EventName | '*'>(name: Name, listener: (event: EventOf<Name>) => unknown): void;
  off<Name extends EventName | '*'>(name: Name, listener: (event: EventOf<Name>) => unknown): void;
  /** Whether there is a listener for this type. Without one, the event need not be created. */
  isHeard(type: EventName): boolean;
  emit(event: RouterEvent): void;
  clear(): void;
}

/** @throws SignalboxError `config` for an unknown event: a misspelled name would otherwise never be noticed. */
function checkName(name: string): void {
  if (name === '*' || (typeof name === 'string' && Object.hasOwn(eventNames, name))) return;
  const meant = typeof name === 'string' ? closest(name, Object.keys(eventNames)) : undefined;
  const hint = meant === undefined ? '' : `; did you mean "${meant}"?`;
  throw new SignalboxError('config', `there is no event ${quoted(name)}${hint}`);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  );
}

export function createEmitter(now: () => number, tags: () => Tags): Emitter {
  const events = new EventEmitter<string>();
  let registrations: readonly Registration[] = [];

  function report(event: RouterEvent, error: unknown): void {
    // A failing listener for `listener-error` would be called again without end.
    if (event.type === 'listener-error') return;
    emit({
      type: 'listener-error',
      at: now(),
      callId: null,
      tier: null,
      tags: tags(),
      event: event.type,
      error,
    });
  }

  function isolate(listener: Listener): Listener {
    return (event) => {
      try {
        const result = listener(event);
        if (isThenable(result)) {
          Promise.resolve(result).catch((error: unknown) => report(event, error));
        }
      } catch (error) {
        report(event, error);
      }
    };
  }

  function add(name: string, listener: unknown, register: 'on' | 'once'): void {
    checkName(name);
    if (typeof listener !== 'function') {
      throw new SignalboxError('config', `${register}('${name}'): the listener must be a function`);
    }
    const isolated = isolate(listener as Listener);
    const registration: Registration = {
      name,
      listener,
      wrapper:
        register === 'on'
          ? isolated
          : (event) => {
              remove(registration);
              isolated(event);
            },
    };
    registrations = [...registrations, registration];
    events.on(name, registration.wrapper);
  }

  function remove(registration: Registration): void {
    registrations = registrations.filter((each) => each !== registration);
    events.off(registration.name, registration.wrapper);
  }

  function emit(event: RouterEvent): void {
    events.emit(event.type, event);
    events.emit('*', event);
  }

  return {
    on: (name, listener) => add(name, listener, 'on'),
    once: (name, listener) => add(name, listener, 'once'),
    off(name, listener) {
      // A listener that was added twice is removed one by one, the latest first, like in Node's EventEmitter.
      const latest = registrations.findLast(
        (each) => each.name === name && each.listener === listener,
      );
      if (latest !== undefined) remove(latest);
    },
    isHeard: (type) => events.listenerCount(type) > 0 || events.listenerCount('*') > 0,
    emit,
    clear() {
      events.removeAllListeners();
      registrations = [];
    },
  };
}
