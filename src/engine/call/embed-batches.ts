import { defaults } from '../../config/defaults.ts';
import { targetsOf } from '../../config/resolve.ts';
import { tiersOf } from '../chain/plan-call.ts';
import { type Call, type Engine, providerOf } from '../core/engine.ts';
import { tokensOf } from '../core/token-estimate.ts';

/** What one embedding request may hold. */
export type BatchLimits = {
  readonly values: number;
  /** Tokens of all values together. */
  readonly tokens: number;
};

/** The tokens are an estimate, so a batch is not filled up to the vendor's limit. */
const fill = 0.8;

type Limit = number | ((model: string) => number | undefined) | undefined;

/** A limit that is not a whole number from 1 counts as not set. */
function limitOf(limit: Limit, model: string): number | undefined {
  const value = typeof limit === 'function' ? limit(model) : limit;
  return Number.isInteger(value) && Number(value) > 0 ? value : undefined;
}

/** The smallest limits of the tier's targets, so that a batch can go to any of them. */
export function batchLimits(engine: Engine, { config, tier }: Call): BatchLimits {
  const limits = tiersOf(config, tier)
    .flatMap(targetsOf)
    .map((target) => ({ model: target.model, provider: providerOf(engine, target) }))
    .filter(({ provider }) => provider.prepareEmbedding !== undefined)
    .map(({ model, provider: { maxEmbeddingBatch, maxEmbeddingTokens } }) => ({
      values: limitOf(maxEmbeddingBatch, model) ?? defaults.embedBatch,
      tokens: limitOf(maxEmbeddingTokens, model) ?? Number.POSITIVE_INFINITY,
    }));
  if (limits.length === 0) {
    return { values: defaults.embedBatch, tokens: Number.POSITIVE_INFINITY };
  }
  return {
    values: Math.min(...limits.map(({ values }) => values)),
    tokens: Math.min(...limits.map(({ tokens }) => tokens)),
  };
}

/**
 * The estimate, but a token for each character that is not ASCII: many scripts need about that, and a batch that is too
 * small costs little, while one that is too large is rejected.
 */
function mostTokensOf(text: string): number {
  return Math.max(Math.ceil(tokensOf([text])), text.match(/[\u0080-\uffff]/g)?.length ?? 0);
}

/** Splits the values, in order. A value that alone exceeds the limit is a batch: the vendor decides. */
export function batchesOf(
  values: readonly string[],
  limits: BatchLimits,
): readonly (readonly string[])[] {
  const maxTokens = limits.tokens * fill;
  const batches: string[][] = [];
  let batch: string[] = [];
  let tokens = 0;
  for (const value of values) {
    const more = maxTokens < Number.POSITIVE_INFINITY ? mostTokensOf(value) : 0;
    const isFull = batch.length >= limits.values || tokens + more > maxTokens;
    if (batch.length > 0 && isFull) {
      batches.push(batch);
      batch = [];
      tokens = 0;
    }
    batch.push(value);
    tokens += more;
  }
  return [...batches, batch];
}
