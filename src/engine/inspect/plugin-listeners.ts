import type { EventName, RouterEvent } from '../../protocol/events.ts';
import type { Plugin } from '../../protocol/plugin.ts';
import type { Emitter } from '../../telemetry/emitter.ts';

/** Registers the plugin's listeners. They do not receive the events of calls to exempt tiers. */
export function addListeners(emitter: Emitter, { on = {}, exceptTiers = [] }: Plugin): void {
  for (const name of Object.keys(on) as (EventName | '*')[]) {
    // Each name has its own type of event; a union of names loses that.
    const listener = on[name] as ((event: RouterEvent) => unknown) | undefined;
    if (listener === undefined) continue;
    emitter.on(name, (event) =>
      event.tier !== null && exceptTiers.includes(event.tier) ? undefined : listener(event),
    );
  }
}
