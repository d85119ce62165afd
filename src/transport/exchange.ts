import type { AttemptContext } from '../protocol/provider.ts';
import type { Tap } from './guarded-fetch.ts';
import { connectionError } from './network-error.ts';
import { tellLimits } from './rate-limits.ts';
import { type Reply, readReply } from './read-reply.ts';
import { untilAborted } from './until-aborted.ts';

/**
 * Has an SDK make one request and reads the vendor's answer. `send` makes the SDK's call with the tap it is
 * handed; what the SDK returns is of no interest, since the guard caught the answer.
 *
 * @throws SignalboxError `connection`, `stream_interrupted` or `invalid_response`; the signal's reason when
 * it aborted; and whatever the SDK threw before it sent anything (bad arguments).
 */
export async function exchange(
  context: AttemptContext,
  send: (tap: Tap) => PromiseLike<unknown>,
): Promise<Reply> {
  context.signal.throwIfAborted();
  const { signal, watch, key = 0 } = context;
  const tap: Tap = { signal, watch, key };
  try {
    // The SDK may look for credentials first, and knows nothing of the signal.
    await untilAborted(() => send(tap), signal);
  } catch (error) {
    context.signal.throwIfAborted();
    if (tap.failure !== undefined) throw connectionError(tap.failure);
    if (tap.response === undefined) throw error;
  }
  if (tap.response === undefined) {
    throw connectionError(new Error('the SDK returned without using the fetch it was given'));
  }
  tellLimits(tap.response.headers, watch);
  try {
    return await readReply(tap.response, context.watch);
  } catch (error) {
    // Whatever the cut looks like, an abort is an abort.
    context.signal.throwIfAborted();
    throw error;
  }
}
