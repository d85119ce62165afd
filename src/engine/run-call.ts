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
  let delivering: Committed | undefined;
  try {
    const chain = openChain(engine, call, scope, trail);
    let run: Run = { engine, call, scope, trail, chain };
    for (let target = await chain.next(); target !== undefined; target = await chain.next()) {
      const tried = await tryHedged(run, target);
      if (tried.verdict !== 'done') continue;
      const { session, rest, completion } = tried.answer;
      delivering = tried.answer;
      try {
        // Who wants the whole answer is shown nothing but that.
        const beginning = call.mode === 'stream' ? beginningOf(tried.answer, run.broken) : [];
        for (const part of beginning) yield part;
        for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
          const visible = toStreamPart(next.value);
          if (visible !== undefined) yield visible;
        }
        delivering = undefined;
        const answer = completion ?? session.succeed(await session.conclude());
        outcome = answer;
        yield { type: 'finish', completion: answer };
        return;
      } catch (raw) {
        // The answer has been passed on: whoever ends the call now takes nothing away.
        if (outcome !== undefined) return;
        delivering = undefined;
        // Thrown in from outside, an abort finds the attempt open.
        await rest.return();
        // An answer that has come whole cannot fail any more: the call was ended while its parts were passed on.
        if (completion !== undefined) throw raw;
        run = { ...run, broken: await breakOff(run, session, raw) };
      }
    }
    throw chain.exhausted(run.broken?.partial);
  } catch (raw) {
    outcome = asCallError(raw).with({ trail: [...trail.lines] });
    throw outcome;
  } finally {
    if (delivering !== undefined) await letGo(delivering, readerLeft());
    scope.close();
    tellEnd(engine, trail, scope, outcome ?? readerLeft());
    onEnd();
  }
}

/** What a reader gets of an answer that we stand by, up to what is still to come. */
function beginningOf(
  { session, held }: Committed,
  broken: Broken | undefined,
): readonly StreamPart[] {
  const { id, model } = session.target;
  const parts = held.flatMap((part) => toStreamPart(part) ?? []);
  const start: StreamPart = { type: 'start', target: id, model };
  if (broken === undefined) return [start, ...parts];
  const type = session.continues ? 'continue' : 'restart';
  return [{ type, from: broken.from, to: id, error: broken.error }, start, ...parts];
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
