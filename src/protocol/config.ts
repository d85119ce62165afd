import type { BudgetSettings } from './budget.ts';
import type { CallDefaults, RetrySettings, TargetId, Timeouts } from './call-options.ts';
import type { TagOptions } from './completion.ts';
import type { AttemptErrorCode } from './error-code.ts';
import type { JsonSchema } from './json.ts';
import type { Plugin } from './plugin.ts';
import type { Capability, Provider } from './provider.ts';
import type { Compliance, Requires } from './requires.ts';
import type { RuleConditions } from './rule-conditions.ts';
import type { Runtime } from './runtime.ts';
import type { Store } from './store.ts';
import type { Strategy } from './strategy.ts';
import type { Price } from './usage.ts';

/** A strategy that a tier can use without defining it. `docs/strategies.md` says how each decides. */
export type BuiltInStrategy =
  | 'priority'
  | 'weighted'
  | 'round-robin'
  | 'least-busy'
  | 'cheapest'
  | 'fastest'
  | 'balanced';

/** A built-in strategy with settings. */
export type StrategyObject =
  | { readonly type: Exclude<BuiltInStrategy, 'fastest' | 'balanced'> }
  | {
      readonly type: 'fastest';
      /** What is compared: the time to the first token, or of the whole answer. @default 'first-token' */
      readonly by?: 'first-token' | 'total' | undefined;
    }
  | {
      readonly type: 'balanced';
      /** How much the cost counts, relative to the other two. @default 1 */
      readonly cost?: number | undefined;
      /** How much the time of the whole answer counts. @default 1 */
      readonly latency?: number | undefined;
      /** How much a failure counts, besides the cost and the time of the next attempt. @default 1 */
      readonly failure?: number | undefined;
    };

/**
 * What happens when a stream breaks off after the reader has received a part of it. `fail`: the call fails.
 * `restart`: the answer restarts on another target. `continue`: another target continues the text where it ended, or
 * restarts if it does not support that.
 */
export type MidStream = 'fail' | 'restart' | 'continue';

/** What happens when no target is available: try the one that recovers first, or fail immediately. */
export type WhenAllOpen = 'try-least-bad' | 'fail-fast';

/** Which targets may replace a tier's first target for `embed`. */
export type Vectors = 'same-model' | 'any';

/** When a target's circuit opens and closes. */
export type CircuitSettings = {
  /** Consecutive failures that open it. @default 3 */
  readonly consecutiveFailures?: number | undefined;
  /** Share of failures among the last `window` attempts that opens it. @default 0.5 */
  readonly failureRate?: number | undefined;
  /** Number of recent attempts considered. @default 20 */
  readonly window?: number | undefined;
  /** Attempts required before `failureRate` applies. At most `window`. @default 5 */
  readonly minimumCalls?: number | undefined;
  /** How long it stays open at first, in milliseconds. Doubles while probes fail. @default 5_000 */
  readonly openMs?: number | undefined;
  /** Maximum time it stays open, in milliseconds. @default 30_000 */
  readonly maxOpenMs?: number | undefined;
  /** Successful probes required to close it. @default 2 */
  readonly successesToClose?: number | undefined;
};

/**
 * Sends the request to a second target when the first token is late. The target that starts first answers; the other
 * request is aborted. Set `afterMs` or `percentile`.
 */
export type Hedge = {
  /** A first token is late after this many milliseconds. */
  readonly afterMs?: number | undefined;
  /**
   * A first token is late when it is slower than this percentile of the target's last 200 first tokens: 95, or 0.95,
   * which means the same. The percentile is read at the low end of its margin of error, plus 20 %. Applies from 20
   * first tokens on.
   */
  readonly percentile?: number | undefined;
  /** Maximum hedges per call of the tier, on average. @default 0.1 */
  readonly maxExtra?: number | undefined;
};

/**
 * Limits that the router enforces before the vendor does. An attempt over a limit waits in the queue, unless another
 * target is available.
 */
export type Limits = {
  /** Attempts in flight. @default no limit */
  readonly concurrency?: number | undefined;
  /** Requests per minute, for each key of a pool. @default no limit */
  readonly rpm?: number | undefined;
  /** Tokens per minute, prompt plus answer, for each key of a pool. @default no limit */
  readonly tpm?: number | undefined;
  /**
   * Attempts that may wait in the queue. When it is full, the newest attempt of the lowest priority is rejected.
   * @default 1_000 for a target, no limit for a tier or a provider
   */
  readonly maxQueue?: number | undefined;
  /** How long an attempt may wait, in milliseconds. @default until the call's deadline */
  readonly maxQueueMs?: number | undefined;
};

