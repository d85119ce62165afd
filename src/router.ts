import { drainMsOf, providerProblems } from './config/check.ts';
import { checkedRuntime, runtimeProblems } from './config/check-runtime.ts';
import { configError } from './config/problems.ts';
import { resolveConfig } from './config/resolve.ts';
import { createCompletionStream } from './engine/call/completion-stream.ts';
import { embedValues } from './engine/call/embed-values.ts';
import { createInFlight } from './engine/call/in-flight.ts';
import { openCall } from './engine/call/open-call.ts';
import { createCallKey, createSingleFlight } from './engine/call/single-flight.ts';
import { collectCall, startCall } from './engine/call/start-call.ts';
import type { Call } from './engine/core/engine.ts';
import { createEngine } from './engine/inspect/create-engine.ts';
import { createDrills } from './engine/inspect/drills.ts';
import { explainCall } from './engine/inspect/explain.ts';
import { takeSnapshot } from './engine/inspect/snapshot.ts';
import { chatTask } from './engine/tasks/chat.ts';
import { imageTask, toImages } from './engine/tasks/image.ts';
import type { CallOptions } from './protocol/call-options.ts';
import type { Completion } from './protocol/completion.ts';
import type { RouterConfig } from './protocol/config.ts';
import type { DrillOptions } from './protocol/drill.ts';
import type { Message } from './protocol/message.ts';
import type { EmbedOptions, ImageOptions } from './protocol/other-tasks.ts';
import type { Router } from './protocol/router.ts';
import { systemRuntime } from './runtime.ts';
import { createEmitter } from './telemetry/emitter.ts';

type Messages = string | readonly Message[];

/** A question for an answer, as `openCall` wants it. */
function chat(
  tier: string,
  messages: Messages,
  options: CallOptions | undefined,
  mode: Call['mode'],
) {
  const task = ({ fallbackOn }: { readonly fallbackOn: readonly string[] }, checked: CallOptions) =>
    chatTask(messages, checked, fallbackOn);
  return { tier, options, kind: 'chat', mode, task } as const;
}

/** The inside of a router: names and results untyped, as the engine knows them. */
function openRouter(config: RouterConfig) {
  if (typeof config !== 'object' || config === null) {
    throw configError([{ path: [], message: 'must be an object with providers and tiers' }]);
  }
  const { providers, runtime: ownRuntime = systemRuntime, ...routing } = config;
  const names = Object.keys(providers ?? {});
  const found = [...providerProblems(providers), ...runtimeProblems(ownRuntime)];
  let current = resolveConfig(routing, names, found);
  const runtime = checkedRuntime(ownRuntime);
  const byName = new Map(Object.entries(providers));
  const emitter = createEmitter(
    () => runtime.now(),
    () => current.tags,
  );
  const engine = createEngine(runtime, byName, emitter);
  engine.limits.configure(current);
  engine.configs.configure(current);
  const inFlight = createInFlight(runtime);
  const drills = createDrills(engine);

  /** Tiers ordered by price need the list before their first call; nothing else waits for it. */
  async function loadPrices(): Promise<void> {
    const isNeeded = [...current.tiers.values()].some((tier) => tier.strategy === 'cheapest');
    if (isNeeded) await engine.pricing.load()?.catch(() => undefined);
  }

  const start = (call: Call, leaving?: AbortSignal) =>
    startCall(drills.engineFor(call), inFlight, call, leaving);
  const flights = createSingleFlight((call) => start(call));
  const keyOf = createCallKey();

  /** What is asked, as far as sharing a request goes; `undefined` for a call that wants one of its own. */
  function sharedKey(call: Call, messages: Messages): string | undefined {
    if (!(call.options.singleFlight ?? call.tier.singleFlight)) return undefined;
    const { signal: _signal, tags: _tags, singleFlight: _, ...options } = call.options;
    return keyOf(call.config, [call.tier.name, call.mode, messages, options]);
  }

  /** The parts of a call; those of a request under way, if it is `shared` under a key. */
  function parts(call: Call, shared?: string, leaving?: AbortSignal) {
    if (shared === undefined) return start(call, leaving);
    return flights.join(shared, call, leaving);
  }

  function run(call: Call, shared?: string): Promise<Completion> {
    if (call.tier.strategy !== 'cheapest') return collectCall(parts(call, shared));
    return loadPrices().then(() => collectCall(parts(call, shared)));
  }

  return {
    async complete(tier: string, messages: Messages, options?: CallOptions) {
      const call = openCall(engine, current, chat(tier, messages, options, 'complete'));
      // Awaited, since to return a promise takes longer.
      return await run(call, sharedKey(call, messages));
    },
    async embed(tier: string, values: string | readonly string[], options?: EmbedOptions) {
      return embedValues(engine, current, run, { tier, values, options });
    },
    async image(tier: string, prompt: string, options?: ImageOptions) {
      const task = (_: unknown, checked: ImageOptions) => imageTask(prompt, checked);
      const asked = { tier, options, kind: 'image', mode: 'complete', task } as const;
      return toImages(await run(openCall(engine, current, asked)));
    },
    stream(tier: string, messages: Messages, options?: CallOptions) {
      async function open(leaving: AbortSignal) {
        const call = openCall(engine, current, chat(tier, messages, options, 'stream'));
        if (call.tier.strategy === 'cheapest') await loadPrices();
        return parts(call, sharedKey(call, messages), leaving);
      }
      return createCompletionStream(open);
    },
    on: emitter.on,
    once: emitter.once,
    off: emitter.off,
    explain(tier: string, messages: Messages, options?: CallOptions) {
      return explainCall(
        engine,
        openCall(engine, current, chat(tier, messages, options, 'complete')),
      );
    },
    drill(options: DrillOptions) {
      const sample = chat(options?.tier, 'fire drill', undefined, 'complete');
      return drills.start(options, openCall(engine, current, sample));
    },
    snapshot: () => takeSnapshot(engine, current, inFlight.size),
    reconfigure(next: unknown) {
      current = resolveConfig(next, names);
      engine.limits.configure(current);
      engine.configs.configure(current);
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
      const loading = [...byName.keys()].map((provider) => engine.loading.load(provider));
      await Promise.all([...loading, engine.pricing.load()]);
    },
    async close(options?: { readonly drainMs?: number }) {
      const drainMs = drainMsOf(options);
      const drillsOver = drills.close();
      await inFlight.close(drainMs);
      await drillsOver;
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
