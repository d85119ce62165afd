import type { JsonObject } from '../../protocol/json.ts';
import type { Usage } from '../../protocol/usage.ts';
import { countOf } from '../common/read.ts';

/** Thoughts are counted apart from the candidates, and the input of server tools apart from the prompt. */
export function toUsage(raw: JsonObject): Usage {
  const thoughts = countOf(raw.thoughtsTokenCount);
  const cached = countOf(raw.cachedContentTokenCount);
  const inputTokens =
    (countOf(raw.promptTokenCount) ?? 0) + (countOf(raw.toolUsePromptTokenCount) ?? 0);
  const outputTokens = (countOf(raw.candidatesTokenCount) ?? 0) + (thoughts ?? 0);
  return {
    inputTokens,
    outputTokens,
    totalTokens: inputTokens + outputTokens,
    ...(cached !== undefined && { cachedInputTokens: cached }),
    ...(thoughts !== undefined && { reasoningTokens: thoughts }),
    raw,
  };
}
