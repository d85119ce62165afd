import pLimit from 'p-limit';
import { checkCallOptions, findTier } from '../../config/check.ts';
import { defaults } from '../../config/defaults.ts';
import type { ResolvedConfig, ResolvedTier } from '../../config/resolve.ts';
import { SignalboxError } from '../../errors.ts';
import { own } from '../../internal/own.ts';
import { addUsd } from '../../pricing/rate-card.ts';
import type { TargetId } from '../../protocol/call-options.ts';
import type { Embeddings, EmbedOptions } from '../../protocol/other-tasks.ts';
import type { Cost, Usage } from '../../protocol/usage.ts';
import { minimumTokensOf } from '../../routing/plan.ts';
import { tiersOf } from '../chain/plan-call.ts';
import { type Engine, providerOf } from '../core/engine.ts';
import { otherKind, type Task, type WholeCompletion } from '../core/task.ts';

/** One call of several. */
type Batch = {
  readonly options: EmbedOptions;
  readonly task: (tier: ResolvedTier, options: EmbedOptions) => Task;
};

function checkValues(values: string | readonly string[]): readonly string[] {
  const list = typeof values === 'string' ? [values] : values;
  if (!Array.isArray(list) || list.length === 0) {
    throw new SignalboxError(
      'config',
      'values: must be a string or a list with at least one string',
    );
  }
  const bad = list.findIndex((value) => typeof value !== 'string' || value.trim() === '');
  if (bad >= 0) {
    throw new SignalboxError('config', `values[${bad}]: must be a string that is not blank`);
  }
  return list;
}

/** The smallest batch size of the tier's targets, so that a batch can go to any of them. */
function batchSize(engine: Engine, config: ResolvedConfig, tier: string): number {
  const sizes = tiersOf(config, findTier(config, tier))
    .flatMap((each) => each.targets)
    .map((target) => ({ ...target, adapter: providerOf(engine, target) }))
    .filter(({ adapter }) => adapter.prepareEmbedding !== undefined)
    .map(({ model, adapter: { maxEmbeddingBatch = defaults.embedBatch } }) =>
      typeof maxEmbeddingBatch === 'number' ? maxEmbeddingBatch : maxEmbeddingBatch(model),
    )
    // Without a valid number, the usual one.
    .map((size) => (Number.isInteger(size) && size > 0 ? size : defaults.embedBatch));
  return sizes.length === 0 ? defaults.embedBatch : Math.min(...sizes);
}

function batchesOf(values: readonly string[], size: number): readonly (readonly string[])[] {
  const count = Math.ceil(values.length / size);
  return Array.from({ length: count }, (_, index) =>
    values.slice(index * size, (index + 1) * size),
  );
}

function sumUsage(batches: readonly WholeCompletion[]): Usage {
  const sum = (of: (usage: Usage) => number): number =>
    batches.reduce((total, { usage }) => total + of(usage), 0);
  return {
    inputTokens: sum((usage) => usage.inputTokens),
    outputTokens: sum((usage) => usage.outputTokens),
    totalTokens: sum((usage) => usage.totalTokens),
    ...(batches.some(({ usage }) => usage.estimated) && { estimated: true }),
    raw: batches.map(({ usage }) => usage.raw),
  };
}

const certainty = ['exact', 'estimated', 'unknown'] as const satisfies readonly Cost['priced'][];

function sumCost(batches: readonly WholeCompletion[]): Cost {
  const costs = batches.map(({ cost }) => cost);
  const known = costs.map(({ usd }) => usd).filter((usd) => usd !== null);
  const worst = Math.max(...costs.map(({ priced }) => certainty.indexOf(priced)));
  return {
    usd: known.length === costs.length ? addUsd(known) : null,
    breakdown: {
      input: addUsd(costs.map(({ breakdown }) => breakdown.input)),
      cachedInput: addUsd(costs.map(({ breakdown }) => breakdown.cachedInput)),
      cacheWrite: addUsd(costs.map(({ breakdown }) => breakdown.cacheWrite)),
      output: addUsd(costs.map(({ breakdown }) => breakdown.output)),
    },
    priced: certainty[worst] ?? 'unknown',
    attemptsUsd: addUsd(costs.map(({ attemptsUsd }) => attemptsUsd)),
  };
}

function toEmbeddings(batches: readonly WholeCompletion[], totalMs: number): Embeddings {
  const last = batches.at(-1);
  if (last === undefined) throw new Error('there is at least one batch');
  const vectors = batches.flatMap((batch) => batch.vectors ?? []);
  return {
    vectors,
    dimensions: vectors[0]?.length ?? 0,
    tier: last.tier,
    target: last.target,
    provider: last.provider,
    model: last.model,
    usage: batches.length === 1 ? last.usage : sumUsage(batches),
    cost: batches.length === 1 ? last.cost : sumCost(batches),
    latency: { totalMs },
    ...(last.requestId !== undefined && { requestId: last.requestId }),
    trail: batches.flatMap((batch) => batch.trail),
    warnings: batches.flatMap((batch) => batch.warnings),
    tags: last.tags,
  };
}

