import pRetry from 'p-retry';
import { defaults } from '../../config/defaults.ts';
import { isSignalboxError, SignalboxError, summarizeError } from '../../errors.ts';
import type { Completion } from '../../protocol/completion.ts';
import type { NormalMessage } from '../../protocol/message.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import { repairHint } from '../answer/answer-check.ts';
import { RunningAttempt } from '../attempt/attempt.ts';
import { prepareKey } from '../attempt/attempt-key.ts';
import {
  type AttemptRequest,
  continuationFor,
  interruptionOf,
  loadFor,
  prefillOf,
  prepareAttempt,
  rejectsPrefill,
} from '../attempt/attempt-request.ts';
import type { AttemptParts } from '../attempt/attempt-stream.ts';
import type { Interruption, Run } from '../attempt/run.ts';
import type { AttemptPlan } from '../core/attempt-plan.ts';
import { keyLabel } from '../core/engine.ts';
import { failureOf } from '../core/trail.ts';
import {
  type Decision,
  decide,
  isAttemptErrorCode,
  retryAtOnce,
  type Situation,
} from '../failures/decide.ts';
import { isQueueRejection } from '../failures/queue-rejection.ts';

export type Tried =
  | { readonly verdict: 'done'; readonly answer: Committed }
  /** It failed, or was passed over; the trail has the reason. */
  | { readonly verdict: 'next' };

const next: Tried = { verdict: 'next' };

function asError(error: unknown): SignalboxError {
  if (isSignalboxError(error)) return error;
  return new SignalboxError(
    'invalid_response',
    'the attempt threw an unexpected error; see cause',
    {
      cause: error,
    },
  );
}

/** An attempt that failed; `raw` is the failure before the attempt added what it knows. */
type Failure = {
  readonly attempt: RunningAttempt;
  readonly error: SignalboxError;
  readonly raw: unknown;
};

/** Decides what follows a failed attempt, and records it. */
async function decideOn(
  run: Run,
  attempt: RunningAttempt,
  error: SignalboxError,
): Promise<Decision> {
  const { engine, call, scope, trail, chain } = run;
  const { plan } = attempt;
  const { options, target } = plan;
  const situation: Situation = {
    tries: plan.tries,
    repairs: plan.repairs,
    repairAttempts: options.repairAttempts ?? defaults.repairAttempts,
    attemptsLeft: chain.attemptsLeft(),
    remainingMs: scope.remainingMs(),
    retry: { ...call.tier.retry, ...call.options.retry },
    // A request that one target began to answer is a good one: a later failure is about its target alone. And the tier's
    // `fallbacks` list targets for failures that would stop the call.
    fallbackOn:
      run.interruption === undefined && !chain.hasFallback(target, error.code)
        ? call.tier.fallbackOn
        : [error.code].filter(isAttemptErrorCode),
    othersFree: chain.othersFree(plan, error.code),
    isFirstRejection: chain.isFirstRejection,
    untried: chain.untried(plan, error.code),
    available: plan.state.circuit.circuit.state !== 'open',
    hasStarted: attempt.collected.hasStarted,
    mayRenewKey: attempt.mayRenewKey && !plan.hasRenewedKey,
    onUnsupported: options.onUnsupported ?? defaults.onUnsupported,
    takeToken: () => engine.retryBudget.take(),
    random: () => engine.runtime.random(),
  };
  if (rejectsPrefill(attempt, error)) plan.rejectedPrefill = true;
  // The prefilled turn was rejected, not the request: the answer restarts.
  const restarts = plan.rejectedPrefill && attempt.continues && situation.attemptsLeft > 0;
  const usual = restarts ? retryAtOnce(situation) : decide(error, situation);
  const decision: Decision = attempt.refused?.next === undefined ? usual : { verdict: 'next' };
  attempt.decided(error, decision);
  if (decision.verdict === 'retry') {
    plan.hasRenewedKey ||= error.code === 'auth';
    if (error.code === 'invalid_output') {
      plan.repairs += 1;
      plan.repair = await repairTurns(attempt, error);
    }
    const { delayMs } = decision;
    const retry = { target: target.id, attempt: trail.attempts, delayMs };
    trail.emit('retry', { ...retry, error: summarizeError(error) });
  }
  return decision;
}

