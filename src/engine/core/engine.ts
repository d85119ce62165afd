import { defaults } from '../../config/defaults.ts';
import type { ResolvedConfig, ResolvedTarget, ResolvedTier } from '../../config/resolve.ts';
import type { Health } from '../../health/health.ts';
import type { HedgeBudget } from '../../limits/hedge-budget.ts';
import type { RetryBudget } from '../../limits/retry-budget.ts';
import type { Pricing } from '../../pricing/pricing.ts';
import type { CallOptions } from '../../protocol/call-options.ts';
import type { Tags } from '../../protocol/completion.ts';
import type { PreparedCall, Provider } from '../../protocol/provider.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import type { Emitter } from '../../telemetry/emitter.ts';
import type { Statistics } from '../../telemetry/statistics.ts';
import type { Loading } from '../attempt/loading.ts';
import type { LiveConfigs } from '../call/live-configs.ts';
import type { LimitKeeper } from '../limits/limit-keeper.ts';
import type { KeyTurns } from './keys.ts';
import type { Task } from './task.ts';

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
