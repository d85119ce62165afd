import type { SignalboxError } from '../../errors.ts';
import type { Attempt } from '../../protocol/attempt.ts';
import type { Completion } from '../../protocol/completion.ts';
import type { EventName } from '../../protocol/events.ts';
import type { PluginAttemptResult } from '../../protocol/plugin.ts';
import type { AttemptContext, CallKey } from '../../protocol/provider.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import type { Usage } from '../../protocol/usage.ts';
import { AnswerCheck } from '../answer/answer-check.ts';
import { toCompletion } from '../answer/to-completion.ts';
import type { AttemptPlan } from '../core/attempt-plan.ts';
import { type Collected, createCollected } from '../core/collected.ts';
import { type Admission, keyLabel, type Slot, targetLabel } from '../core/engine.ts';
import type { OwnKey } from '../core/own-key.ts';
import type { WholeCompletion } from '../core/task.ts';
import { failureOf, type Payload } from '../core/trail.ts';
import type { Decision } from '../failures/decide.ts';
import { isQueueRejection, notSent } from '../failures/queue-rejection.ts';
import { AttemptCost } from './attempt-cost.ts';
import { attemptError, endedByUs, isTargetsFault } from './attempt-error.ts';
import { keyStillRejected, maySendKey, noKey, prepareKey, takeKey } from './attempt-key.ts';
import {
  type AttemptRequest,
  estimatedUsage,
  joinedTo,
  refusalOf,
  sendInLayers,
  withLessOutput,
} from './attempt-request.ts';
import { type AttemptParts, AttemptStream } from './attempt-stream.ts';
import { type Timing, timingOf } from './attempt-timeouts.ts';
import { enterPaid } from './enter-paid.ts';
import { Grant, type RenewableKey } from './grant.ts';
import { noteNewNames } from './new-names.ts';
import type { Run } from './run.ts';
import { WatchedParts } from './watched-parts.ts';

/** What the trail and the events have of an attempt. */
type Recorded = Pick<
  Attempt,
  'target' | 'key' | 'durationMs' | 'queuedMs' | 'firstTokenMs' | 'usage'
>;
type AttemptFields = { -readonly [Key in keyof Recorded]: Recorded[Key] };

/**
 * One attempt and its bookkeeping: its wait in the queue, its grant, its parts, its cost, its line in the trail. It ends
 * with `succeed`, or with `fail` and then `decided`.
 */
export class RunningAttempt {
  readonly plan: AttemptPlan;
  /** What has arrived of its answer. */
  readonly collected: Collected;
  /** Whether its answer continues that of another target. */
  readonly continues: boolean;
  readonly answerCheck: AnswerCheck;
  /** Set when it was not sent, because it does not fit into a budget. */
  refused: Extract<Admission, { type: 'refused' }> | undefined;
  readonly #run: Run;
  #request: AttemptRequest;
  readonly #cost: AttemptCost;
  /** When it left the queue: the wait before is not the target's. */
  #startedAt: number;
  #queuedMs: number | undefined;
  /** Its number; none while it waits in the queue. */
  #attempt: number | undefined;
  #firstTokenMs: number | undefined;
  #grant: Grant | undefined;
  #renewableKey: RenewableKey | undefined;
  /** Where it depends on the call's tags. */
  #callKey: CallKey | undefined;
  #timing: Timing | undefined;
  /** While its tier limits how slow an answer may be. */
  #watched: WatchedParts | undefined;
  #isCommitted = false;
  #noteNewName: ReturnType<typeof noteNewNames> | undefined;
  #stream: AttemptStream | undefined;
  /** For the plugins, while there are any. */
  #ended: PromiseWithResolvers<PluginAttemptResult> | undefined;

  constructor(run: Run, plan: AttemptPlan, request: AttemptRequest) {
    const { engine } = run;
    this.plan = plan;
    this.collected = createCollected(request.continuation, plan.maxAnswerBytes);
    this.continues = request.continuation !== undefined;
    this.answerCheck = new AnswerCheck(plan, request.prepared.warnings);
    this.#run = run;
    this.#request = request;
    this.#startedAt = engine.runtime.now();
    this.#cost = new AttemptCost(run, plan);
  }

  /** Whether the vendor got a key that may be another one now, such as one that a function returned. */
  get mayRenewKey(): boolean {
    return this.#renewableKey?.wasSent === true;
  }

  /** The reader receives its answer from now on. */
  commit(): void {
    this.#isCommitted = true;
  }

