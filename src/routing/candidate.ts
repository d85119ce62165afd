import type { CallDefaults, Route } from '../protocol/call-options.ts';
import type { Tags } from '../protocol/completion.ts';
import type { Limits } from '../protocol/config.ts';
import type { Capability } from '../protocol/provider.ts';
import type { Compliance } from '../protocol/requires.ts';
import type { Price } from '../protocol/usage.ts';

/** One target of one tier, with its configuration. */
export type Candidate = {
  /** `provider/model`. */
  readonly id: string;
  readonly provider: string;
  readonly model: string;
  /** The tier that lists it. */
  readonly tier: string;
  /** What was configured of its model. */
  readonly contextWindow?: number;
  readonly outputLimit?: number;
  readonly capabilities?: readonly Capability[];
  readonly retirementDate?: string;
  readonly price?: Price;
  /** What was declared of the target itself. */
  readonly compliance?: Compliance;
  /** Index of the key in the provider's pool, from 0. Absent without a pool. */
  readonly key?: number;
  /** Models with comparable vectors have the same family. */
  readonly family?: string;
  /** Its share of the calls, relative to the others. */
  readonly weight: number;
  readonly limits: Limits;
  readonly tags: Tags;
  readonly options: CallDefaults;
};

/** What a call requires of a target. */
export type Needs = {
  readonly capabilities: ReadonlySet<Capability>;
  /** Lower bound of the tokens: never excludes a request that would fit. */
  readonly minimumTokens: number;
};

/**
 * What the plan needs to know about targets. Functions, because this folder does not import health, limits or pricing.
 */
export type Knowledge = {
  readonly capabilities: (candidate: Candidate) => ReadonlySet<Capability>;
  readonly contextWindow: (candidate: Candidate) => number | undefined;
  /** The candidate once per key of its provider's pool, in the order to try them. Without a pool: the candidate. */
  readonly keyed: (candidate: Candidate) => readonly Candidate[];
  /** Why the candidate cannot be tried now. */
  readonly unavailable: (candidate: Candidate) => Unavailable | undefined;
  /** Why a plugin excludes the candidate. */
  readonly excluded: (candidate: Candidate) => string | undefined;
};

/** Why a target cannot be tried now, and until when. */
export type Unavailable = {
  readonly reason: string;
  readonly until: number | undefined;
  /** The target is healthy, but a limit is used up: a call can wait for it. */
  readonly waits?: true;
  /** `router.isolate` took it out of service: it is not even tried as the least bad target. */
  readonly isolated?: true;
};

export type RouteOptions = Route;
