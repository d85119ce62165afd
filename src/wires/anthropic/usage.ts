import type { JsonObject } from '../../protocol/json.ts';
import type { Usage } from '../../protocol/usage.ts';
import { checkUsage } from '../common/check-usage.ts';
import type { AddPart } from '../common/part-assembler.ts';
import { isObject, objectOf } from '../common/read.ts';
import { TokenCounts } from '../common/token-counts.ts';

/**
 * Merges the usage of a later event into the earlier usage. Counts are cumulative. A field that the later event omits
 * or sets to null keeps its value.
 */
export function mergeUsage(before: JsonObject | undefined, later: unknown): JsonObject | undefined {
  if (!isObject(later)) return before;
  const merged: Record<string, unknown> = { ...before };
  for (const [name, value] of Object.entries(later)) {
    if (value !== null && value !== undefined) merged[name] = value;
  }
  checkUsage(merged);
  return merged;
}

/** Cache writes by lifetime, without zeros. */
function writtenByTtl(creation: JsonObject, counts: TokenCounts): Readonly<Record<string, number>> {
  const written: Record<string, number> = {};
  const shortly = counts.of(creation.ephemeral_5m_input_tokens) ?? 0;
  const longer = counts.of(creation.ephemeral_1h_input_tokens) ?? 0;
  if (shortly > 0) written['5m'] = shortly;
  if (longer > 0) written['1h'] = longer;
  return written;
}

/**
 * The API counts cached and written input separately from `input_tokens`; the sum is the whole input. Returns
 * `undefined` when one of these counts is implausible.
 */
export function toUsage(raw: JsonObject): Usage | undefined {
  const counts = new TokenCounts();
  const written = isObject(raw.cache_creation)
    ? writtenByTtl(raw.cache_creation, counts)
    : undefined;
  const cached = counts.of(raw.cache_read_input_tokens);
  const writtenInAll =
    counts.of(raw.cache_creation_input_tokens) ??
    (written && (written['5m'] ?? 0) + (written['1h'] ?? 0));
  const inputTokens = (counts.of(raw.input_tokens) ?? 0) + (cached ?? 0) + (writtenInAll ?? 0);
  const outputTokens = counts.of(raw.output_tokens) ?? 0;
  if (counts.isDoubtful) return undefined;
  const thinking = counts.of(objectOf(raw.output_tokens_details).thinking_tokens);
  const isSplit = written !== undefined && Object.keys(written).length > 0;
  return {
    inputTokens,
    outputTokens,
    totalTokens: inputTokens + outputTokens,
    ...(cached !== undefined && { cachedInputTokens: cached }),
    ...(writtenInAll !== undefined && { cacheWriteTokens: writtenInAll }),
    ...(isSplit && { cacheWriteTokensByTtl: written }),
    ...(thinking !== undefined && { reasoningTokens: thinking }),
    ...counts.certainty,
    raw,
  };
}

/** Emits the usage known at the start of a stream, if it is plausible. */
export function emitEarlyUsage(raw: JsonObject | undefined, addPart: AddPart): void {
  const usage = raw && toUsage(raw);
  if (usage !== undefined) addPart({ type: 'usage', usage });
}
