import { isSignalboxError, SignalboxError, summarizeError } from '../errors.ts';
import type { Completion } from '../protocol/completion.ts';
import type { StreamPart } from '../protocol/stream-part.ts';
import { openChain } from './chain.ts';
import { toStreamPart } from './collect.ts';
import { type Committed, letGo } from './commit.ts';
import type { Broken } from './continuation.ts';
import type { Call, Engine } from './engine.ts';
import { tryHedged } from './hedge.ts';
import type { Run } from './run.ts';
import type { Scope } from './scope.ts';
import { openTrail, type Trail } from './trail.ts';
import { breakOff } from './try-target.ts';

/**
 * One call from beginning to end. Read this first.
 *
 * `stream` reads it part by part; `complete` reads it to its `finish`. The chain hands out targets; each is
 * tried, and tried again, until it commits to an answer or the verdict is to go on. Once a part has been
 * passed on, a failure is the reader's to know of: the tier's `midStream` rule decides.
 */
export async function* runCall(
  engine: Engine,
  call: Call,
  scope: Scope,
  onEnd: () => void,
): AsyncGenerator<StreamPart, void> {
  const trail = openTrail(engine, call);
  trail.emit('call-start', { mode: call.mode });
  // A reader who leaves gives no other sign than that nothing below is reached.
  let outcome: Completion | SignalboxError | undefined;
  try {
    const chain = openChain(engine, call, scope, trail);
    let run: Run = { engine, call, scope, trail, chain };
    for (let target = await chain.next(); target !== undefined; target = await chain.next()) {
      const tried = await tryHedged(run, target);
      if (tried.verdict !== 'done') continue;
      try {
        const completion = yield* deliver(tried.answer, run.broken);
        outcome = completion;
        yield { type: 'finish', completion };
        return;
      } catch (raw) {
        // The answer has been passed on: whoever ends the call now takes nothing away.
        if (outcome !== undefined) return;
        // An answer that has come whole cannot fail any more: the call was ended while its parts were passed on.
        if (tried.answer.completion !== undefined) throw raw;
        run = { ...run, broken: await breakOff(run, tried.answer.session, raw) };
      }
    }
    throw chain.exhausted(run.broken?.partial);
  } catch (raw) {
    outcome = asCallError(raw).with({ trail: [...trail.lines] });
    throw outcome;
  } finally {
    scope.close();
    tellEnd(engine, trail, scope, outcome ?? readerLeft());
    onEnd();
  }
}

/** Passes an answer on, part by part, and returns it whole. Closes the attempt when the reader leaves. */
async function* deliver(
  answer: Committed,
  broken: Broken | undefined,
): AsyncGenerator<StreamPart, Completion> {
  const { session, held, rest, completion } = answer;
  const { id, model } = session.target;
  let isOver = false;
  try {
    if (broken !== undefined) {
      const type = session.continues ? 'continue' : 'restart';
      yield { type, from: broken.from, to: id, error: broken.error };
    }
    yield { type: 'start', target: id, model };
    for (const part of held) {
      const visible = toStreamPart(part);
      if (visible !== undefined) yield visible;
    }
    for await (const part of rest) {
      const visible = toStreamPart(part);
      if (visible !== undefined) yield visible;
    }
    isOver = true;
    return completion ?? session.succeed(await session.conclude());
  } catch (error) {
    isOver = true;
    // Thrown in from outside, an abort finds the attempt open.
    await rest.return();
    throw error;
  } finally {
    if (!isOver) await letGo(answer, readerLeft());
  }
}

function readerLeft(): SignalboxError {
  return new SignalboxError('aborted', 'the reader left');
}

function asCallError(error: unknown): SignalboxError {
  if (isSignalboxError(error)) return error;
  return new SignalboxError('invalid_response', 'the call failed in an unforeseen way; see cause', {
    cause: error,
  });
}

function tellEnd(
  engine: Engine,
  trail: Trail,
  scope: Scope,
  outcome: Completion | SignalboxError,
): void {
  const common = {
    attempts: trail.attempts,
    durationMs: engine.runtime.now() - scope.startedAt,
    usd: trail.hasUnknownCost ? null : trail.usd,
  };
  if (!isSignalboxError(outcome)) {
    const { firstTokenMs } = outcome.latency;
    const timing = firstTokenMs === undefined ? {} : { firstTokenMs };
    trail.emit('call-end', { ...common, ...timing, status: 'ok', target: outcome.target });
    return;
  }
  const aborted = outcome.code === 'aborted' || outcome.code === 'closed';
  const status = aborted ? 'aborted' : 'error';
  trail.emit('call-end', { ...common, status, error: summarizeError(outcome) });
}
