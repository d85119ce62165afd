import { drainMsOf, providerProblems } from './config/check.ts';
import { pluginProblems, storeProblems, strategyProblems } from './config/check-extensions.ts';
import { checkedRuntime, runtimeProblems } from './config/check-runtime.ts';
import { configError } from './config/problems.ts';
import { resolveConfig } from './config/resolve.ts';
import { Calls } from './engine/call/calls.ts';
import { checkKeys } from './engine/inspect/check-keys.ts';
import { Configuration } from './engine/inspect/configuration.ts';
import { createEngine } from './engine/inspect/create-engine.ts';
import { describeConfig } from './engine/inspect/describe.ts';
import { createDrills } from './engine/inspect/drills.ts';
import { takeFeedback } from './engine/inspect/feedback.ts';
import { explainCall, takeSnapshot } from './engine/inspect/inspect.ts';
import { demoteTarget, isolateTarget } from './engine/inspect/isolate.ts';
import { addListeners } from './engine/inspect/plugin-listeners.ts';
import { SignalboxError } from './errors.ts';
import { emitEvent } from './internal/emit-event.ts';
import { nodeVersionProblem } from './internal/node-version.ts';
import type { CallOptions, TargetId } from './protocol/call-options.ts';
import type { RouterConfig } from './protocol/config.ts';
import type { ConfigSource, FollowOptions } from './protocol/config-source.ts';
import type { DrillOptions } from './protocol/drill.ts';
import type { RouterEvent } from './protocol/events.ts';
import type { Message } from './protocol/message.ts';
import type { EmbedOptions, ImageOptions } from './protocol/other-tasks.ts';
import type { Plugin } from './protocol/plugin.ts';
import type { Provider } from './protocol/provider.ts';
import type { Feedback, Router } from './protocol/router.ts';
import type { AuditHead } from './protocol/verdict.ts';
import { systemRuntime } from './runtime.ts';
import { createEmitter } from './telemetry/emitter.ts';

type Messages = string | readonly Message[];

/** The providers without those that are `undefined`. From outside the types, `providers` may be anything. */
function configuredOf(providers: RouterConfig['providers']): Readonly<Record<string, Provider>> {
  const given = typeof providers === 'object' ? Object.entries(providers ?? {}) : [];
  // Not assigned one by one: a provider named `__proto__` must be found.
  return Object.fromEntries(
    given.flatMap(([name, provider]) => (provider === undefined ? [] : [[name, provider]])),
  );
}

