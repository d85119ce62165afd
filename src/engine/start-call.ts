import { defaults } from '../config/defaults.ts';
import { SignalboxError } from '../errors.ts';
import type { Completion } from '../protocol/completion.ts';
import type { StreamPart } from '../protocol/stream-part.ts';
import type { Call, Engine } from './engine.ts';
import type { InFlight } from './in-flight.ts';
import { runCall } from './run-call.ts';
import { openScope } from './scope.ts';

/**
 * Runs a call under a scope of its own, known to the router until it has ended. `leaving` aborts when the
 * reader goes while a part is being waited for, when a generator can be told nothing. What is returned must be
 * read, were it only to its first part.
 * @throws SignalboxError `closed` once the router is.
 */
export function startCall(
  engine: Engine,
  inFlight: InFlight,
  call: Call,
  leaving?: AbortSignal,
): AsyncGenerator<StreamPart, void> {
  const { totalMs } = { ...call.tier.timeouts, ...call.options.timeouts };
  const scope = openScope(engine.runtime, call.options.signal, totalMs ?? defaults.totalMs);
  const leave = (): void => scope.abort(leaving?.reason);
  if (leaving?.aborted) leave();
  leaving?.addEventListener('abort', leave, { once: true });
  const parts = runCall(engine, call, scope, () => {
    leaving?.removeEventListener('abort', leave);
    inFlight.leave(running);
  });
  let ending: Promise<void> | undefined;
  /** Ends the call although nobody reads it, so that an abort never waits for a reader who is busy elsewhere. */
  async function end(): Promise<void> {
    try {
      await parts.throw(scope.signal.reason);
    } catch (error) {
      // The reader comes back to a call that was ended meanwhile: it must not look like a whole answer.
      parts.next = () => Promise.reject(error);
    }
  }
  const running: Parameters<InFlight['enter']>[0] = {
    abort: scope.abort,
    end: () => (ending ??= end()),
  };
  scope.signal.addEventListener('abort', running.end, { once: true });
  try {
    inFlight.enter(running);
  } catch (error) {
    scope.close();
    throw error;
  }
  return parts;
}

/** Reads a call to its end, for callers who want the whole answer. One road for both. */
export async function collectCall(parts: AsyncGenerator<StreamPart, void>): Promise<Completion> {
  for await (const part of parts) {
    if (part.type === 'finish') return part.completion;
  }
  throw new SignalboxError('stream_interrupted', 'the call ended without an answer');
}
