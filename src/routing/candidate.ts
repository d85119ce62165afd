import type { CallDefaults, Route } from '../protocol/call-options.ts';
import type { Tags } from '../protocol/completion.ts';
import type { Limits } from '../protocol/config.ts';
import type { Capability } from '../protocol/provider.ts';
import type { Price } from '../protocol/usage.ts';

/** A target as the plan sees it, with what the other rooms know of it already looked up. */
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
  /** Models whose vectors mix have the same. */
  readonly family?: string;
  readonly limits: Limits;
  readonly tags: Tags;
  readonly options: CallDefaults;
};

/** What a call needs of whoever takes it. */
export type Needs = {
  readonly capabilities: ReadonlySet<Capability>;
  /** At least so many tokens, counted so low that nothing that could fit is turned away. */
  readonly minimumTokens: number;
};

/** What the rooms next door know; handed in as plain functions, since siblings never meet. */
export type Knowledge = {
  readonly capabilities: (candidate: Candidate) => ReadonlySet<Capability>;
  readonly contextWindow: (candidate: Candidate) => number | undefined;
  /** The provider's keys in the order to try them; only with a pool of them. */
  readonly keys: (candidate: Candidate) => readonly number[] | undefined;
  /** Why the target may not be asked now. */
  readonly unavailable: (candidate: Candidate) => Unavailable | undefined;
  /** US dollars per million tokens in and out together; `undefined` when nobody knows. */
  readonly listPrice: (candidate: Candidate) => number | undefined;
};

export type Unavailable = {
  readonly reason: string;
  readonly until: number | undefined;
  /** It is well: a limit is used up for the moment, and a call may wait for its turn. */
  readonly waits?: true;
};

export type RouteOptions = Route;
