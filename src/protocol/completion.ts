import type { Attempt } from './attempt.ts';
import type { Json, JsonSchema } from './json.ts';
import type { Part, ToolCallPart } from './message.ts';
import type { Tool } from './request.ts';
import type { InferOutput, StandardSchema } from './standard-schema.ts';
import type { Cost, Usage } from './usage.ts';

/** Why the model stopped. The vendor's value is in `rawFinishReason`. */
export type FinishReason =
  | 'stop'
  | 'length'
  | 'tool_calls'
  | 'content_filter'
  | 'refusal'
  | 'context_length'
  | 'pause'
  | 'error'
  | 'other';

/** An option that the target does not support, or an irregularity in its answer. */
export type Warning = {
  readonly code:
    | 'dropped-param'
    | 'adjusted-param'
    | 'dropped-part'
    | 'schema-relaxed'
    | 'usage-missing'
    | 'malformed-event'
    | 'compat';
  /** The option that the warning is about. */
  readonly param?: string | undefined;
  readonly message: string;
};

/** Labels of a call, for your own metrics. */
export type Tags = Readonly<Record<string, string>>;

/** Tags as an option. A tag that is `undefined` is ignored. */
export type TagOptions = Readonly<Record<string, string | undefined>>;

/** The tool calls that a list of tools allows: a union discriminated by `name`. */
export type ToolCallOf<Tools> = Tools extends readonly (infer Each)[]
  ? Each extends Tool<infer Name, infer Schema>
    ? ToolCallPart<Name, Schema extends StandardSchema ? InferOutput<Schema> : Json>
    : never
  : ToolCallPart;

/** `undefined` if there may be tools, because an answer that calls tools has no object. Otherwise `never`. */
type MissingObject<Tools> = [Tools] extends [undefined]
  ? // `any` matches both conditions: there may be tools.
    [unknown] extends [Tools]
    ? undefined
    : never
  : undefined;

/**
 * Type of `completion.object`: the schema's output type, or `undefined` without a schema. With `tools` it may be
 * `undefined` too, because an answer that calls tools has no object.
 */
export type ObjectOf<Schema, Tools = undefined> = Schema extends StandardSchema | JsonSchema
  ? InferOutput<Schema> | MissingObject<Tools>
  : undefined;

/** A complete answer. */
export type Completion<
  ObjectType = unknown,
  ToolCall = ToolCallPart,
  Tier extends string = string,
> = {
  /** The vendor's id of the answer. Generated if the vendor sends none. */
  readonly id: string;
  /**
   * The `callId` of the call's events, for `router.feedback`. With `singleFlight`, a call that shares the request of another
   * one has no events without plugins: then it is that of the other call.
   */
  readonly callId: string;
  readonly tier: Tier;
  /** `provider/model` that answered. */
  readonly target: string;
  readonly provider: string;
  /** The model in the target, and the model that the vendor reports. */
  readonly model: { readonly requested: string; readonly served: string };
  readonly content: readonly Part[];
  /** All text parts, concatenated. */
  readonly text: string;
  /** All reasoning parts, concatenated. */
  readonly reasoningText: string;
  /** The tool calls in `content`, except those that a plugin denied. */
  readonly toolCalls: readonly ToolCall[];
  /** The answer, parsed and validated against `schema`. `undefined` without a schema. */
  readonly object: ObjectType;
  readonly finishReason: FinishReason;
  /** The vendor's own finish reason. */
  readonly rawFinishReason?: string;
  /** The vendor's details about a refusal or a content filter, such as a category. */
  readonly finishDetail?: string;
  readonly usage: Usage;
  readonly cost: Cost;
  /** Milliseconds since the start of the call, including waits and failed attempts. */
  readonly latency: {
    readonly totalMs: number;
    readonly firstTokenMs?: number;
  };
  /** The vendor's request id, for its support. */
  readonly requestId?: string;
  /** The service tier that the vendor reports. */
  readonly serviceTier?: string;
  /** Every attempt of the call and every skipped target, in order. */
  readonly trail: readonly Attempt[];
  readonly warnings: readonly Warning[];
  readonly tags: Tags;
  /** With `singleFlight`: the request of another call answered this one, and the cost was billed there. */
  readonly shared?: true;
  /**
   * Answered by the plugin `responseCache`: from an entry, or (with `shared`) by the request of an identical concurrent
   * call. `cost` is 0, with what was saved in `savedUsd`; `trail` is empty; `id`, `usage` and `requestId` are those of
   * the answer when it was made.
   */
  readonly cached?: true;
  /** The vendor's response, or the list of its events for a stream. Only with `raw: true`. */
  readonly raw?: unknown;
};

/** The content received before an answer broke off. */
export type PartialAnswer = {
  readonly target: string;
  readonly content: readonly Part[];
  readonly text: string;
  readonly usage?: Usage;
};
