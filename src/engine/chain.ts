import { defaults } from '../config/defaults.ts';
import type { ResolvedTarget } from '../config/resolve.ts';
import { SignalboxError, summarizeError } from '../errors.ts';
import { lastOf } from '../internal/last-of.ts';
import type { PartialAnswer } from '../protocol/completion.ts';
import type { ErrorCode } from '../protocol/error-code.ts';
import type { NormalMessage } from '../protocol/message.ts';
import { rateLimitBackoffMs } from '../resilience/backoff.ts';
import type { Unavailable } from '../routing/candidate.ts';
import type { Plan } from '../routing/plan.ts';
import { failureTable, isAttemptErrorCode } from './decide.ts';
import type { Call, Engine } from './engine.ts';
import { heldUnder, isKeyFailure, keysOf, toldKey, turnKeys } from './keys.ts';
import { planCall, tiersOf, unavailability, windowOf } from './plan-call.ts';
import type { Scope } from './scope.ts';
import type { Trail } from './trail.ts';
import { wasTurnedAway } from './turned-away.ts';

/** What the call remembers of a target: its tries, its repairs, and the turns that ask for the next one. */
type State = {
  tries: number;
  repairs: number;
  repair: readonly NormalMessage[];
  /** It did not go on with an answer that another target had begun. */
  refusedPrefill: boolean;
};

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
  state(target: ResolvedTarget): State;
  /** Another target could be asked now. */
  othersFree(target: ResolvedTarget, code: ErrorCode): boolean;
  /** Whether another target could be asked beside this one. */
  hasSpare(target: ResolvedTarget): boolean;
  /** Takes that other target out of the chain; one of another provider if there is one. */
  takeSpare(target: ResolvedTarget): ResolvedTarget | undefined;
  /** The target is about to be asked; tells of the failover when another one failed before it. */
  asking(target: ResolvedTarget): void;
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
  readonly #states = new Map<string, State>();
  #limited: readonly { readonly target: ResolvedTarget; readonly until: number }[] = [];
  /** When each target that failed may answer, as it told this call. */
  readonly #toldUntil = new Map<string, number>();
  #lastFailed: { readonly target: ResolvedTarget; readonly error: SignalboxError } | undefined;
  /** Set by a prompt that was too long: only a larger window may still take it. */
  #tooSmall: { readonly window: number | undefined } | undefined;

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
    lastOf.chain = this;
  }

  unwell(target: ResolvedTarget): Unavailable | undefined {
    if (this.#isForced) return undefined;
    return this.#engine.health.check(target.id, target.provider, target.key);
  }

  refusal(target: ResolvedTarget): string | undefined {
    const unwell = this.unwell(target);
    if (unwell !== undefined) return unwell.reason;
    const busy = this.#engine.limits.busy(this.#call, target);
    if (busy === undefined || !this.othersFree(target, 'rate_limited')) return undefined;
    this.#steps.push({ ask: target });
    return busy.reason;
  }

  state(target: ResolvedTarget): State {
    const { target: id } = heldUnder(target);
    const known = this.#states.get(id);
    if (known !== undefined) return known;
    const state: State = { tries: 0, repairs: 0, repair: [], refusedPrefill: false };
    this.#states.set(id, state);
    return state;
  }

  othersFree(target: ResolvedTarget, code: ErrorCode): boolean {
    return (
      this.#attemptsLeft() > 0 &&
      this.#steps.some(
        ({ ask: other }) =>
          other !== undefined &&
          (isKeyFailure(code) ? other !== target : other.id !== target.id) &&
          this.#isFree(other),
      )
    );
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

  failed(target: ResolvedTarget, error: SignalboxError): void {
    const { runtime } = this.#engine;
    this.#lastFailed = { target, error };
    if (error.code === 'context_length')
      this.#tooSmall = { window: windowOf(this.#engine, target) };
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
        continue;
      }
      const target = step.ask;
      const isOver = this.#attemptsLeft() <= 0;
      const reason = isOver ? `maxAttempts (${maxAttempts}) reached` : this.#passOver(target);
      if (reason === undefined) return target;
      this.#trail.skip({ target: target.id, ...toldKey(target) }, reason);
    }
    return this.#secondChance();
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

  #isLarger(target: ResolvedTarget): boolean {
    if (this.#tooSmall === undefined) return true;
    const window = windowOf(this.#engine, target);
    if (window === undefined) return true;
    return this.#tooSmall.window !== undefined && window > this.#tooSmall.window;
  }

  #isFree(target: ResolvedTarget): boolean {
    return this.#isLarger(target) && unavailability(this.#engine, this.#call, target) === undefined;
  }

  #spareFor(target: ResolvedTarget): ResolvedTarget | undefined {
    const free = this.#steps
      .flatMap((step) => step.ask ?? [])
      .filter((other) => other.id !== target.id && this.#isFree(other));
    return free.find((other) => other.provider !== target.provider) ?? free[0];
  }

  /** Why a target of the plan is passed over after all: things have changed since it was made. */
  #passOver(target: ResolvedTarget): string | undefined {
    if (!this.#isLarger(target)) return 'its context window is no larger';
    const usualMs = this.#engine.statistics(target.id).percentile('firstTokenMs', 0.5);
    const isTooSlow = usualMs !== undefined && usualMs > this.#scope.remainingMs();
    if (!isTooSlow || !this.#steps.some((step) => step.ask !== undefined)) return undefined;
    return `its first token usually takes ${Math.round(usualMs)} ms, more than is left`;
  }

  /** What ails the target ails it with every key. */
  #dropOtherKeys({ id, key }: ResolvedTarget): void {
    if (key === undefined) return;
    const reason = 'another key would not help';
    this.#steps = this.#steps.map((step) =>
      step.ask?.id === id ? { skip: { target: id, reason, ...toldKey(step.ask) } } : step,
    );
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
