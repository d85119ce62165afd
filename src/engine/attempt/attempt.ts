import type { ResolvedTarget } from '../../config/resolve.ts';
import type { SignalboxError } from '../../errors.ts';
import type { Outcome, Permit } from '../../health/health.ts';
import type { Sent } from '../../internal/send-window.ts';
import type { Attempt } from '../../protocol/attempt.ts';
import type { Completion, Tags } from '../../protocol/completion.ts';
import type { EventName } from '../../protocol/events.ts';
import type { NormalMessage } from '../../protocol/message.ts';
import type { PreparedCall, RateLimit } from '../../protocol/provider.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import type { Usage } from '../../protocol/usage.ts';
import { CallGuard } from '../answer/offered-tools.ts';
import { toCompletion } from '../answer/to-completion.ts';
import { type Collected, createCollected, estimateUsage } from '../core/collected.ts';
import type { Place } from '../core/engine.ts';
import { answerBoundFor, optionsFor, tagsFor } from '../core/engine.ts';
import { heldUnder, toldKey } from '../core/keys.ts';
import { failureOf, type Payload, type Trail } from '../core/trail.ts';
import { countsAsFailure, type Decision } from '../failures/decide.ts';
import { withhold } from '../failures/mark-unavailable.ts';
import { notAsked, wasTurnedAway } from '../failures/queue-rejection.ts';
import { Bill } from './attempt-cost.ts';
import { attemptError } from './attempt-error.ts';
import { type AttemptParts, runAttempt } from './attempt-stream.ts';
import { timingOf } from './attempt-timeouts.ts';
import { joinedTo } from './continuation.ts';
import type { Continuation, Run } from './run.ts';
import type { Pace } from './slow-stream-guard.ts';

/** One attempt and all that hangs on it: its place in the queue and the circuit, its parts, its bill. */
export interface Session {
  readonly target: ResolvedTarget;
  readonly collected: Collected;
  /** Whether its answer goes on from that of another target. */
  readonly continues: boolean;
  /** Checks the tool calls of its answer. */
  readonly toolCalls: CallGuard;
  /** Waits for its turn, then hands out the parts in order. Leaving early closes the socket. */
  start(): AttemptParts | Promise<AttemptParts>;
  /** Makes the completion of a finished answer and checks it. Bills it, whatever the check says. */
  conclude(): Completion | Promise<Completion>;
  /** Books a success: circuit, statistics, trail. Gives back what it was given. */
  succeed(completion: Completion): Completion;
  /** Books a failure on the target's health, and bills what the vendor reported. The verdict comes after. */
  fail(error: SignalboxError): Promise<SignalboxError>;
  /** Writes the failure's line once the verdict is known. */
  judge(error: SignalboxError, decision: Decision): void;
}

/** What the trail and the events tell of an attempt. */
type Told = Pick<Attempt, 'target' | 'key' | 'durationMs' | 'queuedMs' | 'firstTokenMs' | 'usage'>;
type Facts = { -readonly [Key in keyof Told]: Told[Key] };

/** What one attempt asks, made ready. */
export type Asking = {
  readonly prepared: PreparedCall;
  /** The turns that are sent. */
  readonly messages: readonly NormalMessage[];
  /** What the answer goes on from. */
  readonly continuation?: Continuation;
};

/** See {@link openSession}. A class, as is all that each call has: closures would be one set for each. */
class AttemptSession implements Session {
  readonly target: ResolvedTarget;
  readonly collected: Collected;
  readonly continues: boolean;
  readonly toolCalls: CallGuard;
  readonly #run: Run;
  readonly #asking: Asking;
  readonly #tags: Tags;
  /** When its turn came: the wait before is not the target's. */
  #startedAt: number;
  /** How long it waited for its turn, if it did. */
  #queuedMs: number | undefined;
  readonly #bill: Bill;
  /** Its number; none while it waits for its turn, which it may never get. */
  #attempt: number | undefined;
  /** What its target's refusals are counted with. */
  #sent: Sent | undefined;
  /** When there is more again, if the vendor said that nothing is left. */
  #emptyUntil: number | undefined;
  #firstTokenMs: number | undefined;
  #permit: Permit | undefined;
  #place: Place | undefined;
  #pace: Pace | undefined;

  constructor(run: Run, target: ResolvedTarget, asking: Asking) {
    const { engine, call } = run;
    this.target = target;
    this.collected = createCollected(asking.continuation, answerBoundFor(engine, target));
    this.continues = asking.continuation !== undefined;
    this.#run = run;
    this.toolCalls = new CallGuard(call, target, asking.prepared.warnings);
    this.#asking = asking;
    this.#tags = tagsFor(call, target);
    this.#startedAt = engine.runtime.now();
    this.#bill = new Bill(run, target, this.#tags);
  }