/** What the text of an answer must be like, as data. */
export type Validators = {
  /** Fewest characters, without white space at both ends. */
  readonly minLength?: number | undefined;
  /**
   * A regular expression that must match a part of the text, in the syntax of RE2 (no look-around, no back-references):
   * its time is linear in the text. Reads the first 32,000 characters. Needs the package `re2js`.
   */
  readonly pattern?: string | undefined;
  /** The whole text must be JSON that fits this schema. */
  readonly jsonSchema?: JsonSchema | undefined;
};

/** The targets to try next after a failure, by its code. */
export type Fallbacks<ProviderName extends string = string> = {
  readonly [Code in Exclude<AttemptErrorCode, 'aborted'>]?:
    | readonly TargetId<ProviderName>[]
    | undefined;
};

/** A capability that depends on the model. The others depend on the provider. */
export type ModelCapability = Exclude<Capability, 'embeddings' | 'image-output'>;

/** A target with options. */
export type TargetObject<ProviderName extends string = string> = CallDefaults<ProviderName> & {
  readonly target: TargetId<ProviderName>;
  /**
   * The model's context window in tokens. An unknown window counts as larger than a known one.
   * @default from the price list
   */
  readonly contextWindow?: number | undefined;
  /**
   * Most tokens that the model can answer with, reasoning included. A larger `maxOutputTokens` is lowered to it, with a
   * warning.
   * @default from the provider
   */
  readonly outputLimit?: number | undefined;
  /**
   * What the model accepts and can do, besides text. A call that needs something else skips the target.
   * @default from the provider
   */
  readonly capabilities?: readonly ModelCapability[] | undefined;
  /**
   * The day on which the vendor retires the model, such as `2027-01-14`. `explain` warns of it from 90 days before.
   * @default from signalbox's list
   */
  readonly retirementDate?: string | undefined;
  /** US dollars per million tokens. Overrides all price lists. */
  readonly prices?: Price | undefined;
  /**
   * For `embed`: targets with the same family have compatible vectors.
   * @default the model's name after its last slash
   */
  readonly family?: string | undefined;
  readonly limits?: Limits | undefined;
  /** Wins over the provider's, field by field. */
  readonly compliance?: Compliance | undefined;
  /** Its share of the calls under the strategy `weighted`, relative to the other targets. @default 1 */
  readonly weight?: number | undefined;
  /** Merged over the tags of the router and the tier, for this target's attempts. */
  readonly tags?: TagOptions | undefined;
};

/** Options of a tier. `defaults` sets them for all tiers. */
export type TierSettings<
  ProviderName extends string = string,
  StrategyName extends string = never,
> = CallDefaults<ProviderName> & {
  /** A built-in strategy, or the name of one in `strategies`. @default 'priority' */
  readonly strategy?: BuiltInStrategy | StrategyName | StrategyObject | undefined;
  /** Errors after which the next target is tried, although the failure table stops there. @default [] */
  readonly fallbackOn?: readonly AttemptErrorCode[] | undefined;
  /**
   * Checks every answer of the tier, next to a call's `validate`: an answer that fails is `invalid_output`. Not the turns
   * that call tools.
   * @default none
   */
  readonly validators?: Validators | undefined;
  /** @default 'fail' */
  readonly midStream?: MidStream | undefined;
  /** @default no hedging */
  readonly hedge?: Hedge | undefined;
  /** Identical concurrent calls share one request. @default false */
  readonly singleFlight?: boolean | undefined;
  readonly timeouts?: Timeouts | undefined;
  readonly retry?: RetrySettings | undefined;
  /** Maximum attempts of one call, over all its targets. @default 6 */
  readonly maxAttempts?: number | undefined;
  readonly circuit?: CircuitSettings | undefined;
  /**
   * An answer that took longer than this many milliseconds counts as a failure for the circuit of its target. The call
   * does not fail. The time is that of the whole answer, without the wait in the queue, and without the time in which its
   * reader was busy or the event loop was blocked.
   * @default no limit
   */
  readonly slowMs?: number | undefined;
  /**
   * Fewest tokens a second. While another target is available and the reader has received nothing, an attempt whose answer
   * is slower ends with `timeout` (phase `throughput`). Measured from the first token on, after two seconds of it.
   * @default no limit
   */
  readonly minTokensPerSecond?: number | undefined;
  /**
   * For `embed`: whether a target of another model family may replace the first target. Their vectors are not
   * comparable: use `'any'` only if you never compare vectors of different calls.
   * @default 'same-model'
   */
  readonly vectors?: Vectors | undefined;
  /** @default 'try-least-bad' */
  readonly whenAllOpen?: WhenAllOpen | undefined;
  /** What a target must be to serve the tier's calls. A tier's fields win over those of `defaults`. */
  readonly requires?: Requires | undefined;
  /** Limits over all targets of the tier. */
  readonly limits?: Limits | undefined;
  /** Merged over the router's tags. */
  readonly tags?: TagOptions | undefined;
};

