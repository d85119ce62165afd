import { defaults } from '../../config/defaults.ts';
import type { ResolvedTarget } from '../../config/resolve.ts';
import { SignalboxError, summarizeError } from '../../errors.ts';
import type { PartialAnswer } from '../../protocol/completion.ts';
import type { ErrorCode } from '../../protocol/error-code.ts';
import type { Unavailable } from '../../routing/candidate.ts';
import type { Plan } from '../../routing/plan.ts';
import type { Call, Engine } from '../core/engine.ts';
import { heldUnder, isKeyFailure, keysOf, toldKey, turnKeys } from '../core/keys.ts';
import type { Scope } from '../core/scope.ts';
import type { Trail } from '../core/trail.ts';
import { rateLimitBackoffMs } from '../failures/backoff.ts';
import {
  failureTable,
  isAttemptErrorCode,
  isNeededByUntried,
  leftToUntried,
} from '../failures/decide.ts';
import { wasTurnedAway } from '../failures/queue-rejection.ts';
import { planCall, tiersOf, unavailability } from './plan-call.ts';
import { RefusedWindows } from './refused-windows.ts';
import { type TargetState, TargetStates } from './target-states.ts';

/** The targets of one call, handed out one after another. */
export interface Chain {
  /** The next target to ask; waits for one that is rate limited when nothing else is left. */
  next(): Promise<ResolvedTarget | undefined>;
  /**
   * Why the target may not be asked at this moment. To be asked in the same turn as its circuit is entered:
   * in between, another call may take the only place of a probe. One that would have to wait while another is
   * free is asked again in the end.
   */
  refusal(target: ResolvedTarget): string | undefined;
  /** What speaks against the target's health; nothing does against the least bad one. */
  unwell(target: ResolvedTarget): Unavailable | undefined;
  /** How often the target was tried and repaired in this call. */
  state(target: ResolvedTarget): TargetState;
  /** Another target could be asked now. */
  othersFree(target: ResolvedTarget, code: ErrorCode): boolean;
  /** How many targets could be asked now that this call has not asked. */
  untried(target: ResolvedTarget): number;
  /** Attempts that the call may still make, besides those decided on already. */
  attemptsLeft(): number;
  /** Whether another target could be asked beside this one. */
  hasSpare(target: ResolvedTarget): boolean;
  /** Takes that other target out of the chain; one of another provider if there is one. */
  takeSpare(target: ResolvedTarget): ResolvedTarget | undefined;
  /** The target is about to be asked; tells of the failover when another one failed before it. */
  asking(target: ResolvedTarget): void;
  /** The attempt of the target that was waited for begins. Returns its number. */
  begin(target: ResolvedTarget): number;
  /** The target failed and the verdict was to go on. */
  failed(target: ResolvedTarget, error: SignalboxError): void;
  /** The target is to be asked once more, from the start. */
  again(target: ResolvedTarget): void;
  /** The error of a chain that has ended; `partial` is what the reader has seen of an answer. */
  exhausted(partial?: PartialAnswer): SignalboxError;
}

/** See {@link openChain}. A class, as is all that each call has: closures would be one set for each. */
class TargetChain implements Chain {
  readonly #engine: Engine;
  readonly #call: Call;
  readonly #scope: Scope;
  readonly #trail: Trail;
  /** What is left of the plan. */
  #steps: Plan['steps'][number][];
  readonly #isForced: boolean;
  readonly #states = new TargetStates();
  #limited: readonly { readonly target: ResolvedTarget; readonly until: number }[] = [];
  /** When each target that failed may answer, as it told this call. */
  readonly #toldUntil = new Map<string, number>();
  #lastFailed: { readonly target: ResolvedTarget; readonly error: SignalboxError } | undefined;
  /** Passed over for the time being: those that could answer in the end are asked then. */
  #later: readonly ResolvedTarget[] = [];
  /** Set by a prompt that was too long: only a larger window may still take it. */
  #refusedWindows: RefusedWindows | undefined;

  constructor(engine: Engine, call: Call, scope: Scope, trail: Trail) {
    const planned = planCall(engine, call);
    this.#engine = engine;
    this.#call = call;
    this.#scope = scope;
    this.#trail = trail;
    this.#steps = [...planned.steps];
    this.#isForced = planned.leastBad !== undefined;
    turnKeys(engine, planned.candidates);
    if (engine.emitter.isHeard('route-plan')) {
      trail.emit('route-plan', {
        candidates: planned.candidates.map(({ id }) => id),
        skipped: planned.skipped.map(({ target, reason }) => ({ target, reason })),
      });
    }
  }

