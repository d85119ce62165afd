import { Latest } from '../internal/latest.ts';
import type { Tags } from '../protocol/completion.ts';
import type { Usage } from '../protocol/usage.ts';

/** How much the latest answer counts for the usual length. */
const latestWeight = 0.02;

/** So many answers with the same tags are needed before they count instead of those of the whole tier. */
const enoughAnswers = 5;

/** Most kinds of calls, and most prefixes, that are remembered: the oldest are forgotten. */
const maxEntries = 5_000;

type Lengths = { readonly tokens: number; readonly answers: number };

/** What a vendor has in its cache of a prefix. */
type Warmth = { readonly until: number; readonly share: number };

/** How a call is recognised: calls of the same tier and tags usually have answers of the same length. */
export type ForecastCall = {
  readonly tier: string;
  readonly tags: Tags;
  /** A hash of what the requests of a conversation begin with; `undefined` when it is too short for a vendor's cache. */
  readonly prefix: string | undefined;
};

type Answered = {
  readonly target: string;
  readonly usage: Usage;
  /** Epoch milliseconds. */
  readonly now: number;
  /** How long the vendor keeps the prefix. */
  readonly cacheMs: number;
};

/** Expects of a call what similar calls needed: how long the answer is, and how much of the input is in a vendor's cache. */
export class Forecast {
  readonly #lengths = new Latest<string, Lengths>(maxEntries);
  readonly #warm = new Latest<string, Warmth>(maxEntries);

  /** Tokens of the answer; `undefined` before the first of the tier. */
  outputTokens(call: ForecastCall): number | undefined {
    const same = this.#lengths.get(kindOf(call));
    if (same !== undefined && same.answers >= enoughAnswers) return same.tokens;
    return this.#lengths.get(call.tier)?.tokens ?? same?.tokens;
  }

  /** The share of the input that the target is expected to read from its cache, from 0 to 1. */
  cachedShare({ prefix }: ForecastCall, target: string, now: number): number {
    if (prefix === undefined) return 0;
    const warm = this.#warm.get(`${target} ${prefix}`);
    return warm !== undefined && warm.until > now ? warm.share : 0;
  }

  answered(call: ForecastCall, { target, usage, now, cacheMs }: Answered): void {
    this.#count(call.tier, usage.outputTokens);
    this.#count(kindOf(call), usage.outputTokens);
    if (call.prefix === undefined || usage.inputTokens <= 0) return;
    const { cachedInputTokens = 0, cacheWriteTokens = 0, inputTokens } = usage;
    const share = Math.min(1, (cachedInputTokens + cacheWriteTokens) / inputTokens);
    this.#warm.set(`${target} ${call.prefix}`, { until: now + cacheMs, share });
  }

  #count(key: string, outputTokens: number): void {
    const { tokens, answers } = this.#lengths.get(key) ?? { tokens: outputTokens, answers: 0 };
    // The first answers are averaged, so that the very first one does not count for long.
    const weight = Math.max(latestWeight, 1 / (answers + 1));
    const usual = tokens + weight * (outputTokens - tokens);
    this.#lengths.set(key, { tokens: usual, answers: answers + 1 });
  }
}

/** Made once for each call: it is looked up for each of its targets. */
const kinds = new WeakMap<ForecastCall, string>();

/** The tier and the tags, in one order. */
function kindOf(call: ForecastCall): string {
  let kind = kinds.get(call);
  if (kind === undefined) {
    const tags = Object.entries(call.tags).sort(([a], [b]) => (a < b ? -1 : 1));
    kind = JSON.stringify([call.tier, tags]);
    kinds.set(call, kind);
  }
  return kind;
}
