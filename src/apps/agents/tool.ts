import type { Json, JsonSchema } from '../../protocol/json.ts';
import type { FilePart, ImagePart, TextPart } from '../../protocol/message.ts';
import type { Tool } from '../../protocol/request.ts';
import type { InferOutput, StandardSchema } from '../../protocol/standard-schema.ts';

/** What a tool returns to the model: JSON, or parts such as an image. `undefined` is sent as `null`. */
export type ToolOutput = Json | readonly (TextPart | ImagePart | FilePart)[] | undefined;

/** What a tool learns about the call that it runs for. */
export type ToolContext = {
  /** The id of the tool call, unique in the run: a key for idempotency. */
  readonly toolCallId: string;
  /** Index of the step whose answer called the tool, from 0. */
  readonly step: number;
  /** Aborts when the run is aborted, or after the tool's `timeoutMs`. */
  readonly signal: AbortSignal;
};

/** A tool that `runTools` runs when the model calls it. */
export type RunnableTool<
  Name extends string = string,
  Input extends StandardSchema | JsonSchema = StandardSchema | JsonSchema,
> = Tool<Name, Input> & {
  /**
   * Runs the tool. The input was validated against `inputSchema`. If it throws a `ToolError`, the model gets its message;
   * of any other error it only learns that the tool failed.
   */
  execute(
    // Any tool is a `RunnableTool`: a method's parameters are compared in both directions.
    input: Input extends StandardSchema ? InferOutput<Input> : Json,
    context: ToolContext,
  ): ToolOutput | Promise<ToolOutput>;
  /** Milliseconds after which the call of the tool has failed. @default 60_000 */
  readonly timeoutMs?: number | undefined;
};
