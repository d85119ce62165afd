import type { AttemptContext } from '../protocol/provider.ts';
import type { Answer } from './answer.ts';
import type { Tap } from './guarded-fetch.ts';
import { connectionError } from './network-error.ts';
import { tellLimits } from './rate-limits.ts';
import { type Reply, readReply } from './read-reply.ts';
import { untilAborted } from './until-aborted.ts';

/** The vendor's answer, or our own word for why there is none. */
async function answerOn({ answer, signal }: Tap): Promise<Answer> {
  if (answer === undefined) {
    throw connectionError(new Error('the SDK returned without using the fetch it was given'));
  }
  try {
    return await answer;
  } catch (error) {
    signal.throwIfAborted();
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
  const tap: Tap = { signal, watch, key };
  try {
    // The SDK may look for credentials first, and knows nothing of the signal.
    await untilAborted(() => send(tap), signal);
  } catch (error) {
    signal.throwIfAborted();
    if (tap.answer === undefined) throw error;
  }
  const answer = await answerOn(tap);
  tellLimits(answer.headers, watch);
  try {
    return await readReply(answer, watch);
  } catch (error) {
    // Whatever the cut looks like, an abort is an abort.
    signal.throwIfAborted();
    throw error;
  }
}
