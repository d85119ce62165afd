import { isSignalboxError, SignalboxError } from '../../errors.ts';
import { QueueRefusal } from '../../limits/admission-queue.ts';

const reasons: Record<QueueRefusal['reason'], (refusal: QueueRefusal) => string> = {
  full: ({ gate }) => `shed: too many attempts wait for ${gate} already (limits.maxQueue)`,
  'too-late': ({ gate, waitMs }) =>
    `not asked: ${gate} is used up, and its turn would come in about ${waitMs} ms, too late`,
  expired: ({ gate }) => `not asked: ${gate} was used up for too long (limits.maxQueueMs)`,
};

/**
 * What ended the wait for a turn, as an error of the attempt: nothing was sent, and the target is not at fault.
 * `name` tells the key too, where there is a choice.
 */
export function asTurnedAway(
  error: unknown,
  { id, name, waitedMs }: { readonly id: string; readonly name: string; readonly waitedMs: number },
): unknown {
  if (error instanceof QueueRefusal) {
    return new SignalboxError('rate_limited', `${name}: ${reasons[error.reason](error)}`, {
      target: id,
      cause: error,
      ...(error.waitMs > 0 && { retryAfterMs: error.waitMs }),
    });
  }
  if (!isSignalboxError(error, 'timeout')) return error;
  const waited = `${name}: not asked, waited ${Math.round(waitedMs)} ms for its turn`;
  return error.with({ message: `${waited}; ${error.message}` });
}

const neverMade = new Error('things have changed while the attempt waited for its turn');

/** The attempt's turn has come, and it is not to be made any more. */
export function notAsked(name: string, reason: string): SignalboxError {
  return new SignalboxError('rate_limited', `${name}: not asked after its wait, ${reason}`, {
    cause: neverMade,
  });
}

/** Whether the attempt was never made, because of our own limits. */
export function wasTurnedAway(error: SignalboxError): boolean {
  return error.cause === neverMade || error.cause instanceof QueueRefusal;
}
