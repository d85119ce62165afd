import type { Json, JsonSchema } from './json.ts';
import type { CacheHint, NormalMessage } from './message.ts';
import type { StandardSchema } from './standard-schema.ts';

/** A tool the model may call. Typed and checked when `inputSchema` is a Standard Schema. */
export type Tool<
  Name extends string = string,
  Input extends StandardSchema | JsonSchema = StandardSchema | JsonSchema,
> = {
  readonly name: Name;
  readonly description?: string;
  readonly inputSchema: Input;
  /** Asks the vendor to enforce the schema where it can. @default false */
  readonly strict?: boolean;
  readonly cache?: CacheHint;
};

export type ToolChoice = 'auto' | 'none' | 'required' | { readonly name: string };

export type Effort = 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh' | 'max';

export type Reasoning = {
  readonly effort?: Effort;
  /** Upper bound of reasoning tokens, where the target takes one. */
  readonly budgetTokens?: number;
  /** Ask for the reasoning (or its summary) as visible parts. @default false */
  readonly include?: boolean;
};

/** What becomes of an option that the target cannot honour. */
export type OnUnsupported = 'warn' | 'error' | 'skip-target';

/** How the vendor is asked to answer. */
export type Transfer = 'stream' | 'unary';

/** A tool as adapters see it: the schema is plain JSON Schema. */
export type NormalTool = Omit<Tool, 'inputSchema'> & {
  readonly inputSchema: JsonSchema;
};

/** The sampling options of a call. All are optional; what a target lacks is reported as a warning. */
export type Sampling = {
  readonly maxOutputTokens?: number;
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly frequencyPenalty?: number;
  readonly presencePenalty?: number;
  readonly stop?: readonly string[];
  readonly seed?: number;
};

/** One request as every adapter gets it: normalised, validated, schemas already plain. */
export type ProviderRequest = Sampling & {
  /** Key of `providers` in the configuration; the issuer's name in `Opaque`. */
  readonly provider: string;
  /** The vendor's model id. */
  readonly model: string;
  readonly messages: readonly NormalMessage[];
  readonly tools?: readonly NormalTool[];
  readonly toolChoice?: ToolChoice;
  readonly parallelToolCalls?: boolean;
  readonly output?: { readonly name: string; readonly schema: JsonSchema };
  readonly reasoning?: Reasoning;
  readonly cache?: CacheHint;
  readonly userId?: string;
  /** Merged last into the vendor's body. */
  readonly extraBody?: { readonly [key: string]: Json };
};
