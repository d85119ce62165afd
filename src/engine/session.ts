import type { ResolvedTarget } from '../config/resolve.ts';
import type { SignalboxError } from '../errors.ts';
import type { Completion } from '../protocol/completion.ts';
import type { EventName } from '../protocol/events.ts';
import type { NormalMessage } from '../protocol/message.ts';
import type { PreparedCall } from '../protocol/provider.ts';
import type { ProviderPart } from '../protocol/stream-part.ts';
import type { Usage } from '../protocol/usage.ts';
import type { CircuitChange, Outcome, Permit } from '../resilience/health.ts';
import { type AttemptParts, runAttempt } from './attempt.ts';
import { timingOf } from './clocks.ts';
import { type Collected, createCollected, estimateUsage } from './collect.ts';
import { type Continuation, joinedTo } from './continuation.ts';
import { countsAsFailure, type Decision } from './decide.ts';
import { pricedTarget, tagsFor } from './engine.ts';
import { heldUnder, toldKey } from './keys.ts';
import type { Place } from './limit-keeper.ts';
import { optionsFor } from './request.ts';
import type { Run } from './run.ts';
import { toCompletion } from './to-completion.ts';
import { failureOf } from './trail.ts';
import { notAsked, wasTurnedAway } from './turned-away.ts';
import { withhold } from './withhold.ts';

