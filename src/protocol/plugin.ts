import type { Attempt } from './attempt.ts';
import type { CallOptions, TargetId } from './call-options.ts';
import type { Completion, FinishReason, Tags } from './completion.ts';
import type { Json } from './json.ts';
import type { Message, NormalMessage, ToolCallPart } from './message.ts';
import type { Embeddings, EmbedOptions } from './other-tasks.ts';
import type { NormalTool } from './request.ts';
import type { Runtime } from './runtime.ts';
import type { ProviderPart, StreamPart } from './stream-part.ts';

/** What a call asks for, as a plugin sees it. */
export type PluginRequest =
  | {
      readonly kind: 'chat';
      readonly messages: readonly NormalMessage[];
      /** The call's own system prompt. One that the configuration sets for a tier or a target is not shown. */
      readonly system?: string;
      readonly tools?: readonly NormalTool[];
      /** Set when `messages` are only the turns that ask the model to repair its answer. */
      readonly isRepair?: true;
    }
  | { readonly kind: 'embed'; readonly values: readonly string[] }
  | { readonly kind: 'image'; readonly prompt: string };

/** A whole answer of any kind of call; `vectors` are those of an embedding. */
export type PluginAnswer = Completion & {
  readonly vectors?: readonly (readonly number[])[];
};

/** Parts of an answer on their way to the reader. The last one of an answer is `finish`. */
export type PluginParts = readonly StreamPart<PluginAnswer>[];

/** One call as one plugin sees it: the same object for every hook, so that a `WeakMap` can hold the plugin's state. */
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
  /**
   * What the plugins inside of this one made of it: the request as it is sent, and the answer as the vendor gave it, once
   * it is whole. On a cache hit the answer is the cached one.
   */
  readonly innermost: { readonly request: PluginRequest; readonly answer?: PluginAnswer };
  /** The fire drill that the call is part of. */
  readonly drill?: string;
  /** Aborts when the call ends before its time: by its caller, its deadline, or the router's `close`. */
  readonly signal: AbortSignal;
  /** What is left until the call's deadline, in milliseconds. */
  remainingMs(): number;
  /** Time and chance: use these rather than `Date`, timers and `Math.random`, and tests run on virtual time. */
  readonly runtime: Runtime;
  /**
   * Makes another call on behalf of this one, through the plugins inside of this one only, so that it cannot recurse. It
   * ends with this call. Its tags are those of its tier and of `options`.
   * @throws SignalboxError as `router.complete` does
   */
  ask(
    tier: string,
    messages: string | readonly Message[],
    options?: CallOptions,
  ): Promise<Completion>;
  /** The same for vectors. @throws SignalboxError as `router.embed` does */
  embed(
    tier: string,
    values: string | readonly string[],
    options?: EmbedOptions,
  ): Promise<Embeddings>;
  /**
   * Sends this call's request to another target as well, as `ask` would. The answer is not this call's.
   * @throws SignalboxError as `router.complete` does
   */
  fork(options: { readonly target: TargetId; readonly tags?: Tags }): Promise<PluginAnswer>;
}

/** How one attempt ended. */
export type PluginAttemptResult = Attempt & {
  /** What the vendor called the answer, and the model that gave it. */
  readonly answerId?: string;
  readonly servedModel?: string;
  readonly finishReason?: FinishReason;
};

/** One attempt: one request to one target. */
export interface PluginAttempt {
  readonly target: string;
  readonly provider: string;
  readonly model: string;
  /** Which of the provider's keys, from 1; only with a pool of them. */
  readonly key?: number;
  /** The attempt's number within the call, from 1. */
  readonly attempt: number;
  /** Aborts when the attempt must end, for any reason. */
  readonly signal: AbortSignal;
  readonly call: PluginCall;
  /** Stops the connect timeout: for a plugin that answers an attempt itself. Otherwise the transport does it. */
  connected(): void;
  /** Resolves when the attempt is over and the router has decided what follows. Never rejects. */
  readonly ended: Promise<PluginAttemptResult>;
}

/** Sees the parts of one answer. Made for each answer, so its fields can hold state. */
export interface PartsHook {
  /** Returns what is passed on of the parts, with others put in or left out. */
  parts(batch: PluginParts): PluginParts | Promise<PluginParts>;
  /** The answer restarts: all parts so far are void. */
  restart?(): void;
  /** The answer is whole: returns what was held back. */
  end?(): PluginParts | Promise<PluginParts>;
}

/** What becomes of a tool call. A denied one is not in `toolCalls`; its part in `content` says so. */
export type ToolCallDecision = 'allow' | { readonly replace: Json } | { readonly deny: string };

type MaybePromise<Value> = Value | Promise<Value>;

/**
 * A layer around calls. `plugins: [outer, inner]`: requests pass the layers from the first to the last, answers from the
 * last to the first. Each hook is optional.
 *
 * What is inside of a layer (its own hooks but `onParts`, the plugins after it, repairs, `continue`, the vendor) sees the
 * request as its `onRequest` returned it. The caller, `schema` and `validate` see the answer as the first plugin's
 * `onParts` returned it.
 *
 * A hook that throws fails the call with `plugin_failed`, which names the plugin. An error of the call itself that passes
 * through a `wrap` hook stays what it is.
 *
 * @experimental until version 1.0
 */
export interface Plugin {
  /** Unique in a router. In errors and in the answer's parts. */
  readonly name: string;
  /** Tiers whose calls skip this plugin. */
  readonly exceptTiers?: readonly string[];
  /**
   * Whether a hook that throws is passed over instead: the request or answer stays as it was, a tool call is allowed. A
   * `wrapCall` that has read some of the answer is not passed over. @default false
   */
  readonly failOpen?: boolean;
  /**
   * A call enters the layer. Returns the request, or another one; or blocks the call, which then fails with
   * `policy_blocked`, `policy` being the plugin's name. Also called with the turns that ask for a repair
   * (`request.isRepair`), of which only the messages are used.
   */
  onRequest?(
    request: PluginRequest,
    call: PluginCall,
  ): MaybePromise<PluginRequest | { readonly block: { readonly rule: string } }>;
  /**
   * Wraps everything inside. `next()` runs it, at most once; an answer can come from elsewhere instead, or be replayed. The
   * call's own answer ends with `finish`. With `signal`, what is inside ends by that one instead of by the call's: for an
   * answer that several calls share.
   */
  wrapCall?(
    call: PluginCall,
    next: (options?: { readonly signal?: AbortSignal }) => AsyncIterable<PluginParts>,
  ): AsyncIterable<PluginParts>;
  /** Parts leave the layer, cached ones too. For `complete`, and for what `schema` sees, they are whole parts. */
  onParts?(call: PluginCall): PartsHook;
  /** Returns why this target must not take the call, or `true`. Called when the call is planned. */
  eligible?(
    target: { readonly target: string; readonly provider: string; readonly model: string },
    call: PluginCall,
  ): true | string;
  /**
   * Wraps the sending of one attempt. The request is sent, and every read of its answer runs, in the async context that is
   * active when `next()` is called. Nothing is read after the last part: `attempt.ended` is the place for what comes after.
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
  /** The router is closed, and all calls are over. */
  close?(): MaybePromise<void>;
}
