import { defaults } from '../../config/defaults.ts';
import type { ResolvedTarget } from '../../config/resolve.ts';
import { SignalboxError, summarizeError } from '../../errors.ts';
import type { PartialAnswer } from '../../protocol/completion.ts';
import type { ErrorCode } from '../../protocol/error-code.ts';
import type { Unavailable } from '../../routing/candidate.ts';
import type { Plan } from '../../routing/plan.ts';
import { type AttemptPlan, AttemptPlans } from '../core/attempt-plan.ts';
import {
  type Call,
  type Engine,
  isKeyFailure,
  keyLabel,
  rotateKeys,
  unavailabilityOf,
} from '../core/engine.ts';
import type { Scope } from '../core/scope.ts';
import type { Payload, Trail } from '../core/trail.ts';
import {
  failureTable,
  isAttemptErrorCode,
  isReservedForUntried,
  isTooLargeToWait,
  rateLimitBackoffMs,
  reservedForUntried,
} from '../failures/decide.ts';
import { isQueueRejection } from '../failures/queue-rejection.ts';
import { Fallbacks, idOf, plannedFallbacks } from './fallbacks.ts';
import { type PlannedCall, planCall, RefusedWindows } from './plan-call.ts';
import { PlanRecord, routePlanOf } from './plan-record.ts';

/** The targets of one call, one after another, as its plan and its failures order them. */
export class Chain {
  readonly #engine: Engine;
  readonly #call: Call;
  readonly #scope: Scope;
  readonly #trail: Trail;
  readonly #plans: AttemptPlans;
  /** What is left of the plan. */
  #steps: Plan['steps'][number][];
  /** The targets that may serve the call, now or later. */
  readonly #eligible: readonly ResolvedTarget[];
  /** No target was available, and the least bad one is tried anyway. */
  #isForced: boolean;
  #limited: readonly { readonly target: ResolvedTarget; readonly until: number }[] = [];
  /** When each target that failed can be retried, by the `Retry-After` that this call received. */
  readonly #retryAt = new Map<ResolvedTarget, number>();
  #lastFailed: { readonly target: ResolvedTarget; readonly error: SignalboxError } | undefined;
  /** Passed over for now; tried at the end if they are available then. */
  #later: readonly ResolvedTarget[] = [];
  /** Set by a prompt that was too long: only a larger window can take it. */
  #refusedWindows: RefusedWindows | undefined;
  #isFirstRejection = true;
  /** Why the latest target was passed over that does not fit into a budget. */
  #lastOverBudget: SignalboxError | undefined;
  /** The targets passed over that may fit once open reservations are settled. */
  #roomLater: readonly AttemptPlan[] = [];
  /** Absent when the tier lists none. */
  readonly #fallbacks: Fallbacks | undefined;

