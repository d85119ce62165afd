import type { Watch } from '../protocol/provider.ts';

/** The two members of undici's dispatcher and handler that we touch; both are as old as Node 18. */
type Dispatch = (options: object, handler: object) => boolean;
type Dispatcher = { dispatch: Dispatch };

/** Undici's registry of the process-wide dispatcher; the number is that of the handler interface. */
const globalDispatcherKeys = [
  Symbol.for('undici.globalDispatcher.2'),
  Symbol.for('undici.globalDispatcher.1'),
];

/** Called once the request is on a connected socket: undici 6 says `onConnect`, later ones `onRequestStart`. */
const startHooks = ['onRequestStart', 'onConnect'] as const;

function isDispatcher(value: unknown): value is Dispatcher {
  return (
    typeof value === 'object' &&
    value !== null &&
    'dispatch' in value &&
    typeof value.dispatch === 'function'
  );
}

function globalDispatcher(): Dispatcher | undefined {
  // Node loads undici on the first use of one of its globals; before that there is no dispatcher.
  new Headers();
  for (const key of globalDispatcherKeys) {
    const value: unknown = Reflect.get(globalThis, key);
    if (isDispatcher(value)) return value;
  }
  return undefined;
}

/**
 * A dispatcher for one request that goes through the process-wide one (so a proxy set there still rules),
 * with undici's own 300 s header and body clocks off and the moment of connection told to `watch`.
 * `undefined` where this Node has none: the connect clock is then stopped at once, as it cannot be read.
 */
export function watchingDispatcher(watch: Watch): Dispatcher | undefined {
  const base = globalDispatcher();
  if (base === undefined) return undefined;
  return {
    dispatch(options, handler) {
      for (const hook of startHooks) {
        const original: unknown = Reflect.get(handler, hook);
        if (typeof original !== 'function') continue;
        Reflect.set(handler, hook, (...parameters: unknown[]) => {
          watch.connected();
          return Reflect.apply(original, handler, parameters);
        });
      }
      return base.dispatch({ ...options, headersTimeout: 0, bodyTimeout: 0 }, handler);
    },
  };
}
