import { checkProviders } from './config/check.ts';
import { resolveConfig } from './config/resolve.ts';
import { createCompletionStream } from './engine/completion-stream.ts';
import { createEngine } from './engine/create-engine.ts';
import { explainCall } from './engine/explain.ts';
import { createInFlight } from './engine/in-flight.ts';
import { openCall } from './engine/open-call.ts';
import { takeSnapshot } from './engine/snapshot.ts';
import { collectCall, startCall } from './engine/start-call.ts';
import type { CallOptions } from './protocol/call-options.ts';
import type { RouterConfig } from './protocol/config.ts';
import type { Message } from './protocol/message.ts';
import type { Router } from './protocol/router.ts';
import { systemRuntime } from './runtime.ts';
import { createEmitter } from './telemetry/emitter.ts';

type Messages = string | readonly Message[];

/** The inside of a router: names and results untyped, as the engine knows them. */
function openRouter(config: RouterConfig) {
  const { providers, runtime = systemRuntime, ...routing } = config;
  const byName = checkProviders(providers);
  const names = [...byName.keys()];
  let current = resolveConfig(routing, names);
  const emitter = createEmitter(
    () => runtime.now(),
    () => current.tags,
  );
  const engine = createEngine(runtime, byName, emitter);
  const inFlight = createInFlight(runtime);

  /** Tiers ordered by price need the list before their first call; nothing else waits for it. */
  async function loadPrices(): Promise<void> {
    const isNeeded = [...current.tiers.values()].some((tier) => tier.strategy === 'cheapest');
    if (isNeeded) await engine.pricing.load().catch(() => undefined);
  }

  return {
    async complete(tier: string, messages: Messages, options?: CallOptions) {
      const call = openCall(engine, current, { tier, messages, options, mode: 'complete' });
      if (call.tier.strategy === 'cheapest') await loadPrices();
      return collectCall(startCall(engine, inFlight, call));
    },
    stream(tier: string, messages: Messages, options?: CallOptions) {
      const asked = { tier, messages, options, mode: 'stream' } as const;
      async function* start(leaving: AbortSignal) {
        const call = openCall(engine, current, asked);
        if (call.tier.strategy === 'cheapest') await loadPrices();
        yield* startCall(engine, inFlight, call, leaving);
      }
      return createCompletionStream(start);
    },
    on: emitter.on,
    once: emitter.once,
    off: emitter.off,
    explain(tier: string, messages: Messages, options?: CallOptions) {
      const call = openCall(engine, current, { tier, messages, options, mode: 'complete' });
      return explainCall(engine, call);
    },
    snapshot: () => takeSnapshot(engine, current, inFlight.size),
    reconfigure(next: unknown) {
      current = resolveConfig(next, names);
      emitter.emit({
        type: 'config-change',
        at: runtime.now(),
        callId: null,
        tier: null,
        tags: current.tags,
        tiers: [...current.tiers.keys()],
      });
    },
    async preload() {
      const loading = [...byName.values()].map((provider) => provider.preload());
      await Promise.all([...loading, engine.pricing.load()]);
    },
    async close(options?: { readonly drainMs?: number }) {
      await inFlight.close(options?.drainMs ?? 0);
      emitter.clear();
    },
  };
}

/**
 * Makes a router. It reads the configuration; it loads and calls nothing.
 *
 * @throws SignalboxError `config` that lists every problem of the configuration with its path.
 */
export function createRouter<const ProviderName extends string, const TierName extends string>(
  config: RouterConfig<ProviderName, TierName>,
): Router<TierName, ProviderName> {
  // What the type promises (names, `object`, tool inputs) is checked at run time by the engine.
  return openRouter(config as unknown as RouterConfig) as unknown as Router<TierName, ProviderName>;
}

/** Returns the configuration as it is, typed: for one that stands in a file of its own. Checks nothing. */
export function defineConfig<const ProviderName extends string, const TierName extends string>(
  config: RouterConfig<ProviderName, TierName>,
): RouterConfig<ProviderName, TierName> {
  return config;
}
