import { defaults } from '../../config/defaults.ts';
import type { ResolvedConfig, ResolvedTarget, ResolvedTier } from '../../config/resolve.ts';
import type { Health } from '../../health/health.ts';
import type { Departure } from '../../limits/gate.ts';
import type { HedgeBudget } from '../../limits/hedge-budget.ts';
import type { RetryBudget } from '../../limits/retry-budget.ts';
import type { Pricing } from '../../pricing/pricing.ts';
import type { CallDefaults, CallOptions } from '../../protocol/call-options.ts';
import type { Tags } from '../../protocol/completion.ts';
import type { PreparedCall, Provider, RateLimit } from '../../protocol/provider.ts';
import type { LimitsSnapshot } from '../../protocol/router.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import type { Unavailable } from '../../routing/candidate.ts';
import type { Emitter } from '../../telemetry/emitter.ts';
import type { Statistics } from '../../telemetry/statistics.ts';
import type { ConfiguredNames, LiveConfigs } from './live-configs.ts';
import type { Loading } from './loading.ts';
import type { Scope } from './scope.ts';
import type { Task } from './task.ts';

/** A place under all limits of a target, held while it is asked. */
export interface Place {
  /** The vendor told its own limits. */
  told(limits: readonly RateLimit[]): void;
  /** The first token has come. */
  begun(): void;
  /** Gives the place back; once. */
  leave(departure: Departure): void;
}

/** Every limit of the router's targets, told and learned, and the one queue in front of them. */
export interface LimitKeeper {
  /**
   * A place under the target's limits, at once or when its turn comes. Rejects with `rate_limited` when it
   * never will (see `wasTurnedAway`), or with the reason of the call's end.
   */
  enter(call: Call, scope: Scope, target: ResolvedTarget): Place | Promise<Place>;
  /** Why an attempt that came now would have to wait; `undefined` when it would not. */
  busy(call: Call, target: ResolvedTarget): Unavailable | undefined;
  /** What the target's answers take, for the estimate of the next one's. */
  answered(target: ResolvedTarget, outputTokens: number): void;
  snapshot(target: ResolvedTarget): LimitsSnapshot;
  /** Goes by the numbers of this configuration from now on, for those that wait already as well. */
  configure(config: ResolvedConfig): void;
  /** Forgets what is known of all others. */
  prune(names: ConfiguredNames): void;
}

/** Whose turn it is among the keys of each pool, so that the load is spread. */
type KeyTurns = Map<string, number>;

/** What outlives a call: one set for each router. */
export type Engine = {
  readonly runtime: Runtime;
  readonly providers: ReadonlyMap<string, Provider>;
  readonly health: Health;
  readonly retryBudget: RetryBudget;
  readonly limits: LimitKeeper;
  /** Retained while their calls are in flight. */
  readonly configs: LiveConfigs;
  readonly pricing: Pricing;
  readonly loading: Loading;
  readonly emitter: Emitter;
  readonly keyTurns: KeyTurns;
  /** The hedges that a tier may still send. */
  readonly hedges: (tier: string) => HedgeBudget;
  /** The running statistics of a target. */
  readonly statistics: (target: string) => Statistics;
  /** Set on the engine that the calls of a fire drill run on. */
  readonly drill?: Drilling;
};

/** What a fire drill does to the calls that it takes. */
export type Drilling = {
  /** The targets that fail. */
  readonly targets: ReadonlySet<string>;
  /** The same request with a fault between the engine and the adapter. */
  spoil(target: string, prepared: PreparedCall): PreparedCall;
};

/** One call, its options checked and its task made ready. It keeps the configuration it began under. */
export type Call = {
  readonly id: string;
  readonly config: ResolvedConfig;
  readonly tier: ResolvedTier;
  readonly options: CallOptions;
  readonly task: Task;
  /** Tokens of what is asked, estimated. */
  readonly inputTokens: number;
  readonly tags: Tags;
  /** `complete` commits to an answer when it is whole; `stream` with its first visible part. */
  readonly mode: 'complete' | 'stream';
};

/** The provider of a target. Configurations are checked, so it is always there. */
export function providerOf(engine: Engine, target: ResolvedTarget): Provider {
  const provider = engine.providers.get(target.provider);
  if (provider === undefined) throw new Error(`provider "${target.provider}" is not configured`);
  return provider;
}

/** Most bytes that an answer of the target may have. */
export function answerBoundFor(engine: Engine, target: ResolvedTarget): number {
  return providerOf(engine, target).maxAnswerBytes ?? defaults.maxAnswerBytes;
}

/** The target as the price lists want it. */
export function pricedTarget(engine: Engine, target: ResolvedTarget) {
  return {
    target: target.id,
    model: target.model,
    priceList: providerOf(engine, target).priceList,
    price: target.price,
  };
}

/** The tags of an attempt: those of router, tier, target and call, the nearer ones winning. */
export function tagsFor(call: Call, target: ResolvedTarget): Tags {
  if (Object.keys(target.tags).length === 0) return call.tags;
  return { ...call.config.tags, ...call.tier.tags, ...target.tags, ...call.options.tags };
}

function isEmpty(options: object): boolean {
  for (const _ in options) return false;
  return true;
}

/** The options that hold for this target: the call's own over those of the configuration. */
export function optionsFor(call: Call, target: ResolvedTarget): CallDefaults {
  const { providerOptions } = call.options;
  if (isEmpty(target.options)) return call.options;
  return {
    ...target.options,
    ...call.options,
    ...(providerOptions !== undefined && {
      providerOptions: { ...target.options.providerOptions, ...providerOptions },
    }),
  };
}
