import { emitEvent } from '../../internal/emit-event.ts';
import type { RouterEvent, RouterEvents } from '../../protocol/events.ts';
import type { Router } from '../../protocol/router.ts';
import type { RunReport } from './compare-run.ts';

type WithoutTime<Event> = Event extends unknown ? Omit<Event, 'at'> : never;

/** Emits an event where all other events of the router are listened to. The router adds the time. */
export type Emit = (event: WithoutTime<RouterEvent>) => void;

/** Fields of events that belong to no call. */
export const ofRouter = { callId: null, tier: null, tags: {} } as const;

/** The function that emits events of the router. It does nothing for other objects with a router's methods. */
export function emitOf(router: Router): Emit {
  const emit: unknown = Reflect.get(router, emitEvent);
  return (event) => {
    if (typeof emit === 'function') emit.call(router, event);
  };
}

/** Emits `eval-end` for each target of a finished run. */
export function emitEnd(emit: Emit, { result, targets, sees }: RunReport): void {
  for (const each of result.targets) {
    const compared = targets.find(({ target }) => target === each.target);
    const event: Omit<RouterEvents['eval-end'], 'at'> = {
      ...{ type: 'eval-end', ...ofRouter },
      ...{ suite: result.suite, run: result.run, target: each.target },
      score: each.score?.mean ?? null,
      scored: each.scored,
      failures: Object.values(each.failures).reduce((sum, count) => sum + count, 0),
      usd: each.usd,
      state: compared?.state ?? 'unknown',
      sees,
    };
    emit(event);
  }
}
