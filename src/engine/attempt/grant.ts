import type { SignalboxError } from '../../errors.ts';
import type { Permit } from '../../health/circuit-breaker.ts';
import type { Sent } from '../../internal/send-window.ts';
import type { RateLimit } from '../../protocol/provider.ts';
import type { Usage } from '../../protocol/usage.ts';
import type { AttemptPlan } from '../core/attempt-plan.ts';
import type { Engine, Slot } from '../core/engine.ts';
import type { Trail } from '../core/trail.ts';
import { countsAsFailure } from '../failures/decide.ts';
import { markUnavailable } from '../failures/mark-unavailable.ts';

/** How an attempt ended, as far as limits, health and statistics go. */
type Ending = {
  readonly durationMs: number;
  readonly firstTokenMs: number | undefined;
  /** As the vendor reported it. */
  readonly usage: Usage | undefined;
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
  succeeded({ durationMs, firstTokenMs, usage }: Ending, outputTokens: number | undefined): void {
    const plan = this.#plan;
    this.#trail.emitCircuit(plan, this.#permit.settle('success'));
    if (usage !== undefined) plan.state.answeredWith(usage.outputTokens);
    this.#release({ outcome: 'ok', tokens: usage?.totalTokens });
    this.#engine.registry.restore(plan.target);
    plan.keyState.rateLimits.answered(this.#sent);
    this.#engine.retryBudget.success();
    plan.state.statistics.record({
      totalMs: durationMs,
      outcome: 'ok',
      firstTokenMs,
      outputTokens,
    });
  }

  /** `isWhole`: the answer came to its end, but was of no use. */
  failed(
    error: SignalboxError,
    { durationMs, firstTokenMs, usage, isWhole }: Ending & { readonly isWhole: boolean },
  ): void {
    const plan = this.#plan;
    // An answer that came whole says nothing against the target's health, whatever it holds.
    const outcome = isWhole ? 'success' : 'neither';
    const settled = this.#permit.settle(countsAsFailure(error) ? 'failure' : outcome);
    this.#trail.emitCircuit(plan, settled, error);
    const isCallEnd =
      error.code === 'aborted' || error.code === 'closed' || error.phase === 'total';
    let isTargetLimited = false;
    if (!isCallEnd) {
      const attempt = { sent: this.#sent, emptyUntil: this.#emptyUntil };
      const emit: Trail['emit'] = (type, payload) => this.#trail.emit(type, payload, plan.tags);
      isTargetLimited = markUnavailable(this.#engine, plan, error, attempt, emit);
      plan.state.statistics.record({ totalMs: durationMs, outcome: 'error', firstTokenMs });
    }
    if (isWhole && usage !== undefined) plan.state.answeredWith(usage.outputTokens);
    const isLimited = error.code === 'rate_limited';
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
