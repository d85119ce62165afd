import { defaults } from '../../config/defaults.ts';
import type { ResolvedTarget } from '../../config/resolve.ts';
import { isSignalboxError, SignalboxError, summarizeError } from '../../errors.ts';
import type { NormalMessage } from '../../protocol/message.ts';
import { type Asking, openSession, type Session } from '../attempt/attempt.ts';
import { brokenOff, continuationOn, prefillOf, refusesPrefill } from '../attempt/continuation.ts';
import { type Committed, holdUntilCommitted } from '../attempt/hold.ts';
import { loadingFor } from '../attempt/loading.ts';
import { prepareAttempt, repairTurns } from '../attempt/prepare.ts';
import type { Broken, Run } from '../attempt/run.ts';
import type { TargetState } from '../chain/target-states.ts';
import { optionsFor } from '../core/engine.ts';
import { toldKey } from '../core/keys.ts';
import { failureOf } from '../core/trail.ts';
import {
  askAgain,
  type Decision,
  decide,
  isAttemptErrorCode,
  type Situation,
} from '../failures/decide.ts';
import { wasTurnedAway } from '../failures/queue-rejection.ts';

export type Tried =
  | { readonly verdict: 'done'; readonly answer: Committed }
  /** It failed, or was passed over; the trail says why. */
  | { readonly verdict: 'next' };

function asError(error: unknown): SignalboxError {
  if (isSignalboxError(error)) return error;
  return new SignalboxError(
    'invalid_response',
    'the attempt failed in an unforeseen way; see cause',
    {
      cause: error,
    },
  );
}

/** Asks the failure table about an attempt that is over, and writes its line. */
function judge(run: Run, session: Session, error: SignalboxError): Decision {
  const { engine, call, scope, trail, chain } = run;
  const { target } = session;
  const state = chain.state(target);
  const options = { ...optionsFor(call, target) };
  const situation: Situation = {
    tries: state.tries,
    repairs: state.repairs,
    repairAttempts: options.repairAttempts ?? defaults.repairAttempts,
    attemptsLeft: chain.attemptsLeft(),
    remainingMs: scope.remainingMs(),
    retry: { ...call.tier.retry, ...call.options.retry },
    // What one target has begun to answer can be answered: a later refusal speaks of that target alone.
    fallbackOn:
      run.broken === undefined ? call.tier.fallbackOn : [error.code].filter(isAttemptErrorCode),
    othersFree: chain.othersFree(target, error.code),
    untried: chain.untried(target),
    available: engine.health.get(target.id).circuit.state !== 'open',
    begun: session.collected.begun,
    onUnsupported: options.onUnsupported ?? defaults.onUnsupported,
    takeToken: () => engine.retryBudget.take(),
    random: () => engine.runtime.random(),
  };
  if (refusesPrefill(session, error)) state.refusedPrefill = true;
  // Refused was the turn that had begun, not the request: it is asked from the start.
  const isAnew = state.refusedPrefill && session.continues && situation.attemptsLeft > 0;
  const decision = isAnew ? askAgain(situation) : decide(error, situation);
  session.judge(error, decision);
  if (decision.verdict === 'retry') {
    if (error.code === 'invalid_output') {
      state.repairs += 1;
      state.repair = repairTurns(session, error);
    }
    const { delayMs } = decision;
    const retry = { target: target.id, attempt: trail.attempts, delayMs };
    trail.emit('retry', { ...retry, error: summarizeError(error) });
  }
  return decision;
}

/** What the target is asked at its next try. */
function asking(run: Run, target: ResolvedTarget): Asking {
  const { engine, call, chain } = run;
  const { repair } = chain.state(target);
  const ask = (turns: readonly NormalMessage[]) => ({
    prepared: prepareAttempt(engine, call, target, turns),
    messages: [...call.task.messages, ...turns],
  });
  const continuation = continuationOn(run, target);
  if (continuation === undefined) return ask(repair);
  return { ...ask([prefillOf(continuation)]), continuation };
}

