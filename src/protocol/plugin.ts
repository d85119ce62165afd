import type { Attempt, ErrorSummary } from './attempt.ts';
import type { CallDefaults, CallOptions, TargetId } from './call-options.ts';
import type { Completion, FinishReason, TagOptions, Tags } from './completion.ts';
import type { EventName, EventOf } from './events.ts';
import type { Json, JsonSchema } from './json.ts';
import type { Message, NormalMessage, ToolCallPart, Wire } from './message.ts';
import type { Embeddings, EmbedOptions } from './other-tasks.ts';
import type { NormalTool, Transfer } from './request.ts';
import type { Runtime } from './runtime.ts';
import type { ProviderPart, StreamPart } from './stream-part.ts';
import type { AuditHead, PolicyVerdict } from './verdict.ts';

/** The request of a call, as a plugin receives it. */
export type PluginRequest =
  | {
      readonly kind: 'chat';
      readonly messages: readonly NormalMessage[];
      /** The system prompt of the call. A system prompt from the configuration is not included. */
      readonly system?: string | undefined;
      readonly tools?: readonly NormalTool[] | undefined;
      /** The `schema` of the call, as it is sent. The answer is validated against the caller's. */
      readonly schema?: JsonSchema | undefined;
      /** Set if `messages` contain only the messages that ask the model to repair its answer. */
      readonly isRepair?: true | undefined;
    }
  | { readonly kind: 'embed'; readonly values: readonly string[] }
  | { readonly kind: 'image'; readonly prompt: string };

/** A complete answer of any kind of call. `vectors` is set for `embed`. */
export type PluginAnswer = Completion & {
  readonly vectors?: readonly (readonly number[])[];
};

/** A batch of parts of an answer. The last part of an answer is `finish`. */
export type PluginParts = readonly StreamPart<PluginAnswer>[];

/** How a call ended. */
export type PluginCallEnd = {
  readonly status: 'ok' | 'error' | 'aborted';
  /** The answer as the caller gets it, with status `ok`. */
  readonly answer?: PluginAnswer;
  /** Set with the other statuses. */
  readonly error?: ErrorSummary;
  /** `call.innermost`. Absent if the call ended before its request had passed all plugins: what they change was not. */
  readonly innermost?: PluginCall['innermost'];
  /** What the plugins reported, in order. `policy` is the plugin's name. */
  readonly verdicts: readonly (PolicyVerdict & { readonly policy: string })[];
  /** Every attempt and every skipped target, in order. */
  readonly trail: readonly Attempt[];
  readonly durationMs: number;
  /** US dollars billed for the whole call. `null` if a price is unknown. */
  readonly usd: number | null;
};

/** A router, as its plugins see it when it is created. */
export interface PluginRouter {
  /** All plugins, the outermost first. */
  readonly plugins: readonly Plugin[];
  /** Emits `audit-head` with the plugin's name. */
  auditHead(head: AuditHead): void;
}

