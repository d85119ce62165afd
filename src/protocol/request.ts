import type { Json, JsonSchema } from './json.ts';
import type { CacheHint, NormalMessage } from './message.ts';
import type { StandardSchema } from './standard-schema.ts';

/** A tool that the model may call. With a Standard Schema as `inputSchema`, its input is typed and validated. */
export type Tool<
  Name extends string = string,
  Input extends StandardSchema | JsonSchema = StandardSchema | JsonSchema,
> = {
  readonly name: Name;
  readonly description?: string | undefined;
  readonly inputSchema: Input;
  /** Asks the vendor to enforce the schema, if it supports that. @default false */
  readonly strict?: boolean | undefined;
  /**
   * Running it cannot be undone. Not sent to the vendor: `guardTools` denies such a call unless it is allowed, and
   * `runTools` asks for approval.
   * @default false
   */
  readonly destructive?: boolean | undefined;
  readonly cache?: CacheHint | undefined;
};

/** Whether the model may call tools, must call one, or must call the named one. */
export type ToolChoice = 'auto' | 'none' | 'required' | { readonly name: string };

/** Reasoning effort. A target uses the nearest one that it supports. */
export type Effort = 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh' | 'max';

export type Reasoning = {
  readonly effort?: Effort | undefined;
  /** Maximum reasoning tokens, if the target supports that. */
  readonly budgetTokens?: number | undefined;
  /** Requests the reasoning, or its summary, as visible parts. @default false */
  readonly include?: boolean | undefined;
};

/** What happens when a target does not support an option: drop it with a warning, fail the call, or skip the target. */
export type OnUnsupported = 'warn' | 'error' | 'skip-target';

/** Whether the vendor is asked for a stream or for one JSON answer. */
export type Transfer = 'stream' | 'unary';

/** A tool as adapters receive it: the schema is plain JSON Schema. */
export type NormalTool = Omit<Tool, 'inputSchema'> & {
  readonly inputSchema: JsonSchema;
};

/** Sampling options. The default of each is the vendor's. See `onUnsupported` for targets that do not support one. */
export type Sampling = {
  readonly maxOutputTokens?: number | undefined;
  readonly temperature?: number | undefined;
  readonly topP?: number | undefined;
  readonly topK?: number | undefined;
  readonly frequencyPenalty?: number | undefined;
  readonly presencePenalty?: number | undefined;
  readonly stop?: readonly string[] | undefined;
  readonly seed?: number | undefined;
};

/** A request as adapters receive it: normalized and validated, with schemas as plain JSON Schema. */
export type ProviderRequest = Sampling & {
  /** Key of `providers` in the configuration. Also the issuer in `Opaque`. */
  readonly provider: string;
  /** The vendor's model id. */
  readonly model: string;
  /** Index of the key in the provider's pool that the request is sent with, from 0. Absent without a pool. */
  readonly key?: number;
  readonly messages: readonly NormalMessage[];
  readonly tools?: readonly NormalTool[] | undefined;
  readonly toolChoice?: ToolChoice | undefined;
  readonly parallelToolCalls?: boolean | undefined;
  readonly output?: { readonly name: string; readonly schema: JsonSchema } | undefined;
  readonly reasoning?: Reasoning | undefined;
  readonly cache?: CacheHint | undefined;
  readonly userId?: string | undefined;
  /** Merged last into the vendor's request body. */
  readonly extraBody?: { readonly [key: string]: Json } | undefined;
};
