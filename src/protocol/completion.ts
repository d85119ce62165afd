import type { Attempt } from './attempt.ts';
import type { Json, JsonSchema } from './json.ts';
import type { Part, ToolCallPart } from './message.ts';
import type { Tool } from './request.ts';
import type { InferOutput, StandardSchema } from './standard-schema.ts';
import type { Cost, Usage } from './usage.ts';

/** Why the model stopped; the vendor's own word is in `rawFinishReason`. */
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

/** Something the answer's target could not honour, or that was odd about the answer. */
export type Warning = {
  readonly code:
    | 'dropped-param'
    | 'adjusted-param'
    | 'dropped-part'
    | 'schema-relaxed'
    | 'usage-missing'
    | 'malformed-event'
    | 'compat';
  readonly param?: string;
  readonly message: string;
};

export type Tags = Readonly<Record<string, string>>;

/** The tool calls that a list of tools allows, told apart by `name`. */
export type ToolCallOf<Tools> = Tools extends readonly (infer Each)[]
  ? Each extends Tool<infer Name, infer Schema>
    ? ToolCallPart<Name, Schema extends StandardSchema ? InferOutput<Schema> : Json>
    : never
  : ToolCallPart;

/** `undefined` where tools may be given: an answer that calls them has no object. `never` where there are none. */
type MissingObject<Tools> = [Tools] extends [undefined]
  ? // Both hold for `any`, of which nothing is known.
    [unknown] extends [Tools]
    ? undefined
    : never
  : undefined;

/**
 * The type of `object`: what `schema` promises, and `undefined` without one. With `tools` it is `undefined` too when
 * the answer calls tools.
 */
export type ObjectOf<Schema, Tools = undefined> = Schema extends StandardSchema | JsonSchema
  ? InferOutput<Schema> | MissingObject<Tools>
  : undefined;

/** A whole answer. */
export type Completion<
  ObjectType = unknown,
  ToolCall = ToolCallPart,
  Tier extends string = string,
> = {
  /** The vendor's id of the answer, or one of ours when it gave none. */
  readonly id: string;
  readonly tier: Tier;
  /** `provider/model` that answered. */
  readonly target: string;
  readonly provider: string;
  readonly model: { readonly requested: string; readonly served: string };
  readonly content: readonly Part[];
  readonly text: string;
  readonly reasoningText: string;
  readonly toolCalls: readonly ToolCall[];
  readonly object: ObjectType;
  readonly finishReason: FinishReason;
  readonly rawFinishReason?: string;
  /** The vendor's detail on a refusal or a filter, such as its category. */
  readonly finishDetail?: string;
  readonly usage: Usage;
  readonly cost: Cost;
  /** Milliseconds since the call began, waits and failed attempts included. */
  readonly latency: {
    readonly totalMs: number;
    readonly firstTokenMs?: number;
  };
  /** The vendor's request id, for its support. */
  readonly requestId?: string;
  readonly serviceTier?: string;
  readonly trail: readonly Attempt[];
  readonly warnings: readonly Warning[];
  readonly tags: Tags;
  /** With `singleFlight`: another caller's request answered this one too, and its cost was billed there. */
  readonly shared?: true;
  /** The vendor's own response (a list of events for a stream); only with `raw: true`. */
  readonly raw?: unknown;
};

/** What had arrived when an answer broke off. */
export type PartialAnswer = {
  readonly target: string;
  readonly content: readonly Part[];
  readonly text: string;
  readonly usage?: Usage;
};
