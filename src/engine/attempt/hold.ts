import type { SignalboxError } from '../../errors.ts';
import type { Completion } from '../../protocol/completion.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import type { Call } from '../core/engine.ts';
import { optionsFor } from '../core/engine.ts';
import type { Session } from './attempt.ts';
import type { AttemptParts } from './attempt-stream.ts';

/** An attempt that we stand by: from here on, a failure can no longer be hidden from the reader. */
export type Committed = {
  readonly session: Session;
  /** What arrived before, not yet passed on. */
  readonly held: readonly ProviderPart[];
  /** The parts still to come; they have begun to be read. */
  readonly rest: AttemptParts;
  /** The whole answer, already checked, when it ended before anything was passed on. */
  readonly completion?: Completion;
};

/**
 * Whether the part shows something of the answer: text, a tool call, or reasoning if it was asked for.
 * Preamble, usage and unasked reasoning do not commit: a failure after them is still ours to route around.
 */
function isVisible(part: ProviderPart, reasoningAskedFor: boolean): boolean {
  switch (part.type) {
    case 'text-delta':
    case 'tool-call-start':
    case 'tool-call-delta':
      return true;
    case 'reasoning-delta':
      return reasoningAskedFor;
    case 'part-end':
      return part.part.type !== 'reasoning';
    default:
      return false;
  }
}

/**
 * Holds an attempt's parts until the first visible one, or, where the caller wants the whole answer, until
 * its end. Rejects with the attempt's failure as long as nothing was passed on.
 */
export async function holdUntilCommitted(session: Session, call: Call): Promise<Committed> {
  const reasoningAskedFor = optionsFor(call, session.target).reasoning?.include === true;
  const held: ProviderPart[] = [];
  const rest = await session.start();
  for (let batch = await rest.next(); batch !== undefined; batch = await rest.next()) {
    if (call.mode === 'complete') continue;
    held.push(...batch);
    if (batch.some((part) => isVisible(part, reasoningAskedFor))) return { session, held, rest };
  }
  const completion = session.succeed(await session.conclude());
  return { session, held, rest, completion };
}

/** Lets go of an answer that nobody wants any more: its socket is closed, and its line written. */
export async function letGo(answer: Committed, reason: SignalboxError): Promise<void> {
  const { session, rest, completion } = answer;
  if (completion !== undefined) return;
  rest.leave();
  session.judge(await session.fail(reason), { verdict: 'stop' });
}
