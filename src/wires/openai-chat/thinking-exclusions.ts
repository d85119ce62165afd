import type { Warning } from '../../protocol/completion.ts';
import type { Reasoning } from '../../protocol/request.ts';
import { adjustedParam } from '../common/request.ts';
import type { ChatQuirks } from './dialect.ts';

type Options = {
  readonly reasoning: Reasoning | undefined;
  /** Whether `tool_choice` forces a call. */
  readonly isForced: boolean;
  /** Whether `response_format` would be set. */
  readonly hasFormat: boolean;
};

/** The options in a form that the vendor accepts together. */
type Fitted = {
  readonly reasoning: Reasoning | undefined;
  readonly isForced: boolean;
  readonly hasFormat: boolean;
  /** Whether the answer must be streamed, also when the caller wants it whole. */
  readonly needsStream: boolean;
  readonly warnings: readonly Warning[];
};

/** Whether the request asks for reasoning; `undefined` leaves it to the vendor. */
function isRequested({ effort, budgetTokens, include }: Reasoning): boolean | undefined {
  if (effort !== undefined) return effort !== 'none';
  if (budgetTokens !== undefined) return budgetTokens > 0;
  return include === true ? true : undefined;
}

/**
 * Resolves options that the vendor rejects while the model thinks. Thinking that was requested is kept, and the forced
 * tool becomes `auto` and the schema an instruction in the prompt. Thinking that is only the model's default is turned
 * off instead.
 */
export function fitToThinking(
  { reasoning, isForced, hasFormat }: Options,
  { thinkingExcludes, thinkingDefault }: ChatQuirks,
): Fitted {
  const requested = reasoning === undefined ? undefined : isRequested(reasoning);
  const thinks = thinkingDefault === 'always' || (requested ?? thinkingDefault === 'on');
  const excludes = (what: ChatQuirks['thinkingExcludes'][number]): boolean =>
    thinks && thinkingExcludes.includes(what);
  const rejectsForced = isForced && excludes('forced-tool');
  const rejectsFormat = hasFormat && excludes('schema');
  const needsStream = excludes('unary');
  if (!rejectsForced && !rejectsFormat) {
    return { reasoning, isForced, hasFormat, needsStream, warnings: [] };
  }
  if (requested === undefined && thinkingDefault === 'on') {
    const what = rejectsForced ? 'a forced tool call' : 'a schema';
    const message = `the vendor rejects ${what} while the model thinks; thinking was turned off`;
    return {
      reasoning: { effort: 'none' },
      isForced,
      hasFormat,
      needsStream: false,
      warnings: [adjustedParam('reasoning', message)],
    };
  }
  const message =
    'the vendor cannot force a tool call while the model thinks; toolChoice was sent as "auto"';
  return {
    reasoning,
    isForced: isForced && !rejectsForced,
    hasFormat: hasFormat && !rejectsFormat,
    needsStream,
    warnings: rejectsForced ? [adjustedParam('toolChoice', message)] : [],
  };
}
