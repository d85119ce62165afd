import type { TargetId } from './call-options.ts';
import type { Tags } from './completion.ts';
import type { ErrorCode } from './error-code.ts';

/** A fault that a drill injects. Only with `slow`, `cut` and `truncated` does the vendor get the request. */
export type DrillFault =
  /** The connection is refused. */
  | { readonly type: 'connection' }
  /** Silence, until a timeout of the attempt expires. */
  | { readonly type: 'timeout' }
  /** A 429. By default without a `Retry-After`. */
  | { readonly type: 'rate_limited'; readonly retryAfterMs?: number | undefined }
  /** A 500. */
  | { readonly type: 'server_error' }
  /** A 503. */
  | { readonly type: 'overloaded' }
  /** The request is sent this many milliseconds late, by default 2,000. */
  | { readonly type: 'slow'; readonly delayMs?: number | undefined }
  /** The answer is interrupted after this many visible parts, by default one. */
  | { readonly type: 'cut'; readonly afterParts?: number | undefined }
  /** The same without an error: the answer ends without its end marker, by default after one part. */
  | { readonly type: 'truncated'; readonly afterParts?: number | undefined }
  /** An empty answer. */
  | { readonly type: 'invalid_output' };

/** The calls that are drilled: a share of the tier's calls, those with all of these tags, or a share of those. */
type Taken =
  | { readonly share: number; readonly tag?: Tags | undefined }
  | { readonly share?: number | undefined; readonly tag: Tags };

/** Options of `router.drill`. Set `share`, `tag` or both. */
export type DrillOptions<
  TierName extends string = string,
  ProviderName extends string = string,
> = Taken & {
  /** Calls to this tier are drilled. */
  readonly tier: TierName;
  /** How the targets fail. A name means the fault with its defaults. */
  readonly fault: DrillFault['type'] | DrillFault;
  /**
   * The targets that fail. To test the second hop, set the first two. Those that the tier's `fallbacks` list can be set too.
   * @default the first target of the tier, as ordered by its strategy
   */
  readonly targets?: readonly TargetId<ProviderName>[] | undefined;
  /** How long new calls are drilled, in milliseconds. Calls already running finish as drilled calls. */
  readonly forMs: number;
};

/** Duration of answered calls. */
type Latency = {
  /** Number of answered calls. */
  readonly calls: number;
  /** Milliseconds, over the last thousand calls. Absent without calls. */
  readonly p50Ms?: number;
  /** Milliseconds, over the last thousand calls. Absent without calls. */
  readonly p99Ms?: number;
};

/** A drilled call that was not answered. */
export type LostCall = {
  readonly callId: string;
  readonly code: ErrorCode;
  /** The error codes of its attempts, in order. */
  readonly attempts: readonly ErrorCode[];
};

/** Result of a fire drill. */
export type DrillReport<TierName extends string = string> = {
  /** Id of the drill. */
  readonly drill: string;
  readonly tier: TierName;
  readonly fault: DrillFault;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  /** Epoch milliseconds at which the last drilled call ended. */
  readonly endedAt: number;
  /** Whether the fault occurred at every failing target, every expected hop ran, and no call was lost. */
  readonly passed: boolean;
  /** Why it did not pass. Empty if it passed. */
  readonly reasons: readonly string[];
  readonly calls: {
    /** Drilled calls. */
    readonly drilled: number;
    /** Drilled calls that reached a failing target. The others skipped it because its circuit was open. */
    readonly hit: number;
    readonly answered: number;
    readonly lost: number;
    /** Aborted by their callers: neither answered nor lost. */
    readonly aborted: number;
  };
  /** The first hundred lost calls. */
  readonly lost: readonly LostCall[];
  /** The targets, in the tier's order; last those that only its `fallbacks` list. */
  readonly targets: readonly {
    readonly target: string;
    /** Whether the drill makes it fail. */
    readonly failing: boolean;
    /** How often the fault occurred. */
    readonly faults: number;
    /** Attempts of drilled calls. */
    readonly attempts: number;
    /** Attempts that failed, for any reason. */
    readonly failures: number;
    /** Drilled calls that the target answered. */
    readonly answered: number;
  }[];
  /** From each target to the next. */
  readonly hops: readonly {
    readonly from: string;
    readonly to: string;
    /** How many drilled calls took it. */
    readonly ran: number;
    /** Whether the drill tests it: it starts at a failing target. */
    readonly expected: boolean;
  }[];
  /** Of drilled calls, and of the tier's other calls in the same time. */
  readonly latency: { readonly drilled: Latency; readonly others: Latency };
};

/** A running drill. */
export interface Drill<TierName extends string = string> {
  readonly id: string;
  /** Resolves when the drill and the last of its calls have ended. Never rejects. */
  readonly report: Promise<DrillReport<TierName>>;
  /** Drills no more calls. Does not abort running ones, and resolves with the report when they have ended. */
  stop(): Promise<DrillReport<TierName>>;
}
