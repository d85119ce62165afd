import type { JsonObject } from '../../protocol/json.ts';
import type { Usage } from '../../protocol/usage.ts';
import { TokenCounts } from '../common/token-counts.ts';

/**
 * Converts the usage. The API counts thoughts separately from candidates, and the input of server tools separately from
 * the prompt. Returns `undefined` when one of these counts is implausible.
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
