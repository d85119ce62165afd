import type { JsonObject } from '../../protocol/json.ts';
import type { Usage } from '../../protocol/usage.ts';
import { TokenCounts } from '../common/token-counts.ts';

/**
 * Thoughts are counted apart from the candidates, and the input of server tools apart from the prompt. `undefined`
 * where one of these cannot be right.
 */
export function toUsage(raw: JsonObject): Usage | undefined {
  const counts = new TokenCounts();
  const thoughts = counts.of(raw.thoughtsTokenCount);
  const inputTokens =
    (counts.of(raw.promptTokenCount) ?? 0) + (counts.of(raw.toolUsePromptTokenCount) ?? 0);
  const outputTokens = (counts.of(raw.candidatesTokenCount) ?? 0) + (thoughts ?? 0);
  if (counts.isDoubtful) return undefined;
  const cached = counts.of(raw.cachedContentTokenCount);
  return {
    inputTokens,
    outputTokens,
    totalTokens: inputTokens + outputTokens,
    ...(cached !== undefined && { cachedInputTokens: cached }),
    ...(thoughts !== undefined && { reasoningTokens: thoughts }),
    ...counts.certainty,
    raw,
  };
}
