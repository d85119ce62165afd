/** A failure that the model may know of: its message is sent to the model as the result of the tool. */
export class ToolError extends Error {
  override readonly name = 'ToolError';
}
