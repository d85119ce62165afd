import { EventEmitter } from 'eventemitter3';
import type { Tags } from '../protocol/completion.ts';
import type { EventName, EventOf, RouterEvent } from '../protocol/events.ts';

type Listener = (event: RouterEvent) => unknown;

/** Events of one router. A listener that throws or rejects is reported and changes nothing. */
export interface Emitter {
  on<Name extends EventName | '*'>(name: Name, listener: (event: EventOf<Name>) => unknown): void;
  once<Name extends EventName | '*'>(name: Name, listener: (event: EventOf<Name>) => unknown): void;
  off<Name extends EventName | '*'>(name: Name, listener: (event: EventOf<Name>) => unknown): void;
  emit(event: RouterEvent): void;
  clear(): void;
}

export function createEmitter(now: () => number, tags: () => Tags): Emitter {
  const events = new EventEmitter<string>();
  /** The wrapper that stands in for a listener, so that `off` finds it. */
  const wrappers = new Map<string, Map<unknown, Listener>>();

  function report(event: RouterEvent, error: unknown): void {
    // A broken listener to `listener-error` itself has nobody left to tell.
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
        if (result instanceof Promise) result.catch((error: unknown) => report(event, error));
      } catch (error) {
        report(event, error);
      }
    };
  }

  function add(name: string, listener: unknown, register: 'on' | 'once'): void {
    const ofName = wrappers.get(name) ?? new Map<unknown, Listener>();
    wrappers.set(name, ofName);
    const isolated = isolate(listener as Listener);
    const wrapper: Listener =
      register === 'on'
        ? isolated
        : (event) => {
            ofName.delete(listener);
            isolated(event);
          };
    ofName.set(listener, wrapper);
    events[register](name, wrapper);
  }

  function emit(event: RouterEvent): void {
    events.emit(event.type, event);
    events.emit('*', event);
  }

  return {
    on: (name, listener) => add(name, listener, 'on'),
    once: (name, listener) => add(name, listener, 'once'),
    off(name, listener) {
      const wrapper = wrappers.get(name)?.get(listener);
      if (wrapper === undefined) return;
      wrappers.get(name)?.delete(listener);
      events.off(name, wrapper);
    },
    emit,
    clear() {
      events.removeAllListeners();
      wrappers.clear();
    },
  };
}
