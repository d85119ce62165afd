import type { ErrorSummary, Verdict } from './attempt.ts';
import type { BudgetUnit } from './budget.ts';
import type { FinishReason, Tags } from './completion.ts';
import type { ConfigChange, ConfigProblem } from './config-source.ts';
import type { PlannedFallbacks, PlannedTarget, TierOrder } from './decision.ts';
import type { DrillFault } from './drill.ts';
import type { ErrorCode } from './error-code.ts';
import type { Cost, Usage } from './usage.ts';
import type { AuditHead, PolicyVerdict } from './verdict.ts';

/** Fields of every event of a call. No event contains prompts, answers or keys. */
type OfCall<TierName extends string> = {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly callId: string;
  readonly tier: TierName;
  readonly tags: Tags;
  /** Id of the fire drill that the call is part of. Its failures may be injected. */
  readonly drill?: string;
};

/** Fields of every event of a tier as a whole. */
type OfTier<TierName extends string> = {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly callId: null;
  readonly tier: TierName;
  readonly tags: Tags;
};

/** Fields of every event of a fire drill as a whole. */
type OfDrill<TierName extends string> = OfTier<TierName> & {
  /** Id of the drill. */
  readonly drill: string;
};

/** Fields of every event of the router as a whole. */
type OfRouter = {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly callId: null;
  readonly tier: null;
  readonly tags: Tags;
};

/** One cap of a budget. Amounts are in its unit. */
type OfBudget = {
  /** Name of the budget; `maxUsd` for the option of the call. */
  readonly budget: string;
  /** The value of its `by` tag. */
  readonly by?: string;
  readonly unit: BudgetUnit;
  readonly limit: number;
  /** What was billed. */
  readonly settled: number;
  /** Epoch milliseconds. Absent for `maxUsd`. */
  readonly resetsAt?: number;
};

/** From 0 to 1, with 95 % confidence. */
type Interval = { readonly low: number; readonly high: number };

/** What the runs of an evaluation found. Scores are from 0 to 1. */
type DriftOfSuite = {
  readonly source: 'suite';
  readonly suite: string;
  /** The run that found it: the time at which it started. */
  readonly run: string;
  readonly target: string;
  /** How far the mean score is below the baseline: 0.05 is five points. */
  readonly effect: number;
  /** Of `effect`. */
  readonly interval: Interval;
  /** How many of the latest runs were compared together, how often chance alone does that, and what was allowed. */
  readonly evidence: {
    readonly runs: number;
    readonly pValue: number;
    readonly allowed: number;
  };
  /** The cases that lost most, at most ten: their mean score in the baseline, and now. */
  readonly cases: readonly {
    readonly id: string;
    readonly before: number;
    readonly after: number;
  }[];
  /** `demoted`: it gets fewer calls now. */
  readonly action: 'demoted' | 'reported';
  /** Why it was not demoted, if it should be: a tier of the target has no other one that is healthy. */
  readonly reason?: 'last-healthy';
};

/** What `watchTraffic` found in the answers of a target to calls of a tier. */
type DriftOfTraffic = {
  readonly source: 'traffic';
  readonly target: string;
  /** What changed: more refusals, longer answers, … */
  readonly signal: TrafficSignal;
  /**
   * The share of answers that count: with the finish reason, or, of numbers such as milliseconds, above `threshold`
   * (below it, for shorter answers).
   */
  readonly before: number;
  readonly after: number;
  /** Of `after`. */
  readonly interval: Interval;
  /** What three quarters of the first answers did not pass. Absent for shares. */
  readonly threshold?: number;
  /** Answers since the reference. */
  readonly answers: number;
};

/** What changes in answers without labels. Of tokens, milliseconds and US dollars, those of one attempt. */
export type TrafficSignal =
  | 'refusals'
  | 'invalid-outputs'
  | 'finish-stop'
  | 'finish-length'
  | 'finish-tool-calls'
  | 'longer-answers'
  | 'shorter-answers'
  | 'latency'
  | 'cost';

/** One tool call in a run of `runTools`. The event belongs to the call of the router whose answer has it. */
type OfToolCall = {
  /** Id of the run: the same in all of its steps, and after it was resumed. */
  readonly runId: string;
  /** Index of the step, from 0. */
  readonly step: number;
  /** Name of the tool. */
  readonly tool: string;
  readonly toolCallId: string;
};