/** A tier with options. */
export type TierObject<
  ProviderName extends string = string,
  TierName extends string = string,
  StrategyName extends string = never,
> = TierSettings<ProviderName, StrategyName> & {
  readonly targets: readonly (TargetId<ProviderName> | TargetObject<ProviderName>)[];
  /** The tier whose targets follow after these. */
  readonly fallbackTier?: TierName | undefined;
  /**
   * The targets to try next after a failure, by its code, before the rest of the tier. They may be any targets of the
   * configured providers. Where the failure table stops the call, only these are tried.
   * @default none
   */
  readonly fallbacks?: Fallbacks<ProviderName> | undefined;
};

/** A service level: a list of targets, or a list with options. */
export type Tier<
  ProviderName extends string = string,
  TierName extends string = string,
  StrategyName extends string = never,
> =
  | readonly (TargetId<ProviderName> | TargetObject<ProviderName>)[]
  | TierObject<ProviderName, TierName, StrategyName>;

/** Sends calls elsewhere before their tier's strategy decides. The first rule that matches applies. */
export type Rule<ProviderName extends string = string, TierName extends string = string> = {
  /** Shown by `explain` and in `route-plan`. Unique. */
  readonly name: string;
  readonly when: RuleConditions<TierName>;
  /**
   * A tier: the call is made with its targets and options, and the requirements of both tiers hold. Or targets of any
   * configured provider: they replace those of the call's tier and its `fallbackTier`.
   */
  readonly use: TierName | readonly (TargetId<ProviderName> | TargetObject<ProviderName>)[];
};

/** The part of the configuration that is plain JSON data. `router.reconfigure` replaces it while calls run. */
export type RoutingConfig<
  ProviderName extends string = string,
  TierName extends string = string,
  StrategyName extends string = never,
> = {
  readonly tiers: Readonly<
    Record<TierName, Tier<NoInfer<ProviderName>, NoInfer<TierName>, NoInfer<StrategyName>>>
  >;
  /** Defaults for every tier. */
  readonly defaults?: TierSettings<NoInfer<ProviderName>, NoInfer<StrategyName>> | undefined;
  /** Send calls to another tier or to other targets. The first that matches applies. */
  readonly rules?: readonly Rule<NoInfer<ProviderName>, NoInfer<TierName>>[] | undefined;
  /** US dollars per million tokens, by `provider/model`. Overrides the public price list. */
  readonly prices?: Readonly<Record<string, Price>> | undefined;
  /** When `prices` was last checked, such as `2026-11-30`. `snapshot()` returns it. */
  readonly pricesDate?: string | undefined;
  /** By provider: limits over all its targets. */
  readonly providerLimits?:
    | {
        readonly [Name in NoInfer<ProviderName>]?: Limits | undefined;
      }
    | undefined;
  /** By name: how much calls may spend. `docs/budgets.md` describes them. */
  readonly budgets?: Readonly<Record<string, BudgetSettings>> | undefined;
  /** Merged into every call's tags. */
  readonly tags?: TagOptions | undefined;
};

/** The argument of `createRouter`. */
export type RouterConfig<
  ProviderName extends string = string,
  TierName extends string = string,
  StrategyName extends string = never,
> = RoutingConfig<ProviderName, TierName, StrategyName> & {
  /**
   * The vendors, under names of your choice. A name must not contain a slash. One that is `undefined`, or absent by a
   * condition, is not configured: a target of it is a `config` error.
   */
  readonly providers: { readonly [Name in ProviderName]?: Provider | undefined };
  /** Custom strategies, by the name that a tier's `strategy` uses. */
  readonly strategies?: Readonly<Record<StrategyName, Strategy>> | undefined;
  /** Plugins around every call, the outermost first. */
  readonly plugins?: readonly Plugin[] | undefined;
  /**
   * Where the router keeps what its budgets have spent. The router does not close it. Routers with the same store share
   * their budgets, by name.
   * @default in memory, forgotten with the process
   */
  readonly store?: Store | undefined;
  /** Clock, timers and randomness. For tests: `fakeRuntime()` from `signalbox/testing`. @default the system's */
  readonly runtime?: Runtime | undefined;
};
