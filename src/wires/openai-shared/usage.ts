import type { JsonObject } from '../../protocol/json.ts';
import type { Usage } from '../../protocol/usage.ts';
import { isObject, objectOf } from '../common/read.ts';
import { TokenCounts } from '../common/token-counts.ts';

/** The field names of a wire's token counts. */
export type UsageNames = {
  readonly input: string;
  readonly inputDetails: string;
  readonly output: string;
  readonly outputDetails: string;
};

/**
 * Output tokens missing from the vendor's output count. xAI counts reasoning separately, and Google's compatible
 * endpoint does not report reasoning. Both include it in the total and bill it as output. Totals that differ for other
 * reasons are ignored.
 */
function hiddenOutput(
  input: number,
  output: number,
  total: number | undefined,
  reasoning: number | undefined,
): number {
  const rest = (total ?? 0) - input - output;
  return rest > 0 && (reasoning === undefined || reasoning === rest) ? rest : 0;
}

function cacheWrites(details: JsonObject, counts: TokenCounts): Partial<Usage> {
  // Qwen uses the second name.
  const written =
    counts.of(details.cache_write_tokens) ?? counts.of(details.cache_creation_input_tokens);
  const split = objectOf(details.cache_write_tokens_details);
  const byTtl = (['30m', '12h'] as const).flatMap((ttl) => {
    const count = counts.of(split[`ttl_${ttl}_tokens`]);
    return count === undefined || count === 0 ? [] : [[ttl, count] as const];
  });
  return {
    ...(written !== undefined && { cacheWriteTokens: written }),
    ...(byTtl.length > 0 && { cacheWriteTokensByTtl: Object.fromEntries(byTtl) }),
  };
}

/**
 * Converts the usage object of an OpenAI wire. Returns `undefined` when it has no counts, or when input or output is
 * implausible.
 */
export function openAIUsage(raw: unknown, names: UsageNames): Usage | undefined {
  if (!isObject(raw)) return undefined;
  const counts = new TokenCounts();
  const input = counts.of(raw[names.input]);
  const output = counts.of(raw[names.output]);
  if (counts.isDoubtful || (input === undefined && output === undefined)) return undefined;
  const inputDetails = objectOf(raw[names.inputDetails]);
  // DeepSeek used the second name; Moonshot and Together use the third.
  const cached =
    counts.of(inputDetails.cached_tokens) ??
    counts.of(raw.prompt_cache_hit_tokens) ??
    counts.of(raw.cached_tokens);
  // Some xAI models count cached input separately. Then it can exceed the input count.
  const isApart = cached !== undefined && cached > (input ?? 0);
  const inputTokens = (input ?? 0) + (isApart ? cached : 0);
  const reasoning = counts.of(objectOf(raw[names.outputDetails]).reasoning_tokens);
  const total = counts.of(raw.total_tokens);
  const outputTokens = (output ?? 0) + hiddenOutput(input ?? 0, output ?? 0, total, reasoning);
  return {
    inputTokens,
    outputTokens,
    totalTokens: isApart ? inputTokens + outputTokens : (total ?? inputTokens + outputTokens),
    ...(cached !== undefined && { cachedInputTokens: cached }),
    ...cacheWrites(inputDetails, counts),
    ...(reasoning !== undefined && { reasoningTokens: reasoning }),
    ...counts.certainty,
    raw,
  };
}