  constructor(engine: Engine, call: Call, scope: Scope, trail: Trail) {
    this.#engine = engine;
    this.#call = call;
    this.#scope = scope;
    this.#trail = trail;
    this.#plans = new AttemptPlans(engine, call);
    if (call.tier.fallbacks !== undefined) {
      this.#fallbacks = new Fallbacks(engine, call, scope, this.#plans);
    }
    const record = engine.emitter.isHeard('route-plan') ? new PlanRecord() : undefined;
    const planned = planCall(engine, call, { scope, plans: this.#plans, record });
    this.#steps = [...planned.steps];
    this.#eligible = planned.steps.flatMap((step) => step.try ?? step.later ?? []);
    this.#isForced = planned.leastBad !== undefined;
    // Before the turn is over, and the keys are rotated.
    const event = record && this.#routePlan(planned, record);
    for (const { name } of planned.tiers) engine.registry.tier(name).turn += 1;
    rotateKeys(engine, planned.candidates);
    if (event !== undefined) trail.emit('route-plan', event);
  }

  /** The next target to try. Waits for one that is rate limited when no other is left. */
  async next(): Promise<AttemptPlan | undefined> {
    const { maxAttempts } = this.#call.tier;
    for (let step = this.#steps.shift(); step !== undefined; step = this.#steps.shift()) {
      if (step.try === undefined) {
        this.#trail.skip(step.skip, step.skip.reason);
        if (step.later !== undefined) this.#postpone(step.later, step.skip.reason);
        continue;
      }
      const target = step.try;
      const isOver = this.#unstarted() <= 0;
      const reason = isOver ? `maxAttempts (${maxAttempts}) reached` : this.#passOver(target);
      if (reason === undefined) return this.#plans.of(target);
      this.#trail.skip({ target: target.id, ...keyLabel(target) }, reason);
    }
    const target = this.#takeLater() ?? (await this.#secondChance()) ?? this.#takeLeastBad();
    return target === undefined ? this.#takeOverBudget() : this.#plans.of(target);
  }

  /** Why the target must not be tried; `undefined` when it is healthy, or the least bad one. */
  unavailability({ target, key }: AttemptPlan): Unavailable | undefined {
    const unavailable = this.#engine.registry.unavailability(target, key);
    return this.#isForced && unavailable?.isolated !== true ? undefined : unavailable;
  }

  /**
   * Why the target is passed over now. Call it in the turn in which its circuit is entered: in between, another call may
   * take the only probe. A target that would have to wait while another is available is tried again at the end.
   */
  rejection(plan: AttemptPlan): string | undefined {
    const { target } = plan;
    const unavailable = this.unavailability(plan);
    if (unavailable !== undefined) return this.#postpone(target, unavailable.reason);
    const busy = this.#engine.limits.busy(plan);
    // Its limit is no failure: the targets that the tier lists for one do not follow.
    if (busy === undefined || !this.#chainFree(target, 'rate_limited')) return undefined;
    // A target that is available goes before one that waits.
    const free = this.#takeLater();
    if (free !== undefined) this.#steps.push({ try: free });
    this.#steps.push({ try: target });
    return busy.reason;
  }

  /** Whether another target is available now, after a failure of that code. */
  othersFree({ target }: AttemptPlan, code: ErrorCode): boolean {
    return this.#chainFree(target, code) || this.hasFallback(target, code);
  }

  /** The same, of the targets that come next anyway. */
  #chainFree(target: ResolvedTarget, code: ErrorCode): boolean {
    const isOther = (other: ResolvedTarget | undefined): boolean =>
      other !== undefined &&
      (isKeyFailure(code) ? other !== target : other.id !== target.id) &&
      this.#isFree(other);
    return (
      this.#unstarted() > 0 &&
      (this.#steps.some((step) => isOther(step.try ?? step.later)) || this.#later.some(isOther))
    );
  }

  /** Whether a target that the tier lists for the code is available now, and was not tried. */
  hasFallback(target: ResolvedTarget, code: ErrorCode): boolean {
    const steps = this.#fallbacks?.after(target, code) ?? [];
    return this.#unstarted() > 0 && steps.some((step) => step.try && this.#isFree(step.try));
  }

  /** How many targets that this call has not tried are available now, after a failure of that code. */
  untried({ target }: AttemptPlan, code?: ErrorCode): number {
    const listed = code === undefined ? [] : (this.#fallbacks?.after(target, code) ?? []);
    const steps = [...this.#steps, ...listed].flatMap((step) => step.try ?? step.later ?? []);
    const rest = [...steps, ...this.#later].filter(this.#isUntriedOther(target));
    return new Set(rest.map(({ id }) => id)).size;
  }

  /** Whether no target has failed with a vendor-specific rejection yet. The next one ends the call. */
  get isFirstRejection(): boolean {
    return this.#isFirstRejection;
  }

  /** Attempts that the call may still make, besides those that were decided on already. */
  attemptsLeft(): number {
    return this.#unstarted() - this.#plans.waiting();
  }

  /** Whether another target could be tried at the same time. */
  hasSpare({ target }: AttemptPlan): boolean {
    return this.#unstarted() > 0 && this.#spareFor(target) !== undefined;
  }

  /** The other target that would be taken. */
  spare({ target }: AttemptPlan): AttemptPlan | undefined {
    const spare = this.#spareFor(target);
    return spare && this.#plans.of(spare);
  }

  /** Takes that other target from the chain; preferably one of another provider. */
  takeSpare({ target }: AttemptPlan): AttemptPlan | undefined {
    const spare = this.#spareFor(target);
    this.#steps = this.#steps.filter((step) => step.try === undefined || step.try !== spare);
    return spare && this.#plans.of(spare);
  }

  /** The target is tried now. Emits the failover if another target failed before it. */
  trying({ target }: AttemptPlan): void {
    const last = this.#lastFailed;
    if (last === undefined || last.target === target) return;
    const error = summarizeError(last.error);
    this.#trail.emit('failover', { from: last.target.id, to: target.id, error });
  }

  /** An attempt starts that was decided on before. Returns its number. */
  start(plan: AttemptPlan): number {
    plan.isWaiting = false;
    return this.#trail.start();
  }

  /** The target failed, and the decision was to go on. */
  failed({ target }: AttemptPlan, error: SignalboxError): void {
    const now = this.#engine.runtime.now();
    this.#lastFailed = { target, error };
    if (error.code === 'context_length') {
      this.#refusedWindows ??= new RefusedWindows(this.#engine, this.#call);
      this.#refusedWindows.add(target);
    }
    if (error.vendorSpecific === true) this.#preferOtherProviders(target);
    const isRejection = isQueueRejection(error);
    if (isRejection) this.#postpone(target, error.message);
    const isTooLarge = isTooLargeToWait(error);
    const waitMs = isTooLarge ? undefined : error.retryAfterMs;
    const retryAt = waitMs && now + waitMs;
    if (retryAt === undefined) this.#retryAt.delete(target);
    else this.#retryAt.set(target, retryAt);
    if (error.code === 'rate_limited' && !isRejection && !isTooLarge) {
      const until = retryAt ?? now + this.#backoffMs(target);
      const others = this.#limited.filter((each) => each.target !== target);
      this.#limited = [...others, { target, until }];
    }
    if (!isKeyFailure(error.code)) this.#dropOtherKeys(target);
    this.#preferFallbacks(target, error);
  }

  /** The target was passed over, because it does not fit into a budget. Nothing was sent. */
  passedOver(plan: AttemptPlan, error: SignalboxError, next: 'never' | 'later'): void {
    plan.isWaiting = false;
    this.#lastOverBudget = error;
    if (next === 'later') this.#roomLater = [...this.#roomLater, plan];
    this.#dropOtherKeys(plan.target);
  }

  /** The target is tried again, from the start. */
  again({ target }: AttemptPlan): void {
    this.#steps.unshift({ try: target });
  }

  /** The error of a chain that has ended; `partial` is what the reader has seen of an answer. */
  exhausted(partial?: PartialAnswer): SignalboxError {
    const { called, rule } = this.#call;
    const { errors, lines } = this.#trail;
    const over = this.#lastOverBudget;
    if (over !== undefined && errors.length === 0) return over.with({ partial });
    const passedOver = lines
      .filter((line) => line.outcome === 'skipped' && line.error === undefined)
      .map((line) => `${line.target}: passed over, ${line.reason ?? 'unavailable'}`);
    const reasons = [...errors.map(({ message }) => message), ...passedOver];
    const last = errors.at(-1);
    return new SignalboxError(
      'all_targets_failed',
      `all targets of ${rule === undefined ? '' : `rule "${rule}" for `}tier "${called.name}" failed${reasons.map((line) => `\n  ${line}`).join('')}`,
      {
        errors,
        retryAfterMs: this.#retryAfterMs(),
        partial,
        ...(last !== undefined && isAttemptErrorCode(last.code) && { cause: last }),
      },
    );
  }

  #routePlan(planned: PlannedCall, record: PlanRecord): Payload<'route-plan'> {
    const [first] = planned.candidates;
    const fallbacks = plannedFallbacks(this.#engine, this.#call, this.#plans, first);
    return {
      ...routePlanOf(this.#engine, this.#call, planned, record),
      ...(fallbacks !== undefined && { fallbacks }),
    };
  }

  /** Milliseconds until the first target can be tried again; `undefined` when no time is known. */
  #retryAfterMs(): number | undefined {
    const times = this.#eligible.flatMap((target) => this.#availableAt(target) ?? []);
    if (times.length === 0) return undefined;
    return Math.max(0, Math.ceil(Math.min(...times) - this.#engine.runtime.now()));
  }

  /** When the target can be tried again: by what this call received, and by what is known of the target. */
  #availableAt(target: ResolvedTarget): number | undefined {
    const unavailable = unavailabilityOf(this.#engine, this.#plans.of(target));
    if (unavailable?.isolated === true) return undefined;
    const known = unavailable?.until;
    const retryAt = this.#retryAt.get(target);
    if (known === undefined || retryAt === undefined) return known ?? retryAt;
    return Math.max(known, retryAt);
  }

  /** How long this call waits for a target that was rate limited without `Retry-After`. */
  #backoffMs(target: ResolvedTarget): number {
    const retry = { ...this.#call.tier.retry, ...this.#call.options.retry };
    const { maxMs = defaults.retryMaxMs } = retry;
    return rateLimitBackoffMs(this.#plans.of(target).tries, maxMs, this.#engine.runtime.random());
  }

  /** Attempts that have not started. */
  #unstarted(): number {
    return this.#call.tier.maxAttempts - this.#trail.attempts;
  }

  #isFree(target: ResolvedTarget): boolean {
    return (
      this.#refusedWindows?.tooSmall(target) === undefined &&
      unavailabilityOf(this.#engine, this.#plans.of(target)) === undefined
    );
  }

  /** Whether another target was not tried in this call, and is available now. */
  #isUntriedOther({ id }: ResolvedTarget): (other: ResolvedTarget) => boolean {
    return (other) => other.id !== id && !this.#plans.isTried(other) && this.#isFree(other);
  }

  /** Whether it was tried already, and the attempts left are for untried targets. */
  #mustWait(target: ResolvedTarget): boolean {
    return (
      this.#plans.isTried(target) &&
      isReservedForUntried(this.#unstarted(), this.untried(this.#plans.of(target)))
    );
  }

  /** When nothing else is left, a target waits for the open reservations in its way; once. */
  #takeOverBudget(): AttemptPlan | undefined {
    const plan = this.#roomLater.find(({ isLastResort }) => !isLastResort);
    if (plan === undefined || this.#unstarted() <= 0) return undefined;
    plan.isLastResort = true;
    return plan;
  }

  #postpone(target: ResolvedTarget, reason: string): string {
    this.#later = [...this.#later, target];
    return reason;
  }

  /** The first postponed target that is available now. */
  #takeLater(): ResolvedTarget | undefined {
    if (this.#unstarted() <= 0) return undefined;
    const target = this.#later.find((each) => this.#isFree(each) && !this.#mustWait(each));
    this.#later = this.#later.filter((each) => each !== target);
    return target;
  }

  /**
   * The plan took targets for available whose keys were not known yet. When none of them was, the least bad one is tried,
   * as if the plan had known.
   */
  #takeLeastBad(): ResolvedTarget | undefined {
    const isTriable = this.#call.tier.whenAllOpen === 'try-least-bad' && !this.#isForced;
    if (!isTriable || this.#trail.attempts > 0) return undefined;
    const times = this.#later
      .filter((target) => this.#plans.of(target).ownKey !== undefined)
      .map((target) => ({ target, at: this.#availableAt(target) ?? Number.POSITIVE_INFINITY }))
      .filter(({ target }) => !this.#engine.registry.isolated.has(target.id));
    const leastBad = times.toSorted((a, b) => a.at - b.at)[0]?.target;
    if (leastBad === undefined) return undefined;
    this.#isForced = true;
    this.#later = this.#later.filter((each) => each !== leastBad);
    return leastBad;
  }

  #spareFor(target: ResolvedTarget): ResolvedTarget | undefined {
    const free = this.#steps.flatMap((step) => step.try ?? []).filter(this.#isUntriedOther(target));
    return free.find((other) => other.provider !== target.provider) ?? free[0];
  }

  /** Why a target of the plan is passed over: things have changed since the plan was made. */
  #passOver(target: ResolvedTarget): string | undefined {
    const tooSmall = this.#refusedWindows?.tooSmall(target);
    if (tooSmall !== undefined) return tooSmall;
    if (this.#mustWait(target)) return this.#postpone(target, reservedForUntried.reason);
    const { statistics } = this.#engine.registry.target(target.id);
    const usualMs = statistics.percentile('firstTokenMs', 0.5);
    const isTooSlow = usualMs !== undefined && usualMs > this.#scope.remainingMs();
    // Only for a target that is available now: otherwise the two would be postponed for each other without end.
    if (!isTooSlow || !this.#steps.some((step) => step.try && this.#isFree(step.try))) {
      return undefined;
    }
    const reason = `its first token usually takes ${Math.round(usualMs)} ms, more than is left`;
    return this.#postpone(target, reason);
  }

  /** After a vendor-specific rejection, the one further try is best spent on another vendor. */
  #preferOtherProviders({ provider }: ResolvedTarget): void {
    this.#isFirstRejection = false;
    const isSame = (step: Plan['steps'][number]): boolean => step.try?.provider === provider;
    this.#steps = [...this.#steps.filter((step) => !isSame(step)), ...this.#steps.filter(isSame)];
  }

  /** The targets that the tier lists for the failure come next. Where the failure table stops, only they may follow. */
  #preferFallbacks(target: ResolvedTarget, { code, vendorSpecific }: SignalboxError): void {
    const toCome = new Set([...this.#steps.map(idOf), ...this.#later.map(({ id }) => id)]);
    const first = this.#fallbacks?.take(target, code, toCome) ?? [];
    if (first.length === 0 || !isAttemptErrorCode(code)) return;
    const ids = new Set(first.map(idOf));
    let rest = this.#steps.filter((step) => !ids.has(idOf(step)));
    this.#later = this.#later.filter(({ id }) => !ids.has(id));
    const isListed = this.#call.tier.fallbackOn.includes(code);
    if (failureTable[code].next === 'listed' && !isListed && vendorSpecific !== true) {
      const reason = `only the fallbacks for ${code} may answer`;
      rest = rest.map((step) => ({
        skip: step.skip ?? { target: step.try.id, reason, ...keyLabel(step.try) },
      }));
      this.#later = [];
      this.#limited = [];
    }
    this.#steps = [...first, ...rest];
  }

  /** A target-level failure applies to all of its keys. */
  #dropOtherKeys({ id, key }: ResolvedTarget): void {
    if (key === undefined) return;
    const reason = 'another key would fail too';
    this.#steps = this.#steps.map((step) => {
      if (step.skip !== undefined) return step.later?.id === id ? { skip: step.skip } : step;
      return step.try.id === id ? { skip: { target: id, reason, ...keyLabel(step.try) } } : step;
    });
    this.#later = this.#later.filter((other) => other.id !== id);
  }

  /** Waits until a rate limit is over, if that is before the deadline. Other calls may extend it meanwhile. */
  async #waitFor({ target, until }: { readonly target: ResolvedTarget; readonly until: number }) {
    const { runtime } = this.#engine;
    const { availability } = this.#plans.of(target).keyState;
    for (let at = until; ; ) {
      const waitMs = at - runtime.now();
      if (waitMs >= this.#scope.remainingMs()) return false;
      if (waitMs > 0) await runtime.sleep(waitMs, this.#scope.signal);
      at = availability.untils.limited ?? 0;
      if (at <= runtime.now()) return true;
    }
  }

  /** When no other target is left, the one whose rate limit is over first is tried again. */
  async #secondChance(): Promise<ResolvedTarget | undefined> {
    const { tier, options } = this.#call;
    const { attempts = failureTable.rate_limited.alone } = { ...tier.retry, ...options.retry };
    const { isolated } = this.#engine.registry;
    const open = this.#limited.filter(
      ({ target }) => this.#plans.of(target).tries <= attempts && !isolated.has(target.id),
    );
    const soonest = open.toSorted((a, b) => a.until - b.until)[0];
    if (soonest === undefined || this.#unstarted() <= 0) return undefined;
    this.#limited = this.#limited.filter((each) => each !== soonest);
    return (await this.#waitFor(soonest)) ? soonest.target : undefined;
  }
}
