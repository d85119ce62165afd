import type { FinishReason } from '../../protocol/completion.ts';

/** The AI SDK's words, in its models and in its UI message streams. */
export const finishReasons = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool-calls',
  content_filter: 'content-filter',
  refusal: 'content-filter',
  context_length: 'length',
  pause: 'other',
  error: 'error',
  other: 'other',
} as const satisfies Record<FinishReason, string>;