/** One call, as one plugin sees it. Every hook receives the same object, so it can be the key of a `WeakMap`. */
export interface PluginCall {
  /** The `callId` of the call's events. */
  readonly id: string;
  readonly kind: PluginRequest['kind'];
  readonly tier: string;
  readonly mode: 'complete' | 'stream';
  readonly tags: Tags;
  /** The caller's options. */
  readonly options: Readonly<CallOptions>;
  /** The request as this plugin's `onRequest` returned it. */
  readonly request: PluginRequest;
  /** What the configuration decides about the answer, besides `request` and `options`. */
  readonly configured: {
    /**
     * The same text means: the same targets with the same options may answer, for the same requirements, and no plugin
     * excludes another one of them. If the key of a provider depends on tags, they are part of it. For keys of caches.
     */
    readonly key: string;
    /** The targets of the tier and of those that it falls back to, with the call options of the configuration. */
    readonly targets: readonly { readonly target: string; readonly options: CallDefaults }[];
  };
  /**
   * The request as it is sent, after all inner plugins, and the complete answer as the vendor returned it. On a cache
   * hit it is the cached answer. `answer` is absent until it is complete.
   */
  readonly innermost: { readonly request: PluginRequest; readonly answer?: PluginAnswer };
  /** Id of the fire drill that the call is part of. */
  readonly drill?: string;
  /** Id of the call that a plugin made this one for, with `ask`, `embed` or `fork`. */
  readonly parent?: string;
  /** Aborts if the call ends early: by its caller, its deadline, or `router.close`. */
  readonly signal: AbortSignal;
  /** Milliseconds until the call's deadline. */
  remainingMs(): number;
  /**
   * Clock, timers and randomness. Use it instead of `Date`, timers and `Math.random`, so that tests can use virtual
   * time.
   */
  readonly runtime: Runtime;
  /**
   * Emits `policy-verdict` with the plugin's name. What `onRequest` blocks and `onToolCall` denies is emitted without
   * it.
   */
  verdict(verdict: PolicyVerdict): void;
  /**
   * Makes another call as part of this one. It passes only the inner plugins, so it cannot recurse, and is aborted when
   * this call ends. Its tags come from its tier and `options`.
   * @throws SignalboxError like `router.complete`
   */
  ask(
    tier: string,
    messages: string | readonly Message[],
    options?: CallOptions,
  ): Promise<Completion>;
  /** The same for vectors. @throws SignalboxError like `router.embed` */
  embed(
    tier: string,
    values: string | readonly string[],
    options?: EmbedOptions,
  ): Promise<Embeddings>;
  /**
   * Sends this call's request to another target too, in the same way as `ask`. The answer does not become this call's
   * answer.
   * @throws SignalboxError like `router.complete`
   */
  fork(options: {
    readonly target: TargetId;
    readonly tags?: TagOptions | undefined;
  }): Promise<PluginAnswer>;
}

/** The result of one attempt. */
export type PluginAttemptResult = Attempt & {
  /** The vendor's id of the answer. */
  readonly answerId?: string;
  /** The model that the vendor reports. */
  readonly servedModel?: string;
  readonly finishReason?: FinishReason;
};

/** One attempt: one request to one target. */
export interface PluginAttempt {
  /** `provider/model`. */
  readonly target: string;
  readonly provider: string;
  readonly model: string;
  /** Position of the key in the provider's pool, from 1. Absent without a pool. */
  readonly key?: number;
  /** Number of the attempt within the call, from 1, as in its events. */
  readonly attempt: number;
  /** The vendor or its platform, such as `openai`, `x-ai` or `vertex`: the name in price lists. Absent if it is in none. */
  readonly vendor?: string;
  readonly wire: Wire;
  readonly transfer: Transfer;
  /** The options that apply: the call's over those of the target and the tier. */
  readonly options: Readonly<CallDefaults>;
  /** Aborts when the attempt must end, for any reason. */
  readonly signal: AbortSignal;
  readonly call: PluginCall;
  /** Stops the connect timeout. Call it if the plugin answers the attempt itself; otherwise the transport does. */
  connected(): void;
  /** Resolves when the attempt has ended and the router has decided its verdict. Never rejects. */
  readonly ended: Promise<PluginAttemptResult>;
}

/** How a plugin runs what is inside it. */
export type NextOptions = {
  /** Replaces the call's signal for everything inside: for an answer that several calls share. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Concurrent calls that pass the same text share one run of what is inside the plugin. The first call runs it, and the
   * completion of the others is marked with `shared`. It ends early when all of them have left.
   */
  readonly share?: string | undefined;
};

/** Processes the parts of one answer. Created for each answer, so its fields can store state. */
export interface PartsHook {
  /** Returns the parts to pass on. It may add, change, hold back or drop parts. */
  parts(batch: PluginParts): PluginParts | Promise<PluginParts>;
  /** The answer restarts: discard all parts so far. */
  restart?(): void;
  /** The answer is complete: returns the parts that were held back. */
  end?(): PluginParts | Promise<PluginParts>;
}

/**
 * The decision about a tool call. A denied call is not in `toolCalls`; its part in `content` has `denied`. With
 * `unlessApproved`, a caller that asks a person about this one call, as `runTools` does, may still run it.
 */
export type ToolCallDecision =
  | 'allow'
  | { readonly replace: Json }
  | { readonly deny: string; readonly unlessApproved?: true };

/** Listeners by the name of their event; `'*'` receives every event. */
export type PluginListeners = {
  readonly [Name in EventName | '*']?: ((event: EventOf<Name>) => unknown) | undefined;
};

type MaybePromise<Value> = Value | Promise<Value>;

