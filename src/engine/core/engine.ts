import type { Spending } from '../../budgets/spending.ts';
import type { ResolvedConfig, ResolvedTarget, ResolvedTier } from '../../config/resolve.ts';
import { SignalboxError } from '../../errors.ts';
import { quoted } from '../../internal/quoted.ts';
import type { Departure, Load } from '../../limits/gate.ts';
import type { RetryBudget } from '../../limits/request-budgets.ts';
import type { PricedTarget, Pricing } from '../../pricing/pricing.ts';
import type { BudgetState } from '../../protocol/budget.ts';
import type { CallDefaults, CallOptions } from '../../protocol/call-options.ts';
import type { Tags, Warning } from '../../protocol/completion.ts';
import type { ErrorCode } from '../../protocol/error-code.ts';
import type { RouterEvents } from '../../protocol/events.ts';
import type { NormalMessage } from '../../protocol/message.ts';
import type { Plugin, PluginAttempt } from '../../protocol/plugin.ts';
import type { Capability, Provider, RateLimit } from '../../protocol/provider.ts';
import type { Requires } from '../../protocol/requires.ts';
import type { LimitsSnapshot } from '../../protocol/router.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import type { Eventually } from '../../protocol/store.ts';
import type { Strategy } from '../../protocol/strategy.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import type { Usage } from '../../protocol/usage.ts';
import type { Unavailable } from '../../routing/candidate.ts';
import type { Emitter } from '../../telemetry/emitter.ts';
import type { AnsweredCalls } from '../../telemetry/statistics.ts';
import type { Scope } from './scope.ts';
import type {
  ConfiguredNames,
  KeyId,
  KeyState,
  LiveConfigs,
  TargetRegistry,
  TargetState,
} from './target-registry.ts';
import type { Task, WholeCompletion } from './task.ts';

/** A call and one of its targets, as far as limits go. */
export type LimitedAttempt = {
  readonly call: Call;
  readonly target: ResolvedTarget;
  readonly state: TargetState;
  /** Which key of the provider it uses. */
  readonly key: KeyId;
  readonly keyState: KeyState;
  readonly options: CallDefaults;
  /** What an attempt takes of the limits, estimated. */
  readonly load: Load;
};

/** A slot under all limits of a target, held while an attempt runs. */
export interface Slot {
  /** The vendor reported its limits. */
  reported(limits: readonly RateLimit[]): void;
  firstToken(): void;
  /** Frees the slot; once. */
  release(departure: Departure): void;
}

/** All limits of the router's targets, configured and learned, and the one queue for them. */
export interface LimitKeeper {
  /**
   * A slot under the target's limits, at once or when its turn comes. Rejects with `rate_limited` when it will not come
   * (see `isQueueRejection`), or with the reason for which the call ended.
   */
  enter(attempt: LimitedAttempt, scope: Scope): Slot | Promise<Slot>;
  /** Why an attempt would have to wait now; `undefined` when it would not. */
  busy(attempt: LimitedAttempt): Unavailable | undefined;
  snapshot(target: ResolvedTarget): LimitsSnapshot;
  /** Applies the limits of this configuration from now on, to waiting attempts too. */
  configure(config: ResolvedConfig): void;
  prune(names: ConfiguredNames): void;
}

/** A call and one of its targets, as far as money goes. */
export type SpendingPlan = LimitedAttempt & {
  readonly tags: Tags;
  readonly priced: PricedTarget;
  /** The most tokens that the model answers with; `undefined` when unknown. */
  readonly outputLimit: number | undefined;
  /** Nothing else is left to try. */
  readonly isLastResort: boolean;
};

type BudgetEvent = 'budget-warning' | 'budget-exceeded';

