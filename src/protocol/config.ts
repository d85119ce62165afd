import type { CallDefaults, RetrySettings, TargetId, Timeouts } from './call-options.ts';
import type { Tags } from './completion.ts';
import type { AttemptErrorCode } from './error-code.ts';
import type { Plugin } from './plugin.ts';
import type { Provider } from './provider.ts';
import type { Runtime } from './runtime.ts';
import type { Strategy } from './strategy.ts';
import type { Price } from './usage.ts';

/** How a tier orders its targets: as listed, or by list price. */
export type BuiltInStrategy = 'priority' | 'cheapest';

/**
 * What becomes of an answer that breaks off after the reader has seen a part of it: it fails; another one begins
 * anew; or another target goes on where it ended, if it is known to do that, and begins anew otherwise.
 */
export type MidStream = 'fail' | 'restart' | 'continue';

export type WhenAllOpen = 'try-least-bad' | 'fail-fast';

/** Whose vectors may stand in for those of a tier's first target. */
export type Vectors = 'same-model' | 'any';

/** When a target's circuit opens and closes. */
export type CircuitSettings = {
  /** Failures in a row that open it. @default 3 */
  readonly consecutiveFailures?: number;
  /** Share of failures among the last `window` calls that opens it. @default 0.5 */
  readonly failureRate?: number;
  /** Calls looked back on. @default 20 */
  readonly window?: number;
  /** Calls needed before `failureRate` counts. @default 5 */
  readonly minimumCalls?: number;
  /** How long it stays open at first, in milliseconds; doubles while probes fail. @default 5_000 */
  readonly openMs?: number;
  /** How long it stays open at most, in milliseconds. @default 30_000 */
  readonly maxOpenMs?: number;
  /** Probes that must succeed to close it. @default 2 */
  readonly successesToClose?: number;
};

/**
 * Asks a second target when the first one's first token is late; the first to begin answers, the other is let
 * go. Say `afterMs` or `percentile`.
 */
export type Hedge = {
  /** Late is a first token that has not come by then, in milliseconds. */
  readonly afterMs?: number;
  /**
   * Late is what is slower than so many percent of the target's last 200 first tokens: 95, or 0.95, which means
   * the same. Read on the low side, with a fifth added. Nothing is late before there are 20 of them.
   */
  readonly percentile?: number;
  /** Hedges for each call of the tier, on average, at most. @default 0.1 */
  readonly maxExtra?: number;
};
/**
 * What the router holds back on its own, before a vendor has to. An attempt over a limit waits for its turn,
 * unless another target is free.
 */
export type Limits = {
  /** Attempts in flight at once. @default no limit */
  readonly concurrency?: number;
  /** Requests a minute; for each key of a pool. @default no limit */
  readonly rpm?: number;
  /** Tokens a minute, those of the answer included; for each key of a pool. @default no limit */
  readonly tpm?: number;
  /** Attempts that may wait for their turn; one too many sheds the newest of the lowest priority. @default 1_000 */
  readonly maxQueue?: number;
  /** How long one may wait, in milliseconds. @default until the call's deadline */
  readonly maxQueueMs?: number;
};

export type TargetObject<ProviderName extends string = string> = CallDefaults<ProviderName> & {
  readonly target: TargetId<ProviderName>;
  /** Tokens the model takes; an unknown window counts as larger than a known one. */
  readonly contextWindow?: number;
  /** US dollars per million tokens; wins over every price list. */
  readonly prices?: Price;
  /**
   * Targets whose vectors mix have the same family, for `embed`.
   * @default the model's name without what stands before its last slash
   */
  readonly family?: string;
  readonly limits?: Limits;
  readonly tags?: Tags;
};

/** What a tier may set, and `defaults` for all tiers. */
export type TierSettings<
  ProviderName extends string = string,
  StrategyName extends string = never,
> = CallDefaults<ProviderName> & {
  /** A built-in strategy, or the name of one in `strategies`. @default 'priority' */
  readonly strategy?: BuiltInStrategy | StrategyName;
  /** Failure codes that go on to the next target although the failure table says they stop. */
  readonly fallbackOn?: readonly AttemptErrorCode[];
  /** @default 'fail' */
  readonly midStream?: MidStream;
  readonly hedge?: Hedge;
  /** Identical calls under way at the same time share one request. @default false */
  readonly singleFlight?: boolean;
  readonly timeouts?: Timeouts;
  readonly retry?: RetrySettings;
  /** Attempts of one call over all its targets. @default 6 */
  readonly maxAttempts?: number;
  readonly circuit?: CircuitSettings;
  /**
   * For `embed`: whether targets of another model family than the first one's may stand in for it. Their
   * vectors do not mix: only where each call's vectors are compared with no others.
   * @default 'same-model'
   */
  readonly vectors?: Vectors;
  /** When no target is available: ask the least bad one, or fail at once. @default 'try-least-bad' */
  readonly whenAllOpen?: WhenAllOpen;
  readonly limits?: Limits;
  readonly tags?: Tags;
};

export type TierObject<
  ProviderName extends string = string,
  TierName extends string = string,
  StrategyName extends string = never,
> = TierSettings<ProviderName, StrategyName> & {
  readonly targets: readonly (TargetId<ProviderName> | TargetObject<ProviderName>)[];
  /** The tier whose targets follow when those of this one are used up. */
  readonly fallbackTier?: TierName;
};

export type Tier<
  ProviderName extends string = string,
  TierName extends string = string,
  StrategyName extends string = never,
> =
  | readonly (TargetId<ProviderName> | TargetObject<ProviderName>)[]
  | TierObject<ProviderName, TierName, StrategyName>;

/** The part of the configuration that is plain JSON data and can be replaced while the process runs. */
export type RoutingConfig<
  ProviderName extends string = string,
  TierName extends string = string,
  StrategyName extends string = never,
> = {
  readonly tiers: Readonly<
    Record<TierName, Tier<NoInfer<ProviderName>, NoInfer<TierName>, NoInfer<StrategyName>>>
  >;
  /** For every tier that does not say otherwise. */
  readonly defaults?: TierSettings<NoInfer<ProviderName>, NoInfer<StrategyName>>;
  /** US dollars per million tokens for each `provider/model`; wins over the price list. */
  readonly prices?: Readonly<Record<string, Price>>;
  /** For each provider, over all its targets. */
  readonly providerLimits?: {
    readonly [Name in NoInfer<ProviderName>]?: Limits;
  };
  /** Merged into every call's tags. */
  readonly tags?: Tags;
};

export type RouterConfig<
  ProviderName extends string = string,
  TierName extends string = string,
  StrategyName extends string = never,
> = RoutingConfig<ProviderName, TierName, StrategyName> & {
  readonly providers: Readonly<Record<ProviderName, Provider>>;
  /** Strategies of your own, by the name that a tier's `strategy` uses. */
  readonly strategies?: Readonly<Record<StrategyName, Strategy>>;
  /** Layers around every call, the outermost first. */
  readonly plugins?: readonly Plugin[];
  /** Time and chance, for tests: `fakeRuntime()` of `signalbox/testing`. @default the system's */
  readonly runtime?: Runtime;
};
