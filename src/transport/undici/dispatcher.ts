/**
 * What signalbox uses of an undici dispatcher. `Agent`, `ProxyAgent` and all others have it, in every version.
 */
export interface Dispatcher {
  dispatch(options: object, handler: object): boolean;
}

/** Undici's registry of the process-wide dispatcher. The number is the version of the handler interface. */
const processWideKeys = [
  Symbol.for('undici.globalDispatcher.2'),
  Symbol.for('undici.globalDispatcher.1'),
];

export function isDispatcher(value: unknown): value is Dispatcher {
  return (
    typeof value === 'object' &&
    value !== null &&
    'dispatch' in value &&
    typeof value.dispatch === 'function'
  );
}

function registeredDispatcher(): Dispatcher | undefined {
  for (const key of processWideKeys) {
    const value: unknown = Reflect.get(globalThis, key);
    if (isDispatcher(value)) return value;
  }
  return undefined;
}

/**
 * Whether the process-wide `fetch` is Node's. A replacement (a mock, an instrumentation) must be called, not bypassed.
 * Node's is recognized by its source, which names undici; it has no better mark.
 */
function isFetchNodes(): boolean {
  return Function.prototype.toString.call(globalThis.fetch).includes('internal/deps/undici');
}

/**
 * The dispatcher under Node's `fetch`: Node's agent, or the one set for the process, such as a proxy.
 * `undefined` when this Node does not expose one or its `fetch` was replaced; requests then go through `fetch`.
 */
export function processDispatcher(): Dispatcher | undefined {
  if (!isFetchNodes()) return undefined;
  const registered = registeredDispatcher();
  if (registered !== undefined) return registered;
  // Node loads undici on the first use of one of its globals; there is no dispatcher before that.
  new Headers();
  return registeredDispatcher();
}
