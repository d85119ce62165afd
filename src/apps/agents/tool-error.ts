const brand = Symbol.for('signalbox.tool-error');

/** A failure that the model may know of: its message is sent to the model as the result of the tool. */
export class ToolError extends Error {
  override readonly name = 'ToolError';
  readonly [brand] = true;
}

/** Also true for a `ToolError` of another copy of the package. */
export function isToolError(error: unknown): error is ToolError {
  return error instanceof Error && brand in error;
}
