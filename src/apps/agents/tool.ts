import type { Json, JsonSchema } from '../../protocol/json.ts';
import type { FilePart, ImagePart, TextPart } from '../../protocol/message.ts';
import type { Tool } from '../../protocol/request.ts';
import type { InferOutput, StandardSchema } from '../../protocol/standard-schema.ts';

/** What the model gets of a tool: JSON, or parts such as an image. */
export type ToolOutput = Json | readonly (TextPart | ImagePart | FilePart)[] | undefined;

/** What a tool learns about the call that it runs for. */
export type ToolContext = {
  /** The id of the run. It stays the same when the run is resumed. */
  readonly runId: string;
  /** The id of the tool call, unique in the run. With `runId`, a key for idempotency. */
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
   *
   * Returns what the model gets: a {@link ToolOutput}, or anything that `JSON.stringify` can write, up to 1,000,000
   * characters (of parts: of text). `undefined` is sent as `null`. Anything else (a cycle, a BigInt, a function) is a failure of the tool.
   */
  execute(
    // Any tool is a `RunnableTool`: a method's parameters are compared in both directions.
    input: Input extends StandardSchema ? InferOutput<Input> : Json,
    context: ToolContext,
    // Not `ToolOutput`: an object with an interface as its type is JSON too, but not assignable to it.
  ): unknown;
  /** Milliseconds after which the call of the tool has failed. @default 60_000 */
  readonly timeoutMs?: number | undefined;
};

/** Returns the tool as it is, with its name and the type of its input inferred. Checks nothing. */
export function defineTool<
  const Name extends string,
  const Input extends StandardSchema | JsonSchema,
>(tool: RunnableTool<Name, Input>): RunnableTool<Name, Input> {
  return tool;
}