/** The turns that show a model its own answer, and why it was rejected. */
async function repairTurns(
  { plan, collected }: RunningAttempt,
  error: SignalboxError,
): Promise<readonly NormalMessage[]> {
  const { text } = collected.partial(plan.target.id);
  const hint: NormalMessage = {
    role: 'user',
    content: [{ type: 'text', text: repairHint(error) }],
  };
  const { layers } = plan.call;
  const hints = layers === undefined ? [hint] : await layers.repair([hint]);
  if (text.trim() === '') return hints;
  return [{ role: 'assistant', content: [{ type: 'text', text }] }, ...hints];
}

/** What the next attempt sends. @throws SignalboxError `unsupported` or `invalid_request` */
function requestFor(run: Run, plan: AttemptPlan): AttemptRequest {
  const { messages } = run.call.task;
  const request = (turns: readonly NormalMessage[]) => ({
    prepared: prepareAttempt(plan, turns),
    turns,
    messages: [...messages, ...turns],
  });
  const continuation = continuationFor(run, plan);
  if (continuation === undefined) return request(plan.repair);
  return { ...request([prefillOf(continuation)]), continuation };
}

/** What the target is sent; `undefined` when it is passed over, with the reason in the trail. */
function admit(run: Run, plan: AttemptPlan): AttemptRequest | undefined {
  const { trail, chain } = run;
  const { target, options } = plan;
  const label = { target: target.id, ...keyLabel(target) };
  try {
    const request = requestFor(run, plan);
    const reason = chain.rejection(plan);
    if (reason === undefined) return request;
    trail.skip(label, reason);
  } catch (raw) {
    const error = asError(raw).with({ target: target.id });
    const onUnsupported = options.onUnsupported ?? defaults.onUnsupported;
    if (error.code !== 'unsupported' || onUnsupported === 'error') throw error;
    trail.skip(label, error.message);
  }
  return undefined;
}

/** Counts an attempt that was decided on. It starts after its delay and its wait in the queue. */
function startWaiting(plan: AttemptPlan): void {
  plan.tries += 1;
  plan.isWaiting = true;
}

/**
 * The SDK could not be loaded, or the call has ended. A target that fails after others ends the chain, whose error has the
 * reasons of all of them.
 * @throws SignalboxError when this is the only target, or when the call has ended
 */
function passOverUnloaded(run: Run, plan: AttemptPlan, error: SignalboxError): Tried {
  const { engine, trail, chain } = run;
  const isOnly = trail.errors.length === 0 && !chain.othersFree(plan, error.code);
  const isNext = error.code === 'config' && !isOnly;
  const label = { target: plan.target.id, ...keyLabel(plan.target) };
  const startedAt = engine.runtime.now();
  const failure = failureOf(error, isNext ? 'next' : 'stop', error.message);
  trail.end({ ...label, startedAt, durationMs: 0, ...failure }, error);
  if (!isNext) throw error;
  chain.failed(plan, error);
  return next;
}

/** An answer that was interrupted before, and that no budget lets go on. */
function withSeen({ interruption }: Run, error: SignalboxError): SignalboxError {
  const isSet = error.code !== 'budget_exceeded' || error.partial !== undefined;
  return isSet ? error : error.with({ partial: interruption?.partial });
}

/**
 * Tries one target until it commits to an answer, or until the failure table decides to go on.
 *
 * @throws SignalboxError when the decision is to stop
 */
