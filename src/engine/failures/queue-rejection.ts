import { isSignalboxError, SignalboxError } from '../../errors.ts';
import { QueueRejection } from '../../limits/admission-queue.ts';

const messages: Record<QueueRejection['reason'], (rejection: QueueRejection) => string> = {
  full: ({ bound }) =>
    `rejected: the queue for ${bound?.label ?? bound?.key} is full (maxQueue ${bound?.max})`,
  'too-late': ({ gate, waitMs }) =>
    `not sent: ${gate} is used up, and the wait of about ${waitMs} ms exceeds the deadline`,
  expired: ({ gate }) => `not sent: ${gate} was used up for longer than maxQueueMs`,
};

/**
 * What ended the wait in the queue, as an error of the attempt: nothing was sent, and the target is not at fault.
 * `label` names the key too, where there are several.
 */
export function asQueueRejection(
  error: unknown,
  {
    id,
    label,
    waitedMs,
  }: { readonly id: string; readonly label: string; readonly waitedMs: number },
): unknown {
  if (error instanceof QueueRejection) {
    return new SignalboxError('rate_limited', `${label}: ${messages[error.reason](error)}`, {
      target: id,
      cause: error,
      ...(error.waitMs > 0 && { retryAfterMs: error.waitMs }),
    });
  }
  if (!isSignalboxError(error, 'timeout')) return error;
  const waited = `${label}: not sent, waited ${Math.round(waitedMs)} ms in the queue`;
  return error.with({ message: `${waited}; ${error.message}` });
}

const outdated = new Error('the target became unavailable while the attempt waited in the queue');

/** The attempt's turn has come, and it must not be made any more. */
export function notSent(label: string, reason: string): SignalboxError {
  return new SignalboxError('rate_limited', `${label}: not sent after its wait, ${reason}`, {
    cause: outdated,
  });
}

/** Whether the attempt was never made, because of our own limits. */
export function isQueueRejection(error: SignalboxError): boolean {
  return error.cause === outdated || error.cause instanceof QueueRejection;
}