  /** Waits for its key and its turn, then yields the parts in order. Leaving early closes the socket. */
  start(): AttemptParts | Promise<AttemptParts> {
    const { ownKey } = this.plan;
    if (ownKey === undefined) return this.#enter(false);
    const preparing = prepareKey(this.#run, this.plan);
    if (preparing === undefined) return this.#enterWith(ownKey);
    return preparing.then(() => this.#enterWith(ownKey));
  }

  /** @throws SignalboxError when there is no key, or when the vendor has just rejected it */
  #enterWith(ownKey: OwnKey): AttemptParts | Promise<AttemptParts> {
    this.#callKey = takeKey(this.#run, this.plan, ownKey);
    const { fingerprint } = this.#callKey;
    const wasSent = maySendKey(this.#run, this.plan, fingerprint);
    this.#renewableKey = { fingerprint, isSeen: true, wasSent };
    if (!wasSent) throw noKey(this.plan.target, keyStillRejected(), undefined);
    return this.#enter(false);
  }

  #enter(hasWaited: boolean): AttemptParts | Promise<AttemptParts> {
    const { engine, scope } = this.#run;
    const refusal = refusalOf(this.#run, this.plan);
    if (refusal !== undefined) throw notSent(targetLabel(this.plan.target), refusal);
    const entered = engine.limits.enter(this.plan, scope);
    // Not awaited without need: the circuit must be entered in the turn in which it was checked.
    if (!(entered instanceof Promise)) return this.#pay(entered, hasWaited, hasWaited);
    return entered.then((slot) => this.#pay(slot, hasWaited, true));
  }

  /** Makes the completion of a whole answer and checks it. Bills it, whatever the checks say. */
  conclude(): WholeCompletion | Promise<WholeCompletion> {
    const { collected, answerCheck } = this;
    const usage = collected.usage() ?? estimatedUsage(this.plan, this.#request, this.collected);
    const cost = this.#cost.bill(usage, collected);
    const check = (known: Completion['cost']) => answerCheck.check(this.#completion(usage, known));
    return cost instanceof Promise ? cost.then(check) : check(cost);
  }

  /** Records a success. Returns the completion. */
  succeed(completion: Completion): Completion {
    const slowness = this.#slowness();
    const ending = { ...this.#ending(), isSlow: slowness !== undefined };
    this.#grant?.succeeded(ending, this.#cost.billed?.usage.outputTokens);
    const reason = this.plan.state.describe(slowness);
    const fields = { ...this.#fields(), outcome: 'ok', verdict: 'done' } as const;
    const cost = completion.cost.usd;
    this.#record({
      ...fields,
      startedAt: this.#startedAt,
      cost,
      ...(reason !== undefined && { reason }),
    });
    const { finishReason } = completion;
    this.#emit('attempt-end', { ...fields, attempt: this.#attempt ?? 0, finishReason, usd: cost });
    return completion;
  }

  /** Records a failure of the target, and bills what the vendor reported. `decided` follows. */
  async fail(raw: SignalboxError): Promise<SignalboxError> {
    try {
      return await this.#failed(raw);
    } finally {
      const released = this.#cost.release();
      if (released !== undefined) await released;
    }
  }

  async #failed(raw: SignalboxError): Promise<SignalboxError> {
    // It was still in the queue: nothing was sent, and the target is not at fault.
    if (this.#attempt === undefined) return raw;
    const { collected, answerCheck } = this;
    const { messages } = this.#request;
    const error = attemptError(raw, collected.requestId, this.plan, messages);
    const isWhole = collected.finish !== undefined;
    const fault = isTargetsFault(error, this.#timing, this.#stream) ? 'target' : 'call';
    this.#grant?.failed(error, {
      ...this.#ending(),
      isSlow: this.#slowness() !== undefined,
      isWhole,
      fault,
      renewableKey: this.#renewableKey,
    });
    this.#grant = undefined;
    // The vendor bills what it has generated, but had no time to report it.
    const isLeft =
      answerCheck.invalidCall !== undefined || (collected.hasStarted && endedByUs(error));
    const usage =
      collected.usage() ??
      (isLeft ? estimatedUsage(this.plan, this.#request, this.collected) : undefined);
    const isUnbilled = this.#cost.billed === undefined && usage !== undefined;
    if (isUnbilled) await this.#cost.bill(usage, collected);
    if (error.code !== 'budget_exceeded' || !collected.hasStarted) return error;
    return error.with({ partial: collected.partial(this.plan.target.id) });
  }

  /** Records the failure's line, with what was decided. */
  decided(error: SignalboxError, decision: Decision): void {
    const { state } = this.plan;
    const startedAt = this.#startedAt;
    // The function had no other key: the vendor's 401 is the error already.
    const isRepeated = this.plan.hasRenewedKey && this.#renewableKey?.wasSent === false;
    if (this.refused?.next !== undefined) {
      const label = { target: this.plan.target.id, ...keyLabel(this.plan.target) };
      this.#run.trail.skip(label, `over budget "${error.budget}"`);
      return;
    }
    if (this.#attempt === undefined) {
      const failure = failureOf(error, decision.verdict, error.message);
      const isSkipped = isQueueRejection(error) || error.code === 'budget_exceeded';
      const outcome = isSkipped ? 'skipped' : failure.outcome;
      const reason = state.describe(failure.reason);
      this.#record(
        {
          ...failure,
          ...this.#fields(),
          startedAt,
          outcome,
          ...(reason !== undefined && { reason }),
        },
        isRepeated ? undefined : error,
      );
      return;
    }
    const because = decision.verdict === 'retry' ? undefined : decision.reason;
    const failure = failureOf(error, decision.verdict, state.describe(because));
    const usd = this.#cost.billed?.usd;
    const cost = usd === undefined ? {} : { cost: usd };
    this.#record(
      { ...this.#fields(), startedAt, ...failure, ...cost },
      isRepeated ? undefined : error,
    );
    this.#emit('attempt-end', {
      ...this.#fields(),
      attempt: this.#attempt,
      outcome: failure.outcome,
      verdict: failure.verdict,
      error: failure.error,
      ...(usd !== undefined && { usd }),
    });
  }

  /** Reserves what it may cost, before anything is sent. */
  #pay(slot: Slot, hasWaited: boolean, hasPaused: boolean): AttemptParts | Promise<AttemptParts> {
    if (this.plan.call.spending === undefined) return this.#go(slot, hasPaused);
    return enterPaid(slot, () => this.#cost.reserve(this.#request.turns, hasWaited), {
      go: (lowered, afterPause) => {
        if (lowered !== undefined) {
          this.#request = withLessOutput(this.#request, this.plan, lowered);
        }
        return () => this.#go(slot, hasPaused || afterPause);
      },
      again: () => this.#enter(true),
      refused: (admission) => {
        this.refused = admission;
      },
    });
  }

  #go(slot: Slot, afterPause: boolean): AttemptParts {
    return afterPause ? this.#startAfterWait(slot) : this.#start(slot);
  }

