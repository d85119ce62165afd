import type { CallOptions } from './call-options.ts';
import type { Completion, ObjectOf, ToolCallOf } from './completion.ts';
import type { RoutingConfig } from './config.ts';
import type { Drill, DrillOptions } from './drill.ts';
import type { EventName, EventOf } from './events.ts';
import type { JsonSchema } from './json.ts';
import type { Message } from './message.ts';
import type { Embeddings, EmbedOptions, ImageOptions, Images } from './other-tasks.ts';
import type { Tool } from './request.ts';
import type { StandardSchema } from './standard-schema.ts';
import type { CompletionStream } from './stream-part.ts';

type AnySchema = StandardSchema | JsonSchema | undefined;

/** The completion that a call with these options gives. */
export type CompletionOf<
  Tier extends string,
  Schema extends AnySchema,
  Tools extends readonly Tool[] | undefined,
> = Completion<ObjectOf<Schema, Tools>, ToolCallOf<Tools>, Tier>;

/**
 * Which targets a call would try, in order, and why each other one would not be. A target at its limit, while
 * another is free, is in both: passed over in its place, and asked in the end.
 */
export type Explanation<Tier extends string = string> = {
  readonly tier: Tier;
  readonly candidates: readonly {
    readonly target: string;
    /** Which of the provider's keys, from 1; only with a pool of them. */
    readonly key?: number;
    readonly warnings: readonly string[];
  }[];
  readonly skipped: readonly {
    readonly target: string;
    readonly key?: number;
    readonly reason: string;
    /** Epoch milliseconds from which on it may be asked; absent when it can never take this call. */
    readonly until?: number;
  }[];
};

/** Where a target stands with its limits, or one of a pool's keys. */
export type LimitsSnapshot = {
  /** Attempts that wait for their turn. */
  readonly queued: number;
  /** Attempts in flight that it takes at once, as its refusals taught; absent while it has refused none. */
  readonly concurrency?: number;
  /** Requests a minute, learned in the same way. */
  readonly requestsPerMinute?: number;
  /** What is left for now: of `rpm`, or of what the vendor last said, whichever is less. */
  readonly requestsLeft?: number;
  /** The same of tokens. */
  readonly tokensLeft?: number;
};

/** What the router knows of one target now. */
export type TargetSnapshot = {
  readonly circuit: 'closed' | 'open' | 'half-open';
  /** Epoch milliseconds until which its circuit stays open. */
  readonly openUntil?: number;
  /** Epoch milliseconds until which it is passed over without having failed, by reason. */
  readonly unavailableUntil: Readonly<Record<string, number>>;
  /** The same for each key of a pool, in their order. */
  readonly keys?: readonly {
    readonly unavailableUntil: Readonly<Record<string, number>>;
    readonly limits: LimitsSnapshot;
  }[];
  /** Absent with a pool of keys: each has its own. */
  readonly limits?: LimitsSnapshot;
  readonly calls: number;
  readonly failures: number;
  readonly p50FirstTokenMs?: number;
  readonly p95FirstTokenMs?: number;
  readonly p99FirstTokenMs?: number;
  readonly p50TotalMs?: number;
  readonly p95TotalMs?: number;
  readonly p99TotalMs?: number;
};

export type Snapshot = {
  readonly at: number;
  readonly targets: Readonly<Record<string, TargetSnapshot>>;
  /** Tokens in the retry budget. */
  readonly retryBudget: number;
  readonly callsInFlight: number;
};

/** An in-process LLM router. Two routers share nothing. */
export interface Router<
  Tier extends string = string,
  Provider extends string = string,
  Strategy extends string = never,
> {
  /**
   * Asks a tier for a whole answer.
   *
   * @throws SignalboxError `all_targets_failed` when the chain is used up; a failure that no other target
   * could mend under its own code; `config` for bad options; `aborted`; `closed`.
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

  /** Asks a tier for an answer as it comes. Nothing is sent before the first read. */
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
   * Asks a tier for the vectors of one or many values, in as many requests as the vendor's limit asks for.
   * Falls back only among targets of one model family, unless the tier's `vectors` says otherwise: vectors of
   * different models do not mix.
   *
   * @throws SignalboxError as `complete` does; one batch that fails fails them all.
   */
  embed<const Name extends Tier>(
    tier: Name,
    values: string | readonly string[],
    options?: EmbedOptions<Provider>,
  ): Promise<Embeddings<Name>>;

  /**
   * Asks a tier for pictures.
   * @throws SignalboxError as `complete` does; `content_filter` or `refusal` when the picture was refused.
   */
  image<const Name extends Tier>(
    tier: Name,
    prompt: string,
    options?: ImageOptions<Provider>,
  ): Promise<Images<Name>>;

  /** Listens to an event, or to all of them with `'*'`. A listener that throws changes nothing. */
  on<const Name extends EventName | '*'>(
    name: Name,
    listener: (event: EventOf<Name, Tier>) => unknown,
  ): void;
  /** The same for the next such event only. */
  once<const Name extends EventName | '*'>(
    name: Name,
    listener: (event: EventOf<Name, Tier>) => unknown,
  ): void;
  off<const Name extends EventName | '*'>(
    name: Name,
    listener: (event: EventOf<Name, Tier>) => unknown,
  ): void;

  /** Says, without calling anyone, which targets would be tried and why each other one would not. */
  explain<
    const Name extends Tier,
    Schema extends AnySchema = undefined,
    const Tools extends readonly Tool[] | undefined = undefined,
  >(
    tier: Name,
    messages: string | readonly Message[],
    options?: CallOptions<Provider, Schema, Tools>,
  ): Explanation<Name>;

  /**
   * Starts a fire drill: targets of a live tier fail, for some of its calls and some time, and the report says
   * whether the others stood in. The faults are made between the engine and the adapter, so all above is as in a
   * real failure. What drilled calls learn of a failing target is forgotten with the drill: the router's other
   * calls go on as if nothing happened. A drill in which nothing was tried has not passed.
   *
   * @throws SignalboxError `config` for bad options, `closed` once the router is.
   */
  drill<const Name extends Tier>(options: DrillOptions<Name, Provider>): Drill<Name>;

  /** Health, limits and running statistics of every target. */
  snapshot(): Snapshot;

  /**
   * Replaces tiers, defaults, prices, limits and tags at once. Calls in flight finish under what they began
   * with; they count against limits that change. Health and statistics of targets that stay are kept. Providers
   * cannot be replaced.
   * @throws SignalboxError `config`, and then nothing has changed.
   */
  reconfigure(routing: RoutingConfig<Provider, Tier, Strategy>): void;

  /** Loads the vendors' SDKs and the price list now rather than with the first call. */
  preload(): Promise<void>;

  /**
   * Refuses new calls with `closed`, waits up to `drainMs` for those in flight, aborts the rest, and drops
   * all listeners. Resolves when nothing runs any more.
   * @default drainMs 0
   */
  close(options?: { readonly drainMs?: number }): Promise<void>;
}