/** What the target is to be asked; `undefined` when it is passed over, which the trail then says. */
function admit(run: Run, target: ResolvedTarget): Asking | undefined {
  const { call, trail, chain } = run;
  const told = { target: target.id, ...toldKey(target) };
  try {
    const asked = asking(run, target);
    const refusal = chain.refusal(target);
    if (refusal === undefined) return asked;
    trail.skip(told, refusal);
  } catch (raw) {
    const error = asError(raw).with({ target: target.id });
    const onUnsupported = optionsFor(call, target).onUnsupported ?? defaults.onUnsupported;
    if (error.code !== 'unsupported' || onUnsupported === 'error') throw error;
    trail.skip(told, error.message);
  }
  return undefined;
}

/** One try more was decided on, and waits for its time and its turn. */
function startWaiting(state: TargetState): void {
  state.tries += 1;
  state.isWaiting = true;
}

/** It could not be loaded, or the call has ended meanwhile. @throws SignalboxError unless another target is free */
function passOverUnloaded(run: Run, target: ResolvedTarget, error: SignalboxError): Tried {
  const { engine, trail, chain } = run;
  const isNext = error.code === 'config' && chain.othersFree(target, error.code);
  const verdict = isNext ? 'next' : 'stop';
  const told = { target: target.id, ...toldKey(target), startedAt: engine.runtime.now() };
  trail.end({ ...told, durationMs: 0, ...failureOf(error, verdict, error.message) }, error);
  if (!isNext) throw error;
  chain.failed(target, error);
  return { verdict: 'next' };
}

/**
 * Tries one target until it commits to an answer or the failure table says to go on.
 *
 * @throws SignalboxError when the verdict is to stop.
 */
export async function tryTarget(run: Run, target: ResolvedTarget): Promise<Tried> {
  const { engine, call, scope, chain } = run;
  // Before it is asked whether the target is free: by then another call may have taken its place.
  const loading = loadingFor(run, target);
  if (loading !== undefined) {
    try {
      await loading;
    } catch (raw) {
      return passOverUnloaded(run, target, asError(raw));
    }
  }
  let asked = admit(run, target);
  if (asked === undefined) return { verdict: 'next' };
  chain.asking(target);
  const state = chain.state(target);
  startWaiting(state);
  for (;;) {
    const session = openSession(run, target, asked);
    try {
      return { verdict: 'done', answer: await holdUntilCommitted(session, call) };
    } catch (raw) {
      const error = await session.fail(asError(raw));
      state.isWaiting = false;
      // Nothing was sent.
      if (wasTurnedAway(error)) state.tries -= 1;
      const decision = judge(run, session, error);
      if (decision.verdict === 'next') {
        chain.failed(target, error);
        return { verdict: 'next' };
      }
      // What ended the call speaks for the call, not for the target.
      if (decision.verdict === 'stop') throw scope.reason === undefined ? error : asError(raw);
      asked = asking(run, target);
      startWaiting(state);
      await engine.runtime.sleep(decision.delayMs, scope.signal);
    }
  }
}

/**
 * An answer broke off after the reader had seen a part of it. Returns what the next answer follows when
 * the tier wants one and the failure allows it: of the next target, or the same when there is no other.
 *
 * @throws SignalboxError the failure, with what had arrived, when it is the reader's to deal with.
 */
export async function breakOff(run: Run, session: Session, raw: unknown): Promise<Broken> {
  const { engine, call, scope, chain } = run;
  const { target } = session;
  const error = (await session.fail(asError(raw))).with({
    partial: session.collected.partial(target.id),
  });
  if (call.tier.midStream === 'fail') {
    session.judge(error, { verdict: 'stop', reason: "midStream is 'fail'" });
    throw error;
  }
  const decision = judge(run, session, error);
  if (decision.verdict === 'stop') throw error;
  if (decision.verdict === 'retry') {
    await engine.runtime.sleep(decision.delayMs, scope.signal);
    chain.again(target);
  } else chain.failed(target, error);
  return brokenOff(session, error);
}