  start(): AttemptParts | Promise<AttemptParts> {
    const { engine, call, scope } = this.#run;
    const entered = engine.limits.enter(call, scope, this.target);
    // Awaited only where there is a wait: the circuit is to be entered in the turn in which it was asked.
    if (!(entered instanceof Promise)) return this.#startAt(entered);
    const askedAt = engine.runtime.now();
    return entered.then((place) => this.#startAt(place, engine.runtime.now() - askedAt));
  }

  conclude(): Completion | Promise<Completion> {
    const { collected } = this;
    const usage = collected.usage() ?? estimateUsage(this.#asking.messages, collected.content);
    const cost = this.#bill.book(usage, collected);
    return cost instanceof Promise
      ? cost.then((known) => this.toolCalls.check(this.#whole(usage, known)))
      : this.toolCalls.check(this.#whole(usage, cost));
  }

  succeed(completion: Completion): Completion {
    const { engine, trail } = this.#run;
    const { id, provider, key } = this.target;
    this.#leave('success');
    this.#makeRoom();
    engine.health.restore(id, provider, key);
    if (this.#sent !== undefined) {
      engine.health.refusals.answered(heldUnder(this.target).target, this.#sent);
    }
    engine.retryBudget.success();
    this.#book('success');
    const told = { ...this.#facts(), outcome: 'ok', verdict: 'done' } as const;
    trail.end({ ...told, startedAt: this.#startedAt, cost: completion.cost.usd });
    this.#emit('attempt-end', { ...told, attempt: this.#attempt ?? 0, usd: completion.cost.usd });
    return completion;
  }

  async fail(raw: SignalboxError): Promise<SignalboxError> {
    // It was still waiting for its turn: the target was not asked, and is not to blame.
    if (this.#attempt === undefined) return raw;
    const { target, collected } = this;
    const about = { call: this.#run.call, target, messages: this.#asking.messages };
    const error = attemptError(raw, collected.requestId, about);
    const left = error.code === 'aborted' || error.code === 'closed' || error.phase === 'total';
    // An answer that came whole but is of no use says nothing against the target's health.
    const outcome = collected.finish !== undefined ? 'success' : 'neither';
    this.#leave(countsAsFailure(error) ? 'failure' : outcome, error);
    let isTargetLimited = false;
    if (!left && this.#sent !== undefined) {
      const attempt = { sent: this.#sent, emptyUntil: this.#emptyUntil };
      const emit: Trail['emit'] = (type, payload) => this.#emit(type, payload);
      isTargetLimited = withhold(this.#run.engine, target, error, attempt, emit);
      this.#book('failure');
    }
    // After what was learned of the target has been told: the next in the queue goes by it.
    this.#makeRoom(error, isTargetLimited);
    const usage = collected.usage() ?? this.toolCalls.estimate(this.#asking.messages, collected);
    const isUnbilled = this.#bill.booked === undefined && usage !== undefined;
    if (isUnbilled) await this.#bill.book(usage, collected);
    return error;
  }

  judge(error: SignalboxError, decision: Decision): void {
    const { trail } = this.#run;
    const startedAt = this.#startedAt;
    if (this.#attempt === undefined) {
      const told = { ...failureOf(error, decision.verdict, error.message), ...this.#facts() };
      const outcome = wasTurnedAway(error) ? 'skipped' : told.outcome;
      trail.end({ ...told, startedAt, outcome }, error);
      return;
    }
    const reason = decision.verdict === 'retry' ? undefined : decision.reason;
    const failure = failureOf(error, decision.verdict, reason);
    const usd = this.#bill.booked?.usd;
    const cost = usd === undefined ? {} : { cost: usd };
    trail.end({ ...this.#facts(), startedAt, ...failure, ...cost }, error);
    this.#emit('attempt-end', {
      ...this.#facts(),
      attempt: this.#attempt,
      outcome: failure.outcome,
      verdict: failure.verdict,
      error: failure.error,
      ...(usd !== undefined && { usd }),
    });
  }

  /** It has a place: its turn has come, unless things have changed while it waited. */
  #startAt(place: Place, queuedMs?: number): AttemptParts {
    const { target } = this;
    const { engine, call, scope, trail, chain } = this.#run;
    const { prepared, continuation } = this.#asking;
    this.#place = place;
    this.#queuedMs = queuedMs;
    // While it waited, a hedge may have taken the last attempt, or another call the only place of a probe.
    const isOneTooMany = trail.attempts >= call.tier.maxAttempts;
    const refusal = isOneTooMany ? 'maxAttempts reached' : chain.unwell(target)?.reason;
    if (refusal !== undefined) {
      place.leave({ outcome: 'other', tokens: 0 });
      throw notAsked(heldUnder(target).target, refusal);
    }
    this.#begin();
    const { clocks, pace } = timingOf(this.#run, target);
    this.#pace = pace;
    const attemptParts = runAttempt(engine.runtime, prepared, {
      ...(target.key !== undefined && { key: target.key }),
      scope,
      clocks,
      transfer: call.task.transferFor(optionsFor(call, target)),
      keepRaw: call.options.raw === true,
      maxAnswerBytes: answerBoundFor(engine, target),
      onLimits: (told) => this.#told(told),
      see: continuation === undefined ? this.#see : this.toolCalls.see,
    });
    return continuation === undefined
      ? attemptParts
      : joinedTo(continuation, attemptParts, this.#see);
  }

  /** Its turn has come. */
  #begin(): void {
    const { engine, call, trail, chain } = this.#run;
    const target = this.target.id;
    this.#startedAt = engine.runtime.now();
    this.#attempt = chain.begin(this.target);
    this.#permit = engine.health.enter(target, call.tier.circuit);
    this.#sent = engine.health.refusals.sent(heldUnder(this.target).target);
    this.#emit('attempt-start', { target, attempt: this.#attempt });
    trail.tellCircuit(target, this.#permit.change, this.#tags);
  }

  #told(limits: readonly RateLimit[]): void {
    const now = this.#run.engine.runtime.now();
    const untils = limits.filter(({ remaining }) => remaining <= 0).map(({ resetMs }) => resetMs);
    this.#emptyUntil = untils.length === 0 ? undefined : now + Math.max(...untils);
    this.#place?.told(limits);
  }

  readonly #see = (part: ProviderPart): void => {
    const { collected } = this;
    const { engine, onBegun } = this.#run;
    this.toolCalls.see(part);
    collected.add(part);
    if (this.#firstTokenMs === undefined && (collected.begun || part.type === 'finish')) {
      this.#firstTokenMs = engine.runtime.now() - this.#startedAt;
      this.#emit('first-token', { target: this.target.id, firstTokenMs: this.#firstTokenMs });
      onBegun?.();
      this.#place?.begun();
    }
    this.#pace?.seen(part, engine.runtime.now());
  };

  #emit<Name extends EventName>(type: Name, payload: Payload<Name>): void {
    this.#run.trail.emit(type, payload, this.#tags);
  }

  /** Gives back the place in the circuit; once. */
  #leave(outcome: Outcome, error?: SignalboxError): void {
    const change = this.#permit?.settle(outcome);
    this.#run.trail.tellCircuit(this.target.id, change, this.#tags, error);
    this.#permit = undefined;
  }

  /** Gives back the place under the limits, which may let the next one in; once. */
  #makeRoom(error?: SignalboxError, isTargetLimited = false): void {
    const { target, collected } = this;
    const usage = collected.usage();
    const refused = error?.code === 'rate_limited' ? 'limited' : undefined;
    const busy = error?.code === 'overloaded' ? 'overloaded' : 'other';
    const isOk = error === undefined || collected.finish !== undefined;
    if (isOk && usage) this.#run.engine.limits.answered(target, usage.outputTokens);
    this.#place?.leave({
      outcome: isOk ? 'ok' : (refused ?? busy),
      isTargetLimited,
      toldWhen: error?.retryAfterMs !== undefined,
      tokens: refused === undefined ? usage?.totalTokens : 0,
    });
    this.#place = undefined;
  }

  #book(outcome: 'success' | 'failure'): void {
    const { engine } = this.#run;
    engine.statistics(this.target.id).record({
      totalMs: engine.runtime.now() - this.#startedAt,
      outcome: outcome === 'success' ? 'ok' : 'error',
      firstTokenMs: this.#firstTokenMs,
      outputTokens: this.#bill.booked?.usage.outputTokens,
    });
  }

  #facts(): Facts {
    const told: Facts = {
      ...toldKey(this.target),
      target: this.target.id,
      durationMs: this.#run.engine.runtime.now() - this.#startedAt,
    };
    if (this.#queuedMs !== undefined) told.queuedMs = this.#queuedMs;
    if (this.#firstTokenMs !== undefined) told.firstTokenMs = this.#firstTokenMs;
    if (this.#bill.booked !== undefined) told.usage = this.#bill.booked.usage;
    return told;
  }

  #whole(usage: Usage, cost: Completion['cost']): Completion {
    const { target, collected } = this;
    const { engine, call, scope } = this.#run;
    const firstTokenAt =
      this.#firstTokenMs === undefined ? undefined : this.#startedAt + this.#firstTokenMs;
    const about = { engine, call, scope, target, prepared: this.#asking.prepared, collected };
    return toCompletion({ ...about, usage, cost, tags: this.#tags, firstTokenAt });
  }
}

export function openSession(run: Run, target: ResolvedTarget, asking: Asking): Session {
  return new AttemptSession(run, target, asking);
}
