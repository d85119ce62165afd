import type { JsonObject } from '../../protocol/json.ts';
import type { Usage } from '../../protocol/usage.ts';
import { isObject, objectOf } from '../common/read.ts';
import { TokenCounts } from '../common/token-counts.ts';

/** The names under which a wire tells its counts. */
export type UsageNames = {
  readonly input: string;
  readonly inputDetails: string;
  readonly output: string;
  readonly outputDetails: string;
};

/**
 * Output that the vendor left out of its output count. xAI counts reasoning apart, and Google's compatible
 * endpoint does not tell of its thoughts at all: both show in the total, and both are billed as output.
 * Totals that differ for other reasons are left alone.
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
  // The second name is Qwen's.
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
 * Usage as all wires count it, from the object of one of OpenAI's; `undefined` when it counts nothing, or its input or
 * output cannot be right.
 */
export function openAIUsage(raw: unknown, names: UsageNames): Usage | undefined {
  if (!isObject(raw)) return undefined;
  const counts = new TokenCounts();
  const told = counts.of(raw[names.input]);
  const output = counts.of(raw[names.output]);
  if (counts.isDoubtful || (told === undefined && output === undefined)) return undefined;
  const inputDetails = objectOf(raw[names.inputDetails]);
  // DeepSeek's older name, and Moonshot's and Together's place.
  const cached =
    counts.of(inputDetails.cached_tokens) ??
    counts.of(raw.prompt_cache_hit_tokens) ??
    counts.of(raw.cached_tokens);
  // Some xAI models count cached input apart, which shows when there is more of it than of input.
  const isApart = cached !== undefined && cached > (told ?? 0);
  const inputTokens = (told ?? 0) + (isApart ? cached : 0);
  const reasoning = counts.of(objectOf(raw[names.outputDetails]).reasoning_tokens);
  const total = counts.of(raw.total_tokens);
  const outputTokens = (output ?? 0) + hiddenOutput(told ?? 0, output ?? 0, total, reasoning);
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
