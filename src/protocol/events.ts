import type { ErrorSummary, Verdict } from './attempt.ts';
import type { Tags } from './completion.ts';
import type { DrillFault } from './drill.ts';
import type { ErrorCode } from './error-code.ts';
import type { Cost, Usage } from './usage.ts';

/** What every event of a call carries. No event holds prompts, answers or keys. */
type OfCall<TierName extends string> = {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly callId: string;
  readonly tier: TierName;
  readonly tags: Tags;
  /** The fire drill that the call is part of: what its events tell may not have happened. */
  readonly drill?: string;
};

/** What an event of a fire drill as a whole carries. */
type OfDrill<TierName extends string> = {
  readonly at: number;
  readonly callId: null;
  readonly tier: TierName;
  readonly tags: Tags;
  readonly drill: string;
};

/** What an event of the router as a whole carries. */
type OfRouter = {
  readonly at: number;
  readonly callId: null;
  readonly tier: null;
  readonly tags: Tags;
};

type Skip = { readonly target: string; readonly reason: string };

/** Why a target is out of use for a time without having failed. */
export type Unavailability = 'limited' | 'exhausted' | 'credential' | 'model';

/** The payload of each event, without its name. */
type Payloads<TierName extends string> = {
  'call-start': OfCall<TierName> & { readonly mode: 'complete' | 'stream' };
  'route-plan': OfCall<TierName> & {
    readonly candidates: readonly string[];
    readonly skipped: readonly Skip[];
  };
  'attempt-start': OfCall<TierName> & {
    readonly target: string;
    readonly attempt: number;
  };
  'attempt-end': OfCall<TierName> & {
    readonly target: string;
    readonly attempt: number;
    readonly outcome: 'ok' | 'error' | 'aborted';
    readonly verdict: Verdict;
    readonly durationMs: number;
    /** How long it had waited for its turn before. */
    readonly queuedMs?: number;
    readonly firstTokenMs?: number;
    readonly error?: ErrorSummary;
    readonly usage?: Usage;
    readonly usd?: number | null;
  };
  /** The same target is asked again after `delayMs`. */
  retry: OfCall<TierName> & {
    readonly target: string;
    readonly attempt: number;
    readonly delayMs: number;
    readonly error: ErrorSummary;
  };
  /** Another target is asked. */
  failover: OfCall<TierName> & {
    readonly from: string;
    readonly to: string;
    readonly error: ErrorSummary;
  };
  /** The first token of `from` is late: `to` is asked as well, and whichever begins first answers. */
  hedge: OfCall<TierName> & {
    readonly from: string;
    readonly to: string;
    readonly afterMs: number;
  };
  'first-token': OfCall<TierName> & {
    readonly target: string;
    readonly firstTokenMs: number;
  };
  /** Once for each billed attempt: summing `usd` gives the bill. `null` when nobody knows the price. */
  cost: OfCall<TierName> & {
    readonly target: string;
    readonly usage: Usage;
    readonly usd: number | null;
    readonly breakdown: Cost['breakdown'];
    readonly priced: Cost['priced'];
  };
  'call-end': OfCall<TierName> & {
    readonly status: 'ok' | 'error' | 'aborted';
    /** The target that answered. */
    readonly target?: string;
    readonly attempts: number;
    readonly durationMs: number;
    readonly firstTokenMs?: number;
    /** All that the call was billed; `null` when a part of it has no known price. */
    readonly usd: number | null;
    readonly error?: ErrorSummary;
  };
  'circuit-open': OfCall<TierName> & {
    readonly target: string;
    readonly until: number;
    readonly cause: ErrorCode;
  };
  'circuit-half-open': OfCall<TierName> & { readonly target: string };
  'circuit-close': OfCall<TierName> & { readonly target: string };
  /** The target is limited, or its account is empty: every call passes it over until `until`. */
  'rate-limited': OfCall<TierName> & {
    readonly target: string;
    readonly until: number;
    readonly kind: 'limited' | 'exhausted';
  };
  /** The vendor refused the key: all targets of the provider are passed over until `until`. Mend this one. */
  'credential-rejected': OfCall<TierName> & {
    readonly provider: string;
    readonly target: string;
    readonly until: number;
    readonly error: ErrorSummary;
  };
  /** From now on calls of the tier may be drilled. */
  'drill-start': OfDrill<TierName> & {
    readonly fault: DrillFault['type'];
    readonly targets: readonly string[];
  };
  /** The drill and the last of its calls are over. */
  'drill-end': OfDrill<TierName> & {
    readonly passed: boolean;
    readonly reasons: readonly string[];
  };
  'config-change': OfRouter & { readonly tiers: readonly string[] };
  /** A listener threw or rejected. The call went on as if it had not. */
  'listener-error': OfRouter & {
    readonly event: string;
    readonly error: unknown;
  };
};

/** Every event by its name. */
export type RouterEvents<TierName extends string = string> = {
  readonly [Name in keyof Payloads<TierName>]: {
    readonly type: Name;
  } & Payloads<TierName>[Name];
};

export type EventName = keyof RouterEvents;

/** Any event, told apart by `type`. */
export type RouterEvent<TierName extends string = string> = RouterEvents<TierName>[EventName];

/** What a listener to `name` gets; `'*'` gets all of them. */
export type EventOf<
  Name extends EventName | '*',
  TierName extends string = string,
> = Name extends EventName ? RouterEvents<TierName>[Name] : RouterEvent<TierName>;
