import { defaults } from '../../config/defaults.ts';
import { SignalboxError } from '../../errors.ts';
import type { Completion } from '../../protocol/completion.ts';
import type { Call, Engine } from '../core/engine.ts';
import { openScope } from '../core/scope.ts';
import type { InFlight } from './in-flight.ts';
import { runCall } from './run-call.ts';
import { type CallParts, RunningCall } from './running-call.ts';

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
): CallParts {
  const { tier, options } = call;
  const totalMs = options.timeouts?.totalMs ?? tier.timeouts.totalMs ?? defaults.totalMs;
  const scope = openScope(engine.runtime, options.signal, totalMs);
  const leave = (): void => scope.abort(leaving?.reason);
  if (leaving?.aborted) leave();
  leaving?.addEventListener('abort', leave, { once: true });
  const run = runCall(engine, call, scope, () => {
    leaving?.removeEventListener('abort', leave);
    inFlight.leave(running);
    engine.configs.release(call.config);
  });
  const parts = new RunningCall(run);
  const running: Parameters<InFlight['enter']>[0] = {
    abort: (reason) => scope.abort(reason),
    // An abort never waits for a reader who is busy elsewhere.
    end: () => parts.end(scope.reason),
  };
  scope.listen(running.end);
  try {
    inFlight.enter(running);
  } catch (error) {
    scope.close();
    throw error;
  }
  engine.configs.retain(call.config);
  return parts;
}

/** Reads a call to its end, for callers who want the whole answer. */
export async function collectCall(parts: CallParts): Promise<Completion> {
  for (let step = await parts.next(); step.done !== true; step = await parts.next()) {
    const last = step.value.at(-1);
    if (last?.type === 'finish') return last.completion;
  }
  throw new SignalboxError('stream_interrupted', 'the call ended without an answer');
}