  #startAfterWait(slot: Slot): AttemptParts {
    const { engine, call, trail, chain } = this.#run;
    this.#queuedMs = engine.runtime.now() - this.#startedAt;
    // Meanwhile a hedge may have taken the last attempt, or another call the circuit's probe.
    const isOneTooMany = trail.attempts >= call.tier.maxAttempts;
    const reason = isOneTooMany ? 'maxAttempts reached' : chain.unavailability(this.plan)?.reason;
    if (reason === undefined) return this.#start(slot);
    slot.release({ outcome: 'other', tokens: 0 });
    throw notSent(targetLabel(this.plan.target), reason);
  }

  #start(slot: Slot): AttemptParts {
    const { engine, call, scope, trail, chain } = this.#run;
    const { prepared, continuation } = this.#request;
    const { target, options } = this.plan;
    this.#startedAt = engine.runtime.now();
    this.#attempt = chain.start(this.plan);
    const grant = new Grant(engine, this.plan, trail, slot);
    this.#grant = grant;
    this.#emit('attempt-start', { target: target.id, attempt: this.#attempt });
    grant.emitEntry();
    const timing = timingOf(this.#run, this.plan);
    this.#timing = timing;
    const parts = new AttemptStream(engine.runtime, {
      scope,
      timeouts: timing.timeouts,
      transfer: call.task.transferFor(options),
      keepRaw: call.options.raw === true,
      maxAnswerBytes: this.plan.maxAnswerBytes,
      ...(target.key !== undefined && { key: target.key }),
      ...(this.#callKey !== undefined && { callKey: this.#callKey }),
      send: call.layers === undefined ? (context) => prepared.send(context) : this.#sendInLayers,
      onLimits: (limits) => grant.reported(limits),
      onUnknownName: (reported, name) => {
        this.#noteNewName ??= noteNewNames(this.#run, this.plan, this.#request.messages);
        this.#noteNewName(reported, name);
      },
      mayUse: (fingerprint) => {
        const provider = engine.registry.provider(target.provider);
        const isSeen = fingerprint !== undefined;
        const used = isSeen ? fingerprint : provider.unseenKey(target.key);
        const wasSent = provider.mayUse(target.key, used);
        this.#renewableKey = { fingerprint: used, isSeen, wasSent };
        return wasSent;
      },
      see: continuation === undefined ? this.#see : this.answerCheck.see,
    });
    this.#stream = parts;
    return this.#watch(
      continuation === undefined ? parts : joinedTo(continuation, parts, this.#see),
    );
  }

  #watch(parts: AttemptParts): AttemptParts {
    const { engine, call, chain } = this.#run;
    const { slowMs, minTokensPerSecond } = call.tier;
    if (slowMs === undefined && minTokensPerSecond === undefined) return parts;
    this.#watched = new WatchedParts(engine.runtime, parts, {
      minTokensPerSecond,
      mayLeave: () => !this.#isCommitted && chain.othersFree(this.plan, 'timeout'),
    });
    return this.#watched;
  }

  /** Why its answer counts as a failure of the target, although it is none of the call. */
  #slowness(): string | undefined {
    const { slowMs } = this.#run.call.tier;
    if (slowMs === undefined || this.#watched === undefined) return undefined;
    const tookMs = Math.round(this.#watched.targetMs);
    return tookMs > slowMs ? `its ${tookMs} ms exceed slowMs (${slowMs})` : undefined;
  }

  readonly #sendInLayers = (context: AttemptContext): AsyncIterable<readonly ProviderPart[]> => {
    this.#ended = Promise.withResolvers();
    const { promise: ended } = this.#ended;
    const attempt = this.#attempt ?? 0;
    return sendInLayers(this.plan, this.#request.prepared, context, { attempt, ended });
  };

  readonly #see = (part: ProviderPart): void => {
    const { collected } = this;
    const { engine, onFirstToken } = this.#run;
    this.answerCheck.see(part);
    collected.add(part);
    this.#cost.see(
      part,
      () => collected.usage() ?? estimatedUsage(this.plan, this.#request, this.collected),
      (error) => this.#stream?.cut(error),
    );
    if (this.#firstTokenMs === undefined && (collected.hasStarted || part.type === 'finish')) {
      this.#firstTokenMs = engine.runtime.now() - this.#startedAt;
      const target = this.plan.target.id;
      this.#emit('first-token', { target, firstTokenMs: this.#firstTokenMs });
      onFirstToken?.();
      this.#grant?.firstToken();
    }
    this.#timing?.slowStream?.see(part, engine.runtime.now());
  };

  #emit<Name extends EventName>(type: Name, payload: Payload<Name>): void {
    this.#run.trail.emit(type, payload, this.plan.tags);
  }

  #record(line: Attempt, error?: SignalboxError): void {
    this.#run.trail.end(line, error);
    if (this.#ended === undefined) return;
    const { id, servedModel, finish } = this.collected;
    this.#ended.resolve({
      ...line,
      ...(id !== undefined && { answerId: id }),
      ...(servedModel !== undefined && { servedModel }),
      ...(finish !== undefined && { finishReason: finish.finishReason }),
    });
  }

  #ending() {
    const durationMs = this.#run.engine.runtime.now() - this.#startedAt;
    return { durationMs, firstTokenMs: this.#firstTokenMs, usage: this.collected.usage() };
  }

  #fields(): AttemptFields {
    const fields: AttemptFields = {
      ...keyLabel(this.plan.target),
      target: this.plan.target.id,
      durationMs: this.#run.engine.runtime.now() - this.#startedAt,
    };
    if (this.#queuedMs !== undefined) fields.queuedMs = this.#queuedMs;
    if (this.#firstTokenMs !== undefined) fields.firstTokenMs = this.#firstTokenMs;
    if (this.#cost.billed !== undefined) fields.usage = this.#cost.billed.usage;
    return fields;
  }

  #completion(usage: Usage, cost: Completion['cost']): WholeCompletion {
    const { plan, collected } = this;
    const { engine, scope } = this.#run;
    const firstTokenAt =
      this.#firstTokenMs === undefined ? undefined : this.#startedAt + this.#firstTokenMs;
    const { warnings } = this.#request.prepared;
    return toCompletion({ engine, scope, plan, warnings, collected, usage, cost, firstTokenAt });
  }
}
