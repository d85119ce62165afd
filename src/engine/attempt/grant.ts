import { defaults } from '../../config/defaults.ts';
import { type SignalboxError, summarizeError } from '../../errors.ts';
import type { Permit } from '../../health/circuit.ts';
import type { Sent } from '../../internal/windows.ts';
import type { RateLimit } from '../../protocol/provider.ts';
import type { Usage } from '../../protocol/usage.ts';
import type { AttemptPlan } from '../core/attempt-plan.ts';
import { type Engine, isKeyFailure, needs, type Slot } from '../core/engine.ts';
import { rememberUsage } from '../core/expected-cost.ts';
import type { Trail } from '../core/trail.ts';
import { countsAsFailure, isTooLargeToWait } from '../failures/decide.ts';

/** How an attempt ended, as far as limits, health and statistics go. */
type Ending = {
  readonly durationMs: number;
  readonly firstTokenMs: number | undefined;
  /** As the vendor reported it. */
  readonly usage: Usage | undefined;
  /** A whole answer took longer than the tier's `slowMs`. */
  readonly isSlow: boolean;
};

/** The key of an attempt, when it may be another one at the next. */
export type RenewableKey = {
  readonly fingerprint: string;
  /** False when the adapter does not see the key, and the fingerprint only counts rejections. */
  readonly isSeen: boolean;
  /** False when the vendor had rejected it already. */
  readonly wasSent: boolean;
};

/** How an attempt failed. */
type FailedEnding = Ending & {
  /** The answer came to its end, but was of no use. */
  readonly isWhole: boolean;
  /** `call`: another call would have waited longer, or the process stood still. */
  readonly fault: 'target' | 'call';
  readonly renewableKey: RenewableKey | undefined;
};

/**
 * What an attempt holds while it runs: a slot under the target's limits and a permit of its circuit. Settled once, when
 * everything that was learned of the target is recorded and the slot is free for the next attempt.
 */
export class Grant {
  readonly #engine: Engine;
  readonly #plan: AttemptPlan;
  readonly #trail: Trail;
  readonly #slot: Slot;
  readonly #permit: Permit;
  readonly #sent: Sent;
  /** When the vendor's quota refills, if its headers reported that nothing is left. */
  #emptyUntil: number | undefined;

  constructor(engine: Engine, plan: AttemptPlan, trail: Trail, slot: Slot) {
    this.#engine = engine;
    this.#plan = plan;
    this.#trail = trail;
    this.#slot = slot;
    plan.state.inFlight += 1;
    this.#permit = plan.state.circuit.enter(plan.call.tier.circuit);
    this.#sent = plan.keyState.rateLimits.sent();
  }

  /** Emits the event of a circuit that changed when the attempt entered it. */
  emitEntry(): void {
    this.#trail.emitCircuit(this.#plan, this.#permit.change);
  }

  /** The vendor reported its limits in its headers. */
  reported(limits: readonly RateLimit[]): void {
    const now = this.#engine.runtime.now();
    const resets = limits.filter(({ remaining }) => remaining <= 0).map(({ resetMs }) => resetMs);
    this.#emptyUntil = resets.length === 0 ? undefined : now + Math.max(...resets);
    this.#slot.reported(limits);
  }

  firstToken(): void {
    this.#slot.firstToken();
  }

