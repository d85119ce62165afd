import type { ResolvedHedge, ResolvedTarget } from '../../config/resolve.ts';
import { SignalboxError } from '../../errors.ts';
import { letGo } from '../attempt/hold.ts';
import { loadingFor } from '../attempt/loading.ts';
import type { Run } from '../attempt/run.ts';
import { type Scope, scopeWithin } from '../core/scope.ts';
import { type Tried, tryTarget } from './try-target.ts';

/** Fewer samples say nothing of a percentile. */
const samplesNeeded = 20;

/**
 * Where about as many are late as the percentile leaves out, it is the time of a late one or of a usual one by
 * chance. So it is read on the low side, and what is little more is not late yet.
 */
const headroom = 1.2;

/** When the first token of the target is late; `undefined` as long as nobody can tell. */
function lateAfterMs(run: Run, target: ResolvedTarget, hedge: ResolvedHedge): number | undefined {
  if (hedge.afterMs !== undefined) return hedge.afterMs;
  const { quantile } = hedge;
  const statistics = run.engine.statistics(target.id);
  const samples = statistics.samples('firstTokenMs');
  if (quantile === undefined || samples < samplesNeeded) return undefined;
  // A share of few samples is off by twice the standard error of a proportion, hardly ever by more.
  const error = 2 * Math.sqrt((quantile * (1 - quantile)) / samples);
  const usualMs = statistics.percentile('firstTokenMs', quantile - error);
  return usualMs === undefined ? undefined : Math.ceil(usualMs * headroom) + 1;
}

/** One of the targets that are asked at the same time. */
class Leg {
  readonly target: ResolvedTarget;
  readonly tried: Promise<Tried>;
  /** `begun` with its first token, `failed` when it is over without one. */
  readonly lead: Promise<'begun' | 'failed'>;
  /** The other one. */
  rival: Leg | undefined;
  readonly #run: Run;
  readonly #scope: Scope;
  /** Why it was ended, once another began before it. */
  #cut: SignalboxError | undefined;
  #isOver = false;

  constructor(run: Run, target: ResolvedTarget) {
    const { promise, resolve } = Promise.withResolvers<'begun' | 'failed'>();
    const onBegun = (): void => {
      if (this.#cut === undefined) this.rival?.cutFor(this);
      resolve('begun');
    };
    const onFailed = (): void => {
      this.#isOver = true;
      resolve('failed');
    };
    this.target = target;
    this.lead = promise;
    this.#run = run;
    this.#scope = scopeWithin(run.engine.runtime, run.scope);
    this.tried = tryTarget({ ...run, onBegun, scope: this.#scope }, target);
    this.tried.then(
      ({ verdict }) => (verdict === 'done' ? resolve('begun') : onFailed()),
      onFailed,
    );
  }

  /**
   * Ends it, since the other one began first; once. Should the answer of that one come to nothing, this target is
   * asked again, as if it had not been tried. That is settled at once, since the winner may fail before this one
   * has ended.
   */
  cutFor(winner: Leg): SignalboxError {
    if (this.#cut !== undefined) return this.#cut;
    this.#cut = new SignalboxError('aborted', `${winner.target.id} began to answer first`);
    this.#scope.abort(this.#cut);
    if (this.#isOver) return this.#cut;
    const state = this.#run.chain.state(this.target);
    state.tries -= 1;
    state.isWaiting = false;
    this.#run.chain.again(this.target);
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

/** Ends a leg that is not needed any more, and waits until its part of the story is written. */
async function dismiss(leg: Leg, winner: Leg): Promise<void> {
  const reason = leg.cutFor(winner);
  const tried = await leg.tried.catch(() => undefined);
  if (tried?.verdict === 'done') await letGo(tried.answer, reason);
}

/** Two targets at once: the first to begin wins, and one that fails leaves the call to the other. */
async function race(first: Leg, second: Leg): Promise<Tried> {
  const [leg, lead] = await Promise.race(
    [first, second].map(async (each) => [each, await each.lead] as const),
  );
  const other = leg === first ? second : first;
  // A request that the first target finds faulty fails as it does without a hedge; the second one may go under.
  const winner = lead === 'begun' || (leg === first && (await hasStopped(first))) ? leg : other;
  const loser = winner === first ? second : first;
  // Else the loser has failed already, and it is over.
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
 * Tries a target; when its first token is late, another target is asked as well, and whichever begins first
 * answers the call. Draws on the tier's hedges and the retry budget.
 *
 * @throws SignalboxError when the verdict is to stop.
 */
export function tryHedged(run: Run, target: ResolvedTarget): Promise<Tried> {
  const { hedge } = run.call.tier;
  const afterMs = hedge && lateAfterMs(run, target, hedge);
  if (hedge === undefined || afterMs === undefined || run.broken !== undefined) {
    return tryTarget(run, target);
  }
  return tryBoth(run, target, { afterMs, maxExtra: hedge.maxExtra });
}

async function tryBoth(
  run: Run,
  target: ResolvedTarget,
  { afterMs, maxExtra }: { readonly afterMs: number; readonly maxExtra: number },
): Promise<Tried> {
  const { engine, call, chain, trail } = run;
  const budget = engine.hedges(call.tier.name);
  if (trail.attempts === 0) budget.earn(maxExtra);
  // Loading an SDK is not the target's silence. What fails here fails in the leg again.
  await loadingFor(run, target)?.catch(() => undefined);
  const startedAt = engine.runtime.now();
  const first = new Leg(run, target);
  const late = await isLate(run, first, afterMs);
  budget.note(late);
  if (!late || !chain.hasSpare(target) || !budget.take(() => engine.retryBudget.take())) {
    return first.tried;
  }
  const spare = chain.takeSpare(target);
  if (spare === undefined) return first.tried;
  trail.emit('hedge', { from: target.id, to: spare.id, afterMs });
  const second = new Leg(run, spare);
  first.rival = second;
  second.rival = first;
  const tried = await race(first, second);
  if (tried.verdict === 'done' && tried.answer.session.target === spare) {
    // How long it was silent is known, and that much it took at least.
    const firstTokenMs = engine.runtime.now() - startedAt;
    engine
      .statistics(target.id)
      .record({ outcome: 'aborted', firstTokenMs, totalMs: firstTokenMs });
  }
  return tried;
}
