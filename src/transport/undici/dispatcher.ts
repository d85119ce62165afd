/**
 * What we use of a dispatcher of undici: `Agent`, `ProxyAgent` and all others have it, of whatever version.
 */
export interface Dispatcher {
  dispatch(options: object, handler: object): boolean;
}

/** Undici's registry of the process-wide dispatcher; the number is that of the handler interface. */
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

function registered(): Dispatcher | undefined {
  for (const key of processWideKeys) {
    const value: unknown = Reflect.get(globalThis, key);
    if (isDispatcher(value)) return value;
  }
  return undefined;
}

let lastSeen: unknown;
let isLastSeenNodes = false;

/**
 * Whether the process-wide `fetch` is Node's. One that somebody put in its place (a mock, an instrumentation)
 * is to be called, not gone around. There is no better mark than the source, which names undici.
 */
function isFetchNodes(): boolean {
  const { fetch } = globalThis;
  if (fetch !== lastSeen) {
    lastSeen = fetch;
    isLastSeenNodes = Function.prototype.toString.call(fetch).includes('internal/deps/undici');
  }
  return isLastSeenNodes;
}

/**
 * The dispatcher under Node's `fetch`: its own agent, or the one that was set for the process, such as a proxy.
 * `undefined` when this Node shows none or its `fetch` was replaced: then requests go through `fetch`.
 */
export function processDispatcher(): Dispatcher | undefined {
  if (!isFetchNodes()) return undefined;
  const known = registered();
  if (known !== undefined) return known;
  // Node loads undici on the first use of one of its globals; before that there is no dispatcher.
  new Headers();
  return registered();
}