/** A router without its public types: names and results are as the engine knows them. */
function openRouter(config: RouterConfig<string, string, string>) {
  const problem = nodeVersionProblem();
  if (problem !== undefined) throw new SignalboxError('config', problem);
  if (typeof config !== 'object' || config === null) {
    throw configError([{ path: [], message: 'must be an object with providers and tiers' }]);
  }
  const {
    providers: givenProviders,
    runtime: ownRuntime = systemRuntime,
    plugins,
    strategies,
    store,
    ...routing
  } = config;
  const providers = configuredOf(givenProviders);
  const problems = [
    ...providerProblems(providers),
    ...runtimeProblems(ownRuntime),
    ...pluginProblems(plugins, Object.keys(routing.tiers ?? {})),
    ...strategyProblems(strategies),
    ...storeProblems(store),
  ];
  const known = {
    providers: Object.keys(providers),
    strategies: new Map(Object.entries(strategies ?? {})),
  };
  const first = resolveConfig(routing, known, problems);
  const runtime = checkedRuntime(ownRuntime);
  const emitter = createEmitter(
    () => Math.round(runtime.now()),
    () => configuration.current.tags,
  );
  const engine = createEngine(runtime, new Map(Object.entries(providers)), emitter, store);
  const configuration = new Configuration(engine, known, first);
  const drills = createDrills(engine);
  const calls = new Calls(engine, (call) => drills.drilled(call));
  const layers = [...(plugins ?? [])];
  for (const plugin of layers) addListeners(emitter, plugin);
  const context = () => ({ config: configuration.current, plugins: layers });
  for (const plugin of layers) plugin.onCreate?.({ plugins: layers, auditHead: emitHead(plugin) });

  function emitHead({ name: policy }: Plugin) {
    return ({ lines, head }: AuditHead): void => {
      const { tags } = configuration.current;
      const common = { at: Math.round(runtime.now()), callId: null, tier: null, tags } as const;
      emitter.emit({ type: 'audit-head', ...common, policy, lines, head });
    };
  }

  async function close(options?: { readonly drainMs?: number }): Promise<void> {
    const drainMs = drainMsOf(options);
    const drillsOver = drills.close();
    const followingOver = configuration.close();
    await calls.close(drainMs);
    await drillsOver;
    await followingOver;
    await Promise.allSettled(layers.map(async (plugin) => plugin.close?.()));
    engine.answered.clear();
    emitter.clear();
  }

  return {
    complete(tier: string, messages: Messages, options?: CallOptions) {
      return calls.complete(context(), tier, messages, options);
    },
    stream(tier: string, messages: Messages, options?: CallOptions) {
      return calls.stream(context, tier, messages, options);
    },
    async embed(tier: string, values: string | readonly string[], options?: EmbedOptions) {
      return calls.embed(context(), tier, values, options);
    },
    image(tier: string, prompt: string, options?: ImageOptions) {
      return calls.image(context(), tier, prompt, options);
    },
    on: emitter.on,
    once: emitter.once,
    off: emitter.off,
    async explain(tier: string, messages: Messages, options?: CallOptions) {
      return explainCall(engine, calls.openChat(context(), 'complete', tier, messages, options));
    },
    async describe() {
      return describeConfig(engine, configuration.current, () => configuration.priceLists());
    },
    drill(options: DrillOptions) {
      const sample = calls.openChat(context(), 'complete', options?.tier, 'fire drill', undefined);
      return drills.start(options, sample);
    },
    isolate: (target: TargetId) => isolateTarget(engine, () => configuration.current, target),
    demote: (target: TargetId, options?: { readonly weight?: number | undefined }) =>
      demoteTarget(engine, () => configuration.current, target, options),
    feedback: (callId: string, feedback: Feedback) => takeFeedback(engine, callId, feedback),
    snapshot: () =>
      takeSnapshot(engine, configuration.current, configuration.priceLists(), calls.size),
    reconfigure(next: unknown) {
      configuration.reconfigure(next);
    },
    follow(source: ConfigSource, options?: FollowOptions) {
      return configuration.follow(source, options);
    },
    async preload() {
      const loading = [...engine.providers.keys()].map((name) => engine.loading.load(name));
      await Promise.all([...loading, engine.pricing.load()]);
      checkKeys(engine);
    },
    close,
    [Symbol.asyncDispose]: () => close(),
    [emitEvent](event: Omit<RouterEvent, 'at'>): void {
      emitter.emit({ ...event, at: Math.round(runtime.now()) } as RouterEvent);
    },
  };
}

/**
 * Makes a router. It reads the configuration; it loads and calls nothing.
 *
 * @throws SignalboxError `config` that lists every problem of the configuration with its path
 */
export function createRouter<
  const ProviderName extends string,
  const TierName extends string,
  const StrategyName extends string = never,
>(
  config: RouterConfig<ProviderName, TierName, StrategyName>,
): Router<TierName, ProviderName, StrategyName> {
  // What the types promise (names, `object`, tool inputs) is checked at run time by the engine.
  return openRouter(config as unknown as RouterConfig<string, string, string>) as unknown as Router<
    TierName,
    ProviderName,
    StrategyName
  >;
}

/** Returns the configuration as it is, typed: for one in a file of its own. Checks nothing. */
export function defineConfig<
  const ProviderName extends string,
  const TierName extends string,
  const StrategyName extends string = never,
>(
  config: RouterConfig<ProviderName, TierName, StrategyName>,
): RouterConfig<ProviderName, TierName, StrategyName> {
  return config;
}
