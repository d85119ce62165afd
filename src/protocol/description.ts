import type { Compliance, Requires } from './requires.ts';
import type { Price } from './usage.ts';

/**
 * What is known of a target's model: from the configuration, otherwise from its provider and from the lists that come with
 * the price list, once that is loaded.
 */
export type ModelFacts = {
  /** Tokens. */
  readonly contextWindow?: number;
  /** Most tokens of an answer, reasoning included. */
  readonly outputLimit?: number;
  /** The day on which the vendor retires the model, such as `2027-01-14`. */
  readonly retirementDate?: string;
};

/** A list of prices in use. */
export type PriceList = {
  /**
   * `prices`: that of the configuration. The name of the source that `follow` has prices from. `@pydantic/genai-prices`:
   * the public list. `signalbox`: models that the public list lacks.
   */
  readonly source: string;
  /** The day of which the prices are, such as `2026-11-30`. Absent if it is unknown. */
  readonly date?: string;
};

/** What is known of a target before any call. */
export type TargetDescription = ModelFacts & {
  /** `provider/model`. */
  readonly target: string;
  readonly provider: string;
  readonly model: string;
  /** The vendor's name in price lists; the provider's name for a vendor that is in none. */
  readonly vendor: string;
  /** US dollars per million tokens, at the standard price of a short request. Absent if it is unknown. */
  readonly price?: Price;
  /** `config`: the price is yours. `list`: it is in the public price list. */
  readonly priceFrom?: 'config' | 'list';
  /** The model is not in its vendor's price list, and has no price of yours: it is new, or misspelt. */
  readonly unknownModel?: true;
  /** A model in the list with a similar name. Set only with `unknownModel`. */
  readonly similarModel?: string;
  /** What is declared of the target and of its provider. */
  readonly compliance: Compliance;
  /** Why no call can reach the target here, whatever its request: a requirement that it does not meet. */
  readonly excluded?: string;
};

export type TierDescription = {
  readonly name: string;
  readonly strategy: string;
  readonly requires?: Requires;
  /** Its own targets, in the configured order. */
  readonly targets: readonly TargetDescription[];
  /** By the code of a failure: `fallbacks`. */
  readonly fallbacks: Readonly<Record<string, readonly TargetDescription[]>>;
  readonly fallbackTier?: string;
  /** The targets of `fallbackTier`, and of the tiers after it, for calls to this tier. */
  readonly fallbackTargets: readonly TargetDescription[];
};

export type RuleDescription = {
  readonly name: string;
  /** The tier that the rule sends calls to. Absent if it sends them to targets. */
  readonly tier?: string;
  /** The targets that calls get by the rule. One is `excluded` if it is for calls to every tier. */
  readonly targets: readonly TargetDescription[];
};

/** The configuration in force, with its layers merged, and what is known of its targets. */
export type Description = {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly priceLists: readonly PriceList[];
  readonly tiers: readonly TierDescription[];
  /** In the order in which they are tried. */
  readonly rules: readonly RuleDescription[];
};
