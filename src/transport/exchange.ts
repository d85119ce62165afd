import { isSignalboxError, SignalboxError } from '../errors.ts';
import type { AttemptContext } from '../protocol/provider.ts';
import { tellLimits } from './body/rate-limit-headers.ts';
import { type Reply, readReply } from './body/read-reply.ts';
import type { Answer } from './body/response.ts';
import { connectionError } from './network-error.ts';
import { Tap } from './response-capture.ts';

/** An SDK that gave up before it sent anything. */
class SdkFailure extends Error {}

function unused(): SignalboxError {
  return connectionError(new Error('the SDK returned without using the fetch it was given'));
}

/** Has the SDK make its request; the answer comes by the tap. */
function answerTo(send: (tap: Tap) => PromiseLike<unknown>, tap: Tap): Promise<Answer> {
  const answer = tap.wait();
  // What becomes of the SDK's call once the request is out is of no interest.
  const giveUp = (cause: unknown): void => {
    if (tap.isWaiting) tap.fail(new SdkFailure('', { cause }));
  };
  try {
    send(tap).then(() => {
      if (tap.isWaiting) tap.fail(unused());
    }, giveUp);
  } catch (error) {
    giveUp(error);
  }
  return answer;
}

/**
 * Has an SDK make one request and reads the vendor's answer. `send` makes the SDK's call with the tap it is
 * handed; what the SDK returns is of no interest, since the guard caught the answer. For SDKs that look for
 * credentials before they send anything, `noCredentials` says what to do when there are none.
 *
 * @throws SignalboxError `connection`, `stream_interrupted` or `invalid_response`; `auth` for an SDK without
 * credentials; the signal's reason when it aborted; and whatever the SDK threw before it sent anything (bad arguments).
 */
export async function exchange(
  context: AttemptContext,
  send: (tap: Tap) => PromiseLike<unknown>,
  noCredentials?: string,
): Promise<Reply> {
  const { signal, watch, key = 0, maxAnswerBytes } = context;
  signal.throwIfAborted();
  let answer: Answer | undefined;
  try {
    answer = await answerTo(send, new Tap({ signal, watch, key }));
    tellLimits(answer.headers, watch);
    const reply = readReply(answer, watch, maxAnswerBytes);
    return reply instanceof Promise ? await reply : reply;
  } catch (error) {
    // Whatever the cut looks like, an abort is an abort.
    signal.throwIfAborted();
    if (answer !== undefined) throw error;
    if (!(error instanceof SdkFailure)) throw connectionError(error);
    const { cause } = error;
    if (isSignalboxError(cause) || noCredentials === undefined) throw cause;
    throw new SignalboxError('auth', noCredentials, { cause });
  }
}
