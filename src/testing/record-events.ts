import { addUsd } from '../pricing/money.ts';
import type { Tags } from '../protocol/completion.ts';
import type { EventName, RouterEvent, RouterEvents } from '../protocol/events.ts';
import { invalidArgument, isObject } from './check-arguments.ts';

/** What `recordEvents` needs of a router. */
export interface EventSource {
  on(name: '*', listener: (event: RouterEvent) => unknown): unknown;
  off(name: '*', listener: (event: RouterEvent) => unknown): unknown;
}

export interface EventRecorder {
  /** Every event since the start, or since `clear`, in order. A new list at each reading. */
  readonly events: readonly RouterEvent[];
  /** The names of `events`, for a look at the order of things. */
  readonly names: readonly EventName[];
  /** The events of one name, with that name's type. */
  of<Name extends EventName>(name: Name): readonly RouterEvents[Name][];
  /**
   * US dollars over all `cost` events that carry these tags; of all calls without tags. `null` when one of
   * them has no known price, 0 when there are none.
   */
  costUsd(tags?: Tags): number | null;
  /** Forgets what was recorded. */
  clear(): void;
  /** Stops listening. What was recorded stays. */
  stop(): void;
}

function isNamed<Name extends EventName>(
  event: RouterEvent,
  name: Name,
): event is RouterEvent & RouterEvents[Name] {
  return event.type === name;
}

/** Writes down what a router tells, for assertions. Listens until `stop`. */
export function recordEvents(router: EventSource): EventRecorder {
  const source: unknown = router;
  if (!isObject(source) || typeof source.on !== 'function' || typeof source.off !== 'function') {
    throw invalidArgument('recordEvents()', 'called with a router');
  }
  let events: RouterEvent[] = [];
  const record = (event: RouterEvent): void => void events.push(event);
  router.on('*', record);
  const of = <Name extends EventName>(name: Name): readonly RouterEvents[Name][] =>
    events.filter((event) => isNamed(event, name));
  return {
    get events() {
      return [...events];
    },
    get names() {
      return events.map(({ type }) => type);
    },
    of,
    costUsd(tags = {}) {
      const wanted = Object.entries(tags);
      const bills: number[] = [];
      for (const event of of('cost')) {
        if (!wanted.every(([name, value]) => event.tags[name] === value)) continue;
        if (event.usd === null) return null;
        bills.push(event.usd);
      }
      return addUsd(bills);
    },
    clear() {
      events = [];
    },
    stop: () => void router.off('*', record),
  };
}
