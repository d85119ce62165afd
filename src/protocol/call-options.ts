import type { Completion, ObjectOf, Tags, ToolCallOf } from './completion.ts';
import type { Json, JsonSchema } from './json.ts';
import type { CacheHint } from './message.ts';
import type { OnUnsupported, Reasoning, Sampling, Tool, ToolChoice, Transfer } from './request.ts';
import type { StandardSchema } from './standard-schema.ts';

/** Whose turn it is where attempts wait for a limit; of those that are too many, low ones are shed first. */
export type Priority = 'high' | 'normal' | 'low';

/** `provider/model`. The provider is a key of `providers`; the rest, slashes allowed, goes to the vendor. */
export type TargetId<Provider extends string = string> = `${Provider}/${string}`;

/** The four clocks, in milliseconds. */
export type Timeouts = {
  /** Until the request is on a connected socket. Not applied with a `fetch` of your own. @default 10_000 */
  readonly connectMs?: number;
  /**
   * Until the first part of the answer, reasoning and tool calls included. Not applied to `transfer: 'unary'`
   * unless set. @default 60_000, or 300_000 when the call asks for a reasoning effort of medium or more
   */
  readonly firstTokenMs?: number;
  /** Between two bytes once the answer has begun; keep-alive pings count. @default 30_000 */
  readonly idleMs?: number;
  /** For the whole call, all attempts and waits together. @default 600_000 */
  readonly totalMs?: number;
};

export type RetrySettings = {
  /**
   * Extra tries of one target, for the failures that are worth one; 0 is none.
   * @default what the failure table says: 1 or 2
   */
  readonly attempts?: number;
  /** Base of the backoff, in milliseconds. @default 250 */
  readonly minMs?: number;
  /** Upper bound of one backoff, in milliseconds. A vendor's `Retry-After` may be longer. @default 8_000 */
  readonly maxMs?: number;
};

/** Options that may also stand in the configuration, as defaults of a target, a tier or all tiers. */
export type CallDefaults<Provider extends string = string> = Sampling & {
  /** Put before the messages as a system message. */
  readonly system?: string;
  readonly toolChoice?: ToolChoice;
  readonly parallelToolCalls?: boolean;
  readonly reasoning?: Reasoning;
  readonly cache?: CacheHint;
  /** The end user, as the vendors' abuse monitoring wants it: an opaque id, no name or address. */
  readonly userId?: string;
  /**
   * What to do about an option that the target cannot honour: drop it with a warning, fail, or pass the
   * target over. @default 'warn'
   */
  readonly onUnsupported?: OnUnsupported;
  /** For each provider, what is merged last into the vendor's request body. */
  readonly providerOptions?: {
    readonly [Name in Provider]?: { readonly [key: string]: Json };
  };
  /** Whose turn it is first, when attempts wait for a limit. @default 'normal' */
  readonly priority?: Priority;
  /** Ask the vendor for a stream or for one piece. @default 'stream' */
  readonly transfer?: Transfer;
  /** Times that a target is shown why its output was refused before the next one is asked. @default 1 */
  readonly repairAttempts?: number;
};

/** The verdict of `validate`: `true` or nothing is a pass; `false` or a reason is a failure. */
export type Validation = boolean | string | undefined;

export type Route<Provider extends string = string> = {
  /** Only these providers or targets. */
  readonly only?: readonly (Provider | TargetId<Provider>)[];
  /** None of these providers or targets. */
  readonly ignore?: readonly (Provider | TargetId<Provider>)[];
  /** These first, in this order; the others follow in theirs. */
  readonly order?: readonly (Provider | TargetId<Provider>)[];
};

export type CallOptions<
  Provider extends string = string,
  Schema extends StandardSchema | JsonSchema | undefined = StandardSchema | JsonSchema | undefined,
  Tools extends readonly Tool[] | undefined = readonly Tool[] | undefined,
> = CallDefaults<Provider> & {
  /** Tools the model may call. A call of any other is unusable output. */
  readonly tools?: Tools;
  /**
   * The shape of the answer; `object` then has its type, or is `undefined` with `tools`, which an answer may call
   * instead. The answer is checked against it.
   */
  readonly schema?: Schema;
  /** Merged over the tags of the router, tier and target, and carried by every event and the completion. */
  readonly tags?: Tags;
  /** Aborts the call: the socket is closed and the call fails with `aborted`, its `cause` your reason. */
  readonly signal?: AbortSignal;
  readonly timeouts?: Timeouts;
  readonly retry?: RetrySettings;
  readonly route?: Route<Provider>;
  /** Looks at a whole answer; one that does not pass counts as `invalid_output`. A throw does not pass. */
  readonly validate?: (
    completion: Completion<NoInfer<ObjectOf<Schema, Tools>>, NoInfer<ToolCallOf<Tools>>>,
  ) => Validation | Promise<Validation>;
  /**
   * Share the request of an identical call that is under way: same tier, messages and options, `signal` and
   * `tags` aside (functions and schemas must be the same objects). @default false
   */
  readonly singleFlight?: boolean;
  /** Keep the vendor's own response in `raw`. @default false */
  readonly raw?: boolean;
};
