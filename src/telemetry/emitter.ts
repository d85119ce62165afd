import { EventEmitter } from 'eventemitter3';
import { SignalboxError } from '../errors.ts';
import { closest } from '../internal/closest.ts';
import { quoted, shortened } from '../internal/quoted.ts';
import type { Tags } from '../protocol/completion.ts';
import type { EventName, EventOf, RouterEvent } from '../protocol/events.ts';
import type { Usage } from '../protocol/usage.ts';

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
  'budget-warning': true,
  'budget-exceeded': true,
  'call-end': true,
  'policy-verdict': true,
  'audit-head': true,
  feedback: true,
  'tool-start': true,
  'tool-end': true,
  'tool-denied': true,
  'circuit-open': true,
  'circuit-half-open': true,
  'circuit-close': true,
  'rate-limited': true,
  'credential-rejected': true,
  'shape-changed': true,
  'drill-start': true,
  'drill-end': true,
  'target-isolate': true,
  'target-restore': true,
  'target-demote': true,
  'target-demote-end': true,
  'config-change': true,
  'config-rejected': true,
  'eval-end': true,
  'store-error': true,
  'listener-error': true,
} as const satisfies Record<EventName, true>;

/** The names that can be listened to. */
export const listenableNames: readonly string[] = ['*', ...Object.keys(eventNames)];

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
  /** Returns a function that removes the listener. */
  on<Name extends EventName | '*'>(
    name: Name,
    listener: (event: EventOf<Name>) => unknown,
  ): () => void;
  once<Name extends EventName | '*'>(
    name: Name,
    listener: (event: EventOf<Name>) => unknown,
  ): () => void;
  off<Name extends EventName | '*'>(name: Name, listener: (event: EventOf<Name>) => unknown): void;
  /** Whether there is a listener for this type. Without one, the event need not be created. */
  isHeard(type: EventName): boolean;
  emit(event: RouterEvent): void;
  clear(): void;
}

const maxWarningLength = 400;

/** A listener's failure in one line, for stderr. */
function warningOf(event: string, error: unknown): string {
  const isError = error instanceof Error;
  const where = isError ? error.stack?.match(/^ +(at .*)/m)?.[1] : undefined;
  const reason = isError ? `${error.name}: ${error.message}` : `it threw ${quoted(error)}`;
  const line = `a listener for ${quoted(event)} failed: ${reason} ${where ?? ''}`;
  return `${shortened(line.replace(/\s+/g, ' ').trim(), maxWarningLength)}; listen to "listener-error" for all failures`;
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
  /** The names under which a failing listener was printed. */
  const printed = new Set<string>();
  /** How often another listener than the failing one received a `listener-error`. */
  let heard = 0;
  let failing: Listener | undefined;

  function report(name: string, listener: Listener, event: RouterEvent, error: unknown): void {
    // A failing listener for `listener-error` would be called again without end.
    if (event.type === 'listener-error') return;
    const before = heard;
    failing = listener;
    emit({
      type: 'listener-error',
      at: now(),
      callId: null,
      tier: null,
      tags: tags(),
      event: event.type,
      error,
    });
    failing = undefined;
    if (heard === before) print(name, event.type, error);
  }

  /** Once for each name that is listened to: a broken listener fails with every call. */
  function print(name: string, event: string, error: unknown): void {
    if (printed.has(name)) return;
    printed.add(name);
    try {
      process.emitWarning(warningOf(event, error), {
        code: 'SIGNALBOX_LISTENER',
        type: 'SignalboxWarning',
      });
    } catch {
      // The error's own getters may throw.
    }
  }

  function isolate(name: string, listener: Listener): Listener {
    return (event) => {
      try {
        const result = listener(event);
        if (event.type === 'listener-error' && listener !== failing) heard += 1;
        if (isThenable(result)) {
          Promise.resolve(result).catch((error: unknown) => report(name, listener, event, error));
        }
      } catch (error) {
        report(name, listener, event, error);
      }
    };
  }

  function add(name: string, listener: unknown, register: 'on' | 'once'): () => void {
    checkName(name);
    if (typeof listener !== 'function') {
      throw new SignalboxError('config', `${register}('${name}'): the listener must be a function`);
    }
    const isolated = isolate(name, listener as Listener);
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
    return () => remove(registration);
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

/**
 * The words in the vendors' names of counts. A name with other words may be a key or a part of the prompt, and must not
 * appear in an event.
 */
const words = new Set(
  `accepted audio billed byok cache cached candidates char character characters class classifications completion
  completions content context cost count create creation credits details discount document documents draft duration
  eval ephemeral estimated execution fee fetch file generated generation hit image images in inference input is
  iterations latency load long miss modality ms name num number off on other out output p page pages peak prediction
  predicted price processed prompt queries query queue queued read reads reasoning rejected rejection request requests
  response rerank result s search searches seconds server short side sources storage text thinking thought thoughts
  ticks tier time token tokens tool total traffic ttl type unit units upstream usage usd use used video web write
  writes written h m d`.split(/\s+/),
);

/** The modalities in Gemini's counts. */
const modalities: ReadonlySet<unknown> = new Set(['TEXT', 'IMAGE', 'AUDIO', 'VIDEO', 'DOCUMENT']);

/** More than the usage of any vendor needs. */
const maxDepth = 4;
const maxEntries = 64;
const maxNameLength = 64;

/** Whether all words are known, as in `prompt_tokens_details`, `candidatesTokenCount`, `ephemeral_5m_input_tokens`. */
function isCountName(name: string): boolean {
  if (name.length > maxNameLength) return false;
  const parts = name
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .replace(/\d{1,2}/g, '')
    .split('_');
  return parts.every((part) => part === '' || words.has(part.toLowerCase()));
}

/** Entries copied so far. */
type Copied = { entries: number };

function countsIn(value: unknown, depth: number, copied: Copied): unknown {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') {
    return Math.abs(value) <= Number.MAX_SAFE_INTEGER ? value : undefined;
  }
  if (typeof value !== 'object' || value === null || depth >= maxDepth) return undefined;
  if (Array.isArray(value)) {
    return value.slice(0, maxEntries).flatMap((each: unknown) => {
      const counts = countsIn(each, depth + 1, copied);
      return counts === undefined ? [] : [counts];
    });
  }
  const counts: Record<string, unknown> = {};
  for (const name of Object.keys(value)) {
    const field: unknown = Reflect.get(value, name);
    const isModality = name === 'modality' && modalities.has(field);
    if (!isModality && !isCountName(name)) continue;
    const count = isModality ? field : countsIn(field, depth + 1, copied);
    if (count === undefined || copied.entries >= maxEntries) continue;
    copied.entries += 1;
    counts[name] = count;
  }
  return counts;
}

/**
 * Usage for events and trails: of the vendor's usage object, only the numbers under known names, and no text. The
 * completion contains the whole object.
 */
export function usageForEvents(usage: Usage): Usage {
  if (usage.raw === undefined) return usage;
  return { ...usage, raw: countsIn(usage.raw, 0, { entries: 0 }) };
}
