import { isSignalboxError, SignalboxError } from '../../errors.ts';
import type { Completion } from '../../protocol/completion.ts';
import type { StreamPart } from '../../protocol/stream-part.ts';
import type { InvalidCall } from '../answer/answer-check.ts';
import { withTrail } from '../answer/to-completion.ts';
import type { Interruption, Run } from '../attempt/run.ts';
import { Chain } from '../chain/chain.ts';
import { loadForPlan } from '../chain/plan-call.ts';
import { shownParts } from '../core/collected.ts';
import type { Call, Engine } from '../core/engine.ts';
import { type Scope, untilEnded } from '../core/scope.ts';
import { tryHedged } from './hedge.ts';
import type { CallAccount, CallRun } from './running-call.ts';
import { abandon, type Committed, handleInterruption } from './try-target.ts';

/**
 * One call from start to end. Read this first.
 *
 * The chain plans, and hands out targets. Each is tried, and retried, until the call commits to an answer or the failure
 * table decides to go on. After that the reader sees the answer as it arrives, and a failure can no longer be hidden: the
 * tier's `midStream` rule decides. `complete` yields nothing but `finish`.
 */
export async function* runCall(
  engine: Engine,
  call: Call,
  scope: Scope,
  account: CallAccount,
): CallRun {
  const { trail } = account;
  account.open();
  let answer: Completion | undefined;
  // Neither is set when the reader leaves.
  let failure: SignalboxError | undefined;
  let streaming: Committed | undefined;
  /** The tool call that the last answer was ended for. */
  let invalidCall: InvalidCall | undefined;
  try {
    // Plan.
    const loading = loadForPlan(engine, call);
    if (loading !== undefined) await untilEnded(loading, scope);
    const chain = new Chain(engine, call, scope, trail);
    let run: Run = { engine, call, scope, trail, chain };
    while (answer === undefined) {
      const target = await chain.next();
      if (target === undefined) throw chain.exhausted(run.interruption?.partial);
      // Admit, attempt, hold; decide on failures.
      const tried = await tryHedged(run, target);
      if (tried.verdict !== 'done') continue;
      // Commit.
      const { attempt, rest, completion } = tried.answer;
      streaming = tried.answer;
      invalidCall = undefined;
      try {
        if (call.mode === 'stream') {
          yield startOf(tried.answer, run.interruption);
          for (let batch = await rest.next(); batch !== undefined; batch = await rest.next()) {
            const parts = shownParts(batch);
            if (parts.length > 0) yield parts;
          }
        }
        streaming = undefined;
        answer = withTrail(completion ?? attempt.succeed(await attempt.conclude()), trail);
      } catch (raw) {
        streaming = undefined;
        // An abort that is thrown in from outside finds the attempt open.
        rest.leave();
        // A whole answer cannot fail any more: the call was ended while its parts were passed on.
        if (completion !== undefined) throw raw;
        invalidCall = attempt.answerCheck.invalidCall;
        run = { ...run, interruption: await handleInterruption(run, attempt, raw) };
      }
    }
  } catch (raw) {
    failure = asCallError(raw).with({ tier: call.tier.name, trail: [...trail.lines] });
    if (scope.reason === undefined && invalidCall !== undefined) {
      yield [{ type: 'invalid-tool-call', ...invalidCall }];
    }
    throw failure;
  } finally {
    if (streaming !== undefined) await abandon(streaming, readerLeft());
    // Account.
    account.close(answer ?? failure ?? readerLeft());
  }
  yield [{ type: 'finish', completion: answer }];
}

/** What a reader gets of an answer that the call commits to, up to what is still to come. */
function startOf(
  { attempt, held }: Committed,
  interruption: Interruption | undefined,
): readonly StreamPart[] {
  const { id, model } = attempt.plan.target;
  const parts = shownParts(held);
  const start: StreamPart = { type: 'start', target: id, model };
  if (interruption === undefined) return [start, ...parts];
  const { from, error } = interruption;
  return [
    { type: attempt.continues ? 'continue' : 'restart', from, to: id, error },
    start,
    ...parts,
  ];
}

function readerLeft(): SignalboxError {
  return new SignalboxError('aborted', 'the reader left');
}

function asCallError(error: unknown): SignalboxError {
  if (isSignalboxError(error)) return error;
  return new SignalboxError('invalid_response', 'the call threw an unexpected error; see cause', {
    cause: error,
  });
}
