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
import { keyLabel, type Slot, targetLabel } from '../core/engine.ts';
import type { OwnKey } from '../core/own-key.ts';
import type { WholeCompletion } from '../core/task.ts';
import { estimateUsage } from '../core/token-estimate.ts';
import { failureOf, type Payload } from '../core/trail.ts';
import type { Decision } from '../failures/decide.ts';
import { isQueueRejection, notSent } from '../failures/queue-rejection.ts';
import { AttemptCost } from './attempt-cost.ts';
import { attemptError, repeatsPrompt } from './attempt-error.ts';
import { keyStillRejected, noKey, prepareKey } from './attempt-key.ts';
import { type AttemptRequest, joinedTo } from './attempt-request.ts';
import { type AttemptParts, AttemptStream } from './attempt-stream.ts';
import { type Timing, timingOf } from './attempt-timeouts.ts';
import { Grant, type RenewableKey } from './grant.ts';
import type { Run } from './run.ts';
import { WatchedParts } from './watched-parts.ts';

/** Most new names in one answer. Each is compared with the whole prompt; the others are new in the next answer, too. */
const maxNewNames = 8;

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
  readonly #run: Run;
  readonly #request: AttemptRequest;
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
  #newNames = 0;
  #stream: AttemptStream | undefined;
  /** For the plugins, while there are any. */
  #ended: PromiseWithResolvers<PluginAttemptResult> | undefined;

  constructor(run: Run, plan: AttemptPlan, request: AttemptRequest) {
    const { engine, trail } = run;
    this.plan = plan;
    this.collected = createCollected(request.continuation, plan.maxAnswerBytes);
    this.continues = request.continuation !== undefined;
    this.answerCheck = new AnswerCheck(plan, request.prepared.warnings);
    this.#run = run;
    this.#request = request;
    this.#startedAt = engine.runtime.now();
    this.#cost = new AttemptCost(engine, plan, trail);
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
    if (ownKey === undefined) return this.#enter();
    const preparing = prepareKey(this.#run, this.plan);
    if (preparing === undefined) return this.#enterWith(ownKey);
    return preparing.then(() => this.#enterWith(ownKey));
  }

  /** @throws SignalboxError when there is no key, or when the vendor has just rejected it */
  #enterWith(ownKey: OwnKey): AttemptParts | Promise<AttemptParts> {
    const { engine, scope } = this.#run;
    const { target } = this.plan;
    try {
      this.#callKey = ownKey.take();
    } catch (error) {
      throw noKey(target, error, scope.reason);
    }
    const { fingerprint } = this.#callKey;
    const { untils } = engine.registry.provider(target.provider).key(fingerprint);
    const wasSent = (untils.credential ?? 0) <= engine.runtime.now();
    this.#renewableKey = { fingerprint, isSeen: true, wasSent };
    if (!wasSent) throw noKey(target, keyStillRejected(), undefined);
    return this.#enter();
  }

  #enter(): AttemptParts | Promise<AttemptParts> {
    const { engine, scope } = this.#run;
    const refusal = this.#refusal();
    if (refusal !== undefined) throw notSent(targetLabel(this.plan.target), refusal);
    const entered = engine.limits.enter(this.plan, scope);
    // Not awaited without need: the circuit must be entered in the turn in which it was checked.
    if (!(entered instanceof Promise)) return this.#start(entered);
    const queuedAt = engine.runtime.now();
    return entered.then((slot) => this.#startAfterWait(slot, engine.runtime.now() - queuedAt));
  }

  /** Makes the completion of a whole answer and checks it. Bills it, whatever the checks say. */
  conclude(): WholeCompletion | Promise<WholeCompletion> {
    const { collected, answerCheck } = this;
    const usage = collected.usage() ?? estimateUsage(this.#request.messages, collected.content);
    const cost = this.#cost.bill(usage, collected);
    return cost instanceof Promise
      ? cost.then((known) => answerCheck.check(this.#completion(usage, known)))
      : answerCheck.check(this.#completion(usage, cost));
  }

  /** Records a success. Returns the completion. */
  succeed(completion: Completion): Completion {
    const outputTokens = this.#cost.billed?.usage.outputTokens;
    const slowness = this.#slowness();
    const ending = { ...this.#ending(), isSlow: slowness !== undefined };
    this.#grant?.succeeded(ending, outputTokens);
    const reason = this.plan.state.describe(slowness);
    const fields = { ...this.#fields(), outcome: 'ok', verdict: 'done' } as const;
    const cost = completion.cost.usd;
    this.#record({
      ...fields,
      startedAt: this.#startedAt,
      cost,
      ...(reason !== undefined && { reason }),
    });
    this.#emit('attempt-end', { ...fields, attempt: this.#attempt ?? 0, usd: cost });
    return completion;
  }

  /** Records a failure of the target, and bills what the vendor reported. `decided` follows. */
  async fail(raw: SignalboxError): Promise<SignalboxError> {
    // It was still in the queue: nothing was sent, and the target is not at fault.
    if (this.#attempt === undefined) return raw;
    const { collected, answerCheck } = this;
    const { messages } = this.#request;
    const error = attemptError(raw, collected.requestId, this.plan, messages);
    const isWhole = collected.finish !== undefined;
    const fault = this.#isTargetsFault(error) ? 'target' : 'call';
    this.#grant?.failed(error, {
      ...this.#ending(),
      isSlow: this.#slowness() !== undefined,
      isWhole,
      fault,
      renewableKey: this.#renewableKey,
    });
    this.#grant = undefined;
    const usage = collected.usage() ?? answerCheck.estimate(messages, collected);
    const isUnbilled = this.#cost.billed === undefined && usage !== undefined;
    if (isUnbilled) await this.#cost.bill(usage, collected);
    return error;
  }

  #isTargetsFault({ code, phase }: SignalboxError): boolean {
    if (code === 'timeout') return this.#timing?.isShortened(phase) !== true;
    const isLost = code === 'connection' || code === 'stream_interrupted';
    return !(isLost && this.#stream?.stoodStill === true);
  }

  /** Records the failure's line, with what was decided. */
  decided(error: SignalboxError, decision: Decision): void {
    const { state } = this.plan;
    const startedAt = this.#startedAt;
    // The function had no other key: the vendor's 401 is the error already.
    const isRepeated = this.plan.hasRenewedKey && this.#renewableKey?.wasSent === false;
    if (this.#attempt === undefined) {
      const failure = failureOf(error, decision.verdict, error.message);
      const outcome = isQueueRejection(error) ? 'skipped' : failure.outcome;
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

  /** Why it is not sent: while a retry waited for its delay, the target may have been isolated or its circuit opened. */
  #refusal(): string | undefined {
    const { engine, call, chain } = this.#run;
    const { target, state, tries } = this.plan;
    if (engine.registry.isolated.has(target.id)) return 'isolated';
    if (tries <= 1) return undefined;
    const isOptional =
      call.tier.whenAllOpen === 'fail-fast' || chain.othersFree(this.plan, 'connection');
    return isOptional ? state.circuit.check()?.reason : undefined;
  }

  #startAfterWait(slot: Slot, queuedMs: number): AttemptParts {
    const { call, trail, chain } = this.#run;
    this.#queuedMs = queuedMs;
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
      onUnknownName: this.#noteUnknownName,
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
    const { prepared } = this.#request;
    const { target, call, options, provider } = this.plan;
    const { wire, platform, priceList } = provider;
    const vendor = platform ?? priceList;
    const send = () => prepared.send(context);
    if (call.layers === undefined) return send();
    this.#ended = Promise.withResolvers();
    return call.layers.send(
      {
        target: target.id,
        provider: target.provider,
        model: target.model,
        ...keyLabel(target),
        attempt: this.#attempt ?? 0,
        ...(vendor !== undefined && { vendor }),
        wire,
        transfer: context.transfer,
        options,
        signal: context.signal,
        connected: () => context.watch.connected(),
        ended: this.#ended.promise,
      },
      send,
    );
  };

  readonly #noteUnknownName = (reported: string, name: string): void => {
    const { target, options } = this.plan;
    const { unknownNames } = this.#run.engine.registry.target(target.id);
    if (!unknownNames.isNew(reported)) {
      unknownNames.add(reported);
      return;
    }
    if (++this.#newNames > maxNewNames) return;
    // The vendor chose the name.
    const isEcho = repeatsPrompt(name, this.#request.messages, options.system);
    const path = isEcho ? '?' : reported;
    const isNew = unknownNames.isNew(path);
    unknownNames.add(path);
    if (isNew) this.#emit('shape-changed', { target: target.id, path });
  };

  readonly #see = (part: ProviderPart): void => {
    const { collected } = this;
    const { engine, onFirstToken } = this.#run;
    this.answerCheck.see(part);
    collected.add(part);
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
