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
 * reader goes while a part is being waited for, when a generator can be told nothing.
 */
export async function* startCall(
  engine: Engine,
  inFlight: InFlight,
  call: Call,
  leaving?: AbortSignal,
): AsyncGenerator<StreamPart, void> {
  const { totalMs } = { ...call.tier.timeouts, ...call.options.timeouts };
  const scope = openScope(engine.runtime, call.options.signal, totalMs ?? defaults.totalMs);
  leaving?.addEventListener('abort', () => scope.abort(leaving.reason), { once: true });
  const parts = runCall(engine, call, scope);
  let isWhole = false;
  let failure: unknown;
  /** Ends the call although nobody reads it, so that an abort never waits for a reader who is busy elsewhere. */
  async function end(): Promise<void> {
    try {
      await (isWhole ? parts.return() : parts.throw(scope.signal.reason));
    } catch (error) {
      failure ??= error;
    } finally {
      inFlight.leave(running);
    }
  }
  const running = { abort: scope.abort, end };
  try {
    inFlight.enter(running);
    scope.signal.addEventListener('abort', end, { once: true });
    for await (const part of parts) {
      isWhole = part.type === 'finish';
      yield part;
    }
    // The reader comes back to a call that was ended meanwhile: it must not look like a whole answer.
    if (!isWhole) throw failure ?? scope.signal.reason;
  } finally {
    scope.signal.removeEventListener('abort', end);
    scope.close();
    inFlight.leave(running);
  }
}

/** Reads a call to its end, for callers who want the whole answer. One road for both. */
export async function collectCall(parts: AsyncGenerator<StreamPart, void>): Promise<Completion> {
  for await (const part of parts) {
    if (part.type === 'finish') return part.completion;
  }
  throw new SignalboxError('stream_interrupted', 'the call ended without an answer');
}
