import { isSignalboxError, SignalboxError, summarizeError } from '../../errors.ts';
import { forgetLastMatch } from '../../internal/forget-last-match.ts';
import type { Completion } from '../../protocol/completion.ts';
import type { StreamPart } from '../../protocol/stream-part.ts';
import type { InvalidCall } from '../answer/offered-tools.ts';
import { withTrail } from '../answer/to-completion.ts';
import { type Committed, letGo } from '../attempt/hold.ts';
import type { Broken, Run } from '../attempt/run.ts';
import { openChain } from '../chain/chain.ts';
import { shownParts } from '../core/collected.ts';
import type { Call, Engine } from '../core/engine.ts';
import type { CallScope } from '../core/scope.ts';
import { openTrail, type Trail } from '../core/trail.ts';
import { tryHedged } from './hedge.ts';
import { breakOff } from './try-target.ts';

/** The parts of a call, in batches; the completion is what it returns. */
export type CallRun = AsyncGenerator<readonly StreamPart[], Completion | undefined>;

/**
 * One call from beginning to end. Read this first.
 *
 * The chain hands out targets. Each is tried, and tried again, until an answer is committed to or the verdict is to go
 * on. From then on the reader sees the answer as it arrives, and a failure can no longer be hidden from it: the tier's
 * `midStream` rule decides. A caller who wants the whole answer gets nothing but the completion.
 */
export async function* runCall(
  engine: Engine,
  call: Call,
  scope: CallScope,
  onEnd: () => void,
): CallRun {
  const trail = openTrail(engine, call);
  trail.emit('call-start', { mode: call.mode });
  // A reader who leaves gives no other sign than that nothing below is reached.
  let outcome: Completion | SignalboxError | undefined;
  let delivering: Committed | undefined;
  /** The call that the last answer was ended for. */
  let invalidCall: InvalidCall | undefined;
  try {
    const chain = openChain(engine, call, scope, trail);
    let run: Run = { engine, call, scope, trail, chain };
    for (let target = await chain.next(); target !== undefined; target = await chain.next()) {
      const tried = await tryHedged(run, target);
      if (tried.verdict !== 'done') continue;
      const { session, rest, completion } = tried.answer;
      delivering = tried.answer;
      invalidCall = undefined;
      try {
        if (call.mode === 'stream') {
          yield beginningOf(tried.answer, run.broken);
          for (let batch = await rest.next(); batch !== undefined; batch = await rest.next()) {
            const parts = shownParts(batch);
            if (parts.length > 0) yield parts;
          }
        }
        delivering = undefined;
        const answer = completion ?? session.succeed(await session.conclude());
        outcome = withTrail(answer, trail);
        return outcome;
      } catch (raw) {
        delivering = undefined;
        // Thrown in from outside, an abort finds the attempt open.
        rest.leave();
        // An answer that has come whole cannot fail any more: the call was ended while its parts were passed on.
        if (completion !== undefined) throw raw;
        invalidCall = session.toolCalls.invalidCall;
        run = { ...run, broken: await breakOff(run, session, raw) };
      }
    }
    throw chain.exhausted(run.broken?.partial);
  } catch (raw) {
    outcome = asCallError(raw).with({ trail: [...trail.lines] });
    const isRead = scope.reason === undefined;
    if (isRead && invalidCall !== undefined) yield [{ type: 'invalid-tool-call', ...invalidCall }];
    throw outcome;
  } finally {
    if (delivering !== undefined) await letGo(delivering, readerLeft());
    scope.close();
    try {
      tellEnd(engine, trail, scope, outcome ?? readerLeft());
    } finally {
      onEnd();
      forgetLastMatch();
    }
  }
}

/** What a reader gets of an answer that we stand by, up to what is still to come. */
function beginningOf(
  { session, held }: Committed,
  broken: Broken | undefined,
): readonly StreamPart[] {
  const { id, model } = session.target;
  const parts = shownParts(held);
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
  scope: CallScope,
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
