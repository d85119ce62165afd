import type { ToolResultPart } from '../../protocol/message.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import type { RunnableTool, ToolContext } from './tool.ts';
import { isToolError } from './tool-error.ts';
import { failedResult, outputOf, UnusableOutput } from './tool-output.ts';

/** Milliseconds. */
const defaultTimeoutMs = 60_000;

export type Executed =
  | { readonly status: 'ok'; readonly result: ToolResultPart }
  | {
      readonly status: 'error' | 'timeout';
      readonly result: ToolResultPart;
      readonly error?: unknown;
    }
  | { readonly status: 'aborted' };

/** What the model learns of a failure: only what the tool's author meant for it. */
function textOf(error: unknown): string {
  if (isToolError(error)) return error.message;
  return error instanceof UnusableOutput
    ? 'The tool failed: its output could not be used.'
    : 'The tool failed.';
}

/**
 * Runs a tool once, until it ends, its time is over, or the run is aborted. Does not wait for a tool that ignores its
 * signal. Never rejects.
 */
export async function executeTool(
  tool: RunnableTool,
  input: unknown,
  { signal: runSignal, ...about }: ToolContext,
  runtime: Runtime,
): Promise<Executed> {
  const { timeoutMs = defaultTimeoutMs } = tool;
  const called = { id: about.toolCallId, name: tool.name };
  const controller = new AbortController();
  const timer = new AbortController();
  const ended = Promise.withResolvers<Executed>();
  const abort = (): void => {
    ended.resolve({ status: 'aborted' });
    controller.abort(runSignal.reason);
  };
  // A listener of the events may have aborted the run.
  if (runSignal.aborted) return { status: 'aborted' };
  runSignal.addEventListener('abort', abort, { once: true });
  const onTime = (): void => {
    const text = `The tool did not answer within ${timeoutMs} ms. It may still take effect.`;
    ended.resolve({ status: 'timeout', result: failedResult(called, text) });
    controller.abort(new DOMException(`over ${timeoutMs} ms`, 'TimeoutError'));
  };
  runtime.sleep(timeoutMs, timer.signal).then(onTime, () => undefined);

  async function run(): Promise<Executed> {
    try {
      // The engine or `validInput` checked it: the types of a tool and its schema agree.
      const value = await tool.execute(input as never, { ...about, signal: controller.signal });
      const output = outputOf(value);
      return { status: 'ok', result: { type: 'tool-result', ...called, output } };
    } catch (error) {
      return { status: 'error', result: failedResult(called, textOf(error)), error };
    }
  }

  try {
    return await Promise.race([ended.promise, run()]);
  } finally {
    timer.abort();
    runSignal.removeEventListener('abort', abort);
  }
}
