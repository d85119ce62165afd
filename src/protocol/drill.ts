import type { TargetId } from './call-options.ts';
import type { Tags } from './completion.ts';
import type { ErrorCode } from './error-code.ts';

/** A fault that a drill can make. All but `slow`, `cut` and `truncated` ask no vendor. */
export type DrillFault =
  /** The connection is refused. */
  | { readonly type: 'connection' }
  /** Nothing comes until a clock of the attempt runs out. */
  | { readonly type: 'timeout' }
  /** @default retryAfterMs none: as a vendor that does not say when */
  | { readonly type: 'rate_limited'; readonly retryAfterMs?: number }
  | { readonly type: 'server_error' }
  | { readonly type: 'overloaded' }
  /** The vendor is asked after so many milliseconds. @default delayMs 2_000 */
  | { readonly type: 'slow'; readonly delayMs?: number }
  /** The vendor's answer breaks off after so many visible parts. @default afterParts 1 */
  | { readonly type: 'cut'; readonly afterParts?: number }
  /** The same without an error: it ends as if it were whole, but for its end marker. @default afterParts 1 */
  | { readonly type: 'truncated'; readonly afterParts?: number }
  /** A whole answer that is of no use: an empty one. */
  | { readonly type: 'invalid_output' };

/** Which calls of the tier a drill takes: a share of them, those with certain tags, or a share of these. */
type Taken =
  | { readonly share: number; readonly tag?: Tags }
  | { readonly share?: number; readonly tag: Tags };

export type DrillOptions<
  TierName extends string = string,
  ProviderName extends string = string,
> = Taken & {
  /** Calls to this tier are drilled. */
  readonly tier: TierName;
  /** A name is short for that fault with its defaults. */
  readonly fault: DrillFault['type'] | DrillFault;
  /**
   * The targets that fail. Name the first two to prove the second hop.
   * @default the first one of the tier, as its strategy orders them
   */
  readonly targets?: readonly TargetId<ProviderName>[];
  /** How long calls are taken, in milliseconds. Those under way then end as they began. */
  readonly forMs: number;
};

/** Milliseconds of calls that were answered, from their beginning to their end. */
type Latency = {
  readonly calls: number;
  /** Absent without calls; over the last thousand, as is `p99Ms`. */
  readonly p50Ms?: number;
  readonly p99Ms?: number;
};

/** A call of the drill that was not answered. */
export type LostCall = {
  readonly callId: string;
  readonly code: ErrorCode;
  /** How its attempts failed, in order. */
  readonly attempts: readonly ErrorCode[];
};

export type DrillReport<TierName extends string = string> = {
  readonly drill: string;
  readonly tier: TierName;
  readonly fault: DrillFault;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  /** Epoch milliseconds at which the last of its calls was over. */
  readonly endedAt: number;
  /** Whether the fault struck, every hop out of it ran, and no call was lost. */
  readonly passed: boolean;
  /** Why it did not pass; empty when it did. */
  readonly reasons: readonly string[];
  readonly calls: {
    /** Calls that were part of the drill. */
    readonly drilled: number;
    /** Those of them that asked a failing target. The others went past it, its circuit being open. */
    readonly hit: number;
    readonly answered: number;
    readonly lost: number;
    /** Ended by their callers: neither answered nor lost. */
    readonly aborted: number;
  };
  /** The lost calls; the first hundred. */
  readonly lost: readonly LostCall[];
  /** The targets in the order in which the tier asks them. */
  readonly targets: readonly {
    readonly target: string;
    readonly failing: boolean;
    /** Times that the fault struck. */
    readonly faults: number;
    /** Attempts of drilled calls, and how many of them failed for whatever reason. */
    readonly attempts: number;
    readonly failures: number;
    /** Drilled calls that it answered. */
    readonly answered: number;
  }[];
  /** From each target to the next, and how often a drilled call went that way. */
  readonly hops: readonly {
    readonly from: string;
    readonly to: string;
    readonly ran: number;
    /** Whether the drill was to prove it: it leads out of a failing target. */
    readonly expected: boolean;
  }[];
  /** How long drilled calls took, and the tier's others in the same time. */
  readonly latency: { readonly drilled: Latency; readonly others: Latency };
};

/** A drill under way. */
export interface Drill<TierName extends string = string> {
  readonly id: string;
  /** Once the drill and the last of its calls are over. Never rejects. */
  readonly report: Promise<DrillReport<TierName>>;
  /** Takes no more calls. Does not end those under way; resolves with them. */
  stop(): Promise<DrillReport<TierName>>;
}