export async function tryTarget(run: Run, plan: AttemptPlan): Promise<Tried> {
  const { engine, scope, chain } = run;
  // Before the target is checked: while an SDK loads, another call may take its slot.
  const loading = loadFor(run, plan);
  if (loading !== undefined) {
    try {
      await loading;
    } catch (raw) {
      return passOverUnloaded(run, plan, asError(raw));
    }
  }
  // The same: the limits are those of the key. Where there is none, the attempt fails.
  const preparing = plan.ownKey === undefined ? undefined : prepareKey(run, plan);
  if (preparing !== undefined) await preparing;
  const admitted = admit(run, plan);
  if (admitted === undefined) return next;
  chain.trying(plan);
  startWaiting(plan);
  let request = admitted;
  let failure: Failure | undefined;
  let decision: Decision | undefined;
  try {
    const answer = await pRetry(
      async () => {
        const attempt = new RunningAttempt(run, plan, request);
        try {
          return await holdUntilCommitted(attempt);
        } catch (raw) {
          const error = await attempt.fail(asError(raw));
          failure = { attempt, error, raw };
          throw error;
        }
      },
      {
        // The failure table decides, and the wait is on our clock.
        retries: Number.POSITIVE_INFINITY,
        minTimeout: 0,
        shouldRetry: async () => {
          if (failure === undefined) return false;
          const { attempt, error } = failure;
          plan.isWaiting = false;
          // It was not sent.
          if (isQueueRejection(error) || attempt.refused !== undefined) plan.tries -= 1;
          decision = await decideOn(run, attempt, error);
          if (decision.verdict !== 'retry') return false;
          request = requestFor(run, plan);
          startWaiting(plan);
          await engine.runtime.sleep(decision.delayMs, scope.signal);
          return true;
        },
      },
    );
    return { verdict: 'done', answer };
  } catch (thrown) {
    if (failure === undefined || decision === undefined || decision.verdict === 'retry')
      throw thrown;
    const { attempt, error, raw } = failure;
    // A call that ended fails with its own reason.
    if (decision.verdict === 'stop') {
      throw scope.reason === undefined ? withSeen(run, error) : asError(raw);
    }
    if (attempt.refused?.next === undefined) chain.failed(plan, error);
    else chain.passedOver(plan, error, attempt.refused.next);
    return next;
  }
}

/**
 * An answer was interrupted after the reader had seen a part of it. Returns what the next answer follows, if the tier
 * wants one and the failure allows it: of the next target, or of the same when there is no other.
 *
 * @throws SignalboxError the failure, with what had arrived, when the reader must handle it
 */
export async function handleInterruption(
  run: Run,
  attempt: RunningAttempt,
  raw: unknown,
): Promise<Interruption> {
  const { engine, call, scope, chain } = run;
  const { plan, collected } = attempt;
  const failure = await attempt.fail(asError(raw));
  const error = failure.with({ partial: collected.partial(plan.target.id) });
  if (call.tier.midStream === 'fail') {
    attempt.decided(error, { verdict: 'stop', reason: "midStream is 'fail'" });
    throw error;
  }
  const decision = await decideOn(run, attempt, error);
  if (decision.verdict === 'stop') throw error;
  if (decision.verdict === 'retry') {
    await engine.runtime.sleep(decision.delayMs, scope.signal);
    chain.again(plan);
  } else chain.failed(plan, error);
  return interruptionOf(attempt, error);
}

/** An answer that the call commits to: from here on, a failure can no longer be hidden from the reader. */
export type Committed = {
  readonly attempt: RunningAttempt;
  /** What arrived before, not yet passed on. */
  readonly held: readonly ProviderPart[];
  /** The parts still to come. */
  readonly rest: AttemptParts;
  /** The whole answer, already checked, when it ended before anything was passed on. */
  readonly completion?: Completion;
};

/**
 * Whether the part shows something of the answer: text, a tool call, or reasoning that was requested. After preamble,
 * usage and unrequested reasoning, a failure can still be routed around.
 */
function isVisible(part: ProviderPart, showsReasoning: boolean): boolean {
  switch (part.type) {
    case 'text-delta':
    case 'tool-call-start':
    case 'tool-call-delta':
      return true;
    case 'reasoning-delta':
      return showsReasoning;
    case 'part-end':
      return part.part.type !== 'reasoning';
    default:
      return false;
  }
}

/**
 * Holds an attempt's parts until the first visible one, or until the end when the caller wants the whole answer. Rejects
 * with the attempt's failure as long as nothing was passed on.
 */
async function holdUntilCommitted(attempt: RunningAttempt): Promise<Committed> {
  const { call, options } = attempt.plan;
  const showsReasoning = options.reasoning?.include === true;
  const held: ProviderPart[] = [];
  const rest = await attempt.start();
  for (let batch = await rest.next(); batch !== undefined; batch = await rest.next()) {
    if (call.mode === 'complete') continue;
    held.push(...batch);
    if (batch.some((part) => isVisible(part, showsReasoning))) {
      attempt.commit();
      return { attempt, held, rest };
    }
  }
  const completion = attempt.succeed(await attempt.conclude());
  return { attempt, held, rest, completion };
}

/** Abandons an answer: closes its socket and records its line. */
export async function abandon(
  { attempt, rest, completion }: Committed,
  reason: SignalboxError,
): Promise<void> {
  if (completion !== undefined) return;
  rest.leave();
  attempt.decided(await attempt.fail(reason), { verdict: 'stop' });
}
