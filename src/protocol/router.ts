import type { BudgetState } from './budget.ts';
import type { CallOptions, TargetId } from './call-options.ts';
import type { Completion, ObjectOf, ToolCallOf } from './completion.ts';
import type { RoutingConfig } from './config.ts';
import type { ConfigSource, Following, FollowOptions } from './config-source.ts';
import type { PlannedFallbacks, PlannedTarget } from './decision.ts';
import type { Description, ModelFacts, PriceList } from './description.ts';
import type { Drill, DrillOptions } from './drill.ts';
import type { EventName, EventOf } from './events.ts';
import type { JsonSchema } from './json.ts';
import type { Message } from './message.ts';
import type { Embeddings, EmbedOptions, ImageOptions, Images } from './other-tasks.ts';
import type { Tool } from './request.ts';
import type { StandardSchema } from './standard-schema.ts';
import type { CompletionStream } from './stream-part.ts';

type AnySchema = StandardSchema | JsonSchema | undefined;

/** The completion of a call with these options. */
export type CompletionOf<
  Tier extends string,
  Schema extends AnySchema,
  Tools extends readonly Tool[] | undefined,
> = Completion<ObjectOf<Schema, Tools>, ToolCallOf<Tools>, Tier>;

/**
 * The targets that a call would try, in order, and the targets that it would skip, with reasons. A target that waits
 * for a limit while another is available is in both lists: it is skipped first and tried last.
 */
export type Explanation<Tier extends string = string> = {
  readonly tier: Tier;
  /** The rule that matched: the targets are those that it sends the call to. */
  readonly rule?: string;
  /** The name of the strategy that ordered them. */
  readonly strategy: string;
  /** Estimated tokens of the messages, the system prompt and the tools. */
  readonly inputTokens: number;
  readonly candidates: readonly (PlannedTarget & {
    /** Options that the target does not support, and a model that is probably misspelt. */
    readonly warnings: readonly string[];
  })[];
  /**
   * The candidates that come after the others, or less often: they miss `p95FirstTokenMs`, `p95TotalMs` or `minQuality` of
   * `requires`, or were demoted by `router.demote`. Absent without any.
   */
  readonly demoted?: readonly { readonly target: string; readonly reason: string }[];
  readonly skipped: readonly {
    readonly target: string;
    readonly key?: number;
    readonly reason: string;
    /** Epoch milliseconds at which it may be available again. Absent if it cannot take this call, or if unknown. */
    readonly until?: number;
  }[];
  /** Absent without `fallbacks`. */
  readonly fallbacks?: PlannedFallbacks;
};

/** State of the limits of a target, or of one key of a pool. */
export type LimitsSnapshot = {
  /** Attempts that wait in the queue. */
  readonly queued: number;
  /** Learned limit of attempts in flight. Absent while none is learned. */
  readonly concurrency?: number;
  /** Learned limit of requests per minute. Absent while none is learned. */
  readonly requestsPerMinute?: number;
  /** Requests left: of `rpm`, or of the limit that the vendor last reported, whichever is less. */
  readonly requestsLeft?: number;
  /** The same for tokens. */
  readonly tokensLeft?: number;
};

/** A target that is out of service. */
export type Isolation<Provider extends string = string> = {
  readonly target: `${Provider}/${string}`;
  /** Puts the target back into service, unless it has another handle that was not restored. Further calls do nothing. */
  restore(): void;
  /** The same as `restore()`, for `using isolation = router.isolate(…)`. */
  [Symbol.dispose](): void;
};

/** A target that gets fewer calls. */
export type Demotion<Provider extends string = string> = {
  readonly target: `${Provider}/${string}`;
  /** Ends this demotion. Others of the same target still apply. Further calls do nothing. */
  restore(): void;
  /** The same as `restore()`, for `using demotion = router.demote(…)`. */
  [Symbol.dispose](): void;
};

/** What the application learned of an answer. */
export type Feedback = {
  /** How good the answer was, from 0 to 1. */
  readonly score: number;
  /**
   * Why, in the application's words. It is passed on in the event `feedback`, and not kept. A longer one is cut to 1,000
   * characters.
   */
  readonly reason?: string | undefined;
};

