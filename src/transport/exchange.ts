import type { AttemptContext } from '../protocol/provider.ts';
import type { Answer } from './answer.ts';
import type { Listener, Tap } from './guarded-fetch.ts';
import { connectionError } from './network-error.ts';
import { tellLimits } from './rate-limits.ts';
import { type Reply, readReply } from './read-reply.ts';
import { untilAborted } from './until-aborted.ts';

/** Has the SDK make its request, and takes the answer off the tap. */
async function answerTo(
  send: (tap: Tap) => PromiseLike<unknown>,
  listener: Listener,
): Promise<Answer> {
  const tap: Tap = { listener };
  try {
    // The SDK may look for credentials first, and knows nothing of the signal.
    await untilAborted(() => send(tap), listener.signal);
  } catch (error) {
    listener.signal.throwIfAborted();
    if (tap.answer === undefined) throw error;
  } finally {
    tap.listener = undefined;
  }
  const { answer } = tap;
  tap.answer = undefined;
  if (answer === undefined) {
    throw connectionError(new Error('the SDK returned without using the fetch it was given'));
  }
  try {
    return await answer;
  } catch (error) {
    listener.signal.throwIfAborted();
    throw connectionError(error);
  }
}

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
  const answer = await answerTo(send, { signal, watch, key });
  tellLimits(answer.headers, watch);
  try {
    return await readReply(answer, watch);
  } catch (error) {
    // Whatever the cut looks like, an abort is an abort.
    signal.throwIfAborted();
    throw error;
  }
}