/** One attempt and all that hangs on it: its place in the queue and the circuit, its parts, its bill. */
export interface Session {
  readonly target: ResolvedTarget;
  readonly collected: Collected;
  /** Whether its answer goes on from that of another target. */
  readonly continues: boolean;
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
type Facts = {
  target: string;
  key?: number;
  durationMs: number;
  queuedMs?: number;
  firstTokenMs?: number;
  usage?: Usage;
};

/** What one attempt asks, made ready. */
export type Asking = {
  readonly prepared: PreparedCall;
  /** The turns that are sent. */
  readonly messages: readonly NormalMessage[];
  /** What the answer goes on from. */
  readonly continuation?: Continuation;
};

export function openSession(run: Run, target: ResolvedTarget, asking: Asking): Session {
  const { engine, call, scope, trail, chain } = run;
  const { prepared, messages, continuation } = asking;
  const { runtime, health, pricing } = engine;
  const options = optionsFor(call, target);
  const collected = createCollected(continuation);
  const openedAt = runtime.now();
  /** When its turn came: the wait before is not the target's. */
  let startedAt = openedAt;
  const tags = tagsFor(call, target);
  const emit = <Name extends EventName>(
    type: Name,
    payload: Parameters<typeof trail.emit<Name>>[1],
  ): void => trail.emit(type, payload, tags);
  const priced = pricedTarget(engine, target);
  // Loaded while the vendor thinks. A list that cannot be loaded makes the price unknown, not the answer.
  const prices = pricing.load(priced)?.catch(() => undefined);
  /** Its number; none while it waits for its turn, which it may never get. */
  let attempt: number | undefined;
  let firstTokenMs: number | undefined;
  let permit: Permit | undefined;
  let place: Place | undefined;
  let billed: { readonly usage: Usage; readonly usd: number | null } | undefined;

  const tell = (change: CircuitChange | undefined, cause?: SignalboxError): void => {
    if (change?.to === 'half-open') emit('circuit-half-open', { target: target.id });
    if (change?.to === 'closed') emit('circuit-close', { target: target.id });
    if (change?.to === 'open') {
      const until = change.until ?? runtime.now();
      emit('circuit-open', {
        target: target.id,
        until,
        cause: cause?.code ?? 'server_error',
      });
    }
  };

  /** Its turn has come. */
  function begin(): void {
    startedAt = runtime.now();
    attempt = trail.begin();
    permit = health.enter(target.id, call.tier.circuit);
    emit('attempt-start', { target: target.id, attempt });
    tell(permit.change);
  }

  /** Gives back the place in the circuit; once. */
  function leave(outcome: Outcome, error?: SignalboxError): void {
    tell(permit?.settle(outcome), error);
    permit = undefined;
  }

  /** Gives back the place under the limits, which may let the next one in; once. */
  function makeRoom(error?: SignalboxError): void {
    const usage = collected.usage();
    const refused = error?.code === 'rate_limited' ? 'limited' : undefined;
    const busy = error?.code === 'overloaded' ? 'overloaded' : 'other';
    const isOk = error === undefined || collected.finish !== undefined;
    if (isOk && usage !== undefined) engine.limits.answered(target, usage.outputTokens);
    place?.leave({
      outcome: isOk ? 'ok' : (refused ?? busy),
      toldWhen: error?.retryAfterMs !== undefined,
      tokens: refused === undefined ? usage?.totalTokens : 0,
    });
    place = undefined;
  }

  /** Books what the answer cost, as soon as there are prices. */
  function bill(usage: Usage): Completion['cost'] | Promise<Completion['cost']> {
    return prices === undefined ? billNow(usage) : prices.then(() => billNow(usage));
  }

  function billNow(usage: Usage): Completion['cost'] {
    const { servedModel, finish } = collected;
    const cost = pricing.price(priced, { usage, servedModel, serviceTier: finish?.serviceTier });
    billed = { usage, usd: cost.usd };
    trail.bill(cost.usd);
    emit('cost', { ...cost, target: target.id, usage });
    return { ...cost, attemptsUsd: trail.usd };
  }

  function book(outcome: 'success' | 'failure'): void {
    const durationMs = runtime.now() - startedAt;
    engine.statistics(target.id).record({
      totalMs: durationMs,
      outcome: outcome === 'success' ? 'ok' : 'error',
      firstTokenMs,
      outputTokens: billed?.usage.outputTokens,
    });
  }

  function facts(): Facts {
    const told: Facts = {
      ...toldKey(target),
      target: target.id,
      durationMs: runtime.now() - startedAt,
    };
    if (startedAt > openedAt) told.queuedMs = startedAt - openedAt;
    if (firstTokenMs !== undefined) told.firstTokenMs = firstTokenMs;
    if (billed !== undefined) told.usage = billed.usage;
    return told;
  }

  function whole(usage: Usage, cost: Completion['cost']): Completion {
    const firstTokenAt = firstTokenMs === undefined ? undefined : startedAt + firstTokenMs;
    const about = { engine, call, scope, target, prepared, collected };
    return toCompletion({ ...about, usage, cost, tags, firstTokenAt });
  }

  /** It has a place: its turn has come, unless things have changed while it waited. */
  function startAt(given: Place): AttemptParts {
    place = given;
    // While it waited, a hedge may have taken the last attempt, or another call the only place of a probe.
    const isOneTooMany = trail.attempts >= call.tier.maxAttempts;
    const refusal = isOneTooMany ? 'maxAttempts reached' : chain.unwell(target)?.reason;
    if (refusal !== undefined) {
      place.leave({ outcome: 'other', tokens: 0 });
      throw notAsked(heldUnder(target).target, refusal);
    }
    begin();
    const { clocks, pace } = timingOf(run, target);
    const see = (part: ProviderPart): void => {
      collected.add(part);
      if (firstTokenMs === undefined && (collected.begun || part.type === 'finish')) {
        firstTokenMs = runtime.now() - startedAt;
        emit('first-token', { target: target.id, firstTokenMs });
        run.onBegun?.();
        place?.begun();
      }
      pace?.seen(part, runtime.now());
    };
    const attemptParts = runAttempt(runtime, prepared, {
      scope,
      clocks,
      wire: call.task.wireFor(options),
      keepRaw: call.options.raw === true,
      ...(target.key !== undefined && { key: target.key }),
      onLimits: (told) => place?.told(told),
      see: continuation === undefined ? see : () => undefined,
    });
    return continuation === undefined ? attemptParts : joinedTo(continuation, attemptParts, see);
  }

  return {
    target,
    collected,
    continues: continuation !== undefined,
    start() {
      const entered = engine.limits.enter(call, scope, target);
      // Awaited only where there is a wait: the circuit is to be entered in the turn in which it was asked.
      return entered instanceof Promise ? entered.then(startAt) : startAt(entered);
    },
    conclude() {
      const usage = collected.usage() ?? estimateUsage(messages, collected.content);
      const cost = bill(usage);
      const check = (known: Completion['cost']) => call.task.check(whole(usage, known));
      return cost instanceof Promise ? cost.then(check) : check(cost);
    },
    succeed(completion) {
      leave('success');
      makeRoom();
      health.restore(target.id, target.provider, target.key);
      engine.retryBudget.success();
      book('success');
      const { usd } = completion.cost;
      const told = { ...facts(), outcome: 'ok', verdict: 'done' } as const;
      trail.end({ ...told, startedAt, cost: usd });
      emit('attempt-end', { ...told, attempt: attempt ?? 0, usd });
      return completion;
    },
    async fail(raw) {
      // It was still waiting for its turn: the target was not asked, and is not to blame.
      if (attempt === undefined) return raw;
      const message = `${heldUnder(target).target}: ${raw.message}`;
      const error = raw.with({
        target: target.id,
        message,
        requestId: raw.requestId ?? collected.requestId,
      });
      const left = error.code === 'aborted' || error.code === 'closed' || error.phase === 'total';
      // An answer that came whole but is of no use says nothing against the target's health.
      const outcome = collected.finish !== undefined ? 'success' : 'neither';
      leave(countsAsFailure(error) ? 'failure' : outcome, error);
      if (!left) {
        withhold(engine, target, error, emit);
        book('failure');
      }
      // After what was learned of the target has been told: the next in the queue goes by it.
      makeRoom(error);
      const usage = collected.usage();
      if (billed === undefined && usage !== undefined) await bill(usage);
      return error;
    },
    judge(error, decision) {
      if (attempt === undefined) {
        const told = { ...failureOf(error, decision.verdict, error.message), ...facts() };
        const outcome = wasTurnedAway(error) ? 'skipped' : told.outcome;
        return trail.end({ ...told, startedAt, outcome }, error);
      }
      const reason = decision.verdict === 'retry' ? undefined : decision.reason;
      const failure = failureOf(error, decision.verdict, reason);
      const cost = billed === undefined ? {} : { cost: billed.usd };
      trail.end({ ...facts(), startedAt, ...failure, ...cost }, error);
      emit('attempt-end', {
        ...facts(),
        attempt,
        outcome: failure.outcome,
        verdict: failure.verdict,
        error: failure.error,
        ...(billed !== undefined && { usd: billed.usd }),
      });
    },
  };
}
