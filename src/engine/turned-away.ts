import { SignalboxError } from '../errors.ts';
import { QueueRefusal } from '../resilience/admission-queue.ts';

const reasons: Record<QueueRefusal['reason'], (refusal: QueueRefusal) => string> = {
  full: ({ gate }) => `shed: too many attempts wait for ${gate} already (limits.maxQueue)`,
  'too-late': ({ gate, waitMs }) =>
    `not asked: ${gate} is used up, and its turn would come in about ${waitMs} ms, too late`,
  expired: ({ gate }) => `not asked: ${gate} was used up for too long (limits.maxQueueMs)`,
};

/** A refusal of our own queue as an error of the attempt: nothing was sent, and the target is not at fault. */
export function asTurnedAway(error: unknown): unknown {
  if (!(error instanceof QueueRefusal)) return error;
  const { waitMs } = error;
  return new SignalboxError('rate_limited', reasons[error.reason](error), {
    cause: error,
    ...(waitMs > 0 && { retryAfterMs: waitMs }),
  });
}

/** Whether the attempt never left our own queue. */
export function wasTurnedAway(error: SignalboxError): boolean {
  return error.cause instanceof QueueRefusal;
}
