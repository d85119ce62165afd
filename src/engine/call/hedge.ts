import type { ResolvedHedge } from '../../config/resolve.ts';
import { SignalboxError } from '../../errors.ts';
import { loadFor } from '../attempt/attempt-request.ts';
import type { Run } from '../attempt/run.ts';
import type { AttemptPlan } from '../core/attempt-plan.ts';
import { type Scope, scopeWithin } from '../core/scope.ts';
import { abandon, type Tried, tryTarget } from './try-target.ts';

/** A percentile of fewer samples means nothing. */
const samplesNeeded = 20;

/**
 * When about as many answers are late as the percentile leaves out, it is the time of a late or of a usual one by chance.
 * So it is read on the low side, and a little more is not late yet.
 */
const headroom = 1.2;

/** When the first token of the target is late; `undefined` while that is unknown. */
function lateAfterMs({ state }: AttemptPlan, hedge: ResolvedHedge): number | undefined {
  if (hedge.afterMs !== undefined) return hedge.afterMs;
  const { quantile } = hedge;
  const { statistics } = state;
  const samples = statistics.samples('firstTokenMs');
  if (quantile === undefined || samples < samplesNeeded) return undefined;
  // The share of few samples is rarely off by more than twice the standard error of a proportion.
  const error = 2 * Math.sqrt((quantile * (1 - quantile)) / samples);
  const usualMs = statistics.percentile('firstTokenMs', quantile - error);
  return usualMs === undefined ? undefined : Math.ceil(usualMs * headroom) + 1;
}

/** One of the two targets that are tried at the same time. */
class Leg {
  readonly plan: AttemptPlan;
  readonly tried: Promise<Tried>;
  /** `started` with its first token, `failed` when it is over without one. */
  readonly lead: Promise<'started' | 'failed'>;
  /** The other one. */
  rival: Leg | undefined;
  readonly #run: Run;
  readonly #scope: Scope;
  /** Why it was ended, once the other one had its first token. */
  #cut: SignalboxError | undefined;
  #isOver = false;

  constructor(run: Run, plan: AttemptPlan, isHedge?: true) {
    const { promise, resolve } = Promise.withResolvers<'started' | 'failed'>();
    const onFirstToken = (): void => {
      if (this.#cut === undefined) this.rival?.cutFor(this);
      resolve('started');
    };
    const onFailed = (): void => {
      this.#isOver = true;
      resolve('failed');
    };
    this.plan = plan;
    this.lead = promise;
    this.#run = run;
    this.#scope = scopeWithin(run.engine.runtime, run.scope);
    const own = { ...run, onFirstToken, scope: this.#scope };
    this.tried = tryTarget(isHedge ? { ...own, isHedge } : own, plan);
    this.tried.then(
      ({ verdict }) => (verdict === 'done' ? resolve('started') : onFailed()),
      onFailed,
    );
  }

  /**
   * Ends it, because the other one started first; once. If the answer of that one fails, this target is tried again as if
   * it had not been tried. That is settled at once, because the winner may fail before this one has ended.
   */
  cutFor(winner: Leg): SignalboxError {
    if (this.#cut !== undefined) return this.#cut;
    this.#cut = new SignalboxError('aborted', `${winner.plan.target.id} started to answer first`);
    this.#scope.abort(this.#cut);
    if (this.#isOver) return this.#cut;
    this.plan.tries -= 1;
    this.plan.isWaiting = false;
    this.#run.chain.again(this.plan);
    return this.#cut;
  }
}

/** Whether the leg is still silent after `afterMs`. */
async function isLate(run: Run, leg: Leg, afterMs: number): Promise<boolean> {
  const over = new AbortController();
  const signal = AbortSignal.any([run.scope.signal, over.signal]);
  const clock = run.engine.runtime.sleep(afterMs, signal).then(
    () => true,
    () => false,
  );
  const late = await Promise.race([leg.lead.then(() => false), clock]);
  over.abort();
  return late;
}

/** Ends a leg that is not needed any more, and waits until its line is recorded. */
async function dismiss(leg: Leg, winner: Leg): Promise<void> {
  const reason = leg.cutFor(winner);
  const tried = await leg.tried.catch(() => undefined);
  if (tried?.verdict === 'done') await abandon(tried.answer, reason);
}

/** Two targets at once: the first to start wins; when one fails, the other goes on. */
async function race(first: Leg, second: Leg): Promise<Tried> {
  const [leg, lead] = await Promise.race(
    [first, second].map(async (each) => [each, await each.lead] as const),
  );
  const other = leg === first ? second : first;
  // A request that the first target rejects fails as it would without a hedge; the second target may fail.
  const winner = lead === 'started' || (leg === first && (await hasStopped(first))) ? leg : other;
  const loser = winner === first ? second : first;
  // Otherwise the loser has failed already.
  if (winner === leg) await dismiss(loser, winner);
  return winner.tried;
}

async function hasStopped(leg: Leg): Promise<boolean> {
  return leg.tried.then(
    () => false,
    () => true,
  );
}

/**
 * Tries a target; when its first token is late, another target is tried as well, and the first to start answers the call.
 * Uses the tier's hedges and the retry budget.
 *
 * @throws SignalboxError when the decision is to stop
 */
export function tryHedged(run: Run, plan: AttemptPlan): Promise<Tried> {
  const { hedge } = run.call.tier;
  const afterMs = hedge && lateAfterMs(plan, hedge);
  if (hedge === undefined || afterMs === undefined || run.interruption !== undefined) {
    return tryTarget(run, plan);
  }
  return tryBoth(run, plan, { afterMs, maxExtra: hedge.maxExtra });
}

/** Whether the budgets have room for a hedge, which waits for none. */
async function hasRoom(run: Run, plan: AttemptPlan): Promise<boolean> {
  const spare = run.chain.spare(plan);
  if (spare === undefined) return false;
  // Its price must be known.
  await loadFor(run, spare)?.catch(() => undefined);
  return run.engine.budgets.hasRoom(spare);
}

async function tryBoth(
  run: Run,
  plan: AttemptPlan,
  { afterMs, maxExtra }: { readonly afterMs: number; readonly maxExtra: number },
): Promise<Tried> {
  const { engine, call, chain, trail } = run;
  const budget = engine.registry.hedges(call.tier.name);
  if (trail.attempts === 0) budget.earn(maxExtra);
  // The time to load an SDK is not the target's. What fails here fails in the leg again.
  await loadFor(run, plan)?.catch(() => undefined);
  const startedAt = engine.runtime.now();
  const first = new Leg(run, plan);
  const late = await isLate(run, first, afterMs);
  budget.note(late);
  const mayHedge = late && (call.spending === undefined || (await hasRoom(run, plan)));
  if (!mayHedge || !chain.hasSpare(plan) || !budget.take(() => engine.retryBudget.take())) {
    return first.tried;
  }
  const spare = chain.takeSpare(plan);
  if (spare === undefined) return first.tried;
  trail.emit('hedge', { from: plan.target.id, to: spare.target.id, afterMs });
  const second = new Leg(run, spare, true);
  first.rival = second;
  second.rival = first;
  const tried = await race(first, second);
  if (tried.verdict === 'done' && tried.answer.attempt.plan === spare) {
    // Its first token would have taken at least this long.
    const firstTokenMs = engine.runtime.now() - startedAt;
    const { statistics } = plan.state;
    statistics.record({ outcome: 'aborted', firstTokenMs, totalMs: firstTokenMs });
  }
  return tried;
}
