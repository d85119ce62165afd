import type { JsonObject } from '../../protocol/json.ts';
import type { Usage } from '../../protocol/usage.ts';
import { countOf, isObject, objectOf } from '../common/read.ts';

/**
 * Lays what a later event tells over what an earlier one told. Counts are cumulative, and a field that a
 * later event leaves out or sets to null keeps its earlier value.
 */
export function mergeUsage(before: JsonObject | undefined, later: unknown): JsonObject | undefined {
  if (!isObject(later)) return before;
  const merged: Record<string, unknown> = { ...before };
  for (const [name, value] of Object.entries(later)) {
    if (value !== null && value !== undefined) merged[name] = value;
  }
  return merged;
}

/** The API counts cached and written input apart from `input_tokens`; their sum is what was sent. */
export function toUsage(raw: JsonObject): Usage {
  const byTtl = objectOf(raw.cache_creation);
  const written = {
    '5m': countOf(byTtl.ephemeral_5m_input_tokens),
    '1h': countOf(byTtl.ephemeral_1h_input_tokens),
  };
  const cached = countOf(raw.cache_read_input_tokens);
  const writtenInAll =
    countOf(raw.cache_creation_input_tokens) ??
    (isObject(raw.cache_creation) ? (written['5m'] ?? 0) + (written['1h'] ?? 0) : undefined);
  const inputTokens = (countOf(raw.input_tokens) ?? 0) + (cached ?? 0) + (writtenInAll ?? 0);
  const outputTokens = countOf(raw.output_tokens) ?? 0;
  const thinking = countOf(objectOf(raw.output_tokens_details).thinking_tokens);
  const splits = Object.entries(written).filter(
    (split): split is [string, number] => split[1] !== undefined && split[1] > 0,
  );
  return {
    inputTokens,
    outputTokens,
    totalTokens: inputTokens + outputTokens,
    ...(cached !== undefined && { cachedInputTokens: cached }),
    ...(writtenInAll !== undefined && { cacheWriteTokens: writtenInAll }),
    ...(splits.length > 0 && { cacheWriteTokensByTtl: Object.fromEntries(splits) }),
    ...(thinking !== undefined && { reasoningTokens: thinking }),
    raw,
  };
}