/** Current state of one target. */
export type TargetSnapshot = {
  readonly model: ModelFacts;
  readonly circuit: 'closed' | 'open' | 'half-open';
  /** Set while the target is isolated. */
  readonly isolated?: true;
  /** Set while the target is demoted: the most that its weight is where the order goes by weight. */
  readonly demoted?: { readonly weight: number };
  /** Epoch milliseconds until which the circuit stays open. */
  readonly openUntil?: number;
  /** By reason: epoch milliseconds until which the target is skipped without having failed. */
  readonly unavailableUntil: Readonly<Record<string, number>>;
  /** The same for each key of a pool, in order. */
  readonly keys?: readonly {
    readonly unavailableUntil: Readonly<Record<string, number>>;
    readonly limits: LimitsSnapshot;
  }[];
  /**
   * Where the key depends on the call's tags: how many keys the router remembers for the target, and how many of them are
   * limited, exhausted or rejected now. At most 1,000 that are not in use are remembered.
   */
  readonly keysByTags?: { readonly known: number; readonly unavailable: number };
  /** Absent with a pool: each key has separate limits. */
  readonly limits?: LimitsSnapshot;
  /** Attempts so far, aborted ones included. */
  readonly calls: number;
  /** Failed attempts. */
  readonly failures: number;
  readonly p50FirstTokenMs?: number;
  readonly p95FirstTokenMs?: number;
  readonly p99FirstTokenMs?: number;
  readonly p50TotalMs?: number;
  readonly p95TotalMs?: number;
  readonly p99TotalMs?: number;
  /**
   * By the tier that was called: the average score in `router.feedback`, from 0 to 1, and the number of scores in it, up to
   * 50. Absent without any for six hours.
   */
  readonly quality?: Readonly<Record<string, { readonly score: number; readonly scores: number }>>;
  /**
   * By path: the number of answers with a field or an event of a name that the adapter does not know, for up to 64
   * paths. Absent without any.
   */
  readonly unknownNames?: Readonly<Record<string, number>>;
};

/** Current state of the router. */
export type Snapshot = {
  /** Epoch milliseconds. */
  readonly at: number;
  /** By `provider/model`. */
  readonly targets: Readonly<Record<string, TargetSnapshot>>;
  /**
   * The caps of the budgets, at most 1,000. Of a budget with `by`: the values that have spent something in the current
   * window. From a store outside of the process they may be as of the snapshot before. Absent without budgets.
   */
  readonly budgets?: readonly BudgetState[];
  /** The date of the configured `prices`. Absent if it is unknown. */
  readonly pricesDate?: string;
  /** The price lists in use: the first one that has a model applies. The public list is among them once it is loaded. */
  readonly priceLists: readonly PriceList[];
  /** Tokens in the retry budget. */
  readonly retryBudget: number;
  readonly callsInFlight: number;
};

/** The key of a field that exists only in types. */
declare const tiers: unique symbol;

/** An in-process LLM router. Two routers share no state. */
export interface Router<
  Tier extends string = string,
  Provider extends string = string,
  Strategy extends string = never,