/** An attempt, as far as money goes. */
export type SpendingAttempt = {
  readonly plan: SpendingPlan;
  /** What is sent besides the call's own messages: of a repair, or the text to continue. */
  readonly turns: readonly NormalMessage[];
  readonly scope: Scope;
  readonly emit: <Name extends BudgetEvent>(
    type: Name,
    payload: Omit<RouterEvents[Name], 'type' | 'at' | 'callId' | 'tier' | 'tags'>,
  ) => void;
  /** It is a hedge, which starts now or not at all. */
  readonly isHedge: boolean;
  /** It has waited for room already: its turn has come. */
  readonly hasWaited: boolean;
};

/** The reservation of an attempt, until it is settled; once. */
export interface Reserved {
  /** Characters of the answer at which `progress` is to be asked next. */
  readonly nextCheck: number;
  /**
   * What has been used so far, after `characters` of the answer. Reserves more where that is needed. `cut` when there is
   * no room for it.
   */
  progress(usage: Usage, characters: number): Eventually<'go on' | 'cut'>;
  /** Counts what was billed, or nothing. Never throws or rejects. */
  settle(billed?: { readonly usage: Usage; readonly usd: number | null }): Eventually<void>;
  /** The error of an answer that was cut. */
  cutError(): SignalboxError;
}

/** Whether an attempt may spend what it may cost. */
export type Admission =
  /** Nothing limits it. */
  | { readonly type: 'free' }
  /** `lowered`: the most output that there is room for, which the vendor must be sent. */
  | {
      readonly type: 'reserved';
      readonly reserved: Reserved;
      readonly lowered?: { readonly maxOutputTokens: number; readonly warning: Warning };
    }
  /** Only open reservations are in its way. `room` resolves when it is worth to try again. */
  | { readonly type: 'wait'; readonly room: () => Promise<void> }
  /** `next`: another target may fit; `later` when this one may, once open reservations are settled. */
  | {
      readonly type: 'refused';
      readonly error: SignalboxError;
      readonly next?: 'never' | 'later';
    };

/** The budgets of the router, and the `maxUsd` of its calls. Not used by a call that has neither. */
export interface BudgetKeeper {
  /** Reserves the most that the attempt may cost. @throws SignalboxError `store_failed` */
  reserve(attempt: SpendingAttempt): Eventually<Admission>;
  /** Whether a hedge would fit now. Reserves nothing. */
  hasRoom(plan: SpendingPlan): Eventually<boolean>;
  snapshot(config: ResolvedConfig): readonly BudgetState[];
  /** A configuration is in use from now on. */
  configure(config: ResolvedConfig): void;
}

/** Loads the vendors' SDKs, each once. */
export interface Loading {
  /**
   * Loads the SDK of that provider; `undefined` once it is loaded. After a failure the next attempt tries again.
   * @throws SignalboxError `config`
   */
  load(provider: string): Promise<void> | undefined;
}

/** What outlives a call: one set for each router. */
export type Engine = {
  readonly runtime: Runtime;
  readonly providers: ReadonlyMap<string, Provider>;
  readonly registry: TargetRegistry;
  readonly retryBudget: RetryBudget;
  readonly limits: LimitKeeper;
  readonly budgets: BudgetKeeper;
  /** Retained while their calls are in flight. */
  readonly configs: LiveConfigs;
  readonly pricing: Pricing;
  /** The calls that feedback can name. */
  readonly answered: AnsweredCalls;
  readonly loading: Loading;
  readonly emitter: Emitter;
  /** A target once for each key of its provider's pool. */
  readonly keyedTargets: WeakMap<ResolvedTarget, ResolvedTarget[]>;
};

/** Options whose tags have values. */
export type SetTags = { readonly tags?: Tags };