  /** `outputTokens` may be estimated. */
  succeeded(
    { durationMs, firstTokenMs, usage, isSlow }: Ending,
    outputTokens: number | undefined,
  ): void {
    const plan = this.#plan;
    const settled = this.#permit.settle(isSlow ? 'failure' : 'success');
    this.#trail.emitCircuit(plan, settled, isSlow ? 'timeout' : undefined);
    if (usage !== undefined) {
      plan.state.answeredWith(usage.outputTokens);
      if (needs(plan.call.tier, 'usage')) rememberUsage(this.#engine, plan, usage);
    }
    this.#release({ outcome: 'ok', tokens: usage?.totalTokens });
    this.#engine.registry.restore(plan.target, plan.key);
    plan.keyState.rateLimits.answered(this.#sent);
    this.#engine.retryBudget.success();
    plan.state.record({
      totalMs: durationMs,
      outcome: 'ok',
      firstTokenMs,
      outputTokens,
    });
  }

  failed(
    error: SignalboxError,
    { durationMs, firstTokenMs, usage, isSlow, isWhole, fault, renewableKey }: FailedEnding,
  ): void {
    const plan = this.#plan;
    // An answer that came whole says nothing against the target's health, whatever it holds, unless it was slow.
    const whole = isSlow ? 'failure' : 'success';
    const outcome = isWhole ? whole : 'neither';
    const isFailure = fault === 'target' && countsAsFailure(error);
    const settled = this.#permit.settle(isFailure ? 'failure' : outcome);
    this.#trail.emitCircuit(plan, settled, isSlow && !isFailure ? 'timeout' : error.code);
    const isCallEnd =
      error.code === 'aborted' ||
      error.code === 'closed' ||
      error.code === 'budget_exceeded' ||
      error.phase === 'total';
    let isTargetLimited = false;
    if (!isCallEnd) {
      const attempt = { sent: this.#sent, emptyUntil: this.#emptyUntil, renewableKey };
      const emit: Trail['emit'] = (type, payload) => this.#trail.emit(type, payload, plan.tags);
      isTargetLimited = markUnavailable(this.#engine, plan, error, attempt, emit);
      const sample = { totalMs: durationMs, outcome: 'error', firstTokenMs } as const;
      if (plan.ownKey !== undefined && isKeyFailure(error.code)) {
        plan.state.recordKeyFailure(sample);
      } else plan.state.record(sample);
    }
    if (isWhole && usage !== undefined) plan.state.answeredWith(usage.outputTokens);
    const isLimited = error.code === 'rate_limited' && !isTooLargeToWait(error);
    const other = error.code === 'overloaded' ? 'overloaded' : 'other';
    // After what was learned of the target: the next attempt in the queue depends on it.
    this.#release({
      outcome: isWhole ? 'ok' : isLimited ? 'limited' : other,
      isTargetLimited,
      hasRetryAfter: error.retryAfterMs !== undefined,
      tokens: isLimited ? 0 : usage?.totalTokens,
    });
  }

  #release(departure: Parameters<Slot['release']>[0]): void {
    this.#plan.state.inFlight -= 1;
    this.#slot.release(departure);
  }
}

/** What is known of the attempt that failed. */
type FailedAttempt = {
  readonly sent: Sent;
  /** When the vendor's quota refills, if its headers reported that nothing is left. */
  readonly emptyUntil: number | undefined;
  readonly renewableKey: RenewableKey | undefined;
};

/**
 * Records a 429. It binds the call that received it, and all calls only when too many of the target's latest attempts
 * were rate limited, or when nothing is left. Returns whether the target is limited.
 */
function limit(
  { runtime }: Engine,
  { target, keyState }: AttemptPlan,
  error: SignalboxError,
  { sent, emptyUntil }: FailedAttempt,
  emit: Trail['emit'],
): boolean {
  const now = runtime.now();
  const emptyMs = emptyUntil === undefined ? undefined : emptyUntil - now;
  const until = keyState.rateLimits.limited(
    {
      attempt: sent,
      retryAfterMs: error.retryAfterMs ?? emptyMs,
      nothingLeft: emptyUntil !== undefined,
    },
    { minMs: defaults.limitedMs, maxMs: defaults.retryMaxMs },
  );
  // The other keys of a pool are not affected.
  if (target.key !== undefined) {
    keyState.rateLimits.avoid(now + (error.retryAfterMs ?? defaults.limitedMs));
  }
  if (until === undefined) return false;
  keyState.availability.mark('limited', until);
  emit('rate-limited', { target: target.id, until, kind: 'limited' });
  return true;
}

/**
 * Marks a target, its key or its model as unavailable when the failure asks for that: until the time that the vendor
 * sent, or the usual one. Returns whether the target is rate limited.
 */
function markUnavailable(
  engine: Engine,
  plan: AttemptPlan,
  error: SignalboxError,
  attempt: FailedAttempt,
  emit: Trail['emit'],
): boolean {
  const { target, state, keyState } = plan;
  const now = engine.runtime.now();
  const retryAt = (usualMs: number): number => now + (error.retryAfterMs ?? usualMs);
  switch (error.code) {
    case 'rate_limited':
      // About the size of this request, not about the load of the target.
      if (isTooLargeToWait(error)) return false;
      return limit(engine, plan, error, attempt, emit);
    case 'quota_exhausted': {
      // Vendors send the wait of a rate limit for an empty account too: it would be too short.
      const until = Math.max(retryAt(0), now + defaults.exhaustedMs);
      keyState.availability.mark('exhausted', until);
      emit('rate-limited', { target: target.id, until, kind: 'exhausted' });
      break;
    }
    case 'auth':
    case 'permission': {
      // An unknown key fails for all models; one that lacks a permission may work for others.
      const until = retryAt(defaults.credentialMs);
      const { id, provider } = target;
      const { key } = plan;
      const ofProvider = engine.registry.provider(provider);
      const renewable = error.code === 'auth' ? attempt.renewableKey : undefined;
      if (renewable?.wasSent === false) break;
      // The function may return another key at any time. Only if that one is rejected too, the provider is skipped.
      // Of keys by tags, each has its own record: another one is not withheld.
      const isFirst =
        renewable !== undefined &&
        plan.ownKey === undefined &&
        !ofProvider.rejected(key, renewable.fingerprint, until);
      const availability = error.code === 'auth' ? ofProvider.key(key) : keyState.availability;
      if (!isFirst) availability.mark('credential', until);
      // A key that the adapter does not see may be another one already: nothing is withheld.
      const isWithheld = !isFirst || renewable.isSeen;
      const summary = summarizeError(error);
      emit('credential-rejected', {
        provider,
        target: id,
        until: isWithheld ? until : now,
        error: summary,
      });
      break;
    }
    case 'model_not_found': {
      // Vendors report a model that the account may not use as missing.
      const availability = plan.ownKey === undefined ? state.availability : keyState.availability;
      availability.mark('model', retryAt(defaults.modelMs));
      break;
    }
    default:
  }
  return false;
}
