import type { CallDefaults, Route } from '../protocol/call-options.ts';
import type { Tags } from '../protocol/completion.ts';
import type { Limits } from '../protocol/config.ts';
import type { Capability } from '../protocol/provider.ts';
import type { Price } from '../protocol/usage.ts';

/** One target of one tier, with all that the configuration sets for it. */
export type Candidate = {
  /** `provider/model`. */
  readonly id: string;
  readonly provider: string;
  readonly model: string;
  /** The tier that lists it. */
  readonly tier: string;
  readonly contextWindow?: number;
  readonly price?: Price;
  /** Which of the provider's keys, from 0; only with a pool of them. */
  readonly key?: number;
  /** Models whose vectors can be compared have the same family. */
  readonly family?: string;
  readonly limits: Limits;
  readonly tags: Tags;
  readonly options: CallDefaults;
};

/** What a call requires of a target. */
export type Needs = {
  readonly capabilities: ReadonlySet<Capability>;
  /** Tokens at least, counted so low that no request that could fit is excluded. */
  readonly minimumTokens: number;
};

/** What the plan asks about a target. Plain functions, since rooms of one rank do not import each other. */
export type Knowledge = {
  readonly capabilities: (candidate: Candidate) => ReadonlySet<Capability>;
  readonly contextWindow: (candidate: Candidate) => number | undefined;
  /** The candidate once for each of its provider's keys, in the order to try them; itself without a pool. */
  readonly keyed: (candidate: Candidate) => readonly Candidate[];
  /** Why it cannot be tried now. */
  readonly unavailable: (candidate: Candidate) => Unavailable | undefined;
  /** Why a plugin excludes it. */
  readonly excluded: (candidate: Candidate) => string | undefined;
};

export type Unavailable = {
  readonly reason: string;
  readonly until: number | undefined;
  /** It is healthy, but a limit is used up for now, and a call can wait for its turn. */
  readonly waits?: true;
};

export type RouteOptions = Route;
