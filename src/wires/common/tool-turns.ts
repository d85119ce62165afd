import type { Warning } from '../../protocol/completion.ts';
import type { NormalMessage, Part, ToolCallPart, ToolResultPart } from '../../protocol/message.ts';

/** The result of a call that has none. Every wire requires a result for each call. */
const noResult = 'This tool call was not answered.';

function isCall(part: Part): part is ToolCallPart {
  return part.type === 'tool-call';
}

function isCallOrResult(part: Part): boolean {
  return part.type === 'tool-call' || part.type === 'tool-result';
}

function callsOf(message: NormalMessage): readonly ToolCallPart[] {
  return message.role === 'assistant' ? message.content.filter(isCall) : [];
}

/**
 * Moves the results of each assistant turn's tool calls into one `tool` turn directly after it, in the order of the
 * calls. A call without a result gets an error result. A result without a call is dropped. A result is matched to the
 * nearest preceding turn with calls, so later turns may reuse ids.
 */
export function pairToolResults(messages: readonly NormalMessage[]): {
  readonly messages: readonly NormalMessage[];
  readonly warnings: readonly Warning[];
} {
  if (!messages.some(({ content }) => content.some(isCallOrResult)))
    return { messages, warnings: [] };
  const paired: NormalMessage[] = [];
  const warnings: Warning[] = [];
  let open:
    | { readonly calls: readonly ToolCallPart[]; readonly results: Map<string, Part> }
    | undefined;
  let waiting: NormalMessage[] = [];

  const settle = (): void => {
    if (open !== undefined) {
      const { calls, results } = open;
      const content = calls.map((call): Part => {
        const result = results.get(call.id);
        if (result !== undefined) return result;
        warnings.push({
          code: 'compat',
          message: `the call of tool "${call.name}" has no result; an error result was sent`,
        });
        return {
          type: 'tool-result',
          id: call.id,
          name: call.name,
          output: noResult,
          isError: true,
        } satisfies ToolResultPart;
      });
      paired.push({ role: 'tool', content });
    }
    paired.push(...waiting);
    open = undefined;
    waiting = [];
  };

  for (const message of messages) {
    const calls = callsOf(message);
    if (calls.length > 0) settle();
    const kept = message.content.filter((part) => {
      if (part.type !== 'tool-result') return true;
      const expected = open?.calls.some((call) => call.id === part.id) === true;
      if (expected && open?.results.has(part.id) === false) open.results.set(part.id, part);
      else {
        warnings.push({
          code: 'dropped-part',
          message: `a result of tool "${part.name}" matches no call before it and was dropped`,
        });
      }
      return false;
    });
    if (kept.length > 0) {
      const turn = { ...message, content: kept };
      if (calls.length > 0) paired.push(turn);
      else waiting.push(turn);
    }
    if (calls.length > 0) open = { calls, results: new Map() };
  }
  settle();
  return { messages: paired, warnings };
}
