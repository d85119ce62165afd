import { isSignalboxError, SignalboxError } from '../errors.ts';
import type { AttemptContext } from '../protocol/provider.ts';
import { reportLimits } from './body/rate-limit-headers.ts';
import { type Reply, readReply } from './body/read-reply.ts';
import type { Answer } from './body/response.ts';
import { connectionError } from './network-error.ts';
import { ResponseCapture } from './response-capture.ts';

/** The SDK failed before it sent anything. */
class SdkFailure extends Error {}

function fetchNotUsed(): SignalboxError {
  return connectionError(new Error('the SDK returned without using the fetch it was given'));
}

/** Makes the SDK send its request, and waits for the captured response. */
function captureAnswer(
  send: (capture: ResponseCapture) => PromiseLike<unknown>,
  capture: ResponseCapture,
): Promise<Answer> {
  const answer = capture.wait();
  // The outcome of the SDK's call no longer matters once the request is sent.
  const handleFailure = (cause: unknown): void => {
    if (capture.isUnsent) capture.reject(new SdkFailure('', { cause }));
  };
  try {
    send(capture).then(() => {
      if (capture.isUnsent) capture.reject(fetchNotUsed());
    }, handleFailure);
  } catch (error) {
    handleFailure(error);
  }
  return answer;
}

/**
 * Makes an SDK send one request, and reads the vendor's response. `send` calls the SDK with the capture it is given;
 * what the SDK returns is ignored, because the guarded fetch captures the response. For SDKs that look up credentials
 * before they send anything, `noCredentials` is the error message when there are none.
 *
 * @throws SignalboxError `connection`, `stream_interrupted` or `invalid_response`; `auth` for an SDK without
 * credentials; the signal's reason when it aborted; and whatever the SDK threw before it sent anything (bad arguments).
 */
export async function exchange(
  context: AttemptContext,
  send: (capture: ResponseCapture) => PromiseLike<unknown>,
  noCredentials?: string,
): Promise<Reply> {
  const { signal, watch, key = 0, maxAnswerBytes } = context;
  signal.throwIfAborted();
  let answer: Answer | undefined;
  try {
    answer = await captureAnswer(send, new ResponseCapture({ signal, watch, key }));
    reportLimits(answer.headers, watch);
    const reply = readReply(answer, watch, maxAnswerBytes);
    return reply instanceof Promise ? await reply : reply;
  } catch (error) {
    // An abort can surface as any network error.
    signal.throwIfAborted();
    if (answer !== undefined) throw error;
    if (!(error instanceof SdkFailure)) throw connectionError(error);
    const { cause } = error;
    if (isSignalboxError(cause) || noCredentials === undefined) throw cause;
    throw new SignalboxError('auth', noCredentials, { cause });
  }
}