  unwell(target: ResolvedTarget): Unavailable | undefined {
    if (this.#isForced) return undefined;
    return this.#engine.health.check(target.id, target.provider, target.key);
  }

  refusal(target: ResolvedTarget): string | undefined {
    const unwell = this.unwell(target);
    if (unwell !== undefined) return this.#postpone(target, unwell.reason);
    const busy = this.#engine.limits.busy(this.#call, target);
    if (busy === undefined || !this.othersFree(target, 'rate_limited')) return undefined;
    // One that could answer meanwhile goes before one that waits.
    const free = this.#takeLater();
    if (free !== undefined) this.#steps.push({ ask: free });
    this.#steps.push({ ask: target });
    return busy.reason;
  }

  state(target: ResolvedTarget): TargetState {
    return this.#states.of(target);
  }

  othersFree(target: ResolvedTarget, code: ErrorCode): boolean {
    const isOther = (other: ResolvedTarget | undefined): boolean =>
      other !== undefined &&
      (isKeyFailure(code) ? other !== target : other.id !== target.id) &&
      this.#isFree(other);
    return (
      this.#attemptsLeft() > 0 &&
      (this.#steps.some(({ ask, later }) => isOther(ask ?? later)) || this.#later.some(isOther))
    );
  }

  untried(target: ResolvedTarget): number {
    const rest = [...this.#steps.flatMap(({ ask, later }) => ask ?? later ?? []), ...this.#later];
    return new Set(rest.filter(this.#isFreshBeside(target)).map(({ id }) => id)).size;
  }

  attemptsLeft(): number {
    return this.#attemptsLeft() - this.#states.waiting();
  }

  hasSpare(target: ResolvedTarget): boolean {
    return this.#attemptsLeft() > 0 && this.#spareFor(target) !== undefined;
  }

  takeSpare(target: ResolvedTarget): ResolvedTarget | undefined {
    const spare = this.#spareFor(target);
    this.#steps = this.#steps.filter((step) => step.ask === undefined || step.ask !== spare);
    return spare;
  }

  asking(target: ResolvedTarget): void {
    const last = this.#lastFailed;
    if (last === undefined || last.target === target) return;
    const error = summarizeError(last.error);
    this.#trail.emit('failover', { from: last.target.id, to: target.id, error });
  }

  begin(target: ResolvedTarget): number {
    this.state(target).isWaiting = false;
    return this.#trail.begin();
  }

  failed(target: ResolvedTarget, error: SignalboxError): void {
    const { runtime } = this.#engine;
    this.#lastFailed = { target, error };
    if (error.code === 'context_length') {
      this.#refusedWindows ??= new RefusedWindows(this.#engine, this.#call);
      this.#refusedWindows.add(target);
    }
    if (wasTurnedAway(error)) this.#postpone(target, error.message);
    const { target: held } = heldUnder(target);
    const toldUntil = error.retryAfterMs && runtime.now() + error.retryAfterMs;
    if (toldUntil === undefined) this.#toldUntil.delete(held);
    else this.#toldUntil.set(held, toldUntil);
    if (error.code === 'rate_limited' && !wasTurnedAway(error)) {
      const until = toldUntil ?? runtime.now() + this.#backoffMs(target);
      const others = this.#limited.filter((each) => each.target !== target);
      this.#limited = [...others, { target, until }];
    }
    if (!isKeyFailure(error.code)) this.#dropOtherKeys(target);
  }

  again(target: ResolvedTarget): void {
    this.#steps.unshift({ ask: target });
  }

  async next(): Promise<ResolvedTarget | undefined> {
    const { maxAttempts } = this.#call.tier;
    for (let step = this.#steps.shift(); step !== undefined; step = this.#steps.shift()) {
      if (step.ask === undefined) {
        this.#trail.skip(step.skip, step.skip.reason);
        if (step.later !== undefined) this.#postpone(step.later, step.skip.reason);
        continue;
      }
      const target = step.ask;
      const isOver = this.#attemptsLeft() <= 0;
      const reason = isOver ? `maxAttempts (${maxAttempts}) reached` : this.#passOver(target);
      if (reason === undefined) return target;
      this.#trail.skip({ target: target.id, ...toldKey(target) }, reason);
    }
    return this.#takeLater() ?? this.#secondChance();
  }

  exhausted(partial?: PartialAnswer): SignalboxError {
    const engine = this.#engine;
    const { config, tier } = this.#call;
    const { errors, lines } = this.#trail;
    const told = errors.map((error) => error.message);
    const passed = lines
      .filter((line) => line.outcome === 'skipped' && line.error === undefined)
      .map((line) => `${line.target}: passed over, ${line.reason ?? 'unavailable'}`);
    const untils = tiersOf(config, tier)
      .flatMap(({ targets }) => targets)
      .flatMap((target) => keysOf(engine, target)?.map((key) => ({ ...target, key })) ?? [target])
      .flatMap((target) => this.#availableAt(target) ?? []);
    const retryAfterMs =
      untils.length === 0
        ? undefined
        : Math.max(0, Math.ceil(Math.min(...untils) - engine.runtime.now()));
    const last = errors.at(-1);
    const reasons = [...told, ...passed].map((line) => `\n  ${line}`).join('');
    return new SignalboxError(
      'all_targets_failed',
      `all targets of tier "${tier.name}" failed${reasons}`,
      {
        errors,
        retryAfterMs,
        partial,
        ...(last !== undefined && isAttemptErrorCode(last.code) && { cause: last }),
      },
    );
  }

  /** When the target may answer again, as far as anything says so: as it told this call, or as is known of it. */
  #availableAt(target: ResolvedTarget): number | undefined {
    const known = unavailability(this.#engine, this.#call, target)?.until;
    const told = this.#toldUntil.get(heldUnder(target).target);
    return known === undefined || told === undefined ? (known ?? told) : Math.max(known, told);
  }

  /** How long this call waits for a target that refused it without a time. */
  #backoffMs(target: ResolvedTarget): number {
    const { maxMs = defaults.retryMaxMs } = {
      ...this.#call.tier.retry,
      ...this.#call.options.retry,
    };
    return rateLimitBackoffMs(this.state(target).tries, maxMs, this.#engine.runtime.random());
  }

  #attemptsLeft(): number {
    return this.#call.tier.maxAttempts - this.#trail.attempts;
  }

  #isFree(target: ResolvedTarget): boolean {
    return (
      this.#refusedWindows?.tooSmall(target) === undefined &&
      unavailability(this.#engine, this.#call, target) === undefined
    );
  }

  /** Whether another target was not asked in this call, and could answer now. */
  #isFreshBeside({ id }: ResolvedTarget): (other: ResolvedTarget) => boolean {
    return (other) => other.id !== id && !this.#states.isTried(other) && this.#isFree(other);
  }

  /** Whether it was asked already, and the attempts left are for those that were not. */
  #mustWait(target: ResolvedTarget): boolean {
    return (
      this.#states.isTried(target) && isNeededByUntried(this.#attemptsLeft(), this.untried(target))
    );
  }

  /** Passes the target over for the time being; returns why. */
  #postpone(target: ResolvedTarget, reason: string): string {
    this.#later = [...this.#later, target];
    return reason;
  }

  /** The first of those passed over that could answer now. */
  #takeLater(): ResolvedTarget | undefined {
    if (this.#attemptsLeft() <= 0) return undefined;
    const target = this.#later.find((each) => this.#isFree(each) && !this.#mustWait(each));
    this.#later = this.#later.filter((each) => each !== target);
    return target;
  }

  #spareFor(target: ResolvedTarget): ResolvedTarget | undefined {
    const free = this.#steps.flatMap((step) => step.ask ?? []).filter(this.#isFreshBeside(target));
    return free.find((other) => other.provider !== target.provider) ?? free[0];
  }

  /** Why a target of the plan is passed over after all: things have changed since it was made. */
  #passOver(target: ResolvedTarget): string | undefined {
    const tooSmall = this.#refusedWindows?.tooSmall(target);
    if (tooSmall !== undefined) return tooSmall;
    if (this.#mustWait(target)) return this.#postpone(target, leftToUntried.reason);
    const usualMs = this.#engine.statistics(target.id).percentile('firstTokenMs', 0.5);
    const isTooSlow = usualMs !== undefined && usualMs > this.#scope.remainingMs();
    // One that could be asked at once, or else the two would be put off for each other without end.
    if (!isTooSlow || !this.#steps.some(({ ask }) => ask && this.#isFree(ask))) return undefined;
    const reason = `its first token usually takes ${Math.round(usualMs)} ms, more than is left`;
    return this.#postpone(target, reason);
  }

  /** What ails the target ails it with every key. */
  #dropOtherKeys({ id, key }: ResolvedTarget): void {
    if (key === undefined) return;
    const reason = 'another key would not help';
    this.#steps = this.#steps.map((step) => {
      if (step.skip !== undefined) return step.later?.id === id ? { skip: step.skip } : step;
      return step.ask.id === id ? { skip: { target: id, reason, ...toldKey(step.ask) } } : step;
    });
    this.#later = this.#later.filter((other) => other.id !== id);
  }

  /** Waits until a rate limit is over, if that is before the deadline. Other calls may make it longer meanwhile. */
  async #waitFor(target: ResolvedTarget, until: number): Promise<boolean> {
    const { runtime, health } = this.#engine;
    for (let at = until; ; ) {
      const waitMs = at - runtime.now();
      if (waitMs >= this.#scope.remainingMs()) return false;
      if (waitMs > 0) await runtime.sleep(waitMs, this.#scope.signal);
      at = health.get(heldUnder(target).target).unavailable.limited ?? 0;
      if (at <= runtime.now()) return true;
    }
  }

  /** With nothing fresh left, the target whose rate limit is over first gets another chance. */
  async #secondChance(): Promise<ResolvedTarget | undefined> {
    const { tier, options } = this.#call;
    const { attempts = failureTable.rate_limited.alone } = { ...tier.retry, ...options.retry };
    const open = this.#limited.filter(({ target }) => this.state(target).tries <= attempts);
    const soonest = open.sort((a, b) => a.until - b.until)[0];
    if (soonest === undefined || this.#attemptsLeft() <= 0) return undefined;
    const { target, until } = soonest;
    this.#limited = this.#limited.filter((each) => each !== soonest);
    return (await this.#waitFor(target, until)) ? target : undefined;
  }
}

export function openChain(engine: Engine, call: Call, scope: Scope, trail: Trail): Chain {
  return new TargetChain(engine, call, scope, trail);
}