type Skip = { readonly target: string; readonly key?: number; readonly reason: string };

/** A kind of content in a request. */
export type Modality = 'text' | 'image' | 'audio' | 'file';

/** Why a target is unavailable for some time without having failed. */
export type Unavailability = 'limited' | 'exhausted' | 'credential' | 'model';

/** The payload of each event, without its name. */
type Payloads<TierName extends string> = {
  'call-start': OfCall<TierName> & {
    readonly kind: 'chat' | 'embed' | 'image';
    readonly mode: 'complete' | 'stream';
  };
  /** The call was planned. Has what the decision depended on, so that it can be computed again without the prompt. */
  'route-plan': OfCall<TierName> & {
    /** The rule that matched. */
    readonly rule?: string;
    /** The name of the strategy of the tier whose targets are tried. */
    readonly strategy: string;
    /** Estimated tokens of messages, system prompt and tools. */
    readonly inputTokens: number;
    /** What the messages contain. */
    readonly modalities: readonly Modality[];
    /** The targets to try, in order, with the figures that the strategy and the requirements asked for. */
    readonly candidates: readonly PlannedTarget[];
    /** The candidates that come after the others, or less often, and why. Absent without any. */
    readonly demoted?: readonly Skip[];
    readonly skipped: readonly Skip[];
    /** Absent without `fallbacks`. */
    readonly fallbacks?: PlannedFallbacks;
    /** How each tier was ordered: the tier itself, and those that it falls back to. */
    readonly orders: readonly TierOrder[];
  };
  'attempt-start': OfCall<TierName> & {
    readonly target: string;
    /** Number of the attempt within the call, from 1. */
    readonly attempt: number;
  };
  'attempt-end': OfCall<TierName> & {
    readonly target: string;
    readonly attempt: number;
    readonly outcome: 'ok' | 'error' | 'aborted';
    readonly verdict: Verdict;
    readonly durationMs: number;
    /** Milliseconds in the queue before it started. */
    readonly queuedMs?: number;
    /** Milliseconds from the start of the attempt to its first token. */
    readonly firstTokenMs?: number;
    readonly error?: ErrorSummary;
    /** How the answer ended. Absent without one. */
    readonly finishReason?: FinishReason;
    readonly usage?: Usage;
    /** US dollars billed. `null` if the price is unknown. */
    readonly usd?: number | null;
  };
  /** The same target is tried again after `delayMs`. */
  retry: OfCall<TierName> & {
    readonly target: string;
    readonly attempt: number;
    readonly delayMs: number;
    readonly error: ErrorSummary;
  };
  /** Another target is tried. */
  failover: OfCall<TierName> & {
    readonly from: string;
    readonly to: string;
    readonly error: ErrorSummary;
  };
  /** The first token of `from` is late: the request is also sent to `to`. The target that starts first answers. */
  hedge: OfCall<TierName> & {
    readonly from: string;
    readonly to: string;
    /** Milliseconds after which the first token counted as late. */
    readonly afterMs: number;
  };
  'first-token': OfCall<TierName> & {
    readonly target: string;
    readonly firstTokenMs: number;
  };
  /** Emitted once per billed attempt: the sum of `usd` is the bill. `usd` is `null` if the price is unknown. */
  cost: OfCall<TierName> & {
    readonly target: string;
    readonly usage: Usage;
    readonly usd: number | null;
    readonly breakdown: Cost['breakdown'];
    readonly priced: Cost['priced'];
  };
  /** A budget is spent to one of the shares in its `warnAt`: once for each share, value of `by` and window. */
  'budget-warning': OfCall<TierName> & OfBudget & { readonly share: number };
  /**
   * A cap leaves no room. `rejected`: the call fails. `cut`: an answer is ended, and the call fails. `passed-over`: the
   * target is skipped. `limited`: the vendor gets a lower `maxOutputTokens`. `warned`: it is only spent, under
   * `onExceeded: 'warn'`; once for each value of `by` and window.
   */
  'budget-exceeded': OfCall<TierName> &
    OfBudget & {
      readonly target: string;
      readonly action: 'rejected' | 'cut' | 'passed-over' | 'limited' | 'warned';
    };
  'call-end': OfCall<TierName> & {
    readonly status: 'ok' | 'error' | 'aborted';
    /** The target that answered. */
    readonly target?: string;
    /** Number of attempts. */
    readonly attempts: number;
    readonly durationMs: number;
    /** Milliseconds from the start of the call to its first token. */
    readonly firstTokenMs?: number;
    /** US dollars billed for the whole call. `null` if a price is unknown. */
    readonly usd: number | null;
    /** The plugin `responseCache` answered. */
    readonly cached?: true;
    /** US dollars that the cached answer cost when it was made. `null` if the price was unknown. */
    readonly savedUsd?: number | null;
    readonly error?: ErrorSummary;
  };
  /** A plugin reported what it found or decided. Has no text of the request or the answer. */
  'policy-verdict': OfCall<TierName> &
    PolicyVerdict & {
      /** The plugin's name. */
      readonly policy: string;
    };
  /** `router.feedback` received a score for the answer of a call. Emitted for each. */
  feedback: OfCall<TierName> & {
    /** The target that answered. */
    readonly target: string;
    /** The model in the target. */
    readonly model: string;
    /** The model that the vendor reported. */
    readonly servedModel: string;
    /** From 0 to 1. */
    readonly score: number;
    /** The reason as your application gave it, up to 1,000 characters. It may be text of a user: the router does not look into it. */
    readonly reason?: string;
  };
  /** `runTools` starts a tool that the answer of the call asked for. */
  'tool-start': OfCall<TierName> &
    OfToolCall & {
      /** A person approved this call. */
      readonly approved?: true;
    };
  /** The tool has ended, or `runTools` no longer waits for it. */
  'tool-end': OfCall<TierName> &
    OfToolCall & {
      /** `aborted`: the run was. */
      readonly status: 'ok' | 'error' | 'timeout' | 'aborted';
      readonly durationMs: number;
      /** The class of what it threw, and its `code` if it has one. Not the message, which may repeat the input. */
      readonly error?: { readonly name: string; readonly code?: string };
    };
  /** `runTools` does not run a tool call: the model is told that it was denied. */
  'tool-denied': OfCall<TierName> &
    OfToolCall & {
      /** Why: a plugin denied it, nobody can be asked, the answer was no, or `approve` failed. */
      readonly reason: 'policy' | 'no-approval' | 'not-approved' | 'approve-failed';
      /** The plugin, with reason `policy`. */
      readonly policy?: string;
      /** The plugin's rule. */
      readonly rule?: string;
    };
  'circuit-open': OfCall<TierName> & {
    readonly target: string;
    /** Epoch milliseconds. */
    readonly until: number;
    readonly cause: ErrorCode;
  };
  'circuit-half-open': OfCall<TierName> & { readonly target: string };
  'circuit-close': OfCall<TierName> & { readonly target: string };
  /**
   * The target is rate limited, or its account is empty. Calls skip it until `until` (epoch milliseconds). Only calls with
   * the same key do if the key depends on tags.
   */
  'rate-limited': OfCall<TierName> & {
    readonly target: string;
    readonly until: number;
    readonly kind: 'limited' | 'exhausted';
  };
  /**
   * The vendor rejected the key, or there is none. It is not sent until `until` (epoch milliseconds): calls skip all targets of the
   * provider, or this target alone if the key lacks a permission. After the first rejection of a key that a function or
   * the caller's client supplies, they are not skipped: it is asked for another key. `until` is the time of the rejection
   * if the key is not known, as with a model of the AI SDK. If the key depends on tags, only calls with the same key skip
   * them, and `tags` say whose key it is. Replace the key.
   */
  'credential-rejected': OfCall<TierName> & {
    readonly provider: string;
    readonly target: string;
    readonly until: number;
    readonly error: ErrorSummary;
  };
  /**
   * The vendor's answer has a field or an event of a name that the adapter does not know: the vendor may have changed its
   * format. Emitted once for each target and path; `snapshot()` counts the answers that had it.
   */
  'shape-changed': OfCall<TierName> & {
    readonly target: string;
    /** Where the name is, such as `choices[].delta.mood` or `type=response.mood.delta`. */
    readonly path: string;
  };
  /** A fire drill started: calls of the tier may be drilled. */
  'drill-start': OfDrill<TierName> & {
    readonly fault: DrillFault['type'];
    readonly targets: readonly string[];
  };
  /** The fire drill and the last of its calls have ended. */
  'drill-end': OfDrill<TierName> & {
    readonly passed: boolean;
    readonly reasons: readonly string[];
  };
  /** The state of an audit log: every 1,000 lines, when its file is full, and when the router is closed. */
  'audit-head': OfRouter &
    AuditHead & {
      /** The plugin's name. */
      readonly policy: string;
    };
  /** `isolate` took the target out of service. */
  'target-isolate': OfRouter & { readonly target: string };
  /** All handles of the target's isolation were restored: it is in service again. */
  'target-restore': OfRouter & { readonly target: string };
  /** `demote` lowered the weight of the target, or a handle of its demotion was restored and others are not. */
  'target-demote': OfRouter & {
    readonly target: string;
    /** The most that its weight is now. */
    readonly weight: number;
  };
  /** All handles of the target's demotion were restored. */
  'target-demote-end': OfRouter & { readonly target: string };
  /** The configuration was replaced, by `reconfigure` or a followed source. */
  'config-change': OfRouter & {
    readonly tiers: readonly string[];
    readonly changes: readonly ConfigChange[];
    /** `reconfigure`, or the name of the source. */
    readonly source: string;
    /** Counts the router's configurations. The one of `createRouter` is 1. */
    readonly version: number;
  };
  /**
   * A followed source delivered an invalid configuration, or none. The current one stays in force. Emitted once for a
   * failure that repeats.
   */
  'config-rejected': OfRouter & {
    /** The name of the source. */
    readonly source: string;
    readonly error: ErrorSummary;
    /** The first 100 problems of the document. */
    readonly problems: readonly ConfigProblem[];
  };
  /** An evaluation of `signalbox/evals` has finished with a target. */
  'eval-end': OfRouter & {
    readonly suite: string;
    /** The time at which the run started, which names it. */
    readonly run: string;
    readonly target: string;
    /** The mean score of its answers, from 0 to 1. `null` if none was scored. */
    readonly score: number | null;
    /** Answers that were scored. */
    readonly scored: number;
    /** Calls without an answer that can be scored. */
    readonly failures: number;
    /** US dollars of its answers. `null` if a price is unknown. */
    readonly usd: number | null;
    /** Whether it is worse than its baseline. `unknown`: there is nothing that it can be compared with. */
    readonly state: 'steady' | 'regressed' | 'unknown';
    /**
     * The smallest drop of the score that the suite finds in nine of ten times, in one run and within four. Absent if it
     * finds none.
     */
    readonly sees: { readonly inOneRun?: number; readonly inFourRuns?: number };
  };
  /** A scheduled evaluation failed. What it recorded is kept: the next one goes on from there. */
  'eval-failed': OfRouter & { readonly error: ErrorSummary };
  /** A target answers worse, or differently, than before. */
  'drift-detected': (OfRouter & DriftOfSuite) | (OfTier<TierName> & DriftOfTraffic);
  /** A drift that a suite found is over. */
  'drift-cleared': OfRouter & {
    readonly suite: string;
    readonly run: string;
    readonly target: string;
    /** How far the mean score is below the baseline now. Absent if there is no baseline any more. */
    readonly effect?: number;
    /** `recovered`: two clean runs, or a new baseline. `no-baseline`: its baseline was removed. */
    readonly reason: 'recovered' | 'no-baseline';
    /** `restored`: it gets its calls again. */
    readonly action: 'restored' | 'reported';
  };
  /**
   * The store did not record what was spent: the answer stands, and the budgets lack its cost. A store that fails before
   * an attempt fails the call with `store_failed`.
   */
  'store-error': OfRouter & {
    /** The name of the store. */
    readonly store: string;
    readonly error: unknown;
  };
  /** A listener threw or rejected. This does not affect the call. */
  'listener-error': OfRouter & {
    readonly event: string;
    readonly error: unknown;
  };
};

/** Events by name. */
export type RouterEvents<TierName extends string = string> = {
  readonly [Name in keyof Payloads<TierName>]: {
    readonly type: Name;
  } & Payloads<TierName>[Name];
};

export type EventName = keyof RouterEvents;

/** Any event: a union discriminated by `type`. */
export type RouterEvent<TierName extends string = string> = RouterEvents<TierName>[EventName];

/** The event that a listener of `Name` receives. `'*'` receives every event. */
export type EventOf<
  Name extends EventName | '*',
  TierName extends string = string,
> = Name extends EventName ? RouterEvents<TierName>[Name] : RouterEvent<TierName>;
