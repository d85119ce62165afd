import pLimit from 'p-limit';
import { defaults } from '../../config/defaults.ts';
import type { ResolvedTier } from '../../config/resolve.ts';
import { isSignalboxError, SignalboxError } from '../../errors.ts';
import { own } from '../../internal/own.ts';
import { addUsd } from '../../pricing/rate-card.ts';
import type { Attempt } from '../../protocol/attempt.ts';
import type { TargetId } from '../../protocol/call-options.ts';
import type { Embeddings, EmbedOptions } from '../../protocol/other-tasks.ts';
import type { Cost, Usage } from '../../protocol/usage.ts';
import { minimumTokensOf } from '../../routing/plan.ts';
import { tiersOf } from '../chain/plan-call.ts';
import type { Call, Engine, SetTags } from '../core/engine.ts';
import { otherKind, type Task, type WholeCompletion } from '../core/task.ts';
import { failureOf } from '../core/trail.ts';
import { batchesOf, batchLimits } from './embed-batches.ts';

/** Makes the task of vectors, once the options are checked. */
type MakeTask = (tier: ResolvedTier, options: EmbedOptions) => Task;

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

/** What the cached batches saved; nothing without any. */
function savedBy(costs: readonly Cost[]): Pick<Cost, 'savedUsd'> {
  const saved = costs.map(({ savedUsd }) => savedUsd).filter((usd) => usd !== undefined);
  if (saved.length === 0) return {};
  return { savedUsd: saved.includes(null) ? null : addUsd(saved.filter((usd) => usd !== null)) };
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
    ...savedBy(costs),
  };
}

/** The line of an answer that was paid for, but is not in the result. */
function unusedLine(line: Attempt): Attempt {
  if (line.outcome !== 'ok') return line;
  const error = unusable('the other batches were answered by another model');
  return { ...line, ...failureOf(error, 'next', error.message) };
}

function toEmbeddings(
  batches: readonly WholeCompletion[],
  unused: readonly Attempt[],
  totalMs: number,
): Embeddings {
  const last = batches.at(-1);
  if (last === undefined) throw new Error('there is at least one batch');
  const vectors = batches.flatMap((batch) => batch.vectors ?? []);
  const cost = batches.length === 1 ? last.cost : sumCost(batches);
  const unusedUsd = unused.map((line) => line.cost ?? 0);
  return {
    vectors,
    dimensions: vectors[0]?.length ?? 0,
    callId: last.callId,
    tier: last.tier,
    target: last.target,
    provider: last.provider,
    model: last.model,
    usage: batches.length === 1 ? last.usage : sumUsage(batches),
    cost: { ...cost, attemptsUsd: addUsd([...unusedUsd, cost.attemptsUsd]) },
    latency: { totalMs },
    ...(last.requestId !== undefined && { requestId: last.requestId }),
    trail: [...unused.map(unusedLine), ...batches.flatMap((batch) => batch.trail)],
    warnings: batches.flatMap((batch) => batch.warnings),
    tags: last.tags,
    ...(batches.every(({ cached }) => cached) && { cached: true }),
  };
}

/**
 * Embeds values in as many calls as the vendor's batch limits need, a few at once. Each batch is one call in events and
 * limits; one that fails ends the others. All vectors are of one model, because they are compared with each other.
 */
export async function embedValues(
  engine: Engine,
  given: string | readonly string[],
  open: (task: MakeTask) => Call,
  run: (call: Call) => Promise<WholeCompletion>,
): Promise<Embeddings> {
  const startedAt = engine.runtime.now();
  let values: readonly string[] = [];
  const whole = open((tier, options) => {
    values = checkValues(given);
    return embedTask(tier, values, options);
  });
  const batches = batchesOf(values, batchLimits(engine, whole));
  const rounds = new Rounds(engine, whole, run);
  try {
    const answers = await rounds.embed(batches);
    const made = await inOneSpace(batches, answers, spacesOf(whole), rounds);
    return toEmbeddings(made, rounds.unused, engine.runtime.now() - startedAt);
  } catch (error) {
    // What the other batches cost is in the trail too.
    throw isSignalboxError(error) ? error.with({ trail: rounds.unused }) : error;
  }
}

