import type { Completion, ObjectOf, TagOptions, ToolCallOf } from './completion.ts';
import type { Json, JsonSchema } from './json.ts';
import type { KnownTarget } from './known-models.ts';
import type { CacheHint } from './message.ts';
import type { OnUnsupported, Reasoning, Sampling, Tool, ToolChoice, Transfer } from './request.ts';
import type { Requires } from './requires.ts';
import type { StandardSchema } from './standard-schema.ts';

/** Order of attempts that wait for a limit. When the queue is full, `low` is rejected first. */
export type Priority = 'high' | 'normal' | 'low';

/**
 * `provider/model`. The provider is a key of `providers`. The rest is sent to the vendor and may contain slashes. Editors
 * complete known models of providers with a usual name, such as `openai`.
 */
export type TargetId<Provider extends string = string> =
  | KnownTarget<Provider>
  // Without the empty record the known targets would be merged into the template, and not completed.
  | (`${Provider}/${string}` & Record<never, never>)
  // A part of the line above. Without a plain template, TypeScript widens template expressions to `string`.
  | `${Provider}/${string}\n`;

/** Timeouts, in milliseconds. */
export type Timeouts = {
  /** Until the request is on a connected socket. Does not apply to a custom `fetch`. @default 10_000 */
  readonly connectMs?: number | undefined;
  /**
   * From the start of an attempt to the first part of its answer, including reasoning and tool calls. With
   * `transfer: 'unary'` it applies only if you set it.
   * @default 60_000, or 300_000 when the call requests a reasoning effort of medium or more
   */
  readonly firstTokenMs?: number | undefined;
  /** Between two chunks of bytes after the answer has started. Keep-alive pings count. @default 30_000 */
  readonly idleMs?: number | undefined;
  /** The whole call: all attempts and waits. @default 600_000 */
  readonly totalMs?: number | undefined;
};

/** Retries of one target. */
export type RetrySettings = {
  /**
   * Maximum retries, for errors that are retried. 0 disables them.
   * @default from the failure table in `docs/errors.md`: 1 to 3
   */
  readonly attempts?: number | undefined;
  /** Base of the backoff, in milliseconds. Doubles with each retry. @default 250 */
  readonly minMs?: number | undefined;
  /** Maximum backoff, in milliseconds. A vendor's `Retry-After` may be longer. @default 8_000 */
  readonly maxMs?: number | undefined;
};

/** Call options that the configuration can set too: for a target, a tier, or all tiers. */
export type CallDefaults<Provider extends string = string> = Sampling & {
  /** Prepended to the messages as a system message. */
  readonly system?: string | undefined;
  readonly toolChoice?: ToolChoice | undefined;
  readonly parallelToolCalls?: boolean | undefined;
  readonly reasoning?: Reasoning | undefined;
  /** Asks the vendor to cache the prompt. A hint: targets without prompt caching ignore it. */
  readonly cache?: CacheHint | undefined;
  /** Opaque id of the end user, for the vendors' abuse monitoring. Not a name or an address. */
  readonly userId?: string | undefined;
  /**
   * When the target does not support an option: drop it with a warning, fail the call, or skip the target.
   * @default 'warn'
   */
  readonly onUnsupported?: OnUnsupported | undefined;
  /** By provider: fields merged last into the vendor's request body. Not validated. */
  readonly providerOptions?:
    | {
        readonly [Name in Provider]?: { readonly [key: string]: Json } | undefined;
      }
    | undefined;
  /** @default 'normal' */
  readonly priority?: Priority | undefined;
  /** Whether the vendor is asked for a stream or for one JSON answer. @default 'stream' */
  readonly transfer?: Transfer | undefined;
  /** @deprecated The former name of `transfer`, which wins if both are set. */
  readonly wire?: Transfer | undefined;
  /** How often a target gets the reason why its output was rejected before the next target is tried. @default 1 */
  readonly repairAttempts?: number | undefined;
};

/** Whether the plugin `responseCache` may answer the call and keep its answer; or for how many milliseconds. */
export type CacheResponse = boolean | { readonly ttlMs: number };

/** Result of `validate`: `true` or `undefined` accepts the answer, `false` or a reason rejects it. */
export type Validation = boolean | string | undefined;

/** Filters and reorders the targets of one call. */
export type Route<Provider extends string = string> = {
  /** Only these providers or targets. */
  readonly only?: readonly (Provider | TargetId<Provider>)[] | undefined;
  /** None of these providers or targets. */
  readonly ignore?: readonly (Provider | TargetId<Provider>)[] | undefined;
  /** These first, in this order. The others follow in the tier's order. */
  readonly order?: readonly (Provider | TargetId<Provider>)[] | undefined;
};

/** Options of one call. They override the defaults of its target and tier. */
export type CallOptions<
  Provider extends string = string,
  Schema extends StandardSchema | JsonSchema | undefined = StandardSchema | JsonSchema | undefined,
  Tools extends readonly Tool[] | undefined = readonly Tool[] | undefined,
> = CallDefaults<Provider> & {
  /** Tools that the model may call. A call of any other tool is `invalid_output`. */
  readonly tools?: Tools | undefined;
  /**
   * Shape of the answer. The answer is validated against it, and `completion.object` has its type. With `tools`,
   * `object` is `undefined` if the answer calls tools.
   */
  readonly schema?: Schema | undefined;
  /** Merged over the tags of the router, the tier and the target. Included in every event and in the completion. */
  readonly tags?: TagOptions | undefined;
  /** Aborts the call: closes the socket and fails with `aborted`. The error's `cause` is the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Merged over the tier's. */
  readonly timeouts?: Timeouts | undefined;
  /** Merged over the tier's. */
  readonly retry?: RetrySettings | undefined;
  readonly route?: Route<Provider> | undefined;
  /** What a target must be to serve the call, besides what its tier requires. */
  readonly requires?: Requires | undefined;
  /**
   * US dollars that all attempts of the call may cost together, those of calls that plugins make for it included. Then it
   * fails with `budget_exceeded`. A target of unknown price is not used.
   * @default no limit
   */
  readonly maxUsd?: number | undefined;
  /** Checks the complete answer. A rejected answer is `invalid_output`, and so is an exception. */
  readonly validate?:
    | ((
        completion: Completion<NoInfer<ObjectOf<Schema, Tools>>, NoInfer<ToolCallOf<Tools>>>,
      ) => Validation | Promise<Validation>)
    | undefined;
  /**
   * Shares the request of an identical concurrent call: the same tier, messages and options, except `signal` and
   * `tags`. Functions and schemas must be the same objects.
   * @default false
   */
  readonly singleFlight?: boolean | undefined;
  /**
   * For the plugin `responseCache`: `false` neither reads nor keeps an answer, `true` also caches calls with tools or a
   * temperature above 0. `ttlMs` is the maximum age of the answer, in milliseconds. No effect without the plugin.
   * @default cached if the call has no tools and no explicit temperature above 0
   */
  readonly cacheResponse?: CacheResponse | undefined;
  /** Keeps the vendor's response in `completion.raw`. @default false */
  readonly raw?: boolean | undefined;
};