/**
 * Embeds values in as many calls as the vendor's batch limit needs, a few at once. Each batch is one call in events and
 * limits; the first that fails ends the others.
 */
export async function embedValues(
  engine: Engine,
  config: ResolvedConfig,
  request: {
    readonly tier: string;
    readonly values: string | readonly string[];
    readonly options: EmbedOptions | undefined;
  },
  run: (batch: Batch) => Promise<WholeCompletion>,
): Promise<Embeddings> {
  const startedAt = engine.runtime.now();
  if (request.options !== undefined) checkCallOptions(request.options, engine.providers, 'embed');
  const values = checkValues(request.values);
  const batches = batchesOf(values, batchSize(engine, config, request.tier));
  const { signal, ...options } = request.options ?? {};
  const others = new AbortController();
  const leave = (): void => others.abort(signal?.reason);
  if (signal?.aborted) leave();
  else signal?.addEventListener('abort', leave, { once: true });
  const limit = pLimit({
    concurrency: options.concurrency ?? defaults.embedConcurrency,
    rejectOnClear: true,
  });
  const embed = (batch: readonly string[], only?: string): Promise<WholeCompletion> => {
    const route = only === undefined ? {} : { route: { only: [only as TargetId] } };
    return limit(() =>
      run({
        options: { ...options, ...route, signal: others.signal },
        task: (tier, checked) => embedTask(tier, batch, checked),
      }),
    );
  };
  let answers: readonly Promise<WholeCompletion>[] = [];
  try {
    answers = batches.map((batch) => embed(batch));
    const embedded = await Promise.all(answers);
    // The vectors of one call are compared with each other, so they must be of one model.
    const spaceOf = spacesIn(config, request.tier);
    const [first] = embedded;
    const isOdd = (each: WholeCompletion): boolean =>
      first !== undefined && spaceOf(each) !== spaceOf(first);
    answers = embedded.map((each, index) =>
      isOdd(each) ? embed(batches[index] ?? [], first?.target) : Promise.resolve(each),
    );
    const whole = await Promise.all(answers);
    if (whole.some(isOdd)) throw unusable('its batches were answered by different models');
    return toEmbeddings(whole, engine.runtime.now() - startedAt);
  } catch (error) {
    limit.clearQueue();
    others.abort(error);
    await Promise.allSettled(answers);
    throw error;
  } finally {
    signal?.removeEventListener('abort', leave);
  }
}

/** What makes vectors comparable: the family of the target that made them, and their length. */
function spacesIn(config: ResolvedConfig, tier: string): (answer: WholeCompletion) => string {
  const targets = tiersOf(config, findTier(config, tier)).flatMap((each) => each.targets);
  return ({ target, model, vectors = [] }) => {
    const family = targets.find(({ id }) => id === target)?.family ?? modelName(model.requested);
    return `${family} ${vectors[0]?.length}`;
  };
}

function unusable(what: string): SignalboxError {
  return new SignalboxError('invalid_response', `unusable vectors: ${what}`);
}

/** The model without its vendor's prefix: a model has the same vectors at every provider. */
function modelName(model: string): string {
  return model.slice(model.lastIndexOf('/') + 1).toLowerCase();
}

/** The task of the vectors of one batch of values. */
function embedTask(tier: ResolvedTier, values: readonly string[], options: EmbedOptions): Task {
  const { dimensions } = options;
  const longest = values.reduce((most, value) => Math.max(most, value.length), 0);
  return {
    request: { kind: 'embed', values },
    withRequest(request) {
      if (request.kind !== 'embed') throw otherKind('embed', request);
      return embedTask(tier, request.values, options);
    },
    messages: [{ role: 'user', content: values.map((text) => ({ type: 'text', text })) }],
    needs: { capabilities: new Set(['embeddings']), minimumTokens: minimumTokensOf(longest) },
    transferFor: () => 'unary',
    prepare(provider, { target, options }) {
      const extraBody = own(options.providerOptions ?? {}, target.provider);
      const prepared = provider.prepareEmbedding?.({
        provider: target.provider,
        model: target.model,
        values: values.map((value) => value.toWellFormed()),
        ...(dimensions !== undefined && { dimensions }),
        ...(options.userId !== undefined && { userId: options.userId }),
        ...(extraBody !== undefined && { extraBody }),
      });
      if (prepared === undefined) throw new SignalboxError('unsupported', 'lacks embeddings');
      return prepared;
    },
    async check(completion) {
      const { vectors = [] } = completion;
      if (vectors.length !== values.length) {
        throw unusable(`${vectors.length} for ${values.length} values`);
      }
      const length = dimensions ?? vectors[0]?.length ?? 0;
      if (length === 0 || vectors.some((vector) => vector.length !== length)) {
        throw unusable(`not all of them have ${length} dimensions`);
      }
      // JSON has no infinity, but 1e999 is parsed as one, and base64 may hold any bits.
      if (!vectors.every((vector) => vector.every(Number.isFinite))) {
        throw unusable('not all of them are finite numbers');
      }
      return completion;
    },
    ...(tier.vectors === 'same-model' && {
      familyOf: ({ family, model }) => family ?? modelName(model),
    }),
  };
}