/** Embeds batches of one call, all of them and then those that must be embedded again. */
class Rounds {
  /** The attempts whose answers are not in the result. */
  readonly unused: Attempt[] = [];
  readonly #engine: Engine;
  readonly #whole: Call;
  readonly #options: EmbedOptions & SetTags;
  readonly #run: (call: Call) => Promise<WholeCompletion>;

  constructor(engine: Engine, whole: Call, run: (call: Call) => Promise<WholeCompletion>) {
    this.#engine = engine;
    this.#whole = whole;
    this.#options = whole.options;
    this.#run = run;
  }

  get isAborted(): boolean {
    return this.#options.signal?.aborted === true;
  }

  /** A few at once; the first that fails ends the others. `only`: the target to ask, instead of the tier's. */
  async embed(
    batches: readonly (readonly string[])[],
    only?: string,
  ): Promise<readonly WholeCompletion[]> {
    const { signal, ...options } = this.#options;
    const route = only === undefined ? {} : { route: { only: [only as TargetId] } };
    const others = new AbortController();
    const leave = (): void => others.abort(signal?.reason);
    if (signal?.aborted) leave();
    else signal?.addEventListener('abort', leave, { once: true });
    const concurrency = options.concurrency ?? defaults.embedConcurrency;
    const limit = pLimit({ concurrency, rejectOnClear: true });
    const answers = batches.map((batch) =>
      limit(() => this.#run(this.#callOf(batch, { ...options, ...route, signal: others.signal }))),
    );
    try {
      return await Promise.all(answers);
    } catch (error) {
      limit.clearQueue();
      others.abort(error);
      for (const ended of await Promise.allSettled(answers)) {
        if (ended.status === 'fulfilled') this.discard(ended.value);
        else if (isSignalboxError(ended.reason)) this.unused.push(...ended.reason.trail);
      }
      throw error;
    } finally {
      signal?.removeEventListener('abort', leave);
    }
  }

  /** One batch as a call: made as the whole is, with a part of its values. */
  #callOf(values: readonly string[], options: EmbedOptions & SetTags): Call {
    const task = embedTask(this.#whole.tier, values, options);
    return {
      ...this.#whole,
      id: this.#engine.runtime.createId('call'),
      options,
      task,
      whole: this.#whole,
    };
  }

  discard({ trail }: WholeCompletion): void {
    this.unused.push(...trail);
  }
}

/**
 * The answers, after those of other models were made again by one of the targets that answered. The target with the
 * most answers is asked first, because that costs least; if it fails, the next one is.
 */
async function inOneSpace(
  batches: readonly (readonly string[])[],
  answers: readonly WholeCompletion[],
  spaceOf: (answer: WholeCompletion) => string,
  rounds: Rounds,
): Promise<readonly WholeCompletion[]> {
  const spaces = [...Map.groupBy(answers, spaceOf)].sort(([, a], [, b]) => b.length - a.length);
  if (spaces.length === 1) return answers;
  const asked = new Set<string>();
  let failure: unknown;
  for (const [space, [{ target } = {}]] of spaces) {
    // One target with vectors of several lengths is not asked for each of them.
    if (target === undefined || asked.has(target)) continue;
    asked.add(target);
    const isOdd = (answer: WholeCompletion): boolean => spaceOf(answer) !== space;
    try {
      const odd = batches.filter((_, index) => answers[index] && isOdd(answers[index]));
      const again = await rounds.embed(odd, target);
      if (!again.some(isOdd)) {
        answers.filter(isOdd).forEach((answer) => void rounds.discard(answer));
        const next = again.values();
        return answers.map((answer) => (isOdd(answer) ? (next.next().value ?? answer) : answer));
      }
      again.forEach((answer) => void rounds.discard(answer));
      failure ??= unusable('its batches were answered by different models');
    } catch (error) {
      failure = rounds.isAborted ? error : (failure ?? error);
      if (rounds.isAborted) break;
    }
  }
  answers.forEach((answer) => void rounds.discard(answer));
  throw failure;
}

/** What makes vectors comparable: the family of the target that made them, and their length. */
function spacesOf({ config, tier }: Call): (answer: WholeCompletion) => string {
  const targets = tiersOf(config, tier).flatMap((each) => each.targets);
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
