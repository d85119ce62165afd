import type { Warning } from '../../protocol/completion.ts';
import type { NormalMessage, Part, ToolCallPart, ToolResultPart } from '../../protocol/message.ts';

/** What a call without a result is answered with: every wire wants each call answered. */
const noResult = 'This tool call was not answered.';

function isCall(part: Part): part is ToolCallPart {
  return part.type === 'tool-call';
}

function isOfTools(part: Part): boolean {
  return part.type === 'tool-call' || part.type === 'tool-result';
}

function callsOf(message: NormalMessage): readonly ToolCallPart[] {
  return message.role === 'assistant' ? message.content.filter(isCall) : [];
}

/**
 * Puts the results of each assistant turn's tool calls into one `tool` turn right after it, in the order of
 * the calls. A call without a result is answered with an error; a result without a call is left out.
 * A result belongs to the nearest turn with calls before it, so ids may be used again later.
 */
export function pairToolResults(messages: readonly NormalMessage[]): {
  readonly messages: readonly NormalMessage[];
  readonly warnings: readonly Warning[];
} {
  if (!messages.some(({ content }) => content.some(isOfTools))) return { messages, warnings: [] };
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
          message: `the call of tool "${call.name}" had no result; it was answered with an error`,
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
          message: `a result of tool "${part.name}" answers no call before it and was left out`,
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
