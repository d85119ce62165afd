import { addUsd } from '../pricing/rate-card.ts';
import type { Tags } from '../protocol/completion.ts';
import type { EventName, RouterEvent, RouterEvents } from '../protocol/events.ts';
import { invalidArgument, isObject } from './check-arguments.ts';

/** The part of a router that `recordEvents` uses. */
export interface EventSource {
  on(name: '*', listener: (event: RouterEvent) => unknown): unknown;
  off(name: '*', listener: (event: RouterEvent) => unknown): unknown;
}

export interface EventRecorder {
  /** All events since the start or the last `clear`, in order. Each read returns a new list. */
  readonly events: readonly RouterEvent[];
  /** The names of `events`, for assertions about their order. */
  readonly names: readonly EventName[];
  /** The events with this name. */
  of<Name extends EventName>(name: Name): readonly RouterEvents[Name][];
  /**
   * Sum in US dollars of all `cost` events with these tags, or of all without an argument. `null` when one of them has no
   * known price, 0 when there are none.
   */
  costUsd(tags?: Tags): number | null;
  /** Deletes the recorded events. */
  clear(): void;
  /** Stops listening. Recorded events are kept. */
  stop(): void;
}

function isNamed<Name extends EventName>(
  event: RouterEvent,
  name: Name,
): event is RouterEvent & RouterEvents[Name] {
  return event.type === name;
}

/** Records a router's events for assertions, until `stop`. */
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
      const costs: number[] = [];
      for (const event of of('cost')) {
        if (!wanted.every(([name, value]) => event.tags[name] === value)) continue;
        if (event.usd === null) return null;
        costs.push(event.usd);
      }
      return addUsd(costs);
    },
    clear() {
      events = [];
    },
    stop: () => void router.off('*', record),
  };
}