/** One call, with its options checked and its task made. It keeps the configuration it was started with. */
export type Call = {
  readonly id: string;
  readonly kind: 'chat' | 'embed' | 'image';
  readonly config: ResolvedConfig;
  /** The tier that the call was made to: its name is in events and in the answer. */
  readonly called: ResolvedTier;
  /** The tier whose targets and options apply. Another one when a rule sent the call there. */
  readonly tier: ResolvedTier;
  /** The rule that matched. */
  readonly rule?: string;
  /** What every target must meet: the requirements of the call, of its tiers, and of a call on whose behalf it is made. */
  readonly requires: readonly Requires[];
  readonly options: CallOptions & SetTags;
  readonly task: Task;
  /** The whole call, when it is one of several batches. */
  readonly whole?: Call;
  readonly tags: Tags;
  /** Absent when nothing limits what it spends. */
  readonly spending?: Spending;
  /** `complete` commits to an answer when it is whole; `stream` with its first visible part. */
  readonly mode: 'complete' | 'stream';
  /** The plugins that apply to the call, the outermost first. */
  readonly plugins: readonly Plugin[];
  /** Plugins whose `onEnd` is called too: those outside of the one that made the call. */
  readonly watchers: readonly Plugin[];
  /** The id of the call that a plugin made this one for. */
  readonly parent?: string;
  /** Set while the call runs, if there are plugins. */
  readonly layers?: CallLayers;
  /** The fire drill that the call is part of. */
  readonly drill?: string;
};

/** Whether the tier's strategy needs to know this. */
export function needs(
  { strategy }: ResolvedTier,
  what: NonNullable<Strategy['needs']>[number],
): boolean {
  return strategy.strategy.needs?.includes(what) === true;
}

/** The provider of a target. Configurations are checked, so it exists. */
export function providerOf(engine: Engine, target: ResolvedTarget): Provider {
  const provider = engine.providers.get(target.provider);
  if (provider === undefined) throw new Error(`provider "${target.provider}" is not configured`);
  return provider;
}

/** The target in the form that the price lists want. */
export function pricedTarget(engine: Engine, target: ResolvedTarget) {
  return {
    target: target.id,
    model: target.model,
    priceList: providerOf(engine, target).priceList,
    price: target.price,
  };
}

/** @throws SignalboxError `config` when the provider, which may be the user's own, returns something else */
function listedBy(provider: Provider, model: string): Iterable<Capability> {
  let listed: unknown;
  let cause: unknown;
  try {
    listed = provider.capabilities(model);
  } catch (error) {
    cause = error;
  }
  if (typeof listed === 'object' && listed !== null && Symbol.iterator in listed) {
    return listed as Iterable<Capability>;
  }
  const message = `capabilities(${quoted(model)}) of a provider with the wire ${quoted(provider.wire)} must return a list or a Set`;
  throw new SignalboxError('config', message, { cause });
}

/** What was configured of the model, otherwise what the provider lists for it; and the tasks that the provider implements. */
export function capabilitiesOf(
  provider: Provider,
  target: ResolvedTarget,
): ReadonlySet<Capability> {
  const capabilities = new Set(target.capabilities ?? listedBy(provider, target.model));
  if (provider.prepareEmbedding !== undefined) capabilities.add('embeddings');
  if (provider.prepareImage !== undefined) capabilities.add('image-output');
  return capabilities;
}

/** Tokens; `undefined` when unknown. */
export function contextWindowOf(engine: Engine, target: ResolvedTarget): number | undefined {
  return target.contextWindow ?? engine.pricing.contextWindow(pricedTarget(engine, target));
}

/** Most tokens of an answer; `undefined` when unknown. */
export function outputLimitOf(provider: Provider, target: ResolvedTarget): number | undefined {
  return target.outputLimit ?? provider.outputLimit?.(target.model);
}

/** One attempt as the layers around it get it. */
export type LayerAttempt = Omit<PluginAttempt, 'call'>;