> {
  /** Never set. Without it, a router of fewer tiers would be assignable to one of more. */
  readonly [tiers]?: Readonly<Record<Tier, true>>;

  /**
   * Makes a call to a tier and returns the complete answer.
   *
   * @throws SignalboxError `all_targets_failed` if every target failed; the code of the failure if another target would
   * fail too; `config` for invalid options; `aborted`; `closed`
   */
  complete<
    const Name extends Tier,
    Schema extends AnySchema = undefined,
    const Tools extends readonly Tool[] | undefined = undefined,
  >(
    tier: Name,
    messages: string | readonly Message[],
    options?: CallOptions<Provider, Schema, Tools>,
  ): Promise<CompletionOf<Name, Schema, Tools>>;

  /** Makes a call to a tier and streams the answer. Nothing is sent before the first read. */
  stream<
    const Name extends Tier,
    Schema extends AnySchema = undefined,
    const Tools extends readonly Tool[] | undefined = undefined,
  >(
    tier: Name,
    messages: string | readonly Message[],
    options?: CallOptions<Provider, Schema, Tools>,
  ): CompletionStream<CompletionOf<Name, Schema, Tools>>;

  /**
   * Embeds one or more values, in as many requests as the vendor's limit requires. Falls back only to targets of the
   * same model family, because vectors of different models are not comparable. The tier's `vectors` can change that.
   *
   * @throws SignalboxError like `complete`. If one batch fails, the call fails.
   */
  embed<const Name extends Tier>(
    tier: Name,
    values: string | readonly string[],
    options?: EmbedOptions<Provider>,
  ): Promise<Embeddings<Name>>;

  /**
   * Generates images.
   * @throws SignalboxError like `complete`; `content_filter` or `refusal` if the vendor or the model refused
   */
  image<const Name extends Tier>(
    tier: Name,
    prompt: string,
    options?: ImageOptions<Provider>,
  ): Promise<Images<Name>>;

  /**
   * Adds a listener for an event, or for all events with `'*'`. If it throws, the call continues and `listener-error`
   * is emitted. Returns a function that removes it.
   * @throws SignalboxError `config` for an unknown event
   */
  on<const Name extends EventName | '*'>(
    name: Name,
    listener: (event: EventOf<Name, Tier>) => unknown,
  ): () => void;
  /** Adds a listener for the next event only. Returns a function that removes it. */
  once<const Name extends EventName | '*'>(
    name: Name,
    listener: (event: EventOf<Name, Tier>) => unknown,
  ): () => void;
  /** Removes a listener. If it was added more than once, removes the latest one. */
  off<const Name extends EventName | '*'>(
    name: Name,
    listener: (event: EventOf<Name, Tier>) => unknown,
  ): void;

  /**
   * Returns which targets a call would try, with the figures of each, and which it would skip, with reasons, and warns of
   * models that are not in their vendor's price list. Loads the price list. Sends nothing.
   *
   * @throws SignalboxError `config` for invalid options
   */
  explain<
    const Name extends Tier,
    Schema extends AnySchema = undefined,
    const Tools extends readonly Tool[] | undefined = undefined,
  >(
    tier: Name,
    messages: string | readonly Message[],
    options?: CallOptions<Provider, Schema, Tools>,
  ): Promise<Explanation<Name>>;

  /**
   * Returns the configuration in force, with its layers merged, and what is known of its targets: prices, context
   * windows, models that are not in their vendor's price list, targets that no call can reach. Loads the price list. Sends
   * nothing.
   */
  describe(): Promise<Description>;

  /**
   * Starts a fire drill: makes targets of a live tier fail for a share of its calls and a limited time, and reports
   * whether the other targets answered. The faults are injected between the engine and the adapter, so everything above
   * behaves as in a real failure. Failing targets have separate health for drilled calls, which is discarded after the
   * drill: other calls are not affected. A drill without calls has not passed.
   *
   * @throws SignalboxError `config` for invalid options; `closed`
   */
  drill<const Name extends Tier>(options: DrillOptions<Name, Provider>): Drill<Name>;

  /**
   * Takes a target out of service: no call of any tier tries it until `restore()` of the returned handle, not even when
   * no other target is left. Requests in flight finish. Survives `reconfigure`.
   *
   * @throws SignalboxError `config` if no tier lists the target
   */
  isolate(target: TargetId<Provider>): Isolation<Provider>;

  /**
   * Gives a target fewer calls until `restore()` of the returned handle, in all tiers: with the strategy `weighted`, its
   * weight is at most `weight`; otherwise it is tried after the others. It is still tried when the others are not available or
   * fail. With several handles, the lowest weight applies. Survives `reconfigure`.
   *
   * @default weight 0: it comes last with `weighted` too
   * @throws SignalboxError `config` if no tier lists the target; for an invalid weight
   */
  demote(
    target: TargetId<Provider>,
    options?: { readonly weight?: number | undefined },
  ): Demotion<Provider>;

  /**
   * Reports what the application learned of an answer, such as a user's rating or a failed check: `callId` is that of the
   * completion. The score counts for the target that answered, and for the tier that was called: see `requires.minQuality`.
   * Each report counts, also a second one on the same call. Emits `feedback`.
   *
   * Returns `false`, and does nothing, for a call that the router does not know: it is not among the latest 10,000 answered
   * calls, was answered more than a day ago, was not answered, or is of another router or process.
   *
   * @throws SignalboxError `config` for a score that is not from 0 to 1
   */
  feedback(callId: string, feedback: Feedback): boolean;

  /** Returns the current health, limits and statistics of every target. */
  snapshot(): Snapshot;

  /**
   * Replaces tiers, defaults, prices, limits, budgets and tags. Running calls finish with the previous configuration; their
   * attempts in flight count against changed limits. Health and statistics of remaining targets are kept. Providers
   * cannot be replaced.
   * @throws SignalboxError `config` if the configuration is invalid. Nothing changes then.
   */
  reconfigure<Name extends Tier>(
    // Inferred, so that a router of more tiers is assignable to one of fewer; `tiers` must still have all of them.
    routing: RoutingConfig<Provider, Name, Strategy> & {
      readonly tiers: Readonly<Record<Tier, unknown>>;
    },
  ): void;

  /**
   * Applies the configuration of a source, such as `fileSource()` of `signalbox/config`, and each later one, like
   * `reconfigure`. Resolves when the first one is in force. A later one that is invalid changes nothing: the router emits
   * `config-rejected`. A router follows one source at a time, and one of prices. Following ends with `stop()` or `close()`, and may keep the
   * process running until then.
   * @throws SignalboxError `config` if the first configuration is invalid or cannot be read; `closed`
   */
  follow(source: ConfigSource, options?: FollowOptions): Promise<Following>;

  /**
   * Loads the vendors' SDKs and the price list now instead of with the first call, and checks that every provider has
   * its keys.
   *
   * @throws SignalboxError `config` if an SDK is missing; `auth` if a key is missing. The message names the provider, and
   * the setting or the environment variable.
   */
  preload(): Promise<void>;

  /**
   * Rejects new calls with `closed`, waits up to `drainMs` milliseconds for running calls, aborts the rest, and removes
   * all listeners. Resolves when no call runs.
   * @default drainMs 0
   */
  close(options?: { readonly drainMs?: number | undefined }): Promise<void>;

  /** The same as `close()`, for `await using router = createRouter(…)`. */
  [Symbol.asyncDispose](): Promise<void>;
}
