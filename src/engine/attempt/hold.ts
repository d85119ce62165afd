import type { SignalboxError } from '../../errors.ts';
import type { Completion } from '../../protocol/completion.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import type { RunningAttempt } from './attempt.ts';
import type { AttemptParts } from './attempt-stream.ts';

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
export async function holdUntilCommitted(attempt: RunningAttempt): Promise<Committed> {
  const { call, options } = attempt.plan;
  const showsReasoning = options.reasoning?.include === true;
  const held: ProviderPart[] = [];
  const rest = await attempt.start();
  for (let batch = await rest.next(); batch !== undefined; batch = await rest.next()) {
    if (call.mode === 'complete') continue;
    held.push(...batch);
    if (batch.some((part) => isVisible(part, showsReasoning))) return { attempt, held, rest };
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