/** The plugins around one call, as its plan and its attempts use them. */
export interface CallLayers {
  /** Why a plugin excludes the target; `undefined` when none does. @throws SignalboxError `plugin_failed` */
  exclusion(target: ResolvedTarget): string | undefined;
  /** Sends an attempt through the `wrapAttempt` hooks. */
  send(
    attempt: LayerAttempt,
    send: () => AsyncIterable<readonly ProviderPart[]>,
  ): AsyncIterable<readonly ProviderPart[]>;
  /**
   * Checks a whole answer: the plugins' `accept`, then what the caller expects, on the answer as the caller will see it.
   * Returns it unchanged. @throws SignalboxError when it does not pass
   */
  check(completion: WholeCompletion): Promise<WholeCompletion>;
  /** The turns that ask for a repair, as the plugins' `onRequest` make them. */
  repair(turns: readonly NormalMessage[]): Promise<readonly NormalMessage[]>;
}

/** Failures of the key: with another one the same target may answer. */
const keyFailures: readonly ErrorCode[] = ['rate_limited', 'quota_exhausted', 'auth', 'permission'];

export function isKeyFailure(code: ErrorCode): boolean {
  return keyFailures.includes(code);
}

/** The target once for each key of its provider's pool; made once, because the gates of each are kept by it. */
function withEachKey(engine: Engine, target: ResolvedTarget, count: number): ResolvedTarget[] {
  let keyed = engine.keyedTargets.get(target);
  if (keyed === undefined) {
    keyed = Array.from({ length: count }, (_, key) => ({ ...target, key }));
    engine.keyedTargets.set(target, keyed);
  }
  return keyed;
}

/** The key that the conversation's latest replay data is bound to, if it came from the provider. */
function boundKey(provider: string, messages: readonly NormalMessage[]): number | undefined {
  for (const { content } of messages.toReversed()) {
    for (const part of content.toReversed()) {
      const opaque = 'opaque' in part ? part.opaque : undefined;
      if (opaque?.key !== undefined && opaque.provider === provider) return opaque.key;
    }
  }
  return undefined;
}

/**
 * The target with each key of its provider's pool, in the order to try them: first the one that the conversation is
 * bound to, last those that were rate limited just now. The target itself without a pool.
 */
export function keyedTargets(
  engine: Engine,
  target: ResolvedTarget,
  messages: readonly NormalMessage[] = [],
): readonly ResolvedTarget[] {
  const { keyCount = 1 } = providerOf(engine, target);
  if (keyCount <= 1) return [target];
  const keyed = withEachKey(engine, target, keyCount);
  const first = engine.registry.provider(target.provider).nextKey % keyCount;
  const rotated = [...keyed.slice(first), ...keyed.slice(0, first)];
  const bound = keyed[boundKey(target.provider, messages) ?? keyCount];
  const inTurn =
    bound === undefined ? rotated : [bound, ...rotated.filter((each) => each !== bound)];
  const state = engine.registry.target(target.id);
  const isAvoided = ({ key }: ResolvedTarget): boolean => state.key(key).rateLimits.isAvoided;
  const avoided = inTurn.filter(isAvoided);
  if (avoided.length === 0) return inTurn;
  return [...inTurn.filter((each) => !isAvoided(each)), ...avoided];
}

/** Makes the next call start with the next key. */
export function rotateKeys(engine: Engine, targets: readonly ResolvedTarget[]): void {
  const pooled = targets.filter(({ key }) => key !== undefined).map(({ provider }) => provider);
  for (const name of new Set(pooled)) engine.registry.provider(name).nextKey += 1;
}

/** Why the target cannot be tried now, or would have to wait. */
export function unavailabilityOf(engine: Engine, attempt: LimitedAttempt): Unavailable | undefined {
  const { target, key } = attempt;
  return engine.registry.unavailability(target, key) ?? engine.limits.busy(attempt);
}

/** The target's name in messages; the key is part of it where there are several. */
export function targetLabel({ id, key }: Pick<ResolvedTarget, 'id' | 'key'>): string {
  return key === undefined ? id : `${id} key ${key + 1}`;
}

/** The number of the key in events and trails, from 1; nothing without a pool. */
export function keyLabel({ key }: { readonly key?: number }): { readonly key?: number } {
  return key === undefined ? {} : { key: key + 1 };
}