/**
 * A layer around calls. With `plugins: [outer, inner]`, requests pass the plugins from first to last, and answers from
 * last to first. All hooks are optional.
 *
 * Everything inside a plugin (its hooks except `onParts`, the plugins after it, repairs, `continue`, the vendor)
 * receives the request that its `onRequest` returned. The caller, `schema` and `validate` receive the answer that the
 * `onParts` of the first plugin returned.
 *
 * A hook that throws fails the call with `plugin_failed`, and the error names the plugin. An error of the call that
 * passes through a `wrap` hook does not change.
 *
 * @experimental until version 1.0
 */
export interface Plugin {
  /** Unique in a router. Appears in errors and in the parts of answers. */
  readonly name: string;
  /** Tiers whose calls skip this plugin. */
  readonly exceptTiers?: readonly string[] | undefined;
  /**
   * Skips a hook that throws: the request or answer does not change, a tool call is allowed. A `wrapCall` that has
   * already read a part of the answer is not skipped.
   * @default false
   */
  readonly failOpen?: boolean | undefined;
  /**
   * Declares that the plugin removes personal data: everything inside it sees requests and answers without.
   * @default false
   */
  readonly redacts?: boolean | undefined;
  /**
   * Called when a router is created with the plugin, before any call. Opens nothing: a router may be created only to be
   * checked.
   * @throws SignalboxError `config`, which `createRouter` throws
   */
  onCreate?(router: PluginRouter): void;
  /**
   * Called when a call enters the plugin. Returns the request, changed or not, or blocks the call: it then fails with
   * `policy_blocked`, and `policy` is the plugin's name. Also called with the messages that ask for a repair
   * (`request.isRepair`); only the returned messages are used.
   */
  onRequest?(
    request: PluginRequest,
    call: PluginCall,
  ): MaybePromise<
    PluginRequest | { readonly block: Omit<PolicyVerdict, 'kind'> & { readonly rule: string } }
  >;
  /**
   * Wraps everything inside the plugin. Call `next()` at most once to run it, or yield an answer from elsewhere, such
   * as a cache. An answer must end with `finish`.
   */
  wrapCall?(
    call: PluginCall,
    next: (options?: NextOptions) => AsyncIterable<PluginParts>,
  ): AsyncIterable<PluginParts>;
  /**
   * Called when parts leave the plugin, cached parts included. For `complete` and for `schema`, they are whole parts.
   */
  onParts?(call: PluginCall): PartsHook;
  /** Returns `true`, or the reason why this target must not be tried. Called when the call is planned. */
  eligible?(
    target: { readonly target: string; readonly provider: string; readonly model: string },
    call: PluginCall,
  ): true | string;
  /**
   * Wraps one attempt. The request is sent and its answer is read in the async context that is active when `next()` is
   * called. Nothing is read after the last part: use `attempt.ended` to run code after it.
   */
  wrapAttempt?(
    attempt: PluginAttempt,
    next: () => AsyncIterable<readonly ProviderPart[]>,
  ): AsyncIterable<readonly ProviderPart[]>;
  /**
   * Accepts or rejects a whole answer, as the vendor gave it; a rejected one is `invalid_output`, which is repaired (the
   * model sees the reason) or goes to the next target. In a stream it is called at the end.
   */
  accept?(
    answer: PluginAnswer,
    call: PluginCall,
  ): MaybePromise<boolean | { readonly reason: string }>;
  /** A tool call leaves the layer. Its parts are held back until this has decided. Called once for each tool call. */
  onToolCall?(toolCall: ToolCallPart, call: PluginCall): MaybePromise<ToolCallDecision>;
  /**
   * Called once when a call has ended, before its caller gets the answer or the error: also when another plugin blocked
   * it, or it failed, was aborted, or its reader left. Also for calls that the plugins inside make. It is waited for. One
   * that throws fails the call, unless it was aborted.
   */
  onEnd?(end: PluginCallEnd, call: PluginCall): MaybePromise<void>;
  /**
   * Listeners for the router's events, registered when the router is made, in place of `router.on`. They are called
   * synchronously, also for calls that plugins make, but not for calls of `exceptTiers`. One that throws affects no call
   * and is reported as `listener-error`. Events without a listener are not even created, so name only those you need.
   */
  readonly on?: PluginListeners | undefined;
  /** Called when the router is closed and all calls have ended. */
  close?(): MaybePromise<void>;
}
