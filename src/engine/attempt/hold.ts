import type { SignalboxError } from '../../errors.ts';
import type { Completion } from '../../protocol/completion.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import type { Call } from '../core/engine.ts';
import { optionsFor } from '../tasks/request.ts';
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
  const asked = optionsFor(call, session.target).reasoning;
  const reasoningAskedFor = asked?.include === true;
  const held: ProviderPart[] = [];
  // What is there at once is not awaited: an answer in one piece comes with all of its parts.
  const started = session.start();
  const rest = started instanceof Promise ? await started : started;
  for (;;) {
    const next = rest.read();
    if (next instanceof Promise) {
      await next;
      continue;
    }
    if (next.done === true) break;
    if (call.mode === 'complete') continue;
    held.push(next.value);
    if (isVisible(next.value, reasoningAskedFor)) return { session, held, rest };
  }
  const concluded = session.conclude();
  const completion = concluded instanceof Promise ? await concluded : concluded;
  return { session, held, rest, completion: session.succeed(completion) };
}

/** Lets go of an answer that nobody wants any more: its socket is closed, and its line written. */
export async function letGo(answer: Committed, reason: SignalboxError): Promise<void> {
  const { session, rest, completion } = answer;
  if (completion !== undefined) return;
  rest.leave();
  session.judge(await session.fail(reason), { verdict: 'stop' });
}
