import type { Completion } from '../../src/protocol/completion.ts';
import type { Part } from '../../src/protocol/message.ts';

/** A completion with this content. */
export function completionOf(content: readonly Part[], more: Partial<Completion> = {}): Completion {
  return {
    id: 'answer_1',
    callId: 'call_1',
    tier: 'fast',
    target: 'a/1',
    provider: 'a',
    model: { requested: '1', served: '1' },
    content,
    text: content.map((part) => (part.type === 'text' ? part.text : '')).join(''),
    reasoningText: '',
    toolCalls: content.filter((part) => part.type === 'tool-call'),
    object: undefined,
    finishReason: 'stop',
    usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 },
    cost: {
      usd: null,
      breakdown: { input: 0, cachedInput: 0, cacheWrite: 0, output: 0 },
      priced: 'unknown',
      attemptsUsd: 0,
    },
    latency: { totalMs: 1 },
    trail: [],
    warnings: [],
    tags: {},
    ...more,
  };
}
