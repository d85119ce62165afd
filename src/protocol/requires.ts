/**
 * What you declare of a provider or a target: by contract with the vendor, or because the server is yours. The router
 * does not check it. What is not declared counts as absent.
 */
export type Compliance = {
  /** Where requests are processed, in your words, such as `eu`. Compared with `requires.regions` as it is. */
  readonly region?: string | undefined;
  /** The vendor stores neither prompts nor answers. */
  readonly zeroRetention?: boolean | undefined;
  /** The vendor does not train on prompts and answers. */
  readonly noTraining?: boolean | undefined;
};

/**
 * What a target must be to serve a call. The requirements of the call, of its tier, and of the tier that lists the target
 * all hold. `maxEstimatedUsd`, `regions`, `zeroRetention` and `noTraining` exclude targets, also from failover, hedges,
 * drills and the calls of plugins. The others only put a target behind the rest.
 */
export type Requires = {
  /**
   * Most US dollars that one attempt is expected to cost: the request's estimated tokens, and the output that such calls
   * usually have. A target of unknown price is excluded.
   */
  readonly maxEstimatedUsd?: number | undefined;
  /** The target's declared region must be one of these. */
  readonly regions?: readonly string[] | undefined;
  /** The target must declare `zeroRetention`. @default false */
  readonly zeroRetention?: boolean | undefined;
  /** The target must declare `noTraining`. @default false */
  readonly noTraining?: boolean | undefined;
  /** Milliseconds. A target whose 95th percentile is higher is tried after the others. */
  readonly p95FirstTokenMs?: number | undefined;
  /** The same for the whole answer. */
  readonly p95TotalMs?: number | undefined;
  /**
   * From 0 to 1. A target whose answers to calls of this tier had a lower average score in `router.feedback` is tried after
   * the others, from ten scores on, until there was no feedback on it for six hours.
   */
  readonly minQuality?: number | undefined;
};
